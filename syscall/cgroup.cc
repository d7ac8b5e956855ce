// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/cgroup/cgroup.c, legacy_freezer.c, freezer.c.

#include "syscall/cgroup.h"

#include <signal.h>

#include <cerrno>

#include "mm/fork.h"
#include "sched/freezer.h"
#include "sched/pid.h"
#include "sched/signal.h"

namespace reapsim {
namespace {

// Calls act(task) for the process; 0 or -ESRCH.
template <class Act>
int64_t WithProcess(pid_t pid, const Act& act) {
  rcu_read_lock();
  task_struct* task = find_task_by_vpid(pid);
  if (task != nullptr) get_task_struct(task);
  rcu_read_unlock();
  if (task == nullptr) return -ESRCH;
  act(task);
  put_task_struct(task);
  return 0;
}

}  // namespace

int64_t sys_cgroup_v1_freeze(pid_t pid, bool freeze) {
  return WithProcess(
      pid, [=](task_struct* task) { freezer_change_state(task, freeze); });
}

int64_t sys_cgroup_v2_freeze(pid_t pid, bool freeze) {
  return WithProcess(pid,
                     [=](task_struct* task) { cgroup_freeze(task, freeze); });
}

int64_t sys_cgroup_kill(pid_t pid) {
  return WithProcess(pid, [](task_struct* task) {
    // One SIGKILL takes the group down; a second is not sent.
    if ((task->flags & PF_KTHREAD) != 0 || __fatal_signal_pending(task)) return;
    (void)do_send_sig_info(SIGKILL, SEND_SIG_NOINFO, task, PIDTYPE_TGID);
  });
}

}  // namespace reapsim
