// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/calls.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/errno_names.h"
#include "base/units.h"
#include "mm/mmap.h"
#include "mm/oom_kill.h"
#include "mm/userfaultfd.h"
#include "sched/engine.h"
#include "sched/sched.h"
#include "syscall/entry.h"
#include "syscall/futex.h"
#include "syscall/pidfd.h"
#include "syscall/syscall_state.h"

namespace reapsim {
namespace {

constexpr ValueType kNumber = ValueType::kNumber;
constexpr ValueType kFd = ValueType::kFd;
constexpr ValueType kTask = ValueType::kTask;
constexpr ValueType kAddress = ValueType::kAddress;
constexpr ValueType kForeign = ValueType::kForeign;

using Values = const int64_t*;

int Int(int64_t value) { return static_cast<int>(value); }
uint64_t Word(int64_t value) { return static_cast<uint64_t>(value); }
uint32_t Half(int64_t value) { return static_cast<uint32_t>(value); }
// What a register holds may be no length: the model's sizes stay in bounds.
Pages Count(int64_t pages) {
  return Pages(Word(std::clamp<int64_t>(pages, 0, kMostPages)));
}
Bytes Length(int64_t pages) { return Count(pages).bytes(); }

// The outside world: devices answer again, dumps are read.
SysResult Unblock(bool SyscallState::*device, bool SchedState::*dump) {
  SyscallEnter();
  SyscallState& state = Here<SyscallState>();
  SchedulePoint(Point::kWake, Access::kWrite, NumberOf(&state));
  if (device != nullptr) state.*device = false;
  if (dump != nullptr) Here<SchedState>().*dump = false;
  NoteResult(0);
  return SysResult(0);
}

SysResult MmapCall(User u, Values v) {
  Mapping mapping;
  mapping.prot = Word(v[2]);
  mapping.flags = Word(v[3]);
  mapping.fd = Int(v[4]);
  mapping.offset = Count(v[5]);
  return u.mmap(Length(v[1]), mapping, Word(v[0]));
}

// The reading end; the writing end is the next descriptor.
SysResult PipeCall(User u, Values /*v*/) {
  int fds[2];
  const SysResult made = u.pipe(fds);
  if (!made.ok()) return made;
  return SysResult(fds[1] == fds[0] + 1 ? fds[0] : -EMFILE);
}

SysResult SigactionCall(User u, Values v) {
  constexpr auto kLast = static_cast<int64_t>(SigDisposition::kHandler);
  return u.sigaction(Int(v[0]), static_cast<SigDisposition>(
                                    std::clamp<int64_t>(v[1], 0, kLast)));
}

// For calls that take a signal as a bit.
int Signal(int64_t value) {
  return Int(std::clamp<int64_t>(value, 1, kSignals));
}

// The lambda that makes a call.
#define REAPSIM_MAKE(expr)            \
  [](User u, Values v) -> SysResult { \
    (void)v;                          \
    return expr;                      \
  }

const std::vector<CallSpec>& Table() {
  static const auto* table = new std::vector<CallSpec>{
      {"cgroup_attach",
       kNumber,
       {{"process", kTask}, {"cgroup", kNumber}},
       REAPSIM_MAKE(u.cgroup_attach(Int(v[0]), Half(v[1])))},
      {"cgroup_pidfds",
       kFd,
       {{"cgroup", kNumber}, {"index", kNumber}},
       REAPSIM_MAKE(u.cgroup_pidfds(Half(v[0]), Half(v[1])))},
      {"cgroup_procs",
       kTask,
       {{"cgroup", kNumber}, {"index", kNumber}},
       REAPSIM_MAKE(u.cgroup_procs(Half(v[0]), Half(v[1])))},
      {"clone_thread", kTask, {}, REAPSIM_MAKE(u.clone_thread())},
      {"clone_vm",
       kTask,
       {{"flags", kNumber}},
       REAPSIM_MAKE(u.clone_vm(Word(v[0])))},
      {"close", kNumber, {{"fd", kFd}}, REAPSIM_MAKE(u.close(Int(v[0])))},
      {"driver_wait", kNumber, {}, REAPSIM_MAKE(u.driver_wait())},
      {"dup", kFd, {{"fd", kFd}}, REAPSIM_MAKE(u.dup(Int(v[0])))},
      {"execve",
       kNumber,
       {{"bare", kNumber}},
       REAPSIM_MAKE(u.execve(v[0] != 0))},
      {"exit", kNumber, {{"code", kNumber}}, REAPSIM_MAKE(u.exit(Int(v[0])))},
      {"exit_group",
       kNumber,
       {{"code", kNumber}},
       REAPSIM_MAKE(u.exit_group(Int(v[0])))},
      {"fork", kTask, {}, REAPSIM_MAKE(u.fork())},
      {"freeze_v1",
       kNumber,
       {{"process", kTask}, {"frozen", kNumber}},
       REAPSIM_MAKE(u.freeze_v1(Int(v[0]), v[1] != 0))},
      {"freeze_v2",
       kNumber,
       {{"process", kTask}, {"frozen", kNumber}},
       REAPSIM_MAKE(u.freeze_v2(Int(v[0]), v[1] != 0))},
      {"futex_wait",
       kNumber,
       {{"addr", kAddress}, {"value", kNumber}},
       REAPSIM_MAKE(u.futex_wait(Word(v[0]), Word(v[1])))},
      {"futex_wake",
       kNumber,
       {{"addr", kAddress}, {"count", kNumber}},
       REAPSIM_MAKE(u.futex_wake(Word(v[0]), Int(v[1])))},
      {"get_user",
       kNumber,
       {{"addr", kAddress}},
       REAPSIM_MAKE(u.get_user(Word(v[0])))},
      {"getpid", kTask, {}, REAPSIM_MAKE(u.getpid())},
      {"io_submit",
       kNumber,
       {{"addr", kAddress}, {"pages", kNumber}, {"word", kNumber}},
       REAPSIM_MAKE(u.io_submit(Word(v[0]), Length(v[1]), Word(v[2])))},
      {"kill",
       kNumber,
       {{"process", kTask}, {"sig", kNumber}},
       REAPSIM_MAKE(u.kill(Int(v[0]), Int(v[1])))},
      {"load", kNumber, {{"addr", kAddress}}, REAPSIM_MAKE(u.load(Word(v[0])))},
      {"madvise",
       kNumber,
       {{"addr", kAddress}, {"pages", kNumber}, {"advice", kNumber}},
       REAPSIM_MAKE(u.madvise(Word(v[0]), Length(v[1]), Int(v[2])))},
      {"make_device_exclusive",
       kNumber,
       {{"addr", kAddress}},
       REAPSIM_MAKE(u.make_device_exclusive(Word(v[0])))},
      {"memfd_create",
       kFd,
       {{"pages", kNumber}},
       REAPSIM_MAKE(u.memfd_create(Count(v[0])))},
      {"memfd_secret",
       kFd,
       {{"pages", kNumber}},
       REAPSIM_MAKE(u.memfd_secret(Count(v[0])))},
      {"migrate_to_device",
       kNumber,
       {{"addr", kAddress}},
       REAPSIM_MAKE(u.migrate_to_device(Word(v[0])))},
      {"mlock",
       kNumber,
       {{"addr", kAddress}, {"pages", kNumber}},
       REAPSIM_MAKE(u.mlock(Word(v[0]), Length(v[1])))},
      {"mlockall",
       kNumber,
       {{"flags", kNumber}},
       REAPSIM_MAKE(u.mlockall(Int(v[0])))},
      {"mmap",
       kAddress,
       {{"addr", kAddress},
        {"pages", kNumber},
        {"prot", kNumber},
        {"flags", kNumber},
        {"fd", kFd},
        {"offset", kNumber}},
       MmapCall},
      {"move_page",
       kNumber,
       {{"process", kTask}, {"addr", kForeign}},
       REAPSIM_MAKE(u.move_page(Int(v[0]), Word(v[1])))},
      {"mprotect",
       kNumber,
       {{"addr", kAddress}, {"pages", kNumber}, {"prot", kNumber}},
       REAPSIM_MAKE(u.mprotect(Word(v[0]), Length(v[1]), Word(v[2])))},
      {"munlock",
       kNumber,
       {{"addr", kAddress}, {"pages", kNumber}},
       REAPSIM_MAKE(u.munlock(Word(v[0]), Length(v[1])))},
      {"munlockall", kNumber, {}, REAPSIM_MAKE(u.munlockall())},
      {"munmap",
       kNumber,
       {{"addr", kAddress}, {"pages", kNumber}},
       REAPSIM_MAKE(u.munmap(Word(v[0]), Length(v[1])))},
      {"oom_score_adj",
       kNumber,
       {{"process", kTask}, {"value", kNumber}},
       REAPSIM_MAKE(u.oom_score_adj(Int(v[0]), Int(v[1])))},
      {"open_device",
       kFd,
       {{"pages", kNumber}},
       REAPSIM_MAKE(u.open_device(Count(v[0]), DeviceMemory::kPfnmap))},
      {"open_file",
       kFd,
       {{"inode", kNumber}, {"pages", kNumber}, {"writable", kNumber}},
       REAPSIM_MAKE(u.open_file(Word(v[0]), Count(v[1]), v[2] != 0))},
      {"open_proc_dir",
       kFd,
       {{"process", kTask}},
       REAPSIM_MAKE(u.open_proc_dir(Int(v[0])))},
      {"peek",
       kNumber,
       {{"process", kTask}, {"addr", kForeign}},
       REAPSIM_MAKE(u.peek(Int(v[0]), Word(v[1])))},
      {"pidfd_open",
       kFd,
       {{"task", kTask}, {"flags", kNumber}},
       REAPSIM_MAKE(u.pidfd_open(Int(v[0]), static_cast<unsigned>(v[1])))},
      {"pidfd_send_signal",
       kNumber,
       {{"pidfd", kFd}, {"sig", kNumber}, {"flags", kNumber}},
       REAPSIM_MAKE(u.pidfd_send_signal(Int(v[0]), Int(v[1]),
                                        static_cast<unsigned>(v[2])))},
      {"pipe", kFd, {}, PipeCall},
      {"poke",
       kNumber,
       {{"process", kTask}, {"addr", kForeign}, {"word", kNumber}},
       REAPSIM_MAKE(u.poke(Int(v[0]), Word(v[1]), Word(v[2])))},
      {"process_mrelease",
       kNumber,
       {{"pidfd", kFd}, {"flags", kNumber}},
       REAPSIM_MAKE(
           u.process_mrelease(Int(v[0]), static_cast<unsigned>(v[1])))},
      {"ptrace_cont",
       kNumber,
       {{"task", kTask}, {"sig", kNumber}},
       REAPSIM_MAKE(u.ptrace_cont(Int(v[0]), Int(v[1])))},
      {"ptrace_detach",
       kNumber,
       {{"task", kTask}},
       REAPSIM_MAKE(u.ptrace_detach(Int(v[0])))},
      {"ptrace_seize",
       kNumber,
       {{"task", kTask}, {"trace_exit", kNumber}, {"exit_kill", kNumber}},
       REAPSIM_MAKE(u.ptrace_seize(Int(v[0]), v[1] != 0, v[2] != 0))},
      {"read",
       kNumber,
       {{"fd", kFd}, {"addr", kAddress}, {"pages", kNumber}},
       REAPSIM_MAKE(u.read(Int(v[0]), Word(v[1]), Length(v[2])))},
      {"read_touch",
       kNumber,
       {{"addr", kAddress}, {"pages", kNumber}},
       REAPSIM_MAKE(u.read_touch(Word(v[0]), Length(v[1])))},
      {"run_out_of_memory", kNumber, {}, REAPSIM_MAKE(u.run_out_of_memory())},
      {"send_fd",
       kFd,
       {{"fd", kFd}, {"to", kTask}},
       REAPSIM_MAKE(u.send_fd(Int(v[0]), Int(v[1])))},
      {"set_robust_list",
       kNumber,
       {{"head", kAddress}},
       REAPSIM_MAKE(u.set_robust_list(Word(v[0])))},
      {"setuid",
       kNumber,
       {{"uid", kNumber}},
       REAPSIM_MAKE(u.setuid(static_cast<uid_t>(v[0])))},
      {"sigaction",
       kNumber,
       {{"sig", kNumber}, {"disposition", kNumber}},
       SigactionCall},
      {"sigblock",
       kNumber,
       {{"sig", kNumber}},
       REAPSIM_MAKE(u.sigblock(Signal(v[0])))},
      {"sigunblock",
       kNumber,
       {{"sig", kNumber}},
       REAPSIM_MAKE(u.sigunblock(Signal(v[0])))},
      {"store",
       kNumber,
       {{"addr", kAddress}, {"word", kNumber}},
       REAPSIM_MAKE(u.store(Word(v[0]), Word(v[1])))},
      {"tgkill",
       kNumber,
       {{"process", kTask}, {"task", kTask}, {"sig", kNumber}},
       REAPSIM_MAKE(u.tgkill(Int(v[0]), Int(v[1]), Int(v[2])))},
      {"touch",
       kNumber,
       {{"addr", kAddress}, {"pages", kNumber}},
       REAPSIM_MAKE(u.touch(Word(v[0]), Length(v[1])))},
      {"uffd_copy",
       kNumber,
       {{"uffd", kFd},
        {"to", kForeign},
        {"from", kAddress},
        {"pages", kNumber}},
       REAPSIM_MAKE(
           u.uffd_copy(Int(v[0]), Word(v[1]), Word(v[2]), Length(v[3])))},
      {"uffd_poison",
       kNumber,
       {{"uffd", kFd}, {"addr", kForeign}, {"pages", kNumber}},
       REAPSIM_MAKE(u.uffd_poison(Int(v[0]), Word(v[1]), Length(v[2])))},
      {"uffd_register",
       kNumber,
       {{"uffd", kFd},
        {"addr", kForeign},
        {"pages", kNumber},
        {"mode", kNumber}},
       REAPSIM_MAKE(
           u.uffd_register(Int(v[0]), Word(v[1]), Length(v[2]), Word(v[3])))},
      {"uffd_unregister",
       kNumber,
       {{"uffd", kFd}, {"addr", kForeign}, {"pages", kNumber}},
       REAPSIM_MAKE(u.uffd_unregister(Int(v[0]), Word(v[1]), Length(v[2])))},
      {"uffd_wake",
       kNumber,
       {{"uffd", kFd}, {"addr", kForeign}, {"pages", kNumber}},
       REAPSIM_MAKE(u.uffd_wake(Int(v[0]), Word(v[1]), Length(v[2])))},
      {"uffd_writeprotect",
       kNumber,
       {{"uffd", kFd},
        {"addr", kForeign},
        {"pages", kNumber},
        {"protect", kNumber}},
       REAPSIM_MAKE(u.uffd_writeprotect(Int(v[0]), Word(v[1]), Length(v[2]),
                                        v[3] != 0))},
      {"uffd_zeropage",
       kNumber,
       {{"uffd", kFd}, {"addr", kForeign}, {"pages", kNumber}},
       REAPSIM_MAKE(u.uffd_zeropage(Int(v[0]), Word(v[1]), Length(v[2])))},
      {"unblock_device",
       kNumber,
       {},
       REAPSIM_MAKE(
           ((void)u, Unblock(&SyscallState::driver_blocked, nullptr)))},
      {"unblock_dumps",
       kNumber,
       {},
       REAPSIM_MAKE(((void)u, Unblock(nullptr, &SchedState::dump_blocked)))},
      {"userfaultfd",
       kFd,
       {{"features", kNumber}},
       REAPSIM_MAKE(u.userfaultfd(Word(v[0])))},
      {"vfork", kTask, {}, REAPSIM_MAKE(u.vfork())},
      {"waitpid",
       kTask,
       {{"process", kTask}, {"options", kNumber}},
       REAPSIM_MAKE(u.waitpid(Int(v[0]), Int(v[1])))},
      {"write",
       kNumber,
       {{"fd", kFd}, {"addr", kAddress}, {"pages", kNumber}},
       REAPSIM_MAKE(u.write(Int(v[0]), Word(v[1]), Length(v[2])))},
  };
  return *table;
}
#undef REAPSIM_MAKE

struct Constant {
  absl::string_view name;
  int64_t value;
};

template <class T>
constexpr Constant Named(absl::string_view name, T value) {
  return {name, static_cast<int64_t>(value)};
}

// A constant of the C library or of the model, under its own name.
#define REAPSIM_SAME(name) Named(#name, name)
constexpr Constant kConstants[] = {
    REAPSIM_SAME(SIGHUP),
    REAPSIM_SAME(SIGINT),
    REAPSIM_SAME(SIGQUIT),
    REAPSIM_SAME(SIGILL),
    REAPSIM_SAME(SIGABRT),
    REAPSIM_SAME(SIGBUS),
    REAPSIM_SAME(SIGFPE),
    REAPSIM_SAME(SIGKILL),
    REAPSIM_SAME(SIGUSR1),
    REAPSIM_SAME(SIGSEGV),
    REAPSIM_SAME(SIGUSR2),
    REAPSIM_SAME(SIGPIPE),
    REAPSIM_SAME(SIGALRM),
    REAPSIM_SAME(SIGTERM),
    REAPSIM_SAME(SIGCHLD),
    REAPSIM_SAME(SIGCONT),
    REAPSIM_SAME(SIGSTOP),
    REAPSIM_SAME(SIGTSTP),
    REAPSIM_SAME(PROT_NONE),
    REAPSIM_SAME(PROT_READ),
    REAPSIM_SAME(PROT_WRITE),
    REAPSIM_SAME(PROT_EXEC),
    REAPSIM_SAME(MAP_PRIVATE),
    REAPSIM_SAME(MAP_SHARED),
    REAPSIM_SAME(MAP_ANONYMOUS),
    REAPSIM_SAME(MAP_FIXED),
    REAPSIM_SAME(MAP_LOCKED),
    REAPSIM_SAME(MAP_POPULATE),
    REAPSIM_SAME(MAP_GROWSDOWN),
    REAPSIM_SAME(MAP_NORESERVE),
    REAPSIM_SAME(MADV_DONTNEED),
    REAPSIM_SAME(MADV_FREE),
    REAPSIM_SAME(MADV_PAGEOUT),
    REAPSIM_SAME(MADV_COLD),
    REAPSIM_SAME(MADV_MERGEABLE),
    REAPSIM_SAME(MADV_HUGEPAGE),
    REAPSIM_SAME(MADV_NOHUGEPAGE),
    REAPSIM_SAME(MADV_POPULATE_READ),
    REAPSIM_SAME(MADV_POPULATE_WRITE),
    REAPSIM_SAME(MADV_DONTFORK),
    REAPSIM_SAME(MADV_WIPEONFORK),
    REAPSIM_SAME(MCL_CURRENT),
    REAPSIM_SAME(MCL_FUTURE),
    REAPSIM_SAME(MCL_ONFAULT),
    REAPSIM_SAME(CLONE_PARENT),
    REAPSIM_SAME(CLONE_VM),
    REAPSIM_SAME(CLONE_FILES),
    REAPSIM_SAME(CLONE_VFORK),
    REAPSIM_SAME(WNOHANG),
    REAPSIM_SAME(PIDFD_THREAD),
    REAPSIM_SAME(PIDFD_NONBLOCK),
    REAPSIM_SAME(PROCESS_MRELEASE_REAP_KILL),
    REAPSIM_SAME(FUTEX_WAITERS),
    REAPSIM_SAME(FUTEX_OWNER_DIED),
    REAPSIM_SAME(UFFDIO_REGISTER_MODE_MISSING),
    REAPSIM_SAME(UFFDIO_REGISTER_MODE_WP),
    REAPSIM_SAME(UFFD_FEATURE_WP_UNPOPULATED),
    REAPSIM_SAME(UFFD_FEATURE_WP_ASYNC),
    REAPSIM_SAME(PAGE_SIZE),
    {"MADV_DONTNEED_LOCKED", kMadvDontneedLocked},
    {"MADV_COLLAPSE", kMadvCollapse},
    {"MADV_GUARD_INSTALL", kMadvGuardInstall},
    {"MADV_GUARD_REMOVE", kMadvGuardRemove},
    {"MAP_DROPPABLE", kMapDroppable},
    {"SIG_DEFAULT", static_cast<int64_t>(SigDisposition::kDefault)},
    {"SIG_IGNORE", static_cast<int64_t>(SigDisposition::kIgnore)},
    {"SIG_HANDLER", static_cast<int64_t>(SigDisposition::kHandler)},
    {"NULL", 0},
};
#undef REAPSIM_SAME

}  // namespace

const char* TypeName(ValueType type) {
  switch (type) {
    case ValueType::kNumber:
      return "a number";
    case ValueType::kFd:
      return "a descriptor";
    case ValueType::kTask:
      return "a task";
    case ValueType::kAddress:
    case ValueType::kForeign:
      return "an address";
  }
  return "";
}

std::string CallSpec::Signature() const {
  std::string text = absl::StrCat(name, "(");
  for (const Parameter& parameter : parameters) {
    absl::StrAppend(&text, text.back() == '(' ? "" : ", ", parameter.name);
  }
  return text + ")";
}

absl::Span<const CallSpec> Calls() { return Table(); }

const CallSpec* FindCall(absl::string_view name) {
  for (const CallSpec& call : Table()) {
    if (call.name == name) return &call;
  }
  return nullptr;
}

std::optional<int64_t> FindConstant(absl::string_view name) {
  for (const Constant& constant : kConstants) {
    if (constant.name == name) return constant.value;
  }
  return std::nullopt;
}

std::vector<absl::string_view> ConstantNames() {
  std::vector<absl::string_view> names;
  for (const Constant& constant : kConstants) names.push_back(constant.name);
  return names;
}

std::optional<int> FindErrno(absl::string_view name) {
  constexpr int kLastErrno = 133;
  for (int value = 1; value <= kLastErrno; ++value) {
    if (ErrnoName(value) == name) return value;
  }
  return std::nullopt;
}

}  // namespace reapsim
