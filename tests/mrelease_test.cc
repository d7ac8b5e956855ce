// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// process_mrelease() beyond the table of states: its entry, what it must leave
// as it was, and the corners of its checks that no row of the table reaches.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "mm/mmap.h"
#include "mm/mmu_notifier.h"
#include "states/scene.h"
#include "states/states.h"
#include "syscall/fork.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"
#include "syscall/pidfd.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};
constexpr long kNumber = 448;

std::unique_ptr<Scene> SceneOf(const std::string& version) {
  return *Scene::Create({.version = version});
}

// A further thread of the victim, and a process that shares its memory.
Task& Thread(Scene& s) {
  return s.k().TaskOf(
      static_cast<pid_t>(s.Must(s.k().As(s.victim()).clone_thread(), "clone")));
}
Task& Sharer(Scene& s) {
  return s.k().TaskOf(static_cast<pid_t>(
      s.Must(s.k().As(s.victim()).clone_vm(CLONE_PARENT), "clone")));
}
void ExitThread(Scene& s, Task& thread) {
  s.k().Begin(thread, [](User user) { (void)user.exit(0); });
  s.Run(thread);
}

// Runs the task until it stands before that operation on that object.
template <class T>
::testing::AssertionResult StopsAt(Kernel& k, Task& task, Point point,
                                   const T* object) {
  while (k.RunUntil(task, point) == Stepped::kAtPoint) {
    if (task.raw()->thread->op.object == NumberOf(object)) {
      return ::testing::AssertionSuccess();
    }
  }
  return ::testing::AssertionFailure() << "never at " << PointName(point);
}

void ExpectCleanEnd(Scene& s) { EXPECT_THAT(s.Shutdown(), IsEmpty()); }

// A test that is run for both versions.
class MreleaseTest : public ::testing::TestWithParam<const char*> {
 protected:
  bool original() const { return s_->k().differences().mrelease_original_form; }
  Scene& s() { return *s_; }
  Kernel& k() { return s_->k(); }
  User Caller() { return k().As(s_->caller()); }
  SysResult Call() { return Caller().process_mrelease(s_->fd(), 0); }

  std::unique_ptr<Scene> s_ = SceneOf(GetParam());
};

std::string VersionName(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::erase_if(name, [](char c) { return !isalnum(c); });
  return name;
}

INSTANTIATE_TEST_SUITE_P(, MreleaseTest, ::testing::ValuesIn(kVersions),
                         VersionName);

// ---- Entry -----------------------------------------------------------------

struct Argument {
  const char* what;
  bool good_fd;
  unsigned int flags;
};

TEST(MreleaseEntry, IsMissingBeforeAnythingElseIsLookedAt) {
  for (const KernelOptions& options :
       {KernelOptions{.version = "v5.10"},
        KernelOptions{.version = "v5.15-rc1", .mmu = false},
        KernelOptions{.version = "v6.18", .mmu = false}}) {
    SCOPED_TRACE(options.version);
    std::unique_ptr<Scene> s = *Scene::Create(options);
    Kernel& k = s->k();
    s->Kill(s->victim());
    const Pages before = s->victim().mm().rss();
    for (const Argument& argument :
         {Argument{"all is well", true, 0}, Argument{"bad flags", true, 1},
          Argument{"a bad pidfd", false, 0},
          Argument{"both are bad", false, 1}}) {
      SCOPED_TRACE(argument.what);
      const int fd = argument.good_fd ? s->fd() : -1;
      EXPECT_THAT(k.As(s->caller()).process_mrelease(fd, argument.flags),
                  SyscallFailsWithErrno(ENOSYS));
      EXPECT_EQ(k.LastDecision(s->caller()), MreleaseDecision::kNoSyscall);
    }
    EXPECT_EQ(s->victim().mm().rss(), before);
    EXPECT_FALSE(s->victim().mm().unstable());
    ExpectCleanEnd(*s);
  }
}

TEST_P(MreleaseTest, LooksAtTheLowerHalvesOfItsRegistersOnly) {
  constexpr uint64_t kUpper = 0xdeadbeef00000000;
  const auto fd = static_cast<uint64_t>(s().fd());
  // Lower halves that are wrong stay so whatever is above them.
  EXPECT_THAT(Caller().syscall(kNumber, fd, kUpper | 1),
              SyscallFailsWithErrno(EINVAL));
  EXPECT_EQ(k().LastDecision(s().caller()), MreleaseDecision::kFlags);
  EXPECT_THAT(Caller().syscall(kNumber, 0xffffffff, 0),
              SyscallFailsWithErrno(EBADF));
  EXPECT_THAT(Caller().syscall(kNumber, kUpper | fd, kUpper),
              SyscallFailsWithErrno(EINVAL));
  EXPECT_EQ(k().LastDecision(s().caller()), MreleaseDecision::kNotFreeing);
  s().Kill(s().victim());
  EXPECT_THAT(Caller().syscall(kNumber, kUpper | fd, kUpper),
              SyscallSucceedsWithValue(0));
  EXPECT_TRUE(s().victim().mm().unstable());
  ExpectCleanEnd(s());
}

TEST_P(MreleaseTest, IsNoOtherNumber) {
  s().Kill(s().victim());
  for (const long number : {-1L, 0L, 447L, 449L, kNumber | 1L << 32}) {
    EXPECT_THAT(Caller().syscall(number, static_cast<uint64_t>(s().fd()), 0),
                SyscallFailsWithErrno(ENOSYS))
        << number;
  }
  EXPECT_FALSE(s().victim().mm().unstable());
  ExpectCleanEnd(s());
}

TEST_P(MreleaseTest, AnswersAsTheKernelAndAsLibcDo) {
  const SysResult failure = Call();
  EXPECT_EQ(failure.kernel(), -EINVAL);
  errno = 0;
  const int64_t libc_failure = failure;
  EXPECT_EQ(libc_failure, -1);
  EXPECT_EQ(errno, EINVAL);
  s().Kill(s().victim());
  const SysResult success = Call();
  EXPECT_EQ(success.kernel(), 0);
  errno = EXDEV;
  const int64_t libc_success = success;
  EXPECT_EQ(libc_success, 0);
  EXPECT_EQ(errno, EXDEV) << "a success leaves errno alone";
  ExpectCleanEnd(s());
}

// In v5.15-rc1 no pidfd_open() gives a thread's pidfd. The check is there.
TEST_P(MreleaseTest, TakesAProcessNotAThread) {
  k().engine().state()->differences.has_pidfd_thread = true;
  Task& thread = Thread(s());
  const SysResult fd = Caller().pidfd_open(thread.pid(), PIDFD_THREAD);
  ASSERT_THAT(fd, SyscallSucceeds());
  s().Kill(s().victim());
  EXPECT_THAT(Caller().process_mrelease(static_cast<int>(fd.kernel()), 0),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(Call(), SyscallSucceeds()) << "the same by the leader's pidfd";
  ExpectCleanEnd(s());
}

// The form that holds the pid to the end (v5.15 and v5.16) finds the process in
// a way of its own.
TEST(MreleaseFindProcess, TakesAProcessNotAThreadInV515) {
  std::unique_ptr<Scene> s = SceneOf("v5.15");
  s->k().engine().state()->differences.has_pidfd_thread = true;
  Task& thread = Thread(*s);
  User caller = s->k().As(s->caller());
  const SysResult fd = caller.pidfd_open(thread.pid(), PIDFD_THREAD);
  ASSERT_THAT(fd, SyscallSucceeds());
  s->Kill(s->victim());
  EXPECT_THAT(caller.process_mrelease(static_cast<int>(fd.kernel()), 0),
              SyscallFailsWithErrno(ESRCH));
  ExpectCleanEnd(*s);
}

// ---- References and locks (S11, S27) ---------------------------------------

// What a call must leave as it was. What is not there counts 0.
struct Counts {
  uint32_t pid = 0;
  uint32_t task = 0;
  uint32_t mm_count = 0;
  uint32_t mm_users = 0;
  uint32_t mmap_readers = 0;
  uint32_t mmap_writer = 0;
  uint32_t task_locks = 0;  // in the machine
  uint32_t gathers = 0;
  uint32_t caller_rcu = 0;
  uint32_t caller_spinlocks = 0;

  bool operator==(const Counts&) const = default;
  friend std::ostream& operator<<(std::ostream& os, const Counts& c) {
    return os << "pid " << c.pid << ", task " << c.task << ", mm_count "
              << c.mm_count << ", mm_users " << c.mm_users << ", mmap_lock "
              << c.mmap_readers << " readers, writer " << c.mmap_writer
              << ", task locks " << c.task_locks << ", gathers " << c.gathers
              << ", RCU " << c.caller_rcu << ", spinlocks "
              << c.caller_spinlocks;
  }
};

// Keeps hold of the target's structs, by address, while they come and go.
class Watched {
 public:
  Watched(Kernel& k, Task& target, Task& caller)
      : k_(k),
        caller_(caller),
        task_(target.raw()),
        pid_(task_->thread_pid),
        mm_(task_->mm) {}

  Counts Now() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    Counts c;
    if (k_.sched().pid_slab.IsLive(pid_)) c.pid = pid_->count;
    if (k_.sched().task_slab.IsLive(task_)) c.task = task_->usage;
    if (mm_ != nullptr && k_.mm().mm_slab.IsLive(mm_)) {
      c.mm_count = mm_->mm_count;
      c.mm_users = mm_->mm_users;
      c.mmap_readers = static_cast<uint32_t>(mm_->mmap_lock.readers);
      c.mmap_writer = mm_->mmap_lock.writer;
      c.gathers = mm_->tlb_flush_pending;
    }
    k_.sched().task_slab.ForEach([&](task_struct* t) {
      c.task_locks += spin_is_locked(&t->alloc_lock);
    });
    const Fiber* fiber = caller_.raw()->thread;
    c.caller_rcu = fiber->rcu_nesting;
    c.caller_spinlocks = fiber->atomic_depth;
    return c;
  }

 private:
  Kernel& k_;
  Task& caller_;
  task_struct* task_;
  pid* pid_;
  const mm_struct* mm_;
};

// One way out of the call: a state that the target is in, and what it answers.
struct WayOut {
  const char* name;
  int want;  // 0 or an errno
  // Reaches the state; the descriptor to call with.
  int (*prepare)(Scene&);
  unsigned int flags = 0;
  bool waits = false;  // the call waits; then its caller is killed
};

int KillVictim(Scene& s) {
  s.Kill(s.victim());
  return s.fd();
}

const WayOut kWaysOut[] = {
    {"Flags", EINVAL, [](Scene& s) { return s.fd(); }, 1},
    {"BadDescriptor", EBADF, [](Scene&) { return -1; }},
    {"NotAPidfd", EBADF,
     [](Scene& s) {
       return static_cast<int>(
           s.Must(s.k().As(s.caller()).open_file(7, Pages(1), true), "open"));
     }},
    {"NoProcess", ESRCH,
     [](Scene& s) {
       s.Kill(s.victim());
       (void)s.Must(s.k().As(s.shell()).waitpid(s.victim().pid()), "wait");
       return s.fd();
     }},
    {"NoMm", ESRCH,
     [](Scene& s) {
       s.Kill(s.victim());
       s.Run(s.victim());
       return s.fd();
     }},
    {"Alive", EINVAL, [](Scene& s) { return s.fd(); }},
    {"SharerAlive", EINVAL,
     [](Scene& s) {
       (void)Sharer(s);
       return KillVictim(s);
     }},
    {"OomSkip", 0,
     [](Scene& s) {
       s.k().BlockDriver(true);
       s.k().Begin(s.victim(), [](User user) { (void)user.driver_wait(); });
       s.Run(s.victim());
       s.k().OomKill(s.victim());
       s.k().AdvanceTime(uint64_t{3'000'000'000});
       return s.fd();
     }},
    {"Interrupted", EINTR,
     [](Scene& s) {
       Task& thread = Thread(s);
       s.k().Begin(thread, [](User user) { (void)user.fork(); });
       (void)s.Reach(thread, Point::kDupMmap);
       s.k().Hold(thread);
       return KillVictim(s);
     },
     0, true},
    {"Refused", EAGAIN,
     [](Scene& s) {
       s.Refuse(0, true);
       return KillVictim(s);
     }},
    {"Reaped", 0, KillVictim},
    {"ReapedAgain", 0,
     [](Scene& s) {
       s.Kill(s.victim());
       (void)s.Must(s.k().As(s.caller()).process_mrelease(s.fd(), 0), "call");
       return s.fd();
     }},
    {"AllSharersDie", 0,
     [](Scene& s) {
       s.Kill(Sharer(s));
       return KillVictim(s);
     }},
};

struct CountsCase {
  const WayOut* way;
  const char* version;
};

std::vector<CountsCase> AllWaysOut() {
  std::vector<CountsCase> cases;
  for (const WayOut& way : kWaysOut) {
    for (const char* version : kVersions) cases.push_back({&way, version});
  }
  return cases;
}

class MreleaseCountsTest : public ::testing::TestWithParam<CountsCase> {};

TEST_P(MreleaseCountsTest, AreTheSameAfterwards) {
  const WayOut& way = *GetParam().way;
  std::unique_ptr<Scene> s = SceneOf(GetParam().version);
  Kernel& k = s->k();
  const Watched watched(k, s->victim(), s->caller());
  const int fd = way.prepare(*s);
  ASSERT_EQ(s->outcome().unreachable, "");
  const Counts before = watched.Now();
  const unsigned int flags = way.flags;
  k.BeginCall(s->caller(), [=] { return sys_process_mrelease(fd, flags); });
  if (way.waits) {
    ASSERT_EQ(k.RunUntilBlocked(s->caller()), Stepped::kBlocked);
    s->Kill(s->caller());
  }
  ASSERT_EQ(k.Finish(s->caller()), Stepped::kDone)
      << k.TakeVerdict().ToString();
  EXPECT_EQ(k.Result(s->caller()).kernel(), -way.want);
  EXPECT_EQ(watched.Now(), before);
  ExpectCleanEnd(*s);
}

INSTANTIATE_TEST_SUITE_P(
    , MreleaseCountsTest, ::testing::ValuesIn(AllWaysOut()),
    [](const auto& test) {
      std::string name = std::string(test.param.way->name) + test.param.version;
      std::erase_if(name, [](char c) { return !isalnum(c); });
      return name;
    });

// While it walks: one mm_count, one reader of mmap_lock, its own gather only
// later; v5.15-rc1 holds the pid, too. No mm_users: the victim's own exit must
// not wait for the caller, nor the caller do the victim's work.
TEST_P(MreleaseTest, HoldsTheMmButNotItsUsersWhileItWalks) {
  s().Kill(s().victim());
  const Watched watched(k(), s().victim(), s().caller());
  Counts want = watched.Now();
  s().Start(s().caller(), s().fd());
  ASSERT_TRUE(s().Reach(s().caller(), Point::kReapVma));
  want.pid += original() ? 1 : 0;
  want.task += 1;
  want.mm_count += 1;
  want.mmap_readers += 1;
  EXPECT_EQ(watched.Now(), want);
  s().Finish(s().caller());
  ExpectCleanEnd(s());
}

// v5.15-rc7 to v5.16, played on v6.18 with that one difference: the caller
// holds a user of the mm instead.
TEST(MreleasePin, HoldsUsersWhereTheVersionDoes) {
  std::unique_ptr<Scene> s = SceneOf("v6.18");
  Kernel& k = s->k();
  k.engine().state()->differences.mrelease_pins_mm_users = true;
  s->Kill(s->victim());
  const Watched watched(k, s->victim(), s->caller());
  const Counts before = watched.Now();
  Counts want = before;
  s->Start(s->caller(), s->fd());
  ASSERT_TRUE(s->Reach(s->caller(), Point::kReapVma));
  want.task += 1;
  want.mm_users += 1;
  want.mmap_readers += 1;
  EXPECT_EQ(watched.Now(), want);
  // With its own pin there are always two users: everybody is asked.
  EXPECT_EQ(k.LastWillFree(s->caller()), WillFreeReason::kAllSharersDie);
  s->Finish(s->caller());
  EXPECT_EQ(s->outcome().ret.kernel(), 0);
  EXPECT_EQ(watched.Now(), before);
  ExpectCleanEnd(*s);
}

TEST(MreleasePin, MakesTheCallerFreeTheMemoryIfItIsTheLastUser) {
  std::unique_ptr<Scene> s = SceneOf("v6.18");
  Kernel& k = s->k();
  k.engine().state()->differences.mrelease_pins_mm_users = true;
  s->Kill(s->victim());
  s->Start(s->caller(), s->fd());
  ASSERT_TRUE(s->Reach(s->caller(), Point::kMreleaseChecked));
  s->Run(s->victim());
  EXPECT_EQ(s->victim().phase(), TaskPhase::kZombie);
  ASSERT_EQ(k.RunUntil(s->caller(), Point::kExitMmap), Stepped::kAtPoint)
      << "the victim's exit must leave it to the caller";
  s->Finish(s->caller());
  EXPECT_EQ(s->outcome().ret.kernel(), 0);
  EXPECT_EQ(s->outcome().decision, MreleaseDecision::kReaped);
  EXPECT_FALSE(s->outcome().mm_after);
  ExpectCleanEnd(*s);
}

// ---- Side effects (S29, S30) -----------------------------------------------

struct SignalState {
  uint32_t flags, state, thread_flags, jobctl, signal_flags;
  sigset64 pending, shared_pending;
  int group_exit_code, group_stop_count;
  Point point;  // before which it stands

  bool operator==(const SignalState&) const = default;
};

// Of every task but the caller, by age.
std::vector<SignalState> SignalStates(Kernel& k, const Task& caller) {
  std::vector<SignalState> states;
  k.sched().task_slab.ForEach([&](task_struct* t) {
    if (t == caller.raw()) return;
    const signal_struct* signal = t->signal;
    states.push_back({t->flags, t->__state, t->thread_flags, t->jobctl,
                      signal->flags, t->pending, signal->shared_pending,
                      signal->group_exit_code, signal->group_stop_count,
                      t->thread->op.point});
  });
  return states;
}

TEST(MreleaseSideEffects, NobodyIsToldKilledWokenOrThawed) {
  for (const State& state : States()) {
    for (const char* version : kVersions) {
      const std::string id = state.id;
      // In these the call is stopped half-way, or not made by the caller.
      if (id.starts_with("race.") || id.starts_with("lock.") ||
          id.starts_with("self.") || id.starts_with("caller.") ||
          id.starts_with("again.")) {
        continue;
      }
      std::unique_ptr<Scene> s = SceneOf(version);
      const Expected& want = state.For(s->k().differences());
      if (!want.reachable) continue;
      SCOPED_TRACE(id + " " + version);
      state.play(*s);
      // Whatever it was before, a further call changes nothing in it.
      Kernel& k = s->k();
      const std::vector<SignalState> before = SignalStates(k, s->caller());
      const std::vector<std::string> events = k.TraceEvents();
      const std::vector<std::string> log = k.Dmesg();
      const uint64_t now = k.now_ns();
      (void)k.As(s->caller()).process_mrelease(s->fd(), 0);
      EXPECT_EQ(SignalStates(k, s->caller()), before);
      EXPECT_EQ(k.TraceEvents(), events);
      EXPECT_EQ(k.Dmesg(), log);
      EXPECT_EQ(k.now_ns(), now);
    }
  }
}

TEST_P(MreleaseTest, EmitsNoEventEvenWhenItReapsAnMm) {
  s().Kill(s().victim());
  EXPECT_THAT(Call(), SyscallSucceeds());
  EXPECT_TRUE(s().victim().mm().unstable());
  EXPECT_FALSE(s().victim().mm().oom_skip());
  EXPECT_THAT(k().TraceEvents(), IsEmpty());
  EXPECT_THAT(k().Dmesg(), IsEmpty());
  ExpectCleanEnd(s());
}

// ---- find_lock_task_mm(): threads ------------------------------------------

TEST_P(MreleaseTest, FindsTheMmAtAnyThread) {
  Task& second = Thread(s());
  (void)Thread(s());
  ExitThread(s(), s().victim());  // the leader: a zombie from now on
  s().Kill(second);
  s().Run(second);
  EXPECT_THAT(Call(), SyscallSucceeds());
  ExpectCleanEnd(s());
}

TEST_P(MreleaseTest, AThreadStaysInMemoryWhileTheSearchStandsOnIt) {
  Task& first = Thread(s());
  Task& second = Thread(s());
  ExitThread(s(), s().victim());
  task_struct* raw = first.raw();
  s().Start(s().caller(), s().fd());
  ASSERT_TRUE(StopsAt(k(), s().caller(), Point::kSpinLock, &raw->alloc_lock));
  k().Hold(s().caller());
  ExitThread(s(), first);
  k().RunUntilIdle();
  EXPECT_EQ(first.phase(), TaskPhase::kGone) << "no longer a thread";
  ASSERT_TRUE(k().sched().task_slab.IsLive(raw)) << "freed under the search";
  k().Release(s().caller());
  s().Finish(s().caller());
  EXPECT_EQ(s().outcome().ret.kernel(), -EINVAL);
  k().RunUntilIdle();
  EXPECT_FALSE(k().sched().task_slab.IsLive(raw));
  EXPECT_EQ(second.phase(), TaskPhase::kAlive);
  ExpectCleanEnd(s());
}

// ---- task_will_free_mem(): who is dying, and who shares ---------------------

// Of two threads the leader exits, and still has the mm: PF_EXITING alone says
// nothing about the other.
TEST_P(MreleaseTest, ALeadersExitIsNotTheGroups) {
  (void)Thread(s());
  k().Begin(s().victim(), [](User user) { (void)user.exit(0); });
  ASSERT_TRUE(s().Reach(s().victim(), Point::kExitSignalsDone));
  ASSERT_NE(s().victim().raw()->flags & PF_EXITING, 0u);
  EXPECT_THAT(Call(), SyscallFailsWithErrno(EINVAL));
  EXPECT_EQ(k().LastWillFree(s().caller()), WillFreeReason::kNotExiting);
  ExpectCleanEnd(s());
}

TEST_P(MreleaseTest, ASharerLivesInAnyOfItsThreads) {
  Task& sharer = Sharer(s());
  const SysResult thread = k().As(sharer).clone_thread();
  ASSERT_THAT(thread, SyscallSucceeds());
  ExitThread(s(), sharer);  // its leader is a zombie without an mm
  s().Kill(s().victim());
  EXPECT_THAT(Call(), SyscallFailsWithErrno(EINVAL));
  EXPECT_EQ(k().LastWillFree(s().caller()), WillFreeReason::kSharerLives);
  EXPECT_EQ(k().LastSharer(s().caller()), sharer.pid());
  ExpectCleanEnd(s());
}

TEST_P(MreleaseTest, OneLivingSharerOfManyIsEnough) {
  Task& first = Sharer(s());
  Task& second = Sharer(s());
  Task& third = Sharer(s());
  s().Kill(s().victim());
  s().Kill(first);
  s().Kill(third);
  EXPECT_THAT(Call(), SyscallFailsWithErrno(EINVAL));
  EXPECT_EQ(k().LastSharer(s().caller()), second.pid());
  s().Kill(second);
  EXPECT_THAT(Call(), SyscallSucceeds());
  EXPECT_EQ(k().LastSharer(s().caller()), 0);
  ExpectCleanEnd(s());
}

TEST_P(MreleaseTest, AProcessWithAnotherMmIsNotAsked) {
  Task& sharer = Sharer(s());
  (void)s().SpawnLikeVictim("bystander");
  s().Kill(s().victim());
  s().Kill(sharer);
  EXPECT_THAT(Call(), SyscallSucceeds());
  EXPECT_EQ(k().LastWillFree(s().caller()), WillFreeReason::kAllSharersDie);
  ExpectCleanEnd(s());
}

TEST_P(MreleaseTest, AProcessStaysInMemoryWhileTheSearchStandsOnIt) {
  Task& passing = k().Spawn("passing", {.parent = &s().shell()});
  Task& sharer = Sharer(s());
  task_struct* raw = passing.raw();
  s().Kill(s().victim());
  s().Kill(sharer);
  for (Task* task : {&s().victim(), &sharer, &s().caller()}) k().Hold(*task);
  s().Start(s().caller(), s().fd());
  ASSERT_TRUE(StopsAt(k(), s().caller(), Point::kRacyRead, &raw->mm));
  s().Kill(passing);
  EXPECT_THAT(k().As(s().shell()).waitpid(passing.pid()), SyscallSucceeds());
  k().RunUntilIdle();
  EXPECT_EQ(passing.phase(), TaskPhase::kGone);
  ASSERT_TRUE(k().sched().task_slab.IsLive(raw)) << "freed under the search";
  for (Task* task : {&s().victim(), &sharer, &s().caller()}) {
    k().Release(*task);
  }
  s().Finish(s().caller());
  EXPECT_EQ(s().outcome().ret.kernel(), 0);
  k().RunUntilIdle();
  EXPECT_FALSE(k().sched().task_slab.IsLive(raw));
  ExpectCleanEnd(s());
}

// The pidfd's pid has named the process, whose last reference then goes.
TEST_P(MreleaseTest, TheProcessStaysInMemoryUntilItHasAReference) {
  task_struct* raw = s().victim().raw();
  s().Kill(s().victim());
  s().Start(s().caller(), s().fd());
  ASSERT_TRUE(StopsAt(k(), s().caller(), Point::kRefInc, &raw->usage));
  k().Hold(s().caller());
  k().RunUntilIdle();
  EXPECT_THAT(k().As(s().shell()).waitpid(s().victim().pid()),
              SyscallSucceeds());
  k().RunUntilIdle();
  ASSERT_TRUE(k().sched().task_slab.IsLive(raw)) << "freed under the call";
  k().Release(s().caller());
  s().Finish(s().caller());
  EXPECT_EQ(s().outcome().ret.kernel(), -ESRCH);
  ExpectCleanEnd(s());
}

// Up to v5.15 a core dump of a sharer takes the victim's group with it, and
// marks it as dumping. The search does not ask that group again, but names the
// process that dumps.
TEST(MreleaseSharers, TheVictimItselfIsNotAskedTwice) {
  std::unique_ptr<Scene> s = SceneOf("v5.15-rc1");
  Kernel& k = s->k();
  Task& sharer = Sharer(*s);
  k.BlockDump(true);
  s->Kill(s->victim());
  const mm_struct* mm = s->victim().raw()->mm;
  s->Start(s->caller(), s->fd());
  // The victim has been found dying, and nobody else has been looked at.
  ASSERT_TRUE(StopsAt(k, s->caller(), Point::kFlagRead, &mm->mm_users));
  s->Kill(sharer, SIGSEGV);
  s->Run(sharer);
  ASSERT_NE(s->victim().raw()->signal->flags & SIGNAL_GROUP_COREDUMP, 0u);
  s->Finish(s->caller());
  EXPECT_EQ(s->outcome().ret.kernel(), -EINVAL);
  EXPECT_EQ(s->outcome().why, WillFreeReason::kSharerDumps);
  EXPECT_EQ(s->outcome().sharer, sharer.pid());
  ExpectCleanEnd(*s);
}

// The OOM killer hands in the leader as it is, locked but perhaps without mm.
TEST_P(MreleaseTest, ALeaderWithoutAnMmIsNotAboutToFreeIt) {
  Task& thread = Thread(s());
  ExitThread(s(), s().victim());
  s().Kill(s().victim());
  k().Hold(thread);
  k().OomKill(s().victim());
  EXPECT_FALSE(k().stopped()) << k().TakeVerdict().ToString();
  EXPECT_NE(thread.raw()->thread_flags & TIF_MEMDIE, 0u)
      << "the thread that has the mm is the one to mark";
  ExpectCleanEnd(s());
}

// ---- mmap_lock -------------------------------------------------------------

TEST_P(MreleaseTest, TwoCallersMayWalkTogether) {
  Task& other = k().Spawn("oomd");
  const int fd = static_cast<int>(
      s().Must(k().As(other).pidfd_open(s().victim().pid(), 0), "pidfd_open"));
  s().Kill(s().victim());
  k().Begin(other, [fd](User user) { (void)user.process_mrelease(fd, 0); });
  ASSERT_EQ(k().RunUntil(other, Point::kReapVma), Stepped::kAtPoint);
  k().Hold(other);
  s().Start(s().caller(), s().fd());
  EXPECT_EQ(k().RunUntilBlocked(s().caller()), Stepped::kDone)
      << "the other walk keeps it out";
  k().Release(other);
  s().Finish(s().caller());
  EXPECT_EQ(s().outcome().ret.kernel(), 0);
  EXPECT_EQ(k().Finish(other), Stepped::kDone);
  ExpectCleanEnd(s());
}

// MMF_OOM_SKIP must be read with the lock held: it may be set, and the VMAs
// freed, at any time before that.
TEST(MreleaseRecheck, LooksAtOomSkipAfterItHasTheLock) {
  std::unique_ptr<Scene> s = SceneOf("v6.18");
  s->Kill(s->victim());
  mm_struct* mm = s->victim().raw()->mm;
  s->Start(s->caller(), s->fd());
  ASSERT_TRUE(StopsAt(s->k(), s->caller(), Point::kDownRead, &mm->mmap_lock));
  EXPECT_FALSE(s->victim().mm().oom_skip());
  s->Run(s->victim());
  s->Finish(s->caller());
  EXPECT_EQ(s->outcome().ret.kernel(), 0);
  EXPECT_EQ(s->outcome().decision, MreleaseDecision::kOomSkipLater);
  ExpectCleanEnd(*s);
}

// The OOM reaper was there between the victim test and the walk.
TEST(MreleaseRecheck, WalksAgainAfterTheOomReaperUpToV516) {
  const struct {
    const char* version;
    MreleaseDecision decision;
  } kCases[] = {{"v5.16", MreleaseDecision::kReaped},
                {"v5.17", MreleaseDecision::kOomSkipLater}};
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.version);
    std::unique_ptr<Scene> s = *Scene::Create({.version = c.version});
    s->k().OomKill(s->victim());
    s->k().Hold(s->victim());
    s->Start(s->caller(), s->fd());
    ASSERT_TRUE(s->Reach(s->caller(), Point::kMreleaseChecked));
    s->k().Hold(s->caller());
    s->k().AdvanceTime(3'000'000'000);
    ASSERT_TRUE(s->victim().mm().oom_skip());
    s->k().Release(s->caller());
    s->Finish(s->caller());
    EXPECT_EQ(s->outcome().ret.kernel(), 0);
    EXPECT_EQ(s->outcome().decision, c.decision);
    s->k().Release(s->victim());
    ExpectCleanEnd(*s);
  }
}

// Without the second look it walks what is left: after v5.17's exit_mmap() that
// is an empty list.
TEST(MreleaseRecheck, IsLeftOutWhereTheVersionDoes) {
  std::unique_ptr<Scene> s =
      *Scene::Create({.version = "v5.17", .switches = {Switch::kNoRecheck}});
  s->Kill(s->victim());
  s->Start(s->caller(), s->fd());
  ASSERT_TRUE(s->Reach(s->caller(), Point::kMreleaseChecked));
  s->Run(s->victim());
  s->Finish(s->caller());
  EXPECT_EQ(s->outcome().ret.kernel(), 0);
  EXPECT_EQ(s->outcome().decision, MreleaseDecision::kReaped);
  ExpectCleanEnd(*s);
}

// ---- The walk --------------------------------------------------------------

// A process of its own with nothing but the mappings given, and its pidfd.
struct Process {
  Task& task;
  int fd;
};
Process BareProcess(Scene& s) {
  Task& task = s.k().Spawn("bare", {.parent = &s.shell(), .bare = true});
  return {task, s.Open(task)};
}

constexpr uint64_t kFirst = 0x10000000;
constexpr uint64_t kApart = 0x10000000;

// Maps and touches four pages, or `size`, at the place-th of some fixed
// addresses.
void MapAt(Scene& s, Task& task, int place, const Mapping& mapping,
           Bytes size = 16_KiB) {
  const uint64_t addr = kFirst + static_cast<uint64_t>(place) * kApart;
  EXPECT_THAT(s.k().As(task).mmap(size, mapping.With(MAP_FIXED), addr),
              SyscallSucceedsWithValue(addr));
  EXPECT_THAT(s.k().As(task).touch(addr, size), SyscallSucceeds());
}

// Resident and hugetlb KiB of each VMA, by address.
std::vector<uint64_t> Resident(Task& task) {
  std::vector<uint64_t> kib;
  for (const VmaReport& vma : ReportMemory(task.mm().raw()).vmas) {
    kib.push_back((vma.rss + vma.hugetlb) >> 10);
  }
  return kib;
}

TEST_P(MreleaseTest, WalksVmasInTheOrderOfItsVersion) {
  const Process victim = BareProcess(s());
  for (const int place : {0, 1, 2}) {
    MapAt(s(), victim.task, place, Anonymous());
  }
  s().Kill(victim.task);
  s().Start(s().caller(), victim.fd);
  // It stands before each VMA in turn; from v6.18 on the highest comes first.
  const bool reverse = k().differences().walks_in_reverse;
  ASSERT_TRUE(s().Reach(s().caller(), Point::kReapVma));
  EXPECT_THAT(Resident(victim.task), ElementsAre(16, 16, 16));
  ASSERT_TRUE(s().Reach(s().caller(), Point::kReapVma));
  EXPECT_THAT(Resident(victim.task),
              reverse ? ElementsAre(16, 16, 0) : ElementsAre(0, 16, 16));
  ASSERT_TRUE(s().Reach(s().caller(), Point::kReapVma));
  EXPECT_THAT(Resident(victim.task),
              reverse ? ElementsAre(16, 0, 0) : ElementsAre(0, 0, 16));
  s().Finish(s().caller());
  EXPECT_THAT(Resident(victim.task), ElementsAre(0, 0, 0));
  ExpectCleanEnd(s());
}

// Each kind between two anonymous VMAs, so that the walk must go on behind it
// from either end.
struct Kind {
  const char* name;
  Mapping (*mapping)(Scene&, Task&);
  bool taken;
  uint64_t added_flags = 0;  // by the driver whose mapping it is
  Bytes size = 16_KiB;
};

Mapping RegularFile(Scene& s, Task& task) {
  return File(static_cast<int>(
      s.Must(s.k().As(task).open_file(7, Pages(4), true), "open")));
}

const Kind kKinds[] = {
    {"a private file", RegularFile, true},
    // Private: its pages are copies, which a reaper could take.
    {"a PFN mapping",
     [](Scene& s, Task& task) {
       return RegularFile(s, task).DriverFlags(VM_PFNMAP);
     },
     false},
    {"hugetlb memory",
     [](Scene& s, Task& task) {
       const SysResult fd = s.k().As(task).hugetlb_file(Pages(512));
       return File(static_cast<int>(s.Must(fd, "hugetlb_file")))
           .DriverFlags(VM_HUGETLB);
     },
     false, 0, 2_MiB},
    {"shared anonymous memory",
     [](Scene&, Task&) { return Anonymous().Shared(); }, false},
    // No mmap() makes such a VMA; the check is there for drivers that would.
    {"a shared VMA without operations",
     [](Scene&, Task&) { return Anonymous(); }, true, VM_SHARED},
};

// What the driver of a mapping does to it once it is there.
void AddFlags(Scene& s, Task& task, int place, uint64_t flags) {
  const uint64_t addr = kFirst + static_cast<uint64_t>(place) * kApart;
  const auto add = [=]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> int64_t {
    mm_struct* mm = current()->mm;
    mmap_write_lock(mm);
    find_vma(mm, addr)->vm_flags |= flags;
    mmap_write_unlock(mm);
    return 0;
  };
  (void)s.Must(s.k().Call(task.raw(), add), "driver");
}

TEST_P(MreleaseTest, TakesWhatIsPrivateAndSparesTheRest) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    const Process victim = BareProcess(s());
    MapAt(s(), victim.task, 0, Anonymous());
    const Mapping mapping = kind.mapping(s(), victim.task);
    MapAt(s(), victim.task, 1, mapping, kind.size);
    AddFlags(s(), victim.task, 1, kind.added_flags);
    MapAt(s(), victim.task, 2, Anonymous());
    ASSERT_EQ(s().outcome().unreachable, "");
    const std::vector<uint64_t> before = Resident(victim.task);
    ASSERT_EQ(before.size(), 3u);
    EXPECT_GT(before[1], 0u);
    s().Kill(victim.task);
    ASSERT_THAT(Caller().process_mrelease(victim.fd, 0), SyscallSucceeds())
        << k().TakeVerdict().ToString();
    EXPECT_THAT(Resident(victim.task),
                ElementsAre(0, kind.taken ? 0 : before[1], 0));
  }
  ExpectCleanEnd(s());
}

// Registers a subscriber for the whole mm of a task, as a driver would.
mmu_notifier* Subscribe(Kernel& k, Task& task) {
  const SysResult address =
      k.Call(task.raw(), []() ABSL_NO_THREAD_SAFETY_ANALYSIS -> int64_t {
        mm_struct* mm = current()->mm;
        mmap_write_lock(mm);
        mmu_notifier* s =
            mmu_notifier_register(mm, /*interval=*/false, 0, ~uint64_t{0});
        mmap_write_unlock(mm);
        return reinterpret_cast<int64_t>(s);
      });
  return reinterpret_cast<mmu_notifier*>(address.kernel());
}

TEST_P(MreleaseTest, TellsNotifiersOfTheBeginAndEndOfEachVma) {
  const Process victim = BareProcess(s());
  for (const int place : {0, 1, 2}) {
    MapAt(s(), victim.task, place, Anonymous());
  }
  MapAt(s(), victim.task, 3, Anonymous().Shared());
  const mmu_notifier* notifier = Subscribe(k(), victim.task);
  const uint32_t starts = notifier->starts;
  const uint32_t ends = notifier->ends;
  s().Kill(victim.task);
  EXPECT_THAT(Caller().process_mrelease(victim.fd, 0), SyscallSucceeds());
  // Not of the shared one, which stays.
  EXPECT_EQ(notifier->starts - starts, 3u);
  EXPECT_EQ(notifier->ends - ends, 3u);
  EXPECT_EQ(notifier->active, 0u);
  EXPECT_EQ(notifier->failed_starts, 0u);
  ExpectCleanEnd(s());
}

// From v7.1 on reaping is a clearing, up to then an unmapping.
TEST_P(MreleaseTest, TellsNotifiersWhatKindOfEndItIs) {
  for (const bool clear : {false, true}) {
    k().engine().state()->differences.notifies_clear = clear;
    const Process victim = BareProcess(s());
    MapAt(s(), victim.task, 0, Anonymous());
    const mmu_notifier* notifier = Subscribe(k(), victim.task);
    s().Kill(victim.task);
    EXPECT_THAT(Caller().process_mrelease(victim.fd, 0), SyscallSucceeds());
    EXPECT_EQ(notifier->event, clear ? MMU_NOTIFY_CLEAR : MMU_NOTIFY_UNMAP);
  }
  ExpectCleanEnd(s());
}

}  // namespace
}  // namespace reapsim
