// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/error_branches.h"

#include <cerrno>

#include "sched/pid.h"
#include "syscall/fork.h"
#include "syscall/pidfd.h"

namespace reapsim {
namespace {

using D = MreleaseDecision;
using W = WillFreeReason;

constexpr int kThreads = 8;

User Caller(Scene& s) { return s.k().As(s.caller()); }
User Victim(Scene& s) { return s.k().As(s.victim()); }

Task& AddThread(Scene& s) {
  return s.k().TaskOf(
      static_cast<pid_t>(s.Must(Victim(s).clone_thread(), "clone")));
}
Task& AddSharer(Scene& s) {
  return s.k().TaskOf(
      static_cast<pid_t>(s.Must(Victim(s).clone_vm(CLONE_PARENT), "clone")));
}
int FdOf(Scene& s, const SysResult& fd) {
  return static_cast<int>(s.Must(fd, "open"));
}

CallArgs Flags(Scene& s) { return {s.fd(), 1}; }
CallArgs MinusOne(Scene&) { return {-1}; }
CallArgs Closed(Scene& s) {
  (void)s.Must(Caller(s).close(s.fd()), "close");
  return {s.fd()};
}
CallArgs RegularFile(Scene& s) {
  return {FdOf(s, Caller(s).open_file(7, Pages(1), true))};
}
CallArgs OPath(Scene& s) { return {FdOf(s, Caller(s).reopen(s.fd(), true))}; }

CallArgs Reaped(Scene& s) {
  s.Kill(s.victim());
  (void)s.Must(s.k().As(s.shell()).waitpid(s.victim().pid()), "wait");
  return {s.fd()};
}
CallArgs Zombie(Scene& s) {
  s.Kill(s.victim());
  s.Run(s.victim());
  return {s.fd()};
}
CallArgs KernelThread(Scene& s) { return {s.Open(s.k().oom_reaper())}; }
CallArgs OtherThread(Scene& s) { return {s.Open(AddThread(s), PIDFD_THREAD)}; }

CallArgs Live(Scene& s) { return {s.fd()}; }
CallArgs LiveThreads(Scene& s) {
  for (int i = 1; i < kThreads; ++i) (void)AddThread(s);
  return {s.fd()};
}
CallArgs Self(Scene&) { return {PIDFD_SELF_THREAD_GROUP}; }
CallArgs LeaderZombie(Scene& s) {
  (void)AddThread(s);
  s.k().Begin(s.victim(), [](User user) { (void)user.exit(0); });
  s.Run(s.victim());
  return {s.fd()};
}
CallArgs CoreDump(Scene& s) {
  s.k().BlockDump(true);
  s.Kill(s.victim(), SIGSEGV);
  s.Run(s.victim());
  return {s.fd()};
}
CallArgs SharerLives(Scene& s) {
  (void)AddSharer(s);
  s.Kill(s.victim());
  return {s.fd()};
}
CallArgs SharerDumps(Scene& s) {
  Task& sharer = AddSharer(s);
  s.k().BlockDump(true);
  s.Kill(sharer, SIGSEGV);
  s.Run(sharer);
  s.Kill(s.victim());
  return {s.fd()};
}

// Only an OOM kill of somebody who shares memory with init hides it for good.
CallArgs OomSkip(Scene& s) {
  Task& init = s.k().init();
  Task& child = s.k().TaskOf(
      static_cast<pid_t>(s.Must(s.k().As(init).clone_vm(), "clone")));
  const int fd = s.Open(child);
  s.k().OomKill(child);
  return {fd};
}
CallArgs Notifier(Scene& s) {
  s.Refuse(0, true);
  s.Kill(s.victim());
  return {s.fd()};
}
CallArgs Again(Scene& s) {
  s.Kill(s.victim());
  return {s.fd()};
}
CallArgs AgainThreads(Scene& s) {
  for (int i = 1; i < kThreads; ++i) (void)AddThread(s);
  return Again(s);
}

// Up to v5.16 a core dump takes everybody who shares the memory with it.
bool DumpsAlone(const Differences& d) { return !d.coredump_kills_mm_sharers; }
bool HasPidfdThread(const Differences& d) { return d.has_pidfd_thread; }
bool HasPidfdSelf(const Differences& d) {
  return d.pidfd_self == PidfdSelf::kFinalValues;
}

}  // namespace

const std::vector<ErrorBranch>& ErrorBranches() {
  static const auto* branches = new std::vector<ErrorBranch>{
      {"EINVAL_flags", EINVAL, D::kFlags, W::kNone, Flags},
      {"EBADF_minus_one", EBADF, D::kPidfd, W::kNone, MinusOne},
      {"EBADF_closed", EBADF, D::kPidfd, W::kNone, Closed},
      {"EBADF_no_pidfd", EBADF, D::kPidfd, W::kNone, RegularFile},
      {"EBADF_o_path", EBADF, D::kPidfd, W::kNone, OPath},
      {"ESRCH_reaped", ESRCH, D::kNoProcess, W::kNone, Reaped},
      {"ESRCH_thread", ESRCH, D::kNoProcess, W::kNone, OtherThread, true,
       HasPidfdThread},
      {"ESRCH_zombie", ESRCH, D::kNoMm, W::kNone, Zombie},
      {"ESRCH_kthread", ESRCH, D::kNoMm, W::kNone, KernelThread},
      {"EINVAL_live", EINVAL, D::kNotFreeing, W::kNotExiting, Live},
      {"EINVAL_live_8_threads", EINVAL, D::kNotFreeing, W::kNotExiting,
       LiveThreads},
      {"EINVAL_self", EINVAL, D::kNotFreeing, W::kNotExiting, Self, true,
       HasPidfdSelf},
      {"EINVAL_leader_zombie", EINVAL, D::kNotFreeing, W::kNotExiting,
       LeaderZombie},
      {"EINVAL_core_dump", EINVAL, D::kNotFreeing, W::kCoreDump, CoreDump},
      {"EINVAL_sharer_lives", EINVAL, D::kNotFreeing, W::kSharerLives,
       SharerLives},
      {"EINVAL_sharer_dumps", EINVAL, D::kNotFreeing, W::kSharerDumps,
       SharerDumps, true, DumpsAlone},
      {"0_oom_skip", 0, D::kOomSkipFirst, W::kNone, OomSkip},
      {"EAGAIN_notifier", EAGAIN, D::kNotifier, W::kNone, Notifier, false},
      {"0_again", 0, D::kReaped, W::kNone, Again, false},
      {"0_again_8_threads", 0, D::kReaped, W::kNone, AgainThreads, false},
  };
  return *branches;
}

}  // namespace reapsim
