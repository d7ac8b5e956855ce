// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/client_calls.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "mm/mm_types.h"
#include "mm/mmap.h"
#include "mm/mmap_lock.h"
#include "mm/populate.h"
#include "sched/engine.h"
#include "sched/pid.h"
#include "sched/sched.h"
#include "sched/signal.h"
#include "sched/timer.h"
#include "syscall/cgroup.h"
#include "syscall/entry.h"
#include "syscall/user.h"

namespace reapsim {
namespace {

struct PollTimer {
  timer_list timer;
  bool fired = false;
};

void EndPoll(timer_list* timer) {
  reinterpret_cast<PollTimer*>(timer)->fired = true;
}

// kernel/pid.c:thread_group_exited(); looked at from outside.
bool GroupHasExited(const pid* pid) {
  const task_struct* leader = pid->tasks[PIDTYPE_TGID];
  return leader == nullptr ||
         (leader->exit_state != 0 && leader->signal->nr_threads <= 1);
}

int64_t sys_poll_pidfd(int pidfd, uint64_t timeout_ns) {
  int error = 0;
  pid* pid = pidfd_get_pid(pidfd, nullptr, &error);
  if (pid == nullptr) return error;
  task_struct* self = current();
  PollTimer poll;
  poll.timer.function = EndPoll;
  add_timer_ns(&poll.timer, timeout_ns);
  self->__state = TASK_INTERRUPTIBLE;
  WaitUntil(Point::kWait, Access::kRead, NumberOf(pid), [&poll, pid, self] {
    return poll.fired || GroupHasExited(pid) || signal_pending(self);
  });
  self->__state = TASK_RUNNING;
  (void)del_timer(&poll.timer);
  const bool exited = GroupHasExited(pid);
  put_pid(pid);
  if (exited) return 1;
  return poll.fired ? 0 : -EINTR;
}

// Calls act(pid) for each process on cgroup.procs.
template <class Act>
int64_t ForEachProcess(uint32_t cgroup, const Act& act) {
  constexpr int kMost = 256;
  pid_t pids[kMost];
  int count = 0;
  // First the list, as a read gives it: what is done may take them off it.
  for (; count < kMost; ++count) {
    const int64_t pid = sys_cgroup_procs(cgroup, static_cast<uint32_t>(count));
    if (pid < 0) break;
    pids[count] = static_cast<pid_t>(pid);
  }
  for (int i = 0; i < count; ++i) act(pids[i]);
  return count;
}

}  // namespace

SysResult PollPidfd(int pidfd, uint64_t timeout_ns) {
  return SystemCall([=] { return sys_poll_pidfd(pidfd, timeout_ns); });
}

SysResult ListCgroup(uint32_t cgroup, pid_t* pids, int most) {
  return SystemCall([=]() -> int64_t {
    int count = 0;
    (void)ForEachProcess(cgroup, [&](pid_t pid) {
      if (count < most) pids[count++] = pid;
    });
    return count;
  });
}

SysResult KillCgroup(uint32_t cgroup) {
  return SystemCall([=]() -> int64_t {
    (void)ForEachProcess(cgroup, [](pid_t pid) { (void)sys_cgroup_kill(pid); });
    return 0;
  });
}

SysResult FreezeCgroup(uint32_t cgroup) {
  return SystemCall([=]() -> int64_t {
    (void)ForEachProcess(
        cgroup, [](pid_t pid) { (void)sys_cgroup_v2_freeze(pid, true); });
    return 0;
  });
}

SysResult KillOwnCgroup(pid_t pid) {
  return SystemCall([=] { return sys_cgroup_kill(pid); });
}

void WaitForFree(uint64_t pages) {
  const MmState* mm = &Here<MmState>();
  task_struct* self = current();
  self->__state = TASK_UNINTERRUPTIBLE;
  WaitUntil(Point::kAllocPages, Access::kRead, NumberOf(mm),
            [mm, pages] { return mm->nr_free >= pages; });
  self->__state = TASK_RUNNING;
}

void FaultIn(uint64_t addr, uint64_t pages) {
  mm_struct* mm = current()->mm;
  mmap_read_lock(mm);
  const uint64_t done =
      PopulatePresent(find_vma(mm, addr), addr, pages, PopulateKind::kAnon);
  Charge(Cost::kFault, done);
  Charge(Cost::kPageAllocated, done);
  mmap_read_unlock(mm);
  REAP_CHECK_EQ(done, pages, "clients: out of memory");
}

}  // namespace reapsim
