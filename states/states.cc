// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "states/states.h"

#include <cerrno>

#include "mm/mmap.h"
#include "syscall/coredump.h"
#include "syscall/fork.h"
#include "syscall/pidfd.h"

namespace reapsim {
namespace {

using D = MreleaseDecision;
using W = WillFreeReason;

constexpr Expected kEinvalFlags = Expected::Fails(EINVAL, D::kFlags);
constexpr Expected kEbadf = Expected::Fails(EBADF, D::kPidfd);
constexpr Expected kEsrchNoProcess = Expected::Fails(ESRCH, D::kNoProcess);
constexpr Expected kEsrchNoMm = Expected::Fails(ESRCH, D::kNoMm);

constexpr Expected Gone(Expected e) {
  e.effect = Effect::kGone;
  return e;
}
constexpr Expected NotFreeing(W why) {
  return {.ret = EINVAL, .decision = D::kNotFreeing, .why = why};
}
constexpr Expected Reaps(W why = W::kOnlyUser) {
  return {.effect = Effect::kReleased, .decision = D::kReaped, .why = why};
}
constexpr Expected Broken() { return {.effect = Effect::kBroken}; }
constexpr Expected kLive = NotFreeing(W::kNotExiting);
constexpr Expected kDumping = NotFreeing(W::kCoreDump);
constexpr Expected kSharerLives = NotFreeing(W::kSharerLives);
constexpr Expected kNa = Expected::Unreachable();

User Shell(Scene& s) { return s.k().As(s.shell()); }
User Victim(Scene& s) { return s.k().As(s.victim()); }
User Caller(Scene& s) { return s.k().As(s.caller()); }

// A further thread of the victim.
Task& Thread(Scene& s) {
  return s.k().TaskOf(
      static_cast<pid_t>(s.Must(Victim(s).clone_thread(), "clone")));
}
// A process that shares the victim's memory.
Task& Sharer(Scene& s) {
  return s.k().TaskOf(
      static_cast<pid_t>(s.Must(Victim(s).clone_vm(CLONE_PARENT), "clone")));
}

// ---- Arguments and descriptors ---------------------------------------------

void FlagsBadFd(Scene& s) { s.Call(-1, 1); }
void FlagsLive(Scene& s) { s.Call(s.fd(), 1); }
void FlagsDying(Scene& s) {
  s.Kill(s.victim());
  s.Call(s.fd(), 1);
}
void FlagsGone(Scene& s) {
  s.Kill(s.victim());
  (void)s.Must(Shell(s).waitpid(s.victim().pid()), "wait");
  s.Call(s.fd(), 1);
}
void FdMinusOne(Scene& s) { s.Call(-1); }
void FdClosed(Scene& s) {
  (void)s.Must(Caller(s).close(s.fd()), "close");
  s.Call(s.fd());
}
void FdOutOfRange(Scene& s) { s.Call(1 << 20); }
void FdRegular(Scene& s) {
  s.Call(
      static_cast<int>(s.Must(Caller(s).open_file(7, Pages(1), true), "open")));
}
void FdOPath(Scene& s) {
  s.Kill(s.victim());
  s.Call(static_cast<int>(s.Must(Caller(s).reopen(s.fd(), true), "reopen")));
}
void FdProcDir(Scene& s) {
  s.Kill(s.victim());
  s.Call(static_cast<int>(
      s.Must(Caller(s).open_proc_dir(s.victim().pid()), "open")));
}
void FdSelfThread(Scene& s) {
  s.Watch(s.caller());
  s.Call(-10000);
}
void FdSelfGroup(Scene& s) {
  s.Watch(s.caller());
  s.Call(-10001);
}
void FdSelfGroupFirst(Scene& s) {
  s.Watch(s.caller());
  s.Call(-20000);
}
// Opens a pidfd of a thread, which only v6.9 and later can.
int OpenThread(Scene& s, Task& thread) {
  const SysResult fd = Caller(s).pidfd_open(thread.pid(), PIDFD_THREAD);
  if (!fd.ok()) s.Unreachable("pidfd_open() knows no PIDFD_THREAD");
  return static_cast<int>(fd.kernel());
}
void ThreadFdLive(Scene& s) { s.Call(OpenThread(s, Thread(s))); }
void ThreadFdKilled(Scene& s) {
  const int fd = OpenThread(s, Thread(s));
  s.Kill(s.victim());
  s.Call(fd);
}
void LeaderThreadFd(Scene& s) {
  const int fd = OpenThread(s, s.victim());
  s.Kill(s.victim());
  s.Call(fd);
}

// ---- Gone ------------------------------------------------------------------

void Waited(Scene& s) {
  s.Kill(s.victim());
  (void)s.Must(Shell(s).waitpid(s.victim().pid()), "wait");
  s.Call(s.fd());
}
void AutoReaped(Scene& s) {
  (void)s.Must(Shell(s).sigaction(SIGCHLD, SigDisposition::kIgnore),
               "sigaction");
  s.Kill(s.victim());
  s.Run(s.victim());
  s.Call(s.fd());
}
void Zombie(Scene& s) {
  s.Kill(s.victim());
  s.Run(s.victim());
  s.Call(s.fd());
}
void ZombieThreads(Scene& s) {
  Task& thread = Thread(s);
  s.Kill(s.victim());
  s.Run(thread);
  s.Run(s.victim());
  s.Call(s.fd());
}
void KernelThread(Scene& s) { s.Call(s.Open(s.k().oom_reaper())); }

// A kernel thread borrows the victim's memory for good.
Task& Borrower(Scene& s) { return s.k().LendMm(s.victim()); }
void KthreadBorrower(Scene& s) { s.Call(s.Open(Borrower(s))); }
void KthreadBorrowsKilled(Scene& s) {
  (void)Borrower(s);
  s.Kill(s.victim());
  s.Call(s.fd());
}

// ---- Alive -----------------------------------------------------------------

void Live(Scene& s) { s.Call(s.fd()); }
// Only an OOM kill of somebody who shares memory with init hides it for good.
void LiveOomSkip(Scene& s) {
  Task& init = s.k().init();
  Task& child = s.k().TaskOf(
      static_cast<pid_t>(s.Must(s.k().As(init).clone_vm(), "clone")));
  const int fd = s.Open(child);
  s.k().OomKill(child);
  s.Call(fd);
}
void SelfAlive(Scene& s) { s.Call(s.Open(s.caller())); }
void SelfKilled(Scene& s) {
  const int fd = s.Open(s.caller());
  s.Start(s.caller(), fd);
  if (!s.Reach(s.caller(), Point::kSyscallEntry)) return;
  s.Kill(s.caller());
  s.Finish(s.caller());
}
void GlobalInit(Scene& s) {
  const int fd = s.Open(s.k().init());
  s.Kill(s.k().init());
  s.Call(fd);
}

// ---- Killed ----------------------------------------------------------------

void Killed(Scene& s) {
  s.Kill(s.victim());
  s.Call(s.fd());
}
void SleepUninterruptibly(Scene& s) {
  s.k().BlockDriver(true);
  s.k().Begin(s.victim(), [](User user) { (void)user.driver_wait(); });
  s.Run(s.victim());
}
void KilledInDState(Scene& s) {
  SleepUninterruptibly(s);
  s.Kill(s.victim());
  s.Run(s.victim());
  s.Call(s.fd());
}
void StopVictim(Scene& s) {
  s.Kill(s.victim(), SIGSTOP);
  s.Run(s.victim());
}
void KilledStopped(Scene& s) {
  StopVictim(s);
  s.Kill(s.victim());
  s.Call(s.fd());
}
void TraceVictim(Scene& s, bool trace_exit) {
  (void)s.Must(Shell(s).ptrace_seize(s.victim().pid(), trace_exit, false),
               "ptrace");
}
void KilledTraceStopped(Scene& s) {
  TraceVictim(s, false);
  s.Kill(s.victim(), SIGUSR1);
  s.Run(s.victim());  // stops to show its tracer the signal
  s.Kill(s.victim());
  s.Call(s.fd());
}
// How tests on real kernels hold a victim.
void KilledAtEventExit(Scene& s) {
  TraceVictim(s, true);
  s.Kill(s.victim());
  s.Run(s.victim());
  s.Call(s.fd());
}

// ---- Signals ---------------------------------------------------------------

void Sigterm(Scene& s) {
  s.Kill(s.victim(), SIGTERM);
  s.Call(s.fd());
}
void SigtermDState(Scene& s) {
  SleepUninterruptibly(s);
  Sigterm(s);
}
void SigtermHandled(Scene& s) {
  (void)s.Must(Victim(s).sigaction(SIGTERM, SigDisposition::kHandler), "act");
  Sigterm(s);
}
void SigtermIgnored(Scene& s) {
  (void)s.Must(Victim(s).sigaction(SIGTERM, SigDisposition::kIgnore), "act");
  Sigterm(s);
}
void SigtermBlocked(Scene& s) {
  (void)s.Must(Victim(s).sigblock(SIGTERM), "block");
  Sigterm(s);
}
void SigtermStopped(Scene& s) {
  StopVictim(s);
  Sigterm(s);
}
void SigtermTraced(Scene& s) {
  TraceVictim(s, false);
  Sigterm(s);
}
void Sigsegv(Scene& s) {
  s.Kill(s.victim(), SIGSEGV);
  s.Call(s.fd());
}
void SigsegvDState(Scene& s) {
  SleepUninterruptibly(s);
  Sigsegv(s);
}

// ---- Core dumps ------------------------------------------------------------

// The victim dumps core into a pipe that nobody reads.
void DumpCore(Scene& s) {
  s.k().BlockDump(true);
  s.Kill(s.victim(), SIGSEGV);
  s.Run(s.victim());
}
void Dumping(Scene& s) {
  DumpCore(s);
  s.Call(s.fd());
}
void DumpingKilled(Scene& s) {
  DumpCore(s);
  s.Kill(s.victim());
  s.Call(s.fd());
}
void DumpFinished(Scene& s) {
  s.Kill(s.victim(), SIGSEGV);
  if (!s.Reach(s.victim(), Point::kExitMm)) return;
  s.Call(s.fd());
}

// ---- Exit ------------------------------------------------------------------

void Exit(Scene& s, Task& task) {
  s.k().Begin(task, [](User user) { (void)user.exit(0); });
}
void ExitGroupOthersRun(Scene& s) {
  Task& thread = Thread(s);
  s.k().Begin(thread, [](User user) { (void)user.exit_group(0); });
  if (!s.Reach(thread, Point::kPtraceEventExit)) return;
  s.Call(s.fd());
}
void ExitSingleEventExit(Scene& s) {
  TraceVictim(s, true);
  Exit(s, s.victim());
  s.Run(s.victim());
  s.Call(s.fd());
}
void ExitAfterSignals(Scene& s) {
  Exit(s, s.victim());
  if (!s.Reach(s.victim(), Point::kExitSignalsDone)) return;
  s.Call(s.fd());
}
void LastThreadLeaderZombie(Scene& s) {
  Task& thread = Thread(s);
  Exit(s, s.victim());
  s.Run(s.victim());
  Exit(s, thread);
  if (!s.Reach(thread, Point::kPtraceEventExit)) return;
  s.Call(s.fd());
}
void OneOfSeveralExits(Scene& s) {
  Task& thread = Thread(s);
  Exit(s, thread);
  if (!s.Reach(thread, Point::kExitSignalsDone)) return;
  s.Call(s.fd());
}
void LeaderZombieLive(Scene& s) {
  (void)Thread(s);
  Exit(s, s.victim());
  s.Run(s.victim());
  s.Call(s.fd());
}
void LeaderZombieKilled(Scene& s) {
  (void)Thread(s);
  Exit(s, s.victim());
  s.Run(s.victim());
  s.Kill(s.victim());
  s.Call(s.fd());
}

// ---- Sharers ---------------------------------------------------------------

void SharerLives(Scene& s) {
  (void)Sharer(s);
  s.Kill(s.victim());
  s.Call(s.fd());
}
void SharersKilled(Scene& s) {
  Task& sharer = Sharer(s);
  s.Kill(s.victim());
  s.Kill(sharer);
  s.Call(s.fd());
}
void SharerDumps(Scene& s) {
  Task& sharer = Sharer(s);
  s.k().BlockDump(true);
  s.Kill(sharer, SIGSEGV);
  s.Run(sharer);
  s.Kill(s.victim());
  s.Call(s.fd());
}
void SharerZombie(Scene& s) {
  Task& sharer = Sharer(s);
  s.Kill(sharer);
  s.Run(sharer);
  s.Kill(s.victim());
  s.Call(s.fd());
}
// Threads of it are asked in turn: the leader has no mm any more.
void SharerLosesLeader(Scene& s) {
  Task& sharer = Sharer(s);
  (void)s.Must(s.k().As(sharer).clone_thread(), "clone");
  Exit(s, sharer);
  s.Run(sharer);
  s.Kill(s.victim());
  s.Call(s.fd());
}
void FirstSharerLives(Scene& s) {
  (void)Sharer(s);
  Task& second = Sharer(s);
  s.Kill(s.victim());
  s.Kill(second);
  s.Call(s.fd());
}
void LastSharerLives(Scene& s) {
  Task& first = Sharer(s);
  (void)Sharer(s);
  s.Kill(s.victim());
  s.Kill(first);
  s.Call(s.fd());
}
// The victim waits in vfork() for its child, which it thereby shares with.
Task& Vfork(Scene& s) {
  s.k().Begin(s.victim(), [](User user) { (void)user.vfork(); });
  s.Run(s.victim());
  return s.k().NewestTask();
}
void VforkChildKilled(Scene& s) {
  Task& child = Vfork(s);
  const int fd = s.Open(child);
  s.Kill(child);
  s.Call(fd);
}
void VforkParentKilled(Scene& s) {
  (void)Vfork(s);
  s.Kill(s.victim());
  s.Call(s.fd());
}
void VforkBothKilled(Scene& s) {
  Task& child = Vfork(s);
  s.Kill(child);
  s.Kill(s.victim());
  s.Call(s.fd());
}

// ---- exec ------------------------------------------------------------------

// A thread of the victim execs and waits for the others, which do not run.
Task& DeThread(Scene& s) {
  Task& thread = Thread(s);
  s.k().Begin(thread, [](User user) { (void)user.execve(); });
  s.Run(thread);
  return thread;
}
void ExecDeThread(Scene& s) {
  (void)DeThread(s);
  s.Call(s.fd());
}
void ExecDeThreadKilled(Scene& s) {
  (void)DeThread(s);
  s.Kill(s.victim());
  s.Call(s.fd());
}
void ExecDoneKilled(Scene& s) {
  (void)s.Must(Victim(s).execve(), "exec");
  s.Watch(s.victim());
  s.Kill(s.victim());
  s.Call(s.fd());
}

// ---- Races, stepped --------------------------------------------------------

// Somebody reads the victim's memory over process_vm_readv() and is stopped
// in it: mm_users stays above 0 although the victim is dead.
void ExitedPinned(Scene& s) {
  Task& reader = s.k().Spawn("reader");
  const pid_t pid = s.victim().pid();
  s.k().Begin(reader, [pid](User user) { (void)user.peek(pid, 0); });
  if (!s.Reach(reader, Point::kDownRead)) return;
  s.Kill(s.victim());
  s.Run(s.victim());
  s.Call(s.fd());
}
// The call has passed the victim test; then the victim exits as far as it can.
void ExitAfterCheck(Scene& s) {
  s.Kill(s.victim());
  s.Start(s.caller(), s.fd());
  if (!s.Reach(s.caller(), Point::kMreleaseChecked)) return;
  s.Run(s.victim());
  s.Finish(s.caller());
}
// The walk has begun; then the victim's own exit gets as far as it can.
void ExitDuringWalk(Scene& s) {
  s.Kill(s.victim());
  s.Start(s.caller(), s.fd());
  if (!s.Reach(s.caller(), Point::kReapVma)) return;
  s.Run(s.victim());
  s.Finish(s.caller());
}
// The call starts while exit_mmap() is about to free the page tables.
void CallBehindExitMmap(Scene& s) {
  s.Kill(s.victim());
  s.Start(s.caller(), s.fd());
  if (!s.Reach(s.caller(), Point::kMreleaseChecked)) return;
  if (!s.Reach(s.victim(), Point::kExitMmapFreePgtables)) return;
  s.Run(s.caller());
  s.Run(s.victim());
  s.Finish(s.caller());
}

// ---- mmap_lock -------------------------------------------------------------

// A thread of the victim is in fork() and holds mmap_lock for write.
Task& HoldMmapLock(Scene& s) {
  Task& thread = Thread(s);
  s.k().Begin(thread, [](User user) { (void)user.fork(); });
  (void)s.Reach(thread, Point::kDupMmap);
  s.k().Hold(thread);
  return thread;
}
void BehindWriter(Scene& s) {
  Task& writer = HoldMmapLock(s);
  s.Kill(s.victim());
  s.Start(s.caller(), s.fd());
  if (s.k().RunUntilBlocked(s.caller()) != Stepped::kBlocked) {
    s.Unreachable("the call does not wait for the writer");
  }
  s.k().Release(writer);
  s.Finish(s.caller());
}
void CallerKilledBehindWriter(Scene& s) {
  (void)HoldMmapLock(s);
  s.Kill(s.victim());
  s.Start(s.caller(), s.fd());
  if (s.k().RunUntilBlocked(s.caller()) != Stepped::kBlocked) {
    s.Unreachable("the call does not wait for the writer");
  }
  s.Kill(s.caller());
  s.Finish(s.caller());
}
void CallerStoppedBehindWriter(Scene& s) {
  Task& writer = HoldMmapLock(s);
  (void)s.Must(Caller(s).sigaction(SIGUSR1, SigDisposition::kHandler), "act");
  s.Kill(s.victim());
  s.Start(s.caller(), s.fd());
  (void)s.k().RunUntilBlocked(s.caller());
  // Not fatal: the wait goes on.
  s.Kill(s.caller(), SIGUSR1);
  if (s.k().RunUntilBlocked(s.caller()) != Stepped::kBlocked) {
    s.Unreachable("a signal that is not fatal ends the wait");
  }
  s.k().Release(writer);
  s.Finish(s.caller());
}

// ---- Notifiers -------------------------------------------------------------

// A driver that is busy has a notifier on the VMA at that place of the VMAs
// that are walked; negative places count from the last.
template <int kPlace>
void NotifierRefuses(Scene& s) {
  s.Refuse(kPlace, true);
  s.Kill(s.victim());
  s.Call(s.fd());
}
void NotifierRecovers(Scene& s) {
  s.Refuse(0, true);
  s.Kill(s.victim());
  (void)Caller(s).process_mrelease(s.fd(), 0);
  s.Refuse(0, false);
  s.Call(s.fd());
}

// ---- Memory ----------------------------------------------------------------

void OnlyShared(Scene& s) {
  Task& other = s.k().Spawn("shared", {.parent = &s.shell(), .bare = true});
  User user = s.k().As(other);
  const int fd =
      static_cast<int>(s.Must(user.memfd_create(Pages(8)), "memfd_create"));
  const int64_t addr = s.Must(user.mmap(32_KiB, File(fd).Shared()), "mmap");
  (void)user.touch(addr, 32_KiB);
  const int pidfd = s.Open(other);
  s.Kill(other);
  s.Call(pidfd);
}
void SecondCall(Scene& s) {
  s.Kill(s.victim());
  (void)s.Must(Caller(s).process_mrelease(s.fd(), 0), "first call");
  s.Call(s.fd());
}
void TwoCallers(Scene& s) {
  Task& other = s.k().Spawn("oomd");
  const int fd = static_cast<int>(
      s.Must(s.k().As(other).pidfd_open(s.victim().pid(), 0), "pidfd_open"));
  s.Kill(s.victim());
  s.k().Begin(other, [fd](User user) { (void)user.process_mrelease(fd, 0); });
  if (!s.Reach(other, Point::kReapVma)) return;
  s.Call(s.fd());
  if (!s.k().stopped()) (void)s.k().Finish(other);
}

// ---- Freezers --------------------------------------------------------------

void FreezeV1(Scene& s) {
  (void)s.Must(Shell(s).freeze_v1(s.victim().pid(), true), "freeze");
  s.Run(s.victim());
}
void FreezeV2(Scene& s) {
  (void)s.Must(Shell(s).freeze_v2(s.victim().pid(), true), "freeze");
  s.Run(s.victim());
}
void FrozenV1Killed(Scene& s) {
  FreezeV1(s);
  s.Kill(s.victim());
  s.Run(s.victim());
  s.Call(s.fd());
}
void FrozenV1Sigterm(Scene& s) {
  FreezeV1(s);
  Sigterm(s);
}
void FrozenV2Killed(Scene& s) {
  FreezeV2(s);
  s.Kill(s.victim());
  s.Call(s.fd());
}
void FrozenV2Sigterm(Scene& s) {
  FreezeV2(s);
  Sigterm(s);
}
void FrozenV2KilledRun(Scene& s) {
  FreezeV2(s);
  s.Kill(s.victim());
  s.Run(s.victim());
  s.Call(s.fd());
}
void FrozenV2Sigsegv(Scene& s) {
  FreezeV2(s);
  s.Kill(s.victim(), SIGSEGV);
  s.Run(s.victim());
  s.Call(s.fd());
}

// ---- Namespaces and callers ------------------------------------------------

// The init of a pid namespace of its own, and a process in it.
void NamespaceInit(Scene& s, bool from_inside) {
  Task& ns_init = s.k().TaskOf(
      static_cast<pid_t>(s.Must(Shell(s).clone_newpid(), "clone")));
  (void)s.Must(s.k().As(ns_init).fork(), "fork");
  Task& inside = s.k().NewestTask();
  const int fd = s.Open(ns_init);
  if (from_inside) {
    (void)s.Must(s.k().As(inside).kill(1, SIGKILL), "kill");
  } else {
    s.Kill(ns_init);
  }
  s.Call(fd);
}
void NamespaceInitInside(Scene& s) { NamespaceInit(s, true); }
void NamespaceInitOutside(Scene& s) { NamespaceInit(s, false); }

void CallerUnprivileged(Scene& s) {
  Task& nobody = s.k().Spawn("nobody", {.uid = 65534});
  const int fd = static_cast<int>(
      s.Must(s.k().As(nobody).pidfd_open(s.victim().pid(), 0), "pidfd_open"));
  s.Kill(s.victim());
  s.CallAs(nobody, fd);
}
void CallerOtherNamespace(Scene& s) {
  // A process in a namespace where the victim has no number; it is given a
  // pidfd.
  Task& inside = s.k().TaskOf(
      static_cast<pid_t>(s.Must(Caller(s).clone_newpid(), "clone")));
  s.Kill(s.victim());
  s.CallAs(inside, s.fd());
}

// ---- OOM killer ------------------------------------------------------------

void OomVictimEarly(Scene& s) {
  SleepUninterruptibly(s);
  s.k().OomKill(s.victim());
  s.Call(s.fd());
}
void OomVictimReaped(Scene& s) {
  SleepUninterruptibly(s);
  s.k().OomKill(s.victim());
  s.k().AdvanceTime(uint64_t{3'000'000'000});
  s.Call(s.fd());
}

// MMF_OOM_SKIP is not set by the call, so the next one walks again.
constexpr Expected kWalksAgain = {.decision = D::kReaped, .why = W::kOnlyUser};
constexpr Expected kOnlyMarks = {
    .effect = Effect::kOnlyMarked, .decision = D::kReaped, .why = W::kOnlyUser};
constexpr Expected kSkipFirst = {.decision = D::kOomSkipFirst};
constexpr Expected kInterrupted = {
    .ret = EINTR, .decision = D::kInterrupted, .why = W::kAllSharersDie};
constexpr Expected kEagain = {.ret = EAGAIN,
                              .effect = Effect::kPartly,
                              .decision = D::kNotifier,
                              .why = W::kOnlyUser};

const std::vector<State>* MakeStates() {
  return new std::vector<State>{
      {"args.flags_bad_fd", 1, "flags is 1, and the descriptor is bad",
       FlagsBadFd, kEinvalFlags, kEinvalFlags},
      {"args.flags_live", 1, "flags is 1, and the process is alive", FlagsLive,
       kEinvalFlags, kEinvalFlags},
      {"args.flags_dying", 1, "flags is 1, and the process is dying",
       FlagsDying, kEinvalFlags, kEinvalFlags},
      {"args.flags_gone", 1, "flags is 1, and the process is gone", FlagsGone,
       Gone(kEinvalFlags), Gone(kEinvalFlags)},
      {"pidfd.minus_one", 2, "the descriptor is -1", FdMinusOne, kEbadf,
       kEbadf},
      {"pidfd.closed", 2, "the pidfd has been closed", FdClosed, kEbadf,
       kEbadf},
      {"pidfd.out_of_range", 2, "the descriptor is beyond the table",
       FdOutOfRange, kEbadf, kEbadf},
      {"pidfd.regular_file", 3, "the descriptor is a regular file", FdRegular,
       kEbadf, kEbadf},
      {"pidfd.o_path", 3, "the pidfd was opened again with O_PATH", FdOPath,
       kEbadf, kEbadf},
      {"pidfd.proc_dir", 3, "the descriptor is the directory /proc/PID",
       FdProcDir, kEbadf, kEbadf},
      {"pidfd.self_thread", 4, "-10000: the calling thread, alive",
       FdSelfThread, kEbadf, kLive},
      {"pidfd.self_thread_group", 4, "-10001: the calling process, alive",
       FdSelfGroup, kEbadf, kLive},
      {"pidfd.self_thread_group_first", 4,
       "-20000: what -10001 was in v6.15 and v6.16", FdSelfGroupFirst, kEbadf,
       kEbadf},
      {"pidfd.thread_live", 5, "a PIDFD_THREAD pidfd of a live thread",
       ThreadFdLive, kNa, kEsrchNoProcess},
      {"pidfd.thread_killed", 5, "a PIDFD_THREAD pidfd of a killed thread",
       ThreadFdKilled, kNa, kEsrchNoProcess},
      {"pidfd.leader_thread", 6, "a PIDFD_THREAD pidfd of a killed leader",
       LeaderThreadFd, kNa, Reaps()},
      {"gone.waited", 7, "the parent has waited for it", Waited,
       Gone(kEsrchNoProcess), Gone(kEsrchNoProcess)},
      {"gone.auto_reaped", 7, "the parent ignores SIGCHLD", AutoReaped,
       Gone(kEsrchNoProcess), Gone(kEsrchNoProcess)},
      {"gone.zombie", 8, "a zombie", Zombie, Gone(kEsrchNoMm),
       Gone(kEsrchNoMm)},
      {"gone.zombie_threads", 8, "a zombie that had threads", ZombieThreads,
       Gone(kEsrchNoMm), Gone(kEsrchNoMm)},
      {"kthread.no_mm", 9, "a kernel thread", KernelThread, Gone(kEsrchNoMm),
       Gone(kEsrchNoMm)},
      {"kthread.borrows_mm", 10, "a kernel thread that borrows an mm",
       KthreadBorrower, kLive, kLive},
      {"live.running", 11, "a live process", Live, kLive, kLive},
      {"live.oom_skip",
       12,
       "killed, but init shares its memory: OOM_SKIP",
       LiveOomSkip,
       kSkipFirst,
       {.decision = D::kOomSkipFirst, .why = W::kOomSkip}},
      {"self.alive", 13, "the caller itself", SelfAlive, kLive, kLive},
      {"self.sigkill_pending", 14, "the caller itself, killed in the call",
       SelfKilled, Reaps(), Reaps()},
      {"killed.running", 15, "killed, and has not run since", Killed, Reaps(),
       Reaps()},
      {"killed.d_state", 16, "killed in an uninterruptible sleep",
       KilledInDState, Reaps(), Reaps()},
      {"killed.job_stopped", 17, "stopped by SIGSTOP, then killed",
       KilledStopped, Reaps(), Reaps()},
      {"killed.trace_stopped", 17, "stopped for its tracer, then killed",
       KilledTraceStopped, Reaps(), Reaps()},
      {"killed.event_exit", 17, "killed, held at PTRACE_EVENT_EXIT",
       KilledAtEventExit, Reaps(), Reaps()},
      {"signal.sigterm_default", 18, "SIGTERM with its default action", Sigterm,
       Reaps(), Reaps()},
      {"signal.sigterm_d_state", 18, "the same in an uninterruptible sleep",
       SigtermDState, Reaps(), Reaps()},
      {"signal.sigterm_handled", 19, "SIGTERM, which it handles",
       SigtermHandled, kLive, kLive},
      {"signal.sigterm_blocked", 19, "SIGTERM, which it blocks", SigtermBlocked,
       kLive, kLive},
      {"signal.sigterm_ignored", 19, "SIGTERM, which it ignores",
       SigtermIgnored, kLive, kLive},
      {"signal.sigterm_stopped", 20, "SIGTERM to a stopped process",
       SigtermStopped, kLive, kLive},
      {"signal.sigterm_traced", 20, "SIGTERM to a traced process",
       SigtermTraced, kLive, kLive},
      {"signal.sigsegv_sent", 21, "SIGSEGV sent, and not yet delivered",
       Sigsegv, kLive, kLive},
      {"signal.sigsegv_d_state", 21, "the same in an uninterruptible sleep",
       SigsegvDState, kLive, kLive},
      {"coredump.running", 22, "a core dump runs", Dumping, kDumping, kDumping},
      // Up to v5.16 complete_signal() replaces SIGNAL_GROUP_COREDUMP by
      // SIGNAL_GROUP_EXIT, so that the veto is gone while the dump still runs.
      {"coredump.killed", 23, "a core dump runs, and SIGKILL is pending",
       DumpingKilled, Reaps(), kDumping},
      {"coredump.finished", 24, "the dump is done, the mm still there",
       DumpFinished, Reaps(), Reaps()},
      {"exit.group_others_run", 25, "exit_group by one thread of two",
       ExitGroupOthersRun, Reaps(W::kAllSharersDie), Reaps(W::kAllSharersDie)},
      {"exit.single_event_exit", 26, "exit(2), held at PTRACE_EVENT_EXIT",
       ExitSingleEventExit, kLive, Reaps()},
      {"exit.after_exit_signals", 27, "exit(2), PF_EXITING, before exit_mm",
       ExitAfterSignals, Reaps(), Reaps()},
      {"exit.last_thread", 28, "the last thread in exit(2), leader a zombie",
       LastThreadLeaderZombie, kLive, Reaps()},
      {"exit.one_of_several", 29, "one of two threads in exit(2)",
       OneOfSeveralExits, kLive, kLive},
      {"exit.leader_zombie", 30, "the leader is a zombie, a thread lives",
       LeaderZombieLive, kLive, kLive},
      {"exit.leader_zombie_killed", 31, "the same, and the group is killed",
       LeaderZombieKilled, Reaps(), Reaps()},
      {"sharers.clone_vm_live", 32, "killed; a CLONE_VM process lives",
       SharerLives, kSharerLives, kSharerLives},
      {"sharers.clone_vm_killed", 33, "killed, and the CLONE_VM process, too",
       SharersKilled, Reaps(W::kAllSharersDie), Reaps(W::kAllSharersDie)},
      {"sharers.dumps_core", 34, "killed; a CLONE_VM process dumps core",
       SharerDumps, kDumping, NotFreeing(W::kSharerDumps)},
      {"sharers.zombie", 35, "killed; the CLONE_VM process is a zombie",
       SharerZombie, Reaps(), Reaps()},
      {"sharers.leader_zombie", 32,
       "killed; of a CLONE_VM process a thread lives, the leader is a zombie",
       SharerLosesLeader, kSharerLives, kSharerLives},
      {"sharers.first_lives", 32,
       "killed; of two CLONE_VM processes the first lives", FirstSharerLives,
       kSharerLives, kSharerLives},
      {"sharers.last_lives", 32,
       "killed; of two CLONE_VM processes the last lives", LastSharerLives,
       kSharerLives, kSharerLives},
      {"sharers.vfork_child_killed", 36, "a vfork child, killed alone",
       VforkChildKilled, kSharerLives, kSharerLives},
      {"sharers.vfork_parent_killed", 36, "killed while its vfork child lives",
       VforkParentKilled, kSharerLives, kSharerLives},
      {"sharers.vfork_both_killed", 37, "vfork parent and child killed",
       VforkBothKilled, Reaps(W::kAllSharersDie), Reaps(W::kAllSharersDie)},
      {"exec.de_thread", 38, "exec waits for the other threads", ExecDeThread,
       kLive, kLive},
      {"exec.de_thread_killed", 39, "the same, killed", ExecDeThreadKilled,
       Reaps(W::kAllSharersDie), Reaps(W::kAllSharersDie)},
      {"exec.done_killed", 40, "killed after exec: the new image",
       ExecDoneKilled, Reaps(), Reaps()},
      {"exit.pinned", 41, "past exit_mm, its memory pinned by a reader",
       ExitedPinned, kEsrchNoMm, kEsrchNoMm},
      {"race.exit_after_check",
       42,
       "exits between victim test and walk",
       ExitAfterCheck,
       Broken(),
       {.effect = Effect::kGoneDuring,
        .decision = D::kOomSkipLater,
        .why = W::kOnlyUser}},
      {"race.exit_during_walk",
       43,
       "exits while the walk runs",
       ExitDuringWalk,
       Broken(),
       {.effect = Effect::kGoneDuring,
        .decision = D::kReaped,
        .why = W::kOnlyUser}},
      {"race.behind_exit_mmap",
       43,
       "exit_mmap is about to free the page tables",
       CallBehindExitMmap,
       {.effect = Effect::kGoneDuring,
        .decision = D::kReaped,
        .why = W::kOnlyUser},
       {.effect = Effect::kGoneDuring,
        .decision = D::kOomSkipLater,
        .why = W::kOnlyUser}},
      {"lock.writer_holds", 44, "a thread of it holds mmap_lock for write",
       BehindWriter, Reaps(W::kAllSharersDie), Reaps(W::kAllSharersDie)},
      {"lock.signal_not_fatal", 44, "the same; the caller gets a signal",
       CallerStoppedBehindWriter, Reaps(W::kAllSharersDie),
       Reaps(W::kAllSharersDie)},
      {"lock.caller_killed", 45, "the caller is killed while it waits",
       CallerKilledBehindWriter, kInterrupted, kInterrupted},
      {"notifier.first", 46, "a notifier on the lowest VMA would block",
       NotifierRefuses<0>, kEagain, kEagain},
      {"notifier.second", 46, "a notifier on the second VMA would block",
       NotifierRefuses<1>, kEagain, kEagain},
      {"notifier.third", 46, "a notifier on the third VMA would block",
       NotifierRefuses<2>, kEagain, kEagain},
      {"notifier.third_last", 46,
       "a notifier on the third-last VMA would block", NotifierRefuses<-3>,
       kEagain, kEagain},
      {"notifier.second_last", 46,
       "a notifier on the second-last VMA would block", NotifierRefuses<-2>,
       kEagain, kEagain},
      {"notifier.last", 46, "a notifier on the highest VMA would block",
       NotifierRefuses<-1>, kEagain, kEagain},
      {"notifier.recovers", 46, "a second call, the notifier no longer blocks",
       NotifierRecovers, Reaps(), Reaps()},
      {"memory.only_shared", 47, "killed; it has nothing but shared memory",
       OnlyShared, kOnlyMarks, kOnlyMarks},
      {"again.second_call", 49, "a second call after a success", SecondCall,
       kWalksAgain, kWalksAgain},
      {"again.two_callers", 49, "a second caller while the first walks",
       TwoCallers, Reaps(), Reaps()},
      {"freezer.v1_killed", 50, "frozen (cgroup v1), then killed",
       FrozenV1Killed, Reaps(), Reaps()},
      {"freezer.v1_sigterm", 51, "frozen (cgroup v1), then SIGTERM",
       FrozenV1Sigterm, kLive, kLive},
      {"freezer.v2_killed", 52, "frozen (cgroup v2), then killed",
       FrozenV2Killed, Reaps(), Reaps()},
      {"freezer.v2_sigterm", 52, "frozen (cgroup v2), then SIGTERM",
       FrozenV2Sigterm, Reaps(), Reaps()},
      {"freezer.v2_killed_ran", 52, "the same as v2_killed, and it has run",
       FrozenV2KilledRun, Gone(kEsrchNoMm), Gone(kEsrchNoMm)},
      {"freezer.v2_sigsegv", 21, "frozen (cgroup v2), then SIGSEGV",
       FrozenV2Sigsegv, kLive, kLive},
      {"kthread.borrows_killed", 53, "killed; a kernel thread borrows its mm",
       KthreadBorrowsKilled, kSharerLives, kSharerLives},
      {"namespace.init_killed_inside", 54,
       "init of a pid namespace, killed from inside", NamespaceInitInside,
       kLive, kLive},
      {"namespace.init_killed_outside", 54,
       "init of a pid namespace, killed from outside", NamespaceInitOutside,
       Reaps(), Reaps()},
      {"caller.unprivileged", 55, "the caller is nobody, the victim root's",
       CallerUnprivileged, Reaps(), Reaps()},
      {"caller.other_namespace", 55,
       "the caller is in a pid namespace without the victim",
       CallerOtherNamespace, Reaps(), Reaps()},
      {"live.global_init", 56, "pid 1, sent a SIGKILL", GlobalInit, kLive,
       kLive},
      {"oom.victim_early", 57, "an OOM victim, before the OOM reaper",
       OomVictimEarly, Reaps(), Reaps()},
      {"oom.victim_reaped",
       58,
       "an OOM victim, after the OOM reaper",
       OomVictimReaped,
       kSkipFirst,
       {.decision = D::kOomSkipFirst, .why = W::kOomSkip}},
  };
}

}  // namespace

const std::vector<State>& States() {
  static const std::vector<State>* states = MakeStates();
  return *states;
}

const State* FindState(const std::string& id) {
  for (const State& state : States()) {
    if (id == state.id) return &state;
  }
  return nullptr;
}

absl::StatusOr<Outcome> Play(const State& state, const KernelOptions& options,
                             SceneMemory memory, unsigned int flags) {
  absl::StatusOr<std::unique_ptr<Scene>> scene =
      Scene::Create(options, std::move(memory), flags);
  if (!scene.ok()) return scene.status();
  state.play(**scene);
  return (*scene)->outcome();
}

}  // namespace reapsim
