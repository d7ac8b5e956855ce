// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_host.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/errno_names.h"
#include "conform/host_machine.h"
#include "conform/precedence.h"
#include "import/proc_source.h"
#include "import/read_file.h"
#include "mm/mmap.h"
#include "sched/pid.h"
#include "syscall/pidfd.h"
#include "syscall/ptrace.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = 4096;

// Mappings lie where nothing else is, so that a step that goes astray hits
// nothing, and are the same from run to run.
constexpr uint64_t kMappingsStart = uint64_t{1} << 45;
constexpr uint64_t kMappingBytes = uint64_t{1} << 30;
// To where a mapping is moved.
constexpr uint64_t kMovedBy = kMappingBytes / 2;
constexpr uint64_t kGrownPages = 8;

// A touch with a stride is a call for each page.
constexpr int kMaxTouches = 8;
// Of what lies together, so much is read to see whether it stays the same.
constexpr uint64_t kPagesLookedAt = 16;

// A number that the contents of private memory make: of the first pages of
// each run of present ones.
uint64_t Contents(pid_t tid, const ProcProcess& process) {
  const int fd =
      open(absl::StrCat("/proc/", tid, "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const absl::Cleanup close_fd = [fd] { close(fd); };
  uint64_t hash = 0;
  std::vector<uint64_t> words;
  for (size_t i = 0; i < process.smaps.vmas.size(); ++i) {
    const SmapsVma& vma = process.smaps.vmas[i];
    if (vma.permissions.shared || vma.HasFlag("pf") || vma.HasFlag("io")) {
      continue;
    }
    for (const PageRun& run : process.pages[i].runs) {
      if ((run.flags & kPagePresent) == 0) continue;
      words.assign(std::min(run.pages, kPagesLookedAt) * kPage / 8, 0);
      const ssize_t got = pread(fd, words.data(), words.size() * 8,
                                static_cast<off_t>(run.start));
      // What can't be read can't be compared.
      if (got < 0) continue;
      for (const uint64_t word : words) {
        hash = (hash ^ word) * 0x9e3779b97f4a7c15 + (hash >> 29);
      }
    }
  }
  return hash;
}

class Victims : public RandomMachine {
 public:
  Victims(RandomMemories* memories, HostLacks* lacks)
      : memories_(*memories), lacks_(*lacks) {}

  absl::Status Begin() {
    Meet(0, machine_.Spawn());
    return machine_.status();
  }

  absl::Status Do(const RandomStep& step, const RandomGroup& group) override {
    fresh_.clear();
    if (IsMemoryStep(step.kind)) {
      DoToMemory(step);
      return machine_.status();
    }
    if (MakesTask(step.kind)) {
      Make(step);
    } else {
      DoToTask(step, group);
    }
    if (!group.paused() && step.kind != StepKind::kPause) Settle();
    return machine_.status();
  }

  Standing Look(int task, const RandomGroup& /*group*/) override {
    HostTask& t = *tasks_[task];
    switch (machine_.State(t)) {
      case '\0':
        return {Stand::kGone};
      case 'Z':
        return {Stand::kZombie};
      case 'T':
        return {Stand::kStopped};
      case 't':
        return TraceStopOf(t);
      case 'D':
        return {Stand::kVfork};
      default:
        return {Stand::kParked};
    }
  }

  absl::StatusOr<SeenCall> Call(const RandomStep& step,
                                const RandomGroup& group) override {
    SeenCall call;
    const RandomMemories before = ReadAll(group);
    if (!group.called()) memories_ = before;
    // A task that calls writes to its stack.
    const bool still = step.id == kHarness;
    const int target = group.memory(step.task);
    absl::btree_map<int, uint64_t> contents;
    if (still) contents = ContentsOf(before, target, group);
    call.ret = Release(step, group);
    if (still) {
      for (const auto& [memory, now] : ContentsOf(before, target, group)) {
        if (contents[memory] == now) continue;
        broken_.push_back(absl::StrCat("the call changes what task ", memory,
                                       " has written"));
      }
    }
    fresh_.clear();
    fresh_ = ReadAll(group);
    for (const auto& [memory, process] : before) {
      const auto after = fresh_.find(memory);
      if (after == fresh_.end()) continue;
      call.memory[memory] = {ImageOf(process), ImageOf(after->second), process,
                             after->second};
    }
    if (!machine_.ok()) return machine_.status();
    // The harness may have had to wait for something, such as a page.
    if (group.paused() && Times() != times_) {
      return absl::UnavailableError("a task has run that must not");
    }
    return call;
  }

  std::vector<std::string> Broken() override { return broken_; }

 private:
  // ---- Tasks

  void Meet(int id, HostTask& task) {
    tasks_[id] = &task;
    if (task.tid() == task.tgid()) pidfds_[id] = machine_.PidfdOpen(task);
  }

  int PidfdOf(const HostTask& task) const {
    for (int id = 0; id < kMaxRandomTasks; ++id) {
      if (tasks_[id] != nullptr && tasks_[id]->tid() == task.tgid()) {
        return pidfds_[id];
      }
    }
    return -1;
  }

  void Make(const RandomStep& step) {
    HostTask& maker = *tasks_[step.task];
    switch (step.kind) {
      case StepKind::kFork:
        return Meet(step.id, maker.Fork());
      case StepKind::kCloneVm:
        return Meet(step.id, maker.CloneVm());
      case StepKind::kThread:
        return Meet(step.id, maker.CloneThread());
      default:
        in_vfork_[step.task] = true;
        return Meet(step.id, maker.Vfork());
    }
  }

  void DoToTask(const RandomStep& step, const RandomGroup& group) {
    HostTask& task = *tasks_[step.task];
    HostTask& leader = *tasks_[group.process(step.task)];
    const int sig = static_cast<int>(step.what);
    switch (step.kind) {
      case StepKind::kHandle:
        return task.Handle(sig);
      case StepKind::kIgnore:
        return task.Dispose(sig, reinterpret_cast<uint64_t>(SIG_IGN));
      case StepKind::kBlock:
        return task.Block(sig);
      case StepKind::kSeize:
        return machine_.Seize(task);
      case StepKind::kKill:
        return machine_.Kill(leader, sig);
      case StepKind::kTgkill:
        return machine_.Tgkill(task, sig);
      case StepKind::kCont:
        return machine_.Cont(task, sig);
      case StepKind::kReap:
        (void)waitpid(task.tid(), nullptr, WNOHANG | __WALL);
        return;
      case StepKind::kExit:
        return task.Begin(SYS_exit);
      case StepKind::kExitGroup:
        return task.Begin(SYS_exit_group);
      case StepKind::kPause:
        return Pause();
      default:
        return;
    }
  }

  void Pause() {
    precedence_.emplace(machine_);
    for (const HostTask* task : tasks_) {
      if (task == nullptr || machine_.State(*task) == '\0') continue;
      PinToCpu(machine_, task->tid(), precedence_->cpu());
    }
    times_ = Times();
  }

  // How long each task has run.
  std::string Times() const {
    std::string times;
    for (const HostTask* task : tasks_) {
      if (task == nullptr) continue;
      const absl::StatusOr<std::string> stat = ReadFile(absl::StrCat(
          "/proc/", task->tgid(), "/task/", task->tid(), "/schedstat"));
      if (!stat.ok()) continue;
      absl::StrAppend(&times, stat->substr(0, stat->find(' ')), " ");
    }
    return times;
  }

  // Waits until nobody moves: twice in a row each is asleep, stopped or dead,
  // and the same.
  void Settle() {
    std::string last;
    machine_.WaitUntilTrue(
        [&] {
          std::string now;
          for (int id = 0; id < kMaxRandomTasks; ++id) {
            if (tasks_[id] == nullptr) continue;
            const char state = machine_.State(*tasks_[id]);
            const bool waits = state == 'D' && in_vfork_[id];
            const bool moves = state != '\0' && state != 'Z' && state != 'T' &&
                               state != 't' && state != 'S' && !waits;
            if (moves) {
              last.clear();
              return false;
            }
            now.push_back(state == '\0' ? '-' : state);
          }
          return now == std::exchange(last, now);
        },
        "the tasks to settle");
  }

  static Standing TraceStopOf(const HostTask& task) {
    siginfo_t info = {};
    if (waitid(P_PID, static_cast<id_t>(task.tid()), &info,
               WSTOPPED | WNOHANG | WNOWAIT | __WALL) != 0 ||
        info.si_pid == 0) {
      return {Stand::kTraceStop};
    }
    if (info.si_status >> 8 == PTRACE_EVENT_EXIT) return {Stand::kEventExit};
    return {Stand::kTraceStop, info.si_status};
  }

  // ---- Memory

  struct Part {
    uint64_t address;
    uint64_t bytes;
  };

  Part PartOf(const RandomStep& step) const {
    const Part& all = mappings_[step.map];
    const uint64_t first = std::min(step.first * kPage, all.bytes);
    return {all.address + first,
            std::min(step.pages * kPage, all.bytes - first)};
  }

  void DoToMemory(const RandomStep& step) {
    HostTask& task = *tasks_[step.task];
    if (step.kind == StepKind::kMap) {
      Map(step, task);
      return;
    }
    const Part part = PartOf(step);
    if (part.bytes == 0) return;
    // Most of these may fail, for a mapping that is not there or not of that
    // kind: then the memory stays as it is, and is compared as it is.
    switch (step.kind) {
      case StepKind::kTouch:
        return Touch(step, part, task);
      case StepKind::kAdvise:
        // v6.18 tries for ever to put a guard where a write-protected page of
        // a file may come.
        if (step.what == kMadvGuardInstall && protected_[step.map]) return;
        (void)task.Syscall(SYS_madvise, part.address, part.bytes, step.what);
        return;
      case StepKind::kUnmap:
        (void)task.Syscall(SYS_munmap, part.address, part.bytes);
        return;
      case StepKind::kProtect:
        (void)task.Syscall(SYS_mprotect, part.address, part.bytes, step.what);
        return;
      case StepKind::kLock:
        (void)task.Syscall(SYS_mlock2, part.address, part.bytes, step.what);
        return;
      case StepKind::kUnlock:
        (void)task.Syscall(SYS_munlock, part.address, part.bytes);
        return;
      case StepKind::kRemap:
        return Remap(step, part, task);
      case StepKind::kUserfault:
        return Userfault(step, part, task);
      default:
        return;
    }
  }

  // Without a fault from user mode, which could end the task.
  static void Touch(const RandomStep& step, const Part& part, HostTask& task) {
    const uint64_t advice =
        step.what == 0 ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;
    if (step.stride <= 1) {
      (void)task.Syscall(SYS_madvise, part.address, part.bytes, advice);
      return;
    }
    uint64_t at = 0;
    for (int i = 0; i < kMaxTouches && at < part.bytes; ++i) {
      (void)task.Syscall(SYS_madvise, part.address + at, kPage, advice);
      at += step.stride * kPage;
    }
  }

  static void Remap(const RandomStep& step, const Part& part, HostTask& task) {
    const uint64_t to = part.address + kMovedBy;
    uint64_t bytes = part.bytes;
    uint64_t flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    switch (static_cast<RandomRemap>(step.what)) {
      case RandomRemap::kMove:
        break;
      case RandomRemap::kGrow:
        bytes += kGrownPages * kPage;
        break;
      case RandomRemap::kShrink:
        bytes = (bytes / kPage + 1) / 2 * kPage;
        flags = 0;
        break;
      case RandomRemap::kDontUnmap:
        flags |= MREMAP_DONTUNMAP;
        break;
    }
    (void)task.Syscall(SYS_mremap, part.address, part.bytes, bytes, flags, to);
  }

  void Userfault(const RandomStep& step, const Part& part, HostTask& task) {
    const int64_t fd = task.Syscall(
        SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (IsError(fd)) return Lacks("userfaultfd", fd);
    // Once the last descriptor is closed the range is no longer registered:
    // the harness has one, too, lest an exit change the memory of a sharer.
    (void)machine_.Own(static_cast<int>(
        syscall(SYS_pidfd_getfd, PidfdOf(task), static_cast<int>(fd), 0)));
    // Nobody answers: a fault there is to fail, not to wait.
    const uffdio_api api = {
        .api = UFFD_API, .features = UFFD_FEATURE_SIGBUS, .ioctls = 0};
    (void)task.Syscall(SYS_ioctl, fd, UFFDIO_API, task.Bytes(&api, sizeof api));
    const bool protect = step.what != 0;
    uffdio_register range = {};
    range.range = {.start = part.address, .len = part.bytes};
    range.mode =
        protect ? UFFDIO_REGISTER_MODE_WP : UFFDIO_REGISTER_MODE_MISSING;
    (void)task.Syscall(SYS_ioctl, fd, UFFDIO_REGISTER,
                       task.Bytes(&range, sizeof range));
    if (!protect) return;
    protected_[step.map] = true;
    const uffdio_writeprotect wp = {.range = range.range,
                                    .mode = UFFDIO_WRITEPROTECT_MODE_WP};
    (void)task.Syscall(SYS_ioctl, fd, UFFDIO_WRITEPROTECT,
                       task.Bytes(&wp, sizeof wp));
  }

  void Map(const RandomStep& step, HostTask& task) {
    const uint64_t address = kMappingsStart + step.id * kMappingBytes;
    const uint64_t bytes = step.pages * kPage;
    const auto kind = static_cast<RandomMapping>(step.what);
    const int64_t mapped = MapKind(kind, address, bytes, task);
    if (!IsError(mapped)) mappings_[step.id] = {address, bytes};
  }

  static int64_t Anonymous(HostTask& task, uint64_t address, uint64_t bytes,
                           uint64_t prot, uint64_t flags) {
    return task.Syscall(SYS_mmap, address, bytes, prot,
                        MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags,
                        ~uint64_t{0});
  }

  int64_t MapKind(RandomMapping kind, uint64_t address, uint64_t bytes,
                  HostTask& task) {
    constexpr uint64_t kReadWrite = PROT_READ | PROT_WRITE;
    switch (kind) {
      case RandomMapping::kAnonymous:
        return Anonymous(task, address, bytes, kReadWrite, MAP_PRIVATE);
      case RandomMapping::kAnonymousHuge: {
        const int64_t at =
            Anonymous(task, address, bytes, kReadWrite, MAP_PRIVATE);
        (void)task.Syscall(SYS_madvise, address, bytes, MADV_HUGEPAGE);
        return at;
      }
      case RandomMapping::kNoAccess:
        return Anonymous(task, address, bytes, PROT_NONE, MAP_PRIVATE);
      case RandomMapping::kReadOnly:
        return Anonymous(task, address, bytes, PROT_READ, MAP_PRIVATE);
      case RandomMapping::kNoReserve:
        return Anonymous(task, address, bytes, kReadWrite,
                         MAP_PRIVATE | MAP_NORESERVE);
      case RandomMapping::kLocked:
        return Anonymous(task, address, bytes, kReadWrite,
                         MAP_PRIVATE | MAP_LOCKED);
      case RandomMapping::kPopulated:
        return Anonymous(task, address, bytes, kReadWrite,
                         MAP_PRIVATE | MAP_POPULATE);
      case RandomMapping::kGrowsDown:
        return Anonymous(task, address, bytes, kReadWrite,
                         MAP_PRIVATE | MAP_GROWSDOWN);
      case RandomMapping::kDroppable: {
        const int64_t at =
            Anonymous(task, address, bytes, kReadWrite, kMapDroppable);
        if (IsError(at)) Lacks("MAP_DROPPABLE", at);
        return at;
      }
      case RandomMapping::kStack:
        return Anonymous(task, address, bytes, kReadWrite,
                         MAP_PRIVATE | MAP_STACK);
      case RandomMapping::kShared:
        return Anonymous(task, address, bytes, kReadWrite, MAP_SHARED);
      case RandomMapping::kMemfdShared:
        return Memfd(task, address, bytes, kReadWrite, MAP_SHARED);
      case RandomMapping::kMemfdSharedRead:
        return Memfd(task, address, bytes, PROT_READ, MAP_SHARED);
      case RandomMapping::kMemfdPrivate:
        return Memfd(task, address, bytes, kReadWrite, MAP_PRIVATE);
      case RandomMapping::kSystemV:
        return SystemV(task, address, bytes, 0);
      case RandomMapping::kSystemVReadOnly:
        return SystemV(task, address, bytes, SHM_RDONLY);
      case RandomMapping::kSecret:
        return Secret(task, address, bytes);
      case RandomMapping::kFilePrivate:
        return File(task, address, bytes, kReadWrite, MAP_PRIVATE);
      case RandomMapping::kFilePrivateRead:
        return File(task, address, bytes, PROT_READ, MAP_PRIVATE);
      case RandomMapping::kFileShared:
        return File(task, address, bytes, PROT_READ, MAP_SHARED);
      case RandomMapping::kZeroPrivate:
        return Zero(task, address, bytes, MAP_PRIVATE);
      case RandomMapping::kZeroShared:
        return Zero(task, address, bytes, MAP_SHARED);
    }
    return -EINVAL;
  }

  static int64_t MapFd(HostTask& task, uint64_t address, uint64_t bytes,
                       uint64_t prot, uint64_t flags, int64_t fd) {
    if (IsError(fd)) return fd;
    return task.Syscall(SYS_mmap, address, bytes, prot,
                        flags | MAP_FIXED_NOREPLACE, static_cast<uint64_t>(fd));
  }

  static int64_t Memfd(HostTask& task, uint64_t address, uint64_t bytes,
                       uint64_t prot, uint64_t flags) {
    const int64_t fd = task.Syscall(SYS_memfd_create, task.Text("memory"), 0);
    (void)task.Syscall(SYS_ftruncate, fd, bytes);
    return MapFd(task, address, bytes, prot, flags, fd);
  }

  int64_t Secret(HostTask& task, uint64_t address, uint64_t bytes) {
    const int64_t fd = task.Syscall(SYS_memfd_secret, 0);
    if (IsError(fd)) {
      Lacks("memfd_secret", fd);
      return fd;
    }
    (void)task.Syscall(SYS_ftruncate, fd, bytes);
    return MapFd(task, address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  }

  // The segment goes when the last process that has it attached goes.
  int64_t SystemV(HostTask& task, uint64_t address, uint64_t bytes,
                  uint64_t flags) {
    const int64_t id = task.Syscall(SYS_shmget, IPC_PRIVATE, bytes, 0600);
    if (IsError(id)) {
      Lacks("shmget", id);
      return id;
    }
    const int64_t at = task.Syscall(SYS_shmat, id, address, flags);
    (void)task.Syscall(SYS_shmctl, id, IPC_RMID);
    return at;
  }

  // The harness's own program: a file that is surely there, and that nobody
  // writes to.
  int64_t File(HostTask& task, uint64_t address, uint64_t bytes, uint64_t prot,
               uint64_t flags) {
    if (program_ < 0) {
      program_ = machine_.Own(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    }
    if (program_ < 0) {
      Lacks("/proc/self/exe", -errno);
      return -ENOENT;
    }
    return MapFd(task, address, bytes, prot, flags,
                 machine_.SendFd(task, program_));
  }

  static int64_t Zero(HostTask& task, uint64_t address, uint64_t bytes,
                      uint64_t flags) {
    const int64_t fd = task.Syscall(SYS_openat, static_cast<uint64_t>(AT_FDCWD),
                                    task.Text("/dev/zero"), O_RDWR);
    return MapFd(task, address, bytes, PROT_READ | PROT_WRITE, flags, fd);
  }

  void Lacks(const char* what, int64_t error) {
    lacks_[what] = ErrnoName(static_cast<int>(-error));
  }

  // ---- The call

  // All memory that anybody still has; what was read last, if nothing has been
  // done since.
  RandomMemories ReadAll(const RandomGroup& group) {
    if (!fresh_.empty()) return std::exchange(fresh_, {});
    RandomMemories memories;
    for (int task = 0; task < kMaxRandomTasks; ++task) {
      if (tasks_[task] == nullptr || group.memory(task) != task) continue;
      const int reader = group.ReaderOf(task);
      if (reader < 0) continue;
      absl::StatusOr<ProcProcess> process =
          ReadProcess(absl::StrCat(tasks_[reader]->tid()));
      if (process.ok()) {
        memories[task] = *std::move(process);
      } else {
        machine_.Fail(absl::InternalError(process.status().message()));
      }
    }
    return memories;
  }

  // What others than the target have in memory must outlive the call. Of the
  // same pages before and after: runs change where a page is no longer shared.
  // The target's must not be looked at: that would bring pages back.
  absl::btree_map<int, uint64_t> ContentsOf(const RandomMemories& before,
                                            int target,
                                            const RandomGroup& group) const {
    absl::btree_map<int, uint64_t> contents;
    for (const auto& [memory, process] : before) {
      if (memory == target) continue;
      contents[memory] =
          Contents(tasks_[group.ReaderOf(memory)]->tid(), process);
    }
    return contents;
  }

  int64_t Release(const RandomStep& step, const RandomGroup& group) {
    const int64_t fd = step.id == kHarness ? OwnDescriptor(step, group)
                                           : TheirDescriptor(step, group);
    const bool meant = step.what == static_cast<uint32_t>(RandomFd::kMinusOne);
    if (IsError(fd) && !meant) return fd;
    if (step.id == kHarness) {
      return machine_.Mrelease(static_cast<int>(fd), step.flags);
    }
    const int64_t ret = tasks_[step.id]->Syscall(
        SYS_process_mrelease, static_cast<uint64_t>(fd), step.flags);
    Settle();
    return ret;
  }

  // The harness's, closed with the machine; or -errno.
  int64_t OwnDescriptor(const RandomStep& step, const RandomGroup& group) {
    const int leader = group.process(step.task);
    switch (static_cast<RandomFd>(step.what)) {
      case RandomFd::kPidfd:
        return pidfds_[leader];
      case RandomFd::kThread:
        return Opened(KernelResult(
            syscall(SYS_pidfd_open, tasks_[step.task]->tid(), PIDFD_THREAD)));
      case RandomFd::kClosed: {
        const int64_t fd =
            KernelResult(open("/dev/null", O_RDONLY | O_CLOEXEC));
        (void)close(static_cast<int>(fd));
        return fd;
      }
      case RandomFd::kRegular:
        return Opened(
            KernelResult(open("/proc/self/exe", O_RDONLY | O_CLOEXEC)));
      case RandomFd::kOPath:
        return Opened(KernelResult(
            open(absl::StrCat("/proc/self/fd/", pidfds_[leader]).c_str(),
                 O_PATH | O_CLOEXEC)));
      case RandomFd::kProcDir:
        return Opened(KernelResult(
            open(ProcDir(leader).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
      default:
        return Number(step);
    }
  }
  int64_t Opened(int64_t fd) {
    if (!IsError(fd)) (void)machine_.Own(static_cast<int>(fd));
    return fd;
  }

  // The same by the task that calls, in its own table.
  int64_t TheirDescriptor(const RandomStep& step, const RandomGroup& group) {
    HostTask& caller = *tasks_[step.id];
    const int leader = group.process(step.task);
    const auto open_path = [&](const std::string& path, uint64_t flags) {
      return caller.Syscall(SYS_openat, static_cast<uint64_t>(AT_FDCWD),
                            caller.Text(path), flags);
    };
    const auto pidfd = [&](pid_t pid, unsigned flags) {
      return caller.Syscall(SYS_pidfd_open, static_cast<uint64_t>(pid), flags);
    };
    switch (static_cast<RandomFd>(step.what)) {
      case RandomFd::kPidfd:
        return pidfd(tasks_[leader]->tid(), 0);
      case RandomFd::kThread:
        return pidfd(tasks_[step.task]->tid(), PIDFD_THREAD);
      case RandomFd::kClosed: {
        const int64_t fd = open_path("/dev/zero", O_RDONLY);
        (void)caller.Syscall(SYS_close, static_cast<uint64_t>(fd));
        return fd;
      }
      case RandomFd::kRegular:
        return open_path("/proc/self/exe", O_RDONLY);
      case RandomFd::kOPath: {
        const int64_t fd = pidfd(tasks_[leader]->tid(), 0);
        if (IsError(fd)) return fd;
        return open_path(absl::StrCat("/proc/self/fd/", fd), O_PATH);
      }
      case RandomFd::kProcDir:
        return open_path(ProcDir(leader), O_RDONLY | O_DIRECTORY);
      default:
        return Number(step);
    }
  }

  std::string ProcDir(int leader) const {
    return absl::StrCat("/proc/", tasks_[leader]->tid());
  }

  static int64_t Number(const RandomStep& step) {
    switch (static_cast<RandomFd>(step.what)) {
      case RandomFd::kSelfThread:
        return PIDFD_SELF_THREAD;
      case RandomFd::kSelfGroup:
        return PIDFD_SELF_THREAD_GROUP;
      default:
        return -1;
    }
  }

  HostMachine machine_;
  // Once no task may run any more. Ends first, so that they may run to their
  // end.
  std::optional<Precedence> precedence_;
  RandomMemories& memories_;
  HostLacks& lacks_;
  std::array<HostTask*, kMaxRandomTasks> tasks_{};
  std::array<int, kMaxRandomTasks> pidfds_{};
  std::array<bool, kMaxRandomTasks> in_vfork_{};
  std::array<Part, 256> mappings_{};
  std::array<bool, 256> protected_{};  // by userfaultfd, at least a part
  int program_ = -1;
  std::string times_;     // when no task may run any more
  RandomMemories fresh_;  // read since the last step
  std::vector<std::string> broken_;
};

}  // namespace

RandomRun PlayVictimOnHost(const RandomVictim& victim, RandomMemories* memories,
                           HostLacks* lacks) {
  constexpr int kTries = 3;
  RandomRun run;
  for (int i = 0; i < kTries; ++i) {
    memories->clear();
    Victims victims(memories, lacks);
    run = RandomRun();
    run.status = victims.Begin();
    if (run.status.ok()) run = PlayVictim(victim, victims);
    run.played_again = i;
    if (!absl::IsUnavailable(run.status) && !absl::IsInternal(run.status)) {
      break;
    }
  }
  return run;
}

}  // namespace reapsim
