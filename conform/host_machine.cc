// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/host_machine.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/errno_names.h"
#include "import/read_file.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace reapsim {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
// What an answer may take on a host that is busy with other things.
constexpr int64_t kPatience = 10 * kSecond;
// How long to sleep on a mailbox before looking whether its task still lives.
constexpr int64_t kLookAfter = 20'000'000;

constexpr uint64_t kStackBytes = 16 << 10;

constexpr unsigned char kProgram[] = {
#include "conform/victim_bytes.inc"
};

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

// Not sched_yield(): on a busy host that gives away a whole time slice.
void Nap(int64_t nanoseconds) {
  const timespec time = {.tv_sec = 0, .tv_nsec = nanoseconds};
  (void)ppoll(nullptr, 0, &time, nullptr);
}

// EINVAL is how a kernel says that it does not know a flag of these.
bool HasUnknownFlags(long number) {
  switch (number) {
    case SYS_clone:
    case SYS_ioctl:
    case SYS_madvise:
    case SYS_memfd_create:
    case SYS_mmap:
    case SYS_mount:
    case SYS_pidfd_open:
    case SYS_prctl:
      return true;
    default:
      return false;
  }
}

absl::Status ErrorOf(long number, int64_t result, const std::string& what) {
  const int error = static_cast<int>(-result);
  const std::string text = absl::StrCat(what, ": ", ErrnoName(error));
  switch (error) {
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(text);
    case ENOSYS:
    case ENODEV:
    case EOPNOTSUPP:
      return absl::UnimplementedError(text);
    case EINVAL:
      if (HasUnknownFlags(number)) return absl::UnimplementedError(text);
      break;
    default:
      break;
  }
  return absl::InternalError(text);
}

// Above those that a victim starts with, so that they can be put in place one
// after the other.
int Lift(int fd) {
  if (fd < 0) return fd;
  constexpr int kAbove = 16;
  const int lifted = fcntl(fd, F_DUPFD_CLOEXEC, kAbove);
  const int error = errno;
  close(fd);
  errno = error;
  return lifted;
}

// The victims' program, in memory. Since 6.3 a kernel wants to be told that a
// memfd is for a program; before, it does not know the flag.
int ProgramFd() {
  int fd = static_cast<int>(
      syscall(SYS_memfd_create, "victim", MFD_CLOEXEC | MFD_EXEC));
  if (fd < 0 && errno == EINVAL) {
    fd = static_cast<int>(syscall(SYS_memfd_create, "victim", MFD_CLOEXEC));
  }
  if (fd < 0) return fd;
  if (write(fd, kProgram, sizeof kProgram) != sizeof kProgram) {
    close(fd);
    errno = EIO;
    return -1;
  }
  return Lift(fd);
}

size_t AreaBytes() {
  constexpr size_t kPage = 4096;
  return (sizeof(MailboxArea) + kPage - 1) / kPage * kPage;
}

}  // namespace

bool IsLack(const absl::Status& status) {
  return absl::IsUnimplemented(status) || absl::IsPermissionDenied(status);
}

int64_t KernelResult(int64_t libc_result) {
  return libc_result == -1 ? -errno : libc_result;
}

bool IsError(int64_t kernel_result) {
  constexpr int64_t kMaxErrno = 4095;
  return kernel_result < 0 && kernel_result >= -kMaxErrno;
}

bool WaitPatiently(const std::function<bool()>& done) {
  const int64_t deadline = Now() + kPatience;
  constexpr int64_t kShortest = 10'000;
  constexpr int64_t kLongest = 1'000'000;
  for (int64_t nap = kShortest; !done(); nap = std::min(2 * nap, kLongest)) {
    if (Now() > deadline) return false;
    Nap(nap);
  }
  return true;
}

// A program started by the harness, and what came of it by clone(2).
struct HostVictim {
  ~HostVictim() {
    if (area != nullptr) munmap(area, AreaBytes());
    for (int fd : {memfd, program, victim_socket, socket}) {
      if (fd >= 0) close(fd);
    }
  }

  MailboxArea* area = nullptr;
  int memfd = -1;
  int program = -1;
  int victim_socket = -1;
  int socket = -1;  // the harness's end
  uint32_t boxes = 0;
  uint64_t scratch = 0;  // of it in use
};

struct HostProcess {
  ~HostProcess() {
    if (pidfd >= 0) close(pidfd);
  }
  // Whether no trace of it is left.
  bool Gone() const {
    return reaped || syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) != 0;
  }

  pid_t pid = 0;
  int pidfd = -1;
  bool reaped = false;
};

// --------------------------------------------------------------------------
// Tasks
// --------------------------------------------------------------------------

namespace {

std::atomic_ref<uint32_t> StateOf(Mailbox& box) {
  return std::atomic_ref<uint32_t>(box.state);
}

}  // namespace

pid_t HostTask::tgid() const { return process_ == nullptr ? 0 : process_->pid; }

Mailbox& HostTask::box() const { return victim_->area->box[index_]; }

bool HostTask::Ended() const {
  const char state = machine_->State(*this);
  return state == '\0' || state == 'Z' || state == 'X';
}

void HostTask::Tell(uint32_t command, std::initializer_list<uint64_t> args) {
  if (!machine_->ok()) return;
  Mailbox& mailbox = box();
  if (StateOf(mailbox).load() == kTold) {
    machine_->Fail(absl::InternalError(absl::StrCat(
        "task ", tid_, " is told something before it has done the last")));
    return;
  }
  mailbox.command = command;
  std::fill(std::begin(mailbox.args), std::end(mailbox.args), 0);
  std::copy(args.begin(), args.end(), mailbox.args);
  StateOf(mailbox).store(kTold);
  (void)syscall(SYS_futex, &mailbox.state, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

bool HostTask::Done() const {
  return machine_->ok() && StateOf(box()).load() == kDone;
}

int64_t HostTask::Finish() {
  if (!machine_->ok()) return -ECANCELED;
  Mailbox& mailbox = box();
  const int64_t deadline = Now() + kPatience;
  const timespec slice = {.tv_sec = 0, .tv_nsec = kLookAfter};
  while (StateOf(mailbox).load() == kTold) {
    if (syscall(SYS_futex, &mailbox.state, FUTEX_WAIT, kTold, &slice, nullptr,
                0) == 0 ||
        errno != ETIMEDOUT) {
      continue;
    }
    const bool ended = tid_ != 0 && Ended();
    if (StateOf(mailbox).load() != kTold) break;
    if (ended || Now() > deadline) {
      machine_->Fail(absl::InternalError(absl::StrCat(
          "task ", tid_, ended ? " has ended" : " does not answer",
          ", told command ", mailbox.command, " ", mailbox.args[0])));
      return -ECANCELED;
    }
  }
  return mailbox.result;
}

void HostTask::Begin(long number, uint64_t a0, uint64_t a1, uint64_t a2,
                     uint64_t a3, uint64_t a4, uint64_t a5) {
  Tell(kCommandSyscall,
       {static_cast<uint64_t>(number), a0, a1, a2, a3, a4, a5});
}

int64_t HostTask::Syscall(long number, uint64_t a0, uint64_t a1, uint64_t a2,
                          uint64_t a3, uint64_t a4, uint64_t a5) {
  Begin(number, a0, a1, a2, a3, a4, a5);
  return Finish();
}

int64_t HostTask::Must(long number, uint64_t a0, uint64_t a1, uint64_t a2,
                       uint64_t a3, uint64_t a4, uint64_t a5) {
  const int64_t result = Syscall(number, a0, a1, a2, a3, a4, a5);
  if (!IsError(result)) return result;
  machine_->Fail(ErrorOf(number, result, absl::StrCat("system call ", number)));
  return -1;
}

void HostTask::Touch(uint64_t address, uint64_t bytes, uint64_t stride,
                     bool write, uint64_t value) {
  Tell(kCommandTouch, {address, bytes, stride, write ? 1U : 0U, value});
  (void)Finish();
}

void HostTask::BeginTouch(uint64_t address, uint64_t bytes) {
  constexpr uint64_t kPage = 4096;
  Tell(kCommandTouch, {address, bytes, kPage, 1, 1});
}

void HostTask::Spin() {
  Tell(kCommandSpin, {});
  (void)Finish();
}

void HostTask::BeginMrelease(int pidfd, uint64_t calls) {
  Tell(kCommandMrelease, {static_cast<uint64_t>(pidfd), 0, calls});
}

void HostTask::BeginGuard(const std::string& file, absl::string_view text,
                          const std::string& directory) {
  if (!machine_->ok()) return;
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC) != 0) {
    machine_->Fail(ErrorOf(SYS_pipe2, -errno, "pipe2"));
    return;
  }
  (void)machine_->Own(pipe[0]);
  (void)machine_->Own(pipe[1]);
  const auto their_pipe =
      static_cast<uint64_t>(machine_->SendFd(*this, pipe[0]));
  Tell(kCommandGuard, {their_pipe, file.empty() ? 0 : Text(file), Text(text),
                       text.size(), Text(directory)});
  // Only there does it no longer end with the harness.
  machine_->WaitInCall(*this, SYS_read);
}

HostTask& HostTask::CloneThread() {
  return Start(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
               CLONE_THREAD | CLONE_SYSVSEM);
}
HostTask& HostTask::Fork() { return Start(CLONE_PARENT | SIGCHLD); }
HostTask& HostTask::CloneVm(uint64_t more_flags) {
  return Start(CLONE_VM | CLONE_PARENT | SIGCHLD | more_flags);
}
HostTask& HostTask::Vfork() {
  return Start(CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD);
}
HostTask& HostTask::CloneVmOnSharedStack() {
  return Start(CLONE_VM | CLONE_PARENT | SIGCHLD, /*shared_stack=*/true);
}
HostTask& HostTask::Clone(uint64_t flags) { return Start(flags); }

HostTask& HostTask::Start(uint64_t flags, bool shared_stack) {
  const bool thread = (flags & CLONE_THREAD) != 0;
  HostTask& child = machine_->AddTask(*victim_, thread ? process_ : nullptr);
  uint64_t stack = 0;
  if ((flags & CLONE_VM) != 0) {
    stack = static_cast<uint64_t>(
        Must(SYS_mmap, 0, kStackBytes, PROT_READ | PROT_WRITE,
             MAP_ANONYMOUS | (shared_stack ? MAP_SHARED : MAP_PRIVATE),
             static_cast<uint64_t>(-1)));
    stack += kStackBytes;
  }
  if (!machine_->ok()) return child;
  Tell(kCommandClone, {flags, stack, child.index_});
  if ((flags & CLONE_VFORK) == 0) {
    const int64_t tid = Finish();
    if (IsError(tid)) machine_->Fail(ErrorOf(SYS_clone, tid, "clone"));
    if (thread && machine_->ok()) child.tid_ = static_cast<pid_t>(tid);
  }
  (void)child.Finish();
  if (!thread) machine_->Welcome(child);
  return child;
}

void HostTask::Exec() {
  BeginExec();
  (void)Finish();
  machine_->Welcome(*this);
}

void HostTask::BeginExec() {
  const uint64_t program = Text("victim");
  const uint64_t index = Text(absl::StrCat(index_));
  const uint64_t argv[] = {program, index, 0};
  const uint64_t pointers = Bytes(argv, sizeof argv);
  const uint64_t no_environment = pointers + 2 * sizeof(uint64_t);
  Begin(SYS_execveat, kProgramFd, Text(""), pointers, no_environment,
        AT_EMPTY_PATH);
}

uint64_t HostTask::Bytes(const void* data, size_t size) {
  constexpr uint64_t kAligned = 16;
  const uint64_t wanted = (size + kAligned - 1) / kAligned * kAligned;
  if (wanted > kScratchBytes) {
    machine_->Fail(absl::InternalError("argument too large"));
    return 0;
  }
  if (victim_->scratch + wanted > kScratchBytes) victim_->scratch = 0;
  const uint64_t offset = offsetof(MailboxArea, scratch) + victim_->scratch;
  victim_->scratch += wanted;
  if (machine_->ok()) {
    std::memcpy(reinterpret_cast<char*>(victim_->area) + offset, data, size);
  }
  return MAILBOX_ADDRESS + offset;
}

uint64_t HostTask::Text(absl::string_view text) {
  const std::string terminated(text);
  return Bytes(terminated.c_str(), terminated.size() + 1);
}

void* HostTask::Shared(uint64_t address) {
  return reinterpret_cast<char*>(victim_->area) + (address - MAILBOX_ADDRESS);
}

namespace {

// What rt_sigaction(2) takes, which is not the C library's.
struct KernelSigaction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};
constexpr uint64_t kSaRestorer = 0x04000000;

}  // namespace

void HostTask::Handle(int sig) {
  if (!machine_->ok()) return;
  const KernelSigaction action = {.handler = victim_->area->handler,
                                  .flags = kSaRestorer | SA_RESTART,
                                  .restorer = victim_->area->restorer,
                                  .mask = 0};
  (void)Must(SYS_rt_sigaction, sig, Bytes(&action, sizeof action), 0,
             sizeof action.mask);
}

void HostTask::Dispose(int sig, uint64_t disposition) {
  const KernelSigaction action = {
      .handler = disposition, .flags = 0, .restorer = 0, .mask = 0};
  (void)Must(SYS_rt_sigaction, sig, Bytes(&action, sizeof action), 0,
             sizeof action.mask);
}
void HostTask::Block(int sig) {
  const uint64_t mask = uint64_t{1} << (sig - 1);
  (void)Must(SYS_rt_sigprocmask, SIG_BLOCK, Bytes(&mask, sizeof mask), 0,
             sizeof mask);
}

// --------------------------------------------------------------------------
// Birth
// --------------------------------------------------------------------------

namespace {

// What the child of vfork() needs; it shares the harness's memory until it
// executes the program, so it only makes system calls.
struct Birth {
  const HostVictim* victim;
  int error = 0;  // why the program does not run
};

// Signals that the harness ignores or blocks would stay so in the program.
void ResetSignals() {
  const KernelSigaction standard = {};
  for (int sig = 1; sig < NSIG; ++sig) {
    (void)syscall(SYS_rt_sigaction, sig, &standard, nullptr,
                  sizeof standard.mask);
  }
  (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &standard.mask, nullptr,
                sizeof standard.mask);
}

// No core file, whatever happens: a limit of 1 is too little for a file, and
// means "none" to a kernel that pipes them to a program.
void ForbidCoreFiles() {
  const rlimit none = {.rlim_cur = 1, .rlim_max = 1};
  (void)syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, nullptr);
}

[[noreturn]] void RunProgram(Birth* birth) {
  const HostVictim& victim = *birth->victim;
  ResetSignals();
  ForbidCoreFiles();
  // What is typed at the harness's terminal is for the harness.
  (void)syscall(SYS_setsid);
  (void)syscall(SYS_personality, ADDR_NO_RANDOMIZE);
  (void)syscall(SYS_dup3, victim.memfd, kMailboxFd, 0);
  (void)syscall(SYS_dup3, victim.program, kProgramFd, 0);
  (void)syscall(SYS_dup3, victim.victim_socket, kSocketFd, 0);
  (void)syscall(SYS_close_range, 0, 2, 0);
  (void)syscall(SYS_close_range, kSocketFd + 1, ~0U, 0);
  const char* const argv[] = {"victim", "0", nullptr};
  const char* const envp[] = {nullptr};
  (void)syscall(SYS_execveat, kProgramFd, "", argv, envp, AT_EMPTY_PATH);
  birth->error = errno;
  (void)syscall(SYS_exit_group, 1);
  __builtin_unreachable();
}

// A copy of the page tables of a harness with large reservations would take
// longer than all the rest: vfork() makes none.
__attribute__((noinline)) pid_t Vfork(Birth* birth) {
  const pid_t pid = vfork();
  if (pid == 0) RunProgram(birth);
  return pid;
}

absl::Status MakeMailboxes(HostVictim& victim) {
  victim.memfd = Lift(
      static_cast<int>(syscall(SYS_memfd_create, "mailboxes", MFD_CLOEXEC)));
  if (victim.memfd < 0) {
    return ErrorOf(SYS_memfd_create, -errno, "memfd_create");
  }
  if (ftruncate(victim.memfd, static_cast<off_t>(AreaBytes())) != 0) {
    return ErrorOf(SYS_ftruncate, -errno, "ftruncate");
  }
  void* area = mmap(nullptr, AreaBytes(), PROT_READ | PROT_WRITE, MAP_SHARED,
                    victim.memfd, 0);
  if (area == MAP_FAILED) return ErrorOf(SYS_mmap, -errno, "mmap");
  victim.area = static_cast<MailboxArea*>(area);
  return absl::OkStatus();
}

absl::Status MakeSockets(HostVictim& victim) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return ErrorOf(SYS_socketpair, -errno, "socketpair");
  }
  victim.socket = Lift(pair[0]);
  victim.victim_socket = Lift(pair[1]);
  const int yes = 1;
  if (setsockopt(victim.socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) !=
      0) {
    return ErrorOf(SYS_setsockopt, -errno, "SO_PASSCRED");
  }
  return absl::OkStatus();
}

absl::Status Prepare(HostVictim& victim) {
  absl::Status status = MakeMailboxes(victim);
  if (status.ok()) status = MakeSockets(victim);
  if (!status.ok()) return status;
  victim.program = ProgramFd();
  if (victim.program < 0) {
    return ErrorOf(SYS_memfd_create, -errno, "memfd_create");
  }
  return absl::OkStatus();
}

// The pid, in the harness's namespace, of who has said hello; 0 if nobody.
pid_t ReadHello(int socket) {
  char byte = 0;
  iovec data = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(socket, &message, MSG_DONTWAIT) < 0) return 0;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_CREDENTIALS) return 0;
  ucred sender;
  std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
  return sender.pid;
}

}  // namespace

HostTask& HostMachine::AddTask(HostVictim& victim, HostProcess* process) {
  tasks_.push_back(std::make_unique<HostTask>());
  HostTask& task = *tasks_.back();
  task.machine_ = this;
  task.victim_ = &victim;
  task.process_ = process;
  if (victim.boxes == kMailboxes) {
    Fail(absl::InternalError("a victim has too many tasks"));
    return task;
  }
  task.index_ = victim.boxes++;
  if (victim.area != nullptr) StateOf(task.box()).store(kTold);
  return task;
}

void HostMachine::Welcome(HostTask& task) {
  if (!ok()) return;
  const pid_t pid = ReadHello(task.victim_->socket);
  if (pid == 0) {
    Fail(absl::InternalError("a new process did not say who it is"));
    return;
  }
  if (task.process_ != nullptr) return;  // it has only executed a program
  processes_.push_back(std::make_unique<HostProcess>());
  HostProcess& process = *processes_.back();
  process.pid = pid;
  process.pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  task.process_ = &process;
  task.tid_ = pid;
  if (process.pidfd < 0) Fail(ErrorOf(SYS_pidfd_open, -errno, "pidfd_open"));
}

HostTask& HostMachine::Spawn() {
  victims_.push_back(std::make_unique<HostVictim>());
  HostVictim& victim = *victims_.back();
  if (ok()) Fail(Prepare(victim));
  HostTask& task = AddTask(victim, nullptr);
  if (!ok()) return task;
  Birth birth = {.victim = &victim};
  const pid_t pid = Vfork(&birth);
  if (pid < 0) {
    Fail(ErrorOf(SYS_vfork, -errno, "vfork"));
    return task;
  }
  if (birth.error != 0) {
    (void)waitpid(pid, nullptr, 0);
    Fail(ErrorOf(SYS_execveat, -birth.error, "execveat"));
    return task;
  }
  task.tid_ = pid;
  (void)task.Finish();
  Welcome(task);
  if (task.process_ == nullptr) {  // ended here, since End() does not know it
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, nullptr, __WALL);
  }
  return task;
}

// --------------------------------------------------------------------------
// Signals, tracing, waiting
// --------------------------------------------------------------------------

void HostMachine::Kill(HostTask& task, int sig) {
  if (!ok()) return;
  (void)Must(KernelResult(syscall(SYS_pidfd_send_signal, task.process_->pidfd,
                                  sig, nullptr, 0)),
             absl::StrCat("kill(", task.tgid(), ")"));
}

void HostMachine::Tgkill(HostTask& task, int sig) {
  if (!ok()) return;
  (void)Must(KernelResult(syscall(SYS_tgkill, task.tgid(), task.tid(), sig)),
             absl::StrCat("tgkill(", task.tid(), ")"));
}

void HostMachine::Seize(HostTask& task) {
  if (!ok()) return;
  (void)Must(KernelResult(ptrace(PTRACE_SEIZE, task.tid(), nullptr,
                                 PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL)),
             "PTRACE_SEIZE");
  task.seized_ = ok();
}

bool HostMachine::PollWait(HostTask& task, int* status) {
  if (task.tid() == 0 || task.reaped_) return false;
  if (waitpid(task.tid(), status, WNOHANG | __WALL) != task.tid()) return false;
  if (!WIFSTOPPED(*status)) {
    // A tracer's wait leaves the zombie to its parent. Whoever that is may die
    // and leave it to us: then it must be waited for once more.
    const bool leader = task.tid() == task.tgid();
    task.reaped_ = !leader || task.process_->Gone();
    if (leader) task.process_->reaped = task.reaped_;
  }
  return true;
}

namespace {

bool IsEventExit(int status) {
  return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
}

bool IsGroupStop(int status) {
  const int sig = WSTOPSIG(status);
  return status >> 16 == PTRACE_EVENT_STOP &&
         (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU);
}

// Goes on from a stop as if nobody traced the task.
void PassOn(pid_t tid, int status) {
  if (IsGroupStop(status)) {
    (void)ptrace(PTRACE_LISTEN, tid, nullptr, nullptr);
    return;
  }
  const long sig = status >> 16 == 0 ? WSTOPSIG(status) : 0;
  (void)ptrace(PTRACE_CONT, tid, nullptr, sig);
}

}  // namespace

void HostMachine::WaitEventExit(HostTask& task) {
  WaitUntilTrue(
      [&] {
        int status = 0;
        while (PollWait(task, &status)) {
          if (!WIFSTOPPED(status)) {
            Fail(absl::InternalError(absl::StrCat(
                "task ", task.tid(), " ended without PTRACE_EVENT_EXIT")));
            return true;
          }
          if (IsEventExit(status)) return true;
          PassOn(task.tid(), status);
        }
        return false;
      },
      "PTRACE_EVENT_EXIT");
}

void HostMachine::KillAndHold(const std::vector<HostTask*>& threads, int sig) {
  for (HostTask* thread : threads) Seize(*thread);
  Kill(*threads.front(), sig);
  for (HostTask* thread : threads) WaitEventExit(*thread);
}

int HostMachine::WaitStop(HostTask& task) {
  int status = 0;
  WaitUntilTrue([&] { return PollWait(task, &status); }, "a stop");
  if (!ok()) return -1;
  if (!WIFSTOPPED(status)) {
    Fail(absl::InternalError(
        absl::StrCat("task ", task.tid(), " ended instead of stopping")));
    return -1;
  }
  return status >> 8;
}

void HostMachine::Cont(HostTask& task, int sig) {
  if (!ok()) return;
  (void)Must(KernelResult(ptrace(PTRACE_CONT, task.tid(), nullptr,
                                 static_cast<intptr_t>(sig))),
             "PTRACE_CONT");
}

int64_t HostMachine::ResultRegister(HostTask& task) {
  user_regs_struct regs = {};
  if (!ok()) return 0;
  (void)Must(KernelResult(ptrace(PTRACE_GETREGS, task.tid(), nullptr, &regs)),
             "PTRACE_GETREGS");
  return static_cast<int64_t>(regs.rax);
}

long HostMachine::CallNumber(HostTask& task) {
  user_regs_struct regs = {};
  if (!ok()) return -1;
  (void)Must(KernelResult(ptrace(PTRACE_GETREGS, task.tid(), nullptr, &regs)),
             "PTRACE_GETREGS");
  return static_cast<long>(regs.orig_rax);
}

char HostMachine::State(const HostTask& task) const {
  // Whoever has not said hello yet leads a process of its own.
  const pid_t tgid = task.process_ == nullptr ? task.tid() : task.tgid();
  const absl::StatusOr<std::string> stat =
      ReadFile(absl::StrCat("/proc/", tgid, "/task/", task.tid(), "/stat"));
  if (!stat.ok()) return '\0';
  const size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= stat->size()) {
    return '\0';
  }
  return (*stat)[name_end + 2];
}

void HostMachine::WaitState(HostTask& task, absl::string_view letters) {
  WaitUntilTrue(
      [&] {
        const char state = State(task);
        return state != '\0' && letters.find(state) != absl::string_view::npos;
      },
      absl::StrCat("state ", letters, " of task ", task.tid()));
}

void HostMachine::WaitInCall(HostTask& task, long number,
                             absl::string_view letters) {
  const std::string path =
      absl::StrCat("/proc/", task.tgid(), "/task/", task.tid(), "/syscall");
  const std::string wanted = absl::StrCat(number, " ");
  WaitUntilTrue(
      [&] {
        const absl::StatusOr<std::string> call = ReadFile(path);
        return call.ok() && call->rfind(wanted, 0) == 0 &&
               letters.find(State(task)) != absl::string_view::npos;
      },
      absl::StrCat("system call ", number, " of task ", task.tid()));
}

void HostMachine::ReapThreads(const HostProcess& process) {
  int status = 0;
  for (const std::unique_ptr<HostTask>& task : tasks_) {
    if (task->process_ != &process || task->tid() == task->tgid()) continue;
    while (task->seized_ && PollWait(*task, &status) && WIFSTOPPED(status)) {
      PassOn(task->tid(), status);
    }
  }
}

void HostMachine::WaitZombie(HostTask& task) {
  WaitUntilTrue(
      [&] {
        ReapThreads(*task.process_);
        siginfo_t info = {};
        return waitid(P_PIDFD, static_cast<id_t>(task.process_->pidfd), &info,
                      WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
               info.si_pid != 0;
      },
      absl::StrCat("the end of process ", task.tgid()));
}

void HostMachine::Reap(HostTask& task) {
  WaitUntilTrue(
      [&] {
        ReapThreads(*task.process_);
        int status = 0;
        while (PollWait(task, &status)) {
          if (!WIFSTOPPED(status)) return true;
          PassOn(task.tid(), status);
        }
        return false;
      },
      absl::StrCat("the end of process ", task.tgid()));
}

void HostMachine::WaitUntilTrue(const std::function<bool()>& done,
                                absl::string_view what) {
  if (!ok() || WaitPatiently(done)) return;
  Fail(absl::InternalError(absl::StrCat("waited in vain for ", what)));
}

// --------------------------------------------------------------------------
// The call
// --------------------------------------------------------------------------

int HostMachine::PidfdOpen(HostTask& task, unsigned flags) {
  if (!ok()) return -1;
  const pid_t pid = flags == 0 ? task.tgid() : task.tid();
  const int64_t fd = KernelResult(syscall(SYS_pidfd_open, pid, flags));
  if (IsError(fd)) {
    Fail(ErrorOf(SYS_pidfd_open, fd, "pidfd_open"));
    return -1;
  }
  return Own(static_cast<int>(fd));
}

int HostMachine::PidfdOpenKernelThread() {
  if (!ok()) return -1;
  constexpr pid_t kThreadd = 2;
  const absl::StatusOr<std::string> name =
      ReadFile(absl::StrCat("/proc/", kThreadd, "/comm"));
  if (!name.ok() || *name != "kthreadd\n") {
    Fail(absl::UnimplementedError(
        "no kernel thread is seen in this pid namespace"));
    return -1;
  }
  return Own(
      static_cast<int>(Must(KernelResult(syscall(SYS_pidfd_open, kThreadd, 0)),
                            "pidfd_open of a kernel thread")));
}

int64_t HostMachine::Mrelease(int pidfd, unsigned flags) {
  if (!ok()) return -ECANCELED;
  return KernelResult(syscall(SYS_process_mrelease, pidfd, flags));
}

int HostMachine::SendFd(HostTask& to, int fd) {
  if (!ok()) return -1;
  char byte = 0;
  iovec data = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  (void)Must(KernelResult(sendmsg(to.victim_->socket, &message, MSG_NOSIGNAL)),
             "sendmsg");

  // The same with the task's addresses.
  const uint64_t their_byte = to.Bytes(&byte, 1);
  const uint64_t their_control = to.Bytes(control, sizeof control);
  data.iov_base = reinterpret_cast<void*>(their_byte);
  message.msg_iov = reinterpret_cast<iovec*>(to.Bytes(&data, sizeof data));
  message.msg_control = reinterpret_cast<void*>(their_control);
  const uint64_t their_message = to.Bytes(&message, sizeof message);
  (void)to.Must(SYS_recvmsg, kSocketFd, their_message, MSG_DONTWAIT);
  if (!ok()) return -1;
  int theirs = -1;
  const auto* received = static_cast<const char*>(to.Shared(their_control));
  std::memcpy(&theirs, received + CMSG_LEN(0), sizeof theirs);
  return theirs;
}

int64_t HostMachine::Must(int64_t result, absl::string_view what) {
  if (!ok()) return -1;
  if (!IsError(result)) return result;
  Fail(ErrorOf(-1, result, std::string(what)));
  return -1;
}

int HostMachine::Own(int fd) {
  if (fd >= 0) fds_.push_back(fd);
  return fd;
}

// --------------------------------------------------------------------------
// The machine
// --------------------------------------------------------------------------

HostMachine::HostMachine() {
  (void)prctl(PR_GET_CHILD_SUBREAPER, &was_subreaper_);
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

HostMachine::~HostMachine() {
  const absl::Status status = End();
  if (!status.ok()) {
    (void)std::fprintf(stderr, "%s\n", status.ToString().c_str());
  }
  (void)prctl(PR_SET_CHILD_SUBREAPER, was_subreaper_);
}

void HostMachine::Fail(absl::Status status) { status_.Update(status); }

void HostMachine::BeforeEnd(std::function<void()> undo) {
  before_end_.push_back(std::move(undo));
}

void HostMachine::AfterEnd(std::function<void()> undo) {
  after_end_.push_back(std::move(undo));
}

namespace {

void UndoAll(std::vector<std::function<void()>>& list) {
  while (!list.empty()) {
    const std::function<void()> undo = std::move(list.back());
    list.pop_back();
    undo();
  }
}

}  // namespace

bool HostMachine::AllGone() {
  for (const std::unique_ptr<HostTask>& task : tasks_) {
    if (task->tid() == 0 || task->reaped_) continue;
    if (task->seized_) (void)ptrace(PTRACE_CONT, task->tid(), nullptr, nullptr);
    if (task->seized_ || task->tid() == task->tgid()) {
      int status = 0;
      (void)PollWait(*task, &status);
    }
  }
  return std::all_of(processes_.begin(), processes_.end(),
                     [](const auto& process) { return process->Gone(); });
}

absl::Status HostMachine::End() {
  UndoAll(before_end_);
  for (const std::unique_ptr<HostProcess>& process : processes_) {
    (void)syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, nullptr, 0);
  }
  absl::Status status;
  if (!WaitPatiently([this] { return AllGone(); })) {
    status = absl::InternalError("a process of the live comparison stays");
  }
  UndoAll(after_end_);
  for (int fd : fds_) close(fd);
  fds_.clear();
  tasks_.clear();
  processes_.clear();
  victims_.clear();
  return status;
}

absl::Status HostCanConform() {
#ifdef __x86_64__
  HostMachine machine;
  if (machine.Mrelease(-1) == -ENOSYS) {
    return absl::UnimplementedError("the host has no process_mrelease(2)");
  }
  HostTask& victim = machine.Spawn();
  machine.Seize(victim);
  return machine.status();
#else
  return absl::UnimplementedError("the live comparison is for x86-64 only");
#endif
}

std::string HostRelease() {
  utsname name;
  return uname(&name) == 0 ? name.release : "";
}

}  // namespace reapsim
