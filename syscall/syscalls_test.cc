// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/syscalls.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "syscall/kernel.h"
#include "syscall/matchers.h"
#include "syscall/syscall_state.h"

namespace reapsim {
namespace {

const SchedAttr& AttrOf(Kernel& k, Task& task) {
  return k.engine().state()->fibers.HistoryOf(task.raw()->thread).sched;
}

TEST(SchedSyscallsTest, WhoMaySayHowWhomToSchedule) {
  struct Row {
    const char* what;
    uid_t caller;
    uid_t target;
    std::function<SysResult(User, pid_t)> call;
    int error;  // 0: it works
  };
  const auto affinity = [](uint64_t mask) {
    return [mask](User user, pid_t pid) {
      return user.sched_setaffinity(pid, mask);
    };
  };
  const auto nice = [](int value) {
    return
        [value](User user, pid_t pid) { return user.setpriority(pid, value); };
  };
  const auto fifo = [](int priority) {
    return [priority](User user, pid_t pid) {
      return user.sched_setscheduler(pid, priority);
    };
  };
  for (const Row& row : std::vector<Row>{
           {"root, anybody's CPUs", 0, 5, affinity(2), 0},
           {"one's own", 5, 5, affinity(2), 0},
           {"another user's", 5, 6, affinity(2), EPERM},
           {"no CPU of the machine", 0, 5, affinity(4), EINVAL},
           {"root, a lower nice value", 0, 5, nice(-5), 0},
           {"a user, a higher one", 5, 5, nice(5), 0},
           {"a user, a lower one", 5, 5, nice(-1), EACCES},
           {"a user, another one's", 5, 6, nice(5), EPERM},
           {"beyond the limit", 0, 5, nice(100), 0},
           {"root, real time", 0, 5, fifo(99), 0},
           {"a user, real time", 5, 5, fifo(1), EPERM},
           {"a user, no real time", 5, 5, fifo(0), 0},
           {"too high a priority", 0, 5, fifo(100), EINVAL},
           {"below 0", 0, 5, fifo(-1), EINVAL},
       }) {
    SCOPED_TRACE(row.what);
    Kernel k({.cpus = 2});
    Task& caller = k.Spawn("caller", {.uid = row.caller});
    Task& target = k.Spawn("target", {.uid = row.target});
    const SysResult result = row.call(k.As(caller), target.pid());
    if (row.error == 0) {
      EXPECT_THAT(result, SyscallSucceeds());
    } else {
      EXPECT_THAT(result, SyscallFailsWithErrno(row.error));
    }
  }
}

TEST(SchedSyscallsTest, NobodyThere) {
  Kernel k;
  Task& task = k.Spawn("task");
  constexpr pid_t kNobody = 30'000;
  EXPECT_THAT(k.As(task).sched_setaffinity(kNobody, 1),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(k.As(task).setpriority(kNobody, 1), SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(k.As(task).sched_setscheduler(kNobody, 1),
              SyscallFailsWithErrno(ESRCH));
}

TEST(SchedSyscallsTest, WishesAreKeptAndInherited) {
  Kernel k({.cpus = 2});
  Task& task = k.Spawn("task");
  ASSERT_THAT(k.As(task).sched_setaffinity(0, 6), SyscallSucceeds());
  ASSERT_THAT(k.As(task).setpriority(0, 100), SyscallSucceeds());
  ASSERT_THAT(k.As(task).sched_setscheduler(0, 7), SyscallSucceeds());
  const SysResult child = k.As(task).fork();
  const SysResult thread = k.As(task).clone_thread();
  for (Task* who : {&task, &k.TaskOf(static_cast<pid_t>(child.kernel())),
                    &k.TaskOf(static_cast<pid_t>(thread.kernel()))}) {
    const SchedAttr& attr = AttrOf(k, *who);
    EXPECT_EQ(attr.affinity, 2u);  // the machine has no third CPU
    EXPECT_EQ(attr.nice, 19);
    EXPECT_EQ(attr.policy, SchedPolicy::kFifo);
    EXPECT_EQ(attr.rt_priority, 7);
  }
  ASSERT_THAT(k.As(task).sched_setscheduler(0, 0), SyscallSucceeds());
  EXPECT_EQ(AttrOf(k, task).policy, SchedPolicy::kNormal);
}

TEST(SchedSyscallsTest, ASleepEndsAtItsTimeOrWithASignal) {
  Kernel k;
  Task& task = k.Spawn("task");
  Task& other = k.Spawn("other");
  EXPECT_THAT(k.As(task).nanosleep(1'500'000), SyscallSucceeds());
  EXPECT_EQ(k.As(task).now().kernel(), 1'500'000);
  ASSERT_THAT(k.As(task).sigaction(SIGUSR1, SigDisposition::kHandler),
              SyscallSucceeds());
  k.BeginCall(task, [] { return do_nanosleep(1'000'000'000); });
  ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
  ASSERT_THAT(k.As(other).kill(task.pid(), SIGUSR1), SyscallSucceeds());
  (void)k.RunUntilBlocked(task);
  EXPECT_EQ(k.Result(task).kernel(), -EINTR);
  EXPECT_EQ(k.now_ns(), 1'500'000u);
  // A device's answer is waited for whatever comes.
  k.BeginCall(task, [] { return driver_sleep(1'000'000); });
  ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
  ASSERT_THAT(k.As(other).kill(task.pid(), SIGKILL), SyscallSucceeds());
  EXPECT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
  k.AdvanceTime(1'000'000);
  EXPECT_NE(task.phase(), TaskPhase::kAlive);
  // No time passes in user mode but in timed mode.
  EXPECT_THAT(k.As(other).compute(1'000'000'000), SyscallSucceeds());
  EXPECT_EQ(k.now_ns(), 2'500'000u);
}

}  // namespace
}  // namespace reapsim
