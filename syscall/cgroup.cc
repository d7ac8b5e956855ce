// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/cgroup/cgroup.c, legacy_freezer.c, freezer.c.

#include "syscall/cgroup.h"

#include <signal.h>

#include <cerrno>

#include "mm/fork.h"
#include "sched/file.h"
#include "sched/freezer.h"
#include "sched/pid.h"
#include "sched/signal.h"
#include "syscall/pidfd.h"

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

// The leader's pid of the process at that place, with a reference; null: there
// are not so many. It is taken in the read section in which the process is
// found: it can be no other's.
pid* PidAtIndex(uint32_t cgroup, uint32_t index) {
  rcu_read_lock();
  pid* found = nullptr;
  for (task_struct& p : Here<SchedState>().tasks) {
    if (READ_ONCE(p.signal->cgroup) != cgroup) continue;
    if (atomic_read(p.signal->live) == 0) continue;
    pid* pid = get_task_pid(&p, PIDTYPE_TGID);
    // Released since the look at `live`.
    if (pid == nullptr) continue;
    if (index-- == 0) {
      found = pid;
      break;
    }
    put_pid(pid);
  }
  rcu_read_unlock();
  return found;
}

}  // namespace

int64_t sys_cgroup_attach(pid_t pid, uint32_t cgroup) {
  return WithProcess(pid, [cgroup](task_struct* task) {
    SchedulePoint(Point::kFlagSet, Access::kWrite,
                  NumberOf(&task->signal->cgroup));
    task->signal->cgroup = cgroup;
  });
}

int64_t sys_cgroup_procs(uint32_t cgroup, uint32_t index) {
  pid* pid = PidAtIndex(cgroup, index);
  if (pid == nullptr) return -ESRCH;
  const int64_t nr = pid_nr_ns(pid, task_active_pid_ns(current()));
  put_pid(pid);
  return nr;
}

int64_t sys_cgroup_pidfds(uint32_t cgroup, uint32_t index) {
  if (!Proposed(Proposal::kCgroupPidfds)) return -ENOENT;
  pid* pid = PidAtIndex(cgroup, index);
  if (pid == nullptr) return -ESRCH;
  file* file = nullptr;
  const int fd = pidfd_prepare(pid, 0, &file);
  if (fd >= 0) fd_install(fd, file);
  put_pid(pid);
  return fd;
}

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
