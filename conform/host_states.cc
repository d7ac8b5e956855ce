// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/host_states.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "conform/host_cgroup.h"
#include "conform/stuck_file.h"
#include "import/read_file.h"
#include "import/smaps.h"
#include "sched/pid.h"
#include "syscall/pidfd.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kNoFd = static_cast<uint64_t>(-1);
constexpr uint64_t kAtFdcwd = static_cast<uint64_t>(AT_FDCWD);

using Kind = HostCgroup::Kind;

// A descriptor of the harness.
int Open(HostScene& s, const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC);
  (void)s.m().Must(KernelResult(fd), path);
  return s.m().Own(fd);
}

// The call by another task, which has the descriptor in its table.
void CallAs(HostScene& s, HostTask& task, int fd) {
  s.NoteBefore();
  s.NoteAfter(task.Syscall(SYS_process_mrelease, static_cast<uint64_t>(fd), 0));
}

// A task ends by itself as far as it gets.
void Exit(HostTask& task) { task.Begin(SYS_exit, 0); }

// ---- Arguments and descriptors ---------------------------------------------

constexpr unsigned kUnknownFlag = 1;

void FlagsBadFd(HostScene& s) { s.Call(-1, kUnknownFlag); }
void FlagsLive(HostScene& s) { s.Call(s.fd(), kUnknownFlag); }
void FlagsDying(HostScene& s) {
  s.KillAndHold({&s.victim()});
  s.Call(s.fd(), kUnknownFlag);
}
void FlagsGone(HostScene& s) {
  s.m().Kill(s.victim(), SIGKILL);
  s.m().Reap(s.victim());
  s.Call(s.fd(), kUnknownFlag);
}
void FdMinusOne(HostScene& s) { s.Call(-1); }
void FdClosed(HostScene& s) {
  const int fd = fcntl(s.fd(), F_DUPFD_CLOEXEC, 0);
  close(fd);
  s.Call(fd);
}
void FdOutOfRange(HostScene& s) { s.Call(1 << 20); }
void FdRegular(HostScene& s) { s.Call(Open(s, "/proc/self/exe", O_RDONLY)); }
void FdOPath(HostScene& s) {
  s.KillAndHold({&s.victim()});
  s.Call(Open(s, absl::StrCat("/proc/self/fd/", s.fd()), O_PATH));
}
void FdProcDir(HostScene& s) {
  s.KillAndHold({&s.victim()});
  s.Call(Open(s, absl::StrCat("/proc/", s.victim().tgid()),
              O_RDONLY | O_DIRECTORY));
}
// Those that mean the caller: the victim calls, so that its memory is watched.
void FdSelfThread(HostScene& s) { CallAs(s, s.victim(), PIDFD_SELF_THREAD); }
void FdSelfGroup(HostScene& s) {
  CallAs(s, s.victim(), PIDFD_SELF_THREAD_GROUP);
}
void FdSelfGroupFirst(HostScene& s) {
  CallAs(s, s.victim(), kPidfdSelfThreadGroupFirst);
}
void ThreadFdLive(HostScene& s) {
  s.Call(s.m().PidfdOpen(s.victim().CloneThread(), PIDFD_THREAD));
}
void ThreadFdKilled(HostScene& s) {
  HostTask& thread = s.victim().CloneThread();
  const int fd = s.m().PidfdOpen(thread, PIDFD_THREAD);
  s.KillAndHold({&s.victim(), &thread});
  s.Call(fd);
}
void LeaderThreadFd(HostScene& s) {
  const int fd = s.m().PidfdOpen(s.victim(), PIDFD_THREAD);
  s.KillAndHold({&s.victim()});
  s.Call(fd);
}

// ---- Gone ------------------------------------------------------------------

void Waited(HostScene& s) {
  s.m().Kill(s.victim(), SIGKILL);
  s.m().Reap(s.victim());
  s.Call(s.fd());
}
void AutoReaped(HostScene& s) {
  HostTask& parent = s.caller();
  parent.Dispose(SIGCHLD, reinterpret_cast<uint64_t>(SIG_IGN));
  HostTask& child = parent.Clone(SIGCHLD);
  s.Watch(child);
  const int fd = s.m().PidfdOpen(child);
  s.m().Kill(child, SIGKILL);
  s.m().WaitUntilTrue(
      [fd] {
        return syscall(SYS_pidfd_send_signal, fd, 0, nullptr, 0) != 0 &&
               errno == ESRCH;
      },
      "a child whose parent ignores SIGCHLD to go");
  s.Call(fd);
}
void Zombie(HostScene& s) {
  s.m().Kill(s.victim(), SIGKILL);
  s.m().WaitZombie(s.victim());
  s.Call(s.fd());
}
void ZombieThreads(HostScene& s) {
  (void)s.victim().CloneThread();
  Zombie(s);
}
void KernelThread(HostScene& s) {
  s.WatchNothing();
  s.Call(s.m().PidfdOpenKernelThread());
}

// ---- Alive -----------------------------------------------------------------

void Live(HostScene& s) { s.Call(s.fd()); }
void SelfAlive(HostScene& s) {
  const int64_t fd = s.victim().Must(
      SYS_pidfd_open, static_cast<uint64_t>(s.victim().tgid()), 0);
  CallAs(s, s.victim(), static_cast<int>(fd));
}
// For rows in which somebody has to be in the call for some time.
void NeedCall(HostScene& s) {
  if (s.m().Mrelease(-1) != -ENOSYS) return;
  s.m().Fail(absl::UnimplementedError(
      "the host has no process_mrelease(2) to stay in"));
}

// The victim calls for itself again and again until it is killed. Only if the
// signal came between the call's beginning and its look at the victim is this
// the state that is meant: then the result that it died with is 0.
void SelfKilled(HostScene& s) {
  HostTask& self = s.victim();
  const int64_t fd =
      self.Must(SYS_pidfd_open, static_cast<uint64_t>(self.tgid()), 0);
  s.m().Seize(self);
  NeedCall(s);
  s.NoteBefore();
  constexpr uint64_t kForever = uint64_t{1} << 62;
  s.Beside(self, [&] {
    self.BeginMrelease(static_cast<int>(fd), kForever);
    s.m().WaitState(self, "R");
    s.m().Kill(self, SIGKILL);
    s.m().WaitEventExit(self);
  });
  const bool in_call = s.m().CallNumber(self) == SYS_process_mrelease;
  const int64_t ret = s.m().ResultRegister(self);
  if (!in_call || ret == -EINVAL) s.TryAgain();
  s.NoteAfter(ret);
}
// No signal is sent: it is not ours, and would ignore it.
void GlobalInit(HostScene& s) {
  s.WatchNothing();
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, 1, 0));
  (void)s.m().Must(KernelResult(fd), "pidfd_open of pid 1");
  s.Call(s.m().Own(fd));
}

// ---- Killed ----------------------------------------------------------------

void Killed(HostScene& s) { s.CallBeforeItRuns(s.victim(), SIGKILL); }
// Asleep where not even SIGKILL wakes it.
void SignalInDState(HostScene& s, int sig) {
  StuckFile file(s.m());
  file.BlockInOpen(s.victim());
  s.m().Kill(s.victim(), sig);
  s.m().WaitState(s.victim(), "D");
  s.Call(s.fd());
}
void KilledInDState(HostScene& s) { SignalInDState(s, SIGKILL); }
void StopVictim(HostScene& s) {
  s.m().Kill(s.victim(), SIGSTOP);
  s.m().WaitState(s.victim(), "T");
}
void KilledStopped(HostScene& s) {
  StopVictim(s);
  s.CallBeforeItRuns(s.victim(), SIGKILL);
}
void KilledTraceStopped(HostScene& s) {
  s.m().Seize(s.victim());
  s.m().Kill(s.victim(), SIGUSR1);
  (void)s.m().WaitStop(s.victim());
  s.CallBeforeItRuns(s.victim(), SIGKILL);
}
void KilledAtEventExit(HostScene& s) {
  s.KillAndHold({&s.victim()});
  s.Call(s.fd());
}

// ---- Signals ---------------------------------------------------------------

void Sigterm(HostScene& s) { s.CallBeforeItRuns(s.victim(), SIGTERM); }
void SigtermDState(HostScene& s) { SignalInDState(s, SIGTERM); }
void SigtermHandled(HostScene& s) {
  s.victim().Handle(SIGTERM);
  Sigterm(s);
}
void SigtermIgnored(HostScene& s) {
  s.victim().Dispose(SIGTERM, reinterpret_cast<uint64_t>(SIG_IGN));
  Sigterm(s);
}
void SigtermBlocked(HostScene& s) {
  s.victim().Block(SIGTERM);
  Sigterm(s);
}
void SigtermStopped(HostScene& s) {
  StopVictim(s);
  Sigterm(s);
}
void SigtermTraced(HostScene& s) {
  s.m().Seize(s.victim());
  Sigterm(s);
}
void Sigsegv(HostScene& s) { s.CallBeforeItRuns(s.victim(), SIGSEGV); }
void SigsegvDState(HostScene& s) { SignalInDState(s, SIGSEGV); }

// ---- Core dumps ------------------------------------------------------------

// The process crashes, and its dump waits for its threads, one of which can't
// be woken. Nothing is written in the end: the victims' limit forbids it.
void DumpCore(HostScene& s, HostTask& task, StuckFile& file) {
  HostTask& thread = task.CloneThread();
  file.BlockInOpen(thread);
  s.m().Tgkill(task, SIGSEGV);
  const std::string path = absl::StrCat("/proc/", task.tgid(), "/status");
  s.m().WaitUntilTrue(
      [&] {
        const absl::StatusOr<std::string> status = ReadFile(path);
        return status.ok() && absl::StrContains(*status, "CoreDumping:\t1");
      },
      "a core dump");
  s.m().WaitState(task, "D");
  s.m().WaitState(thread, "D");
}
void Dumping(HostScene& s) {
  StuckFile file(s.m());
  DumpCore(s, s.victim(), file);
  s.Call(s.fd());
}
void DumpingKilled(HostScene& s) {
  StuckFile file(s.m());
  DumpCore(s, s.victim(), file);
  s.m().Kill(s.victim(), SIGKILL);
  s.Call(s.fd());
}
void DumpFinished(HostScene& s) {
  s.KillAndHold({&s.victim()}, SIGSEGV);
  s.Call(s.fd());
}

// ---- Exit ------------------------------------------------------------------

void ExitGroupOthersRun(HostScene& s) {
  HostTask& thread = s.victim().CloneThread();
  s.m().Seize(s.victim());
  s.m().Seize(thread);
  thread.Begin(SYS_exit_group, 0);
  s.m().WaitEventExit(thread);
  s.m().WaitEventExit(s.victim());
  s.Call(s.fd());
}
// The task calls exit(2) and is held there.
void ExitAndHold(HostScene& s, HostTask& task) {
  s.m().Seize(task);
  Exit(task);
  s.m().WaitEventExit(task);
}
void ExitSingleEventExit(HostScene& s) {
  ExitAndHold(s, s.victim());
  s.Call(s.fd());
}
// The leader is a zombie, and a thread is left: it is what /proc shows.
HostTask& LoseLeader(HostScene& s) {
  HostTask& thread = s.victim().CloneThread();
  Exit(s.victim());
  s.m().WaitState(s.victim(), "Z");
  s.Watch(thread);
  return thread;
}
void LastThreadLeaderZombie(HostScene& s) {
  ExitAndHold(s, LoseLeader(s));
  s.Call(s.fd());
}
void OneOfSeveralExits(HostScene& s) {
  ExitAndHold(s, s.victim().CloneThread());
  s.Call(s.fd());
}
void LeaderZombieLive(HostScene& s) {
  (void)LoseLeader(s);
  s.Call(s.fd());
}
void LeaderZombieKilled(HostScene& s) {
  s.KillAndHold({&LoseLeader(s)});
  s.Call(s.fd());
}

// ---- Sharers ---------------------------------------------------------------

void SharerLives(HostScene& s) {
  (void)s.victim().CloneVm();
  s.KillAndHold({&s.victim()});
  s.Call(s.fd());
}
void SharersKilled(HostScene& s) {
  HostTask& sharer = s.victim().CloneVm();
  s.KillAndHold({&s.victim()});
  s.KillAndHold({&sharer});
  s.Call(s.fd());
}
// Before v5.16 the dump kills the sharer, too.
void SharerDumps(HostScene& s) {
  NeedCall(s);
  HostTask& sharer = s.victim().CloneVm();
  StuckFile file(s.m());
  DumpCore(s, sharer, file);
  s.KillAndHold({&s.victim()});
  s.Call(s.fd());
}
void SharerZombie(HostScene& s) {
  HostTask& sharer = s.victim().CloneVm();
  s.m().Kill(sharer, SIGKILL);
  s.m().WaitZombie(sharer);
  s.KillAndHold({&s.victim()});
  s.Call(s.fd());
}
void SharerLosesLeader(HostScene& s) {
  HostTask& sharer = s.victim().CloneVm();
  (void)sharer.CloneThread();
  Exit(sharer);
  s.m().WaitState(sharer, "Z");
  s.KillAndHold({&s.victim()});
  s.Call(s.fd());
}
void FirstSharerLives(HostScene& s) {
  (void)s.victim().CloneVm();
  HostTask& second = s.victim().CloneVm();
  s.KillAndHold({&s.victim()});
  s.KillAndHold({&second});
  s.Call(s.fd());
}
void LastSharerLives(HostScene& s) {
  HostTask& first = s.victim().CloneVm();
  (void)s.victim().CloneVm();
  s.KillAndHold({&s.victim()});
  s.KillAndHold({&first});
  s.Call(s.fd());
}
void VforkChildKilled(HostScene& s) {
  HostTask& child = s.victim().Vfork();
  const int fd = s.m().PidfdOpen(child);
  s.Watch(child);
  s.KillAndHold({&child});
  s.Call(fd);
}
void VforkParentKilled(HostScene& s) {
  (void)s.victim().Vfork();
  s.KillAndHold({&s.victim()});
  s.Call(s.fd());
}
void VforkBothKilled(HostScene& s) {
  HostTask& child = s.victim().Vfork();
  s.KillAndHold({&child});
  s.KillAndHold({&s.victim()});
  s.Call(s.fd());
}

// ---- exec ------------------------------------------------------------------

// A thread of the victim execs and waits for the leader, which is held on its
// way out.
HostTask& DeThread(HostScene& s) {
  HostTask& thread = s.victim().CloneThread();
  s.m().Seize(s.victim());
  s.m().Seize(thread);
  thread.BeginExec();
  s.m().WaitEventExit(s.victim());
  s.m().WaitInCall(thread, SYS_execveat, "D");
  s.Watch(thread);
  return thread;
}
void ExecDeThread(HostScene& s) {
  (void)DeThread(s);
  s.Call(s.fd());
}
// The signal frees the leader, which was not being killed before, and the
// thread gives up waiting; it is held then.
void ExecDeThreadKilled(HostScene& s) {
  HostTask& thread = DeThread(s);
  s.m().Kill(s.victim(), SIGKILL);
  s.m().WaitEventExit(thread);
  s.Call(s.fd());
}
void ExecDoneKilled(HostScene& s) {
  s.victim().Exec();
  s.KillAndHold({&s.victim()});
  s.Call(s.fd());
}

// ---- Memory pinned by others -----------------------------------------------

// Memory of the task that nobody gets a page of until the machine ends.
uint64_t MapStuckPage(HostTask& task) {
  const auto page = static_cast<uint64_t>(
      task.Must(SYS_mmap, 0, kPage, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, kNoFd));
  const auto fd =
      static_cast<uint64_t>(task.Must(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
  uffdio_api api = {};
  api.api = UFFD_API;
  (void)task.Must(SYS_ioctl, fd, UFFDIO_API, task.Bytes(&api, sizeof api));
  uffdio_register range = {};
  range.range = {.start = page, .len = kPage};
  range.mode = UFFDIO_REGISTER_MODE_MISSING;
  (void)task.Must(SYS_ioctl, fd, UFFDIO_REGISTER,
                  task.Bytes(&range, sizeof range));
  return page;
}
int64_t OpenOf(HostTask& task, const HostTask& other, const char* file,
               uint64_t flags) {
  return task.Must(SYS_openat, kAtFdcwd,
                   task.Text(absl::StrCat("/proc/", other.tgid(), "/", file)),
                   flags);
}
// A reader of the victim's memory is stuck with what it has read, and its use
// of the memory ends only with the read.
void ExitedPinned(HostScene& s) {
  HostTask& reader = s.caller();
  const uint64_t page = MapStuckPage(reader);
  const auto memory =
      static_cast<uint64_t>(OpenOf(reader, s.victim(), "mem", O_RDONLY));
  reader.Begin(SYS_pread64, memory, page, 1, MAILBOX_ADDRESS);
  s.m().WaitInCall(reader, SYS_pread64);
  s.m().Kill(s.victim(), SIGKILL);
  s.m().WaitZombie(s.victim());
  s.Call(s.fd());
}

// ---- mmap_lock -------------------------------------------------------------

// Somebody's read of the victim's memory holds mmap_lock and waits for a page
// that does not come; somebody else waits to write. Whoever comes to read has
// to wait behind the writer, as if the writer held the lock.
struct LockedMemory {
  explicit LockedMemory(HostScene& s) : file(s.m()) {
    HostTask& reader = s.m().Spawn();
    HostTask& writer = s.m().Spawn();
    const uint64_t page = file.Map(s.victim());
    const auto memory =
        static_cast<uint64_t>(OpenOf(reader, s.victim(), "mem", O_RDONLY));
    const auto clear_refs = static_cast<uint64_t>(
        OpenOf(writer, s.victim(), "clear_refs", O_WRONLY));
    s.KillAndHold({&s.victim()});
    // A look needs the lock, too.
    s.NoteBefore();
    const uint64_t byte = reader.Text(" ");
    reader.Begin(SYS_pread64, memory, byte, 1, page);
    file.WaitForReader();
    writer.Begin(SYS_write, clear_refs, writer.Text("1"), 1);
    s.m().WaitInCall(writer, SYS_write, "D");
  }

  StuckFile file;
};

// The task is in the call, and waits.
void BeginCall(HostScene& s, HostTask& task, int fd) {
  NeedCall(s);
  task.Begin(SYS_process_mrelease, static_cast<uint64_t>(fd), 0);
  s.m().WaitInCall(task, SYS_process_mrelease, "D");
}
void BehindWriter(HostScene& s) {
  const int fd = s.m().SendFd(s.caller(), s.fd());
  LockedMemory locked(s);
  BeginCall(s, s.caller(), fd);
  locked.file.Release();
  s.NoteAfter(s.caller().Finish());
}
void CallerStoppedBehindWriter(HostScene& s) {
  const int fd = s.m().SendFd(s.caller(), s.fd());
  s.caller().Handle(SIGUSR1);
  LockedMemory locked(s);
  BeginCall(s, s.caller(), fd);
  s.m().Kill(s.caller(), SIGUSR1);
  s.m().WaitInCall(s.caller(), SYS_process_mrelease, "D");
  locked.file.Release();
  s.NoteAfter(s.caller().Finish());
}
void CallerKilledBehindWriter(HostScene& s) {
  const int fd = s.m().SendFd(s.caller(), s.fd());
  s.m().Seize(s.caller());
  LockedMemory locked(s);
  BeginCall(s, s.caller(), fd);
  s.m().Kill(s.caller(), SIGKILL);
  s.m().WaitEventExit(s.caller());
  if (s.m().CallNumber(s.caller()) != SYS_process_mrelease) {
    s.m().Fail(absl::InternalError("the caller did not die in the call"));
  }
  const int64_t ret = s.m().ResultRegister(s.caller());
  locked.file.Release();
  s.NoteAfter(ret);
}

// ---- Memory ----------------------------------------------------------------

std::vector<SmapsVma> PrivateVmas(HostScene& s, const HostTask& task) {
  std::vector<SmapsVma> result;
  if (!s.m().ok()) return result;
  const absl::StatusOr<ProcProcess> process =
      ReadProcess(absl::StrCat(task.tgid()));
  if (!process.ok()) {
    s.m().Fail(process.status());
    return result;
  }
  for (const SmapsVma& vma : process->smaps.vmas) {
    if (!vma.permissions.shared) result.push_back(vma);
  }
  return result;
}
void OnlyShared(HostScene& s) {
  HostTask& first = s.m().Spawn();
  // Its program, read by way of a descriptor that may write: VM_SHARED stays.
  for (const SmapsVma& vma : PrivateVmas(s, first)) {
    if (vma.inode == 0) continue;
    (void)first.Must(SYS_mmap, vma.start, vma.end - vma.start,
                     PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, kProgramFd,
                     vma.offset);
  }
  HostTask& other = first.CloneVmOnSharedStack();
  s.m().Kill(first, SIGKILL);
  s.m().Reap(first);
  for (const SmapsVma& vma : PrivateVmas(s, other)) {
    (void)other.Must(SYS_munmap, vma.start, vma.end - vma.start);
  }
  constexpr uint64_t kBytes = 8 * kPage;
  const auto memfd = static_cast<uint64_t>(
      other.Must(SYS_memfd_create, other.Text("shared"), 0));
  (void)other.Must(SYS_ftruncate, memfd, kBytes);
  const auto shared = static_cast<uint64_t>(other.Must(
      SYS_mmap, 0, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0));
  other.Touch(shared, kBytes, kPage, true);
  const int fd = s.m().PidfdOpen(other);
  s.Watch(other);
  s.KillAndHold({&other});
  s.Call(fd);
}
void SecondCall(HostScene& s) {
  s.KillAndHold({&s.victim()});
  (void)s.m().Must(s.m().Mrelease(s.fd()), "the first call");
  s.Call(s.fd());
}
// Both wait for mmap_lock and get it at the same time.
void TwoCallers(HostScene& s) {
  HostTask& other = s.m().Spawn();
  const int other_fd = s.m().SendFd(other, s.fd());
  const int fd = s.m().SendFd(s.caller(), s.fd());
  LockedMemory locked(s);
  BeginCall(s, other, other_fd);
  BeginCall(s, s.caller(), fd);
  locked.file.Release();
  const int64_t others = other.Finish();
  const int64_t ret = s.caller().Finish();
  s.NoteAfter(others != 0 ? others : ret);
}

// ---- Freezers --------------------------------------------------------------

// Asleep it would be frozen where it is (since v6.1); a running task is made
// to go to the freezer by a signal that is none, and which keeps it from being
// chosen for another.
void FrozenV1(HostScene& s, int sig) {
  HostCgroup cgroup(s.m(), Kind::kFreezerV1);
  s.victim().Spin();
  cgroup.Add(s.victim());
  cgroup.Freeze();
  s.m().Kill(s.victim(), sig);
  s.Call(s.fd());
}
void FrozenV1Killed(HostScene& s) { FrozenV1(s, SIGKILL); }
void FrozenV1Sigterm(HostScene& s) { FrozenV1(s, SIGTERM); }
void FreezeV2(HostScene& s) {
  HostCgroup cgroup(s.m(), Kind::kV2);
  cgroup.Add(s.victim());
  cgroup.Freeze();
}
void FrozenV2Killed(HostScene& s) {
  FreezeV2(s);
  s.CallBeforeItRuns(s.victim(), SIGKILL);
}
void FrozenV2Sigterm(HostScene& s) {
  FreezeV2(s);
  s.CallBeforeItRuns(s.victim(), SIGTERM);
}
void FrozenV2KilledRun(HostScene& s) {
  FreezeV2(s);
  Zombie(s);
}
void FrozenV2Sigsegv(HostScene& s) {
  FreezeV2(s);
  s.m().Kill(s.victim(), SIGSEGV);
  s.Call(s.fd());
}

// ---- Namespaces and callers ------------------------------------------------

void NamespaceInitInside(HostScene& s) {
  HostTask& init = s.victim().Clone(CLONE_NEWPID | SIGCHLD);
  HostTask& inside = init.Clone(SIGCHLD);
  const int fd = s.m().PidfdOpen(init);
  s.Watch(init);
  (void)inside.Must(SYS_kill, 1, SIGKILL);
  s.Call(fd);
}
void NamespaceInitOutside(HostScene& s) {
  HostTask& init = s.victim().Clone(CLONE_NEWPID | SIGCHLD);
  (void)init.Clone(SIGCHLD);
  const int fd = s.m().PidfdOpen(init);
  s.Watch(init);
  s.KillAndHold({&init});
  s.Call(fd);
}
void CallerUnprivileged(HostScene& s) {
  constexpr uint64_t kNobody = 65534;
  HostTask& nobody = s.caller();
  const int fd = s.m().SendFd(nobody, s.fd());
  (void)nobody.Must(SYS_setgroups, 0, 0);
  (void)nobody.Must(SYS_setresgid, kNobody, kNobody, kNobody);
  (void)nobody.Must(SYS_setresuid, kNobody, kNobody, kNobody);
  // Forgotten with the old credentials.
  (void)nobody.Must(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  s.KillAndHold({&s.victim()});
  CallAs(s, nobody, fd);
}
void CallerOtherNamespace(HostScene& s) {
  HostTask& inside = s.caller().Clone(CLONE_NEWPID | SIGCHLD);
  const int fd = s.m().SendFd(inside, s.fd());
  s.KillAndHold({&s.victim()});
  CallAs(s, inside, fd);
}

// ---- OOM killer ------------------------------------------------------------

// The victim uses more memory than its cgroup may have, is chosen, being the
// only one there, and held on its way out.
void OomKill(HostScene& s) {
  HostCgroup cgroup(s.m(), HostCgroup::Mounted(Kind::kMemoryV1)
                               ? Kind::kMemoryV1
                               : Kind::kV2);
  constexpr uint64_t kLimit = 1 << 20;
  constexpr uint64_t kWanted = 8 << 20;
  cgroup.LimitMemory(kLimit);
  cgroup.Add(s.victim());
  // A harness that is spared may have victims that are not.
  const auto score = static_cast<uint64_t>(
      s.victim().Must(SYS_openat, kAtFdcwd,
                      s.victim().Text("/proc/self/oom_score_adj"), O_WRONLY));
  (void)s.victim().Must(SYS_write, score, s.victim().Text("0"), 1);
  const auto memory = static_cast<uint64_t>(
      s.victim().Must(SYS_mmap, 0, kWanted, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, kNoFd));
  s.m().Seize(s.victim());
  s.victim().BeginTouch(memory, kWanted);
  s.m().WaitEventExit(s.victim());
}
// 0 when nothing of the memory is left to take, for the kernel or for others.
int OomScore(const HostTask& task) {
  const absl::StatusOr<std::string> text =
      ReadFile(absl::StrCat("/proc/", task.tgid(), "/oom_score"));
  int score = -1;
  return text.ok() && absl::SimpleAtoi(*text, &score) ? score : -1;
}
// The OOM reaper comes two seconds after the kill.
void OomVictimEarly(HostScene& s) {
  OomKill(s);
  s.Call(s.fd());
  if (s.m().ok() && OomScore(s.victim()) == 0) s.TryAgain();
}
void OomVictimReaped(HostScene& s) {
  OomKill(s);
  s.m().WaitUntilTrue([&] { return OomScore(s.victim()) == 0; },
                      "the OOM reaper");
  s.Call(s.fd());
}

}  // namespace

const std::vector<HostState>& HostStates() {
  static const auto* states = new std::vector<HostState>{
      {"args.flags_bad_fd", FlagsBadFd},
      {"args.flags_live", FlagsLive},
      {"args.flags_dying", FlagsDying},
      {"args.flags_gone", FlagsGone},
      {"pidfd.minus_one", FdMinusOne},
      {"pidfd.closed", FdClosed},
      {"pidfd.out_of_range", FdOutOfRange},
      {"pidfd.regular_file", FdRegular},
      {"pidfd.o_path", FdOPath},
      {"pidfd.proc_dir", FdProcDir},
      {"pidfd.self_thread", FdSelfThread},
      {"pidfd.self_thread_group", FdSelfGroup},
      {"pidfd.self_thread_group_first", FdSelfGroupFirst},
      {"pidfd.thread_live", ThreadFdLive},
      {"pidfd.thread_killed", ThreadFdKilled},
      {"pidfd.leader_thread", LeaderThreadFd},
      {"gone.waited", Waited},
      {"gone.auto_reaped", AutoReaped},
      {"gone.zombie", Zombie},
      {"gone.zombie_threads", ZombieThreads},
      {"kthread.no_mm", KernelThread},
      {"live.running", Live},
      {"self.alive", SelfAlive},
      {"self.sigkill_pending", SelfKilled},
      {"killed.running", Killed},
      {"killed.d_state", KilledInDState},
      {"killed.job_stopped", KilledStopped},
      {"killed.trace_stopped", KilledTraceStopped},
      {"killed.event_exit", KilledAtEventExit},
      {"signal.sigterm_default", Sigterm},
      {"signal.sigterm_d_state", SigtermDState},
      {"signal.sigterm_handled", SigtermHandled},
      {"signal.sigterm_blocked", SigtermBlocked},
      {"signal.sigterm_ignored", SigtermIgnored},
      {"signal.sigterm_stopped", SigtermStopped},
      {"signal.sigterm_traced", SigtermTraced},
      {"signal.sigsegv_sent", Sigsegv},
      {"signal.sigsegv_d_state", SigsegvDState},
      {"coredump.running", Dumping},
      {"coredump.killed", DumpingKilled},
      {"coredump.finished", DumpFinished},
      {"exit.group_others_run", ExitGroupOthersRun},
      {"exit.single_event_exit", ExitSingleEventExit},
      {"exit.last_thread", LastThreadLeaderZombie},
      {"exit.one_of_several", OneOfSeveralExits},
      {"exit.leader_zombie", LeaderZombieLive},
      {"exit.leader_zombie_killed", LeaderZombieKilled},
      {"sharers.clone_vm_live", SharerLives},
      {"sharers.clone_vm_killed", SharersKilled},
      {"sharers.dumps_core", SharerDumps},
      {"sharers.zombie", SharerZombie},
      {"sharers.leader_zombie", SharerLosesLeader},
      {"sharers.first_lives", FirstSharerLives},
      {"sharers.last_lives", LastSharerLives},
      {"sharers.vfork_child_killed", VforkChildKilled},
      {"sharers.vfork_parent_killed", VforkParentKilled},
      {"sharers.vfork_both_killed", VforkBothKilled},
      {"exec.de_thread", ExecDeThread},
      {"exec.de_thread_killed", ExecDeThreadKilled},
      {"exec.done_killed", ExecDoneKilled},
      {"exit.pinned", ExitedPinned},
      {"lock.writer_holds", BehindWriter},
      {"lock.signal_not_fatal", CallerStoppedBehindWriter},
      {"lock.caller_killed", CallerKilledBehindWriter},
      {"memory.only_shared", OnlyShared},
      {"again.second_call", SecondCall},
      {"again.two_callers", TwoCallers},
      {"freezer.v1_killed", FrozenV1Killed},
      {"freezer.v1_sigterm", FrozenV1Sigterm},
      {"freezer.v2_killed", FrozenV2Killed},
      {"freezer.v2_sigterm", FrozenV2Sigterm},
      {"freezer.v2_killed_ran", FrozenV2KilledRun},
      {"freezer.v2_sigsegv", FrozenV2Sigsegv},
      {"namespace.init_killed_inside", NamespaceInitInside},
      {"namespace.init_killed_outside", NamespaceInitOutside},
      {"caller.unprivileged", CallerUnprivileged},
      {"caller.other_namespace", CallerOtherNamespace},
      {"live.global_init", GlobalInit},
      {"oom.victim_early", OomVictimEarly},
      {"oom.victim_reaped", OomVictimReaped},
  };
  return *states;
}

}  // namespace reapsim
