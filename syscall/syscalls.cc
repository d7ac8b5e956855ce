// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/sched/syscalls.c, kernel/sys.c; see the header.

#include "syscall/syscalls.h"

#include <algorithm>
#include <cerrno>

#include "mm/mmap.h"
#include "sched/pid.h"
#include "sched/rcu.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// What change(attr) makes of the task's wishes, which are another's only if
// the caller may.
template <class Change>
int64_t ChangeAttr(pid_t pid, const Change& change) {
  rcu_read_lock();
  task_struct* task = pid == 0 ? current() : find_task_by_vpid(pid);
  int64_t ret = -ESRCH;
  if (task != nullptr) {
    const uid_t uid = current()->uid;
    ret =
        uid != 0 && uid != task->uid
            ? -EPERM
            : change(&Here<EngineState>().fibers.HistoryOf(task->thread).sched);
  }
  rcu_read_unlock();
  return ret;
}

}  // namespace

int64_t sys_sched_setaffinity(pid_t pid, uint64_t mask) {
  const int cpus = mm_state().options.cpus;
  const uint64_t online = cpus >= 64 ? ~uint64_t{0} : (uint64_t{1} << cpus) - 1;
  return ChangeAttr(pid, [=](SchedAttr* attr) -> int64_t {
    if ((mask & online) == 0) return -EINVAL;
    attr->affinity = mask & online;
    return 0;
  });
}

int64_t sys_setpriority(pid_t pid, int nice) {
  const auto wanted = static_cast<int8_t>(std::clamp(nice, -20, 19));
  return ChangeAttr(pid, [=](SchedAttr* attr) -> int64_t {
    if (wanted < attr->nice && current()->uid != 0) return -EACCES;
    attr->nice = wanted;
    return 0;
  });
}

int64_t sys_sched_setscheduler(pid_t pid, int fifo_priority) {
  if (fifo_priority < 0 || fifo_priority > 99) return -EINVAL;
  return ChangeAttr(pid, [=](SchedAttr* attr) -> int64_t {
    if (fifo_priority > attr->rt_priority && current()->uid != 0) return -EPERM;
    attr->policy =
        fifo_priority == 0 ? SchedPolicy::kNormal : SchedPolicy::kFifo;
    attr->rt_priority = static_cast<uint8_t>(fifo_priority);
    return 0;
  });
}

}  // namespace reapsim
