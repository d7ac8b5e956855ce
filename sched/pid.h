// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Process numbers: struct pid, what it names, and pidfds that hold one.
//
// Source: kernel/pid.c, kernel/pid_namespace.c, v5.15 to v7.2. Differences:
// pidfd_self (v6.15: two negative numbers mean the caller).
// Modelled: attachment by type (only a leader has PIDTYPE_TGID), references,
//   nested namespaces. Simplified: a namespace lives as long as a pid of it.
// Stubbed: process groups and sessions, choosing a number (clone3 set_tid).
#ifndef REAPSIM_SCHED_PID_H_
#define REAPSIM_SCHED_PID_H_

#include <sys/types.h>

#include "sched/sched.h"
#include "sched/task.h"

namespace reapsim {

// Numbers below are not used again after the first time round.
inline constexpr pid_t RESERVED_PIDS = 300;

// Negative pidfds that mean the caller.
inline constexpr int PIDFD_SELF_THREAD = -10000;
inline constexpr int PIDFD_SELF_THREAD_GROUP = -10001;     // v6.17 on
inline constexpr int kPidfdSelfThreadGroupFirst = -20000;  // v6.15, v6.16

// A namespace inside `parent` with one reference, the creator's, which exit
// drops when the namespace's init is gone; each pid of it holds another. Null,
// with *error -ENOSPC (too deeply nested) or -ENOMEM.
// Source: kernel/pid_namespace.c:create_pid_namespace().
pid_namespace* create_pid_namespace(pid_namespace* parent, int* error);
// Host side: without a task. Null parent: the initial namespace.
pid_namespace* MakePidNamespace(SchedState* sched, pid_namespace* parent);
void put_pid_ns(pid_namespace* ns);

// A new pid with one reference, known in `ns` and all around it. Null, with
// *error -EAGAIN (no number left) or -ENOMEM.
pid* alloc_pid(pid_namespace* ns, int* error);
// Host side: without a task.
pid* MakePid(SchedState* sched, pid_namespace* ns, int* error);
// Takes its numbers away; its first reference is dropped after a grace period.
void free_pid(pid* pid);
// One atomic step each; null is allowed.
pid* get_pid(pid* pid);
void put_pid(pid* pid);

// By number, or null. RCU or tasklist_lock.
pid* find_pid_ns(pid_t nr, pid_namespace* ns);
// In the running task's namespace; find_get_pid() takes a reference.
pid* find_vpid(pid_t nr);
pid* find_get_pid(pid_t nr);

// What a pid names. init_task_pid() says which pid a task is to have (in
// thread_pid or signal->leader_pid), attach_pid() makes the pid name the task.
// detach_pid() frees a pid that then names nothing. Caller: tasklist_lock for
// writing.
inline void init_task_pid(task_struct* task, pid_type type, pid* pid) {
  (type == PIDTYPE_PID ? task->thread_pid : task->signal->leader_pid) = pid;
}
void attach_pid(task_struct* task, pid_type type);
void detach_pid(task_struct* task, pid_type type);
void change_pid(task_struct* task, pid_type type, pid* pid);
// The two tasks swap their PIDTYPE_PID pids and numbers (exec). As above.
void exchange_tids(task_struct* left, task_struct* right);
// `new_task` takes the place of `old` (exec). As above.
void transfer_pid(task_struct* old, task_struct* new_task, pid_type type);

// The task that a pid names, or null. RCU or tasklist_lock.
task_struct* pid_task(const pid* pid, pid_type type,
                      SourceLine source = SourceLine::Current());
inline bool pid_has_task(const pid* pid, pid_type type) {
  return pid->tasks[type] != nullptr;
}
// The same with a reference to the task.
task_struct* get_pid_task(const pid* pid, pid_type type);
// The pid of a task, with a reference; null if it has been released.
pid* get_task_pid(task_struct* task, pid_type type);
task_struct* find_task_by_vpid(pid_t nr);

// Numbers. 0: not known there, or released.
pid_t pid_nr_ns(const pid* pid, const pid_namespace* ns);
inline pid_t pid_nr(const pid* pid) { return pid ? pid->numbers[0].nr : 0; }
pid_t task_pid_nr_ns(const task_struct* task, const pid_namespace* ns);
pid_t task_tgid_nr_ns(const task_struct* task, const pid_namespace* ns);
// In the running task's namespace.
pid_t task_pid_vnr(const task_struct* task);
pid_t task_tgid_vnr(const task_struct* task);
// The innermost namespace of a pid, or of a task; null for a released one.
inline pid_namespace* ns_of_pid(const pid* pid) {
  return pid ? pid->numbers[pid->level].ns : nullptr;
}
inline pid_namespace* task_active_pid_ns(const task_struct* task) {
  return ns_of_pid(task->thread_pid);
}
// Whether the pid's innermost namespace is that of the running task, or inside
// it. Source: kernel/signal.c:access_pidfd_pidns().
bool access_pidfd_pidns(const pid* pid);
// 1 in its own innermost namespace.
inline bool is_child_reaper(const pid* pid) {
  return pid->numbers[pid->level].nr == 1;
}

// The pid that a pidfd of the running task holds, with a reference, and the
// descriptor's f_flags (if f_flags is not null). Null with *error = -EBADF: no
// such descriptor, or not a pidfd, or opened with O_PATH.
pid* pidfd_get_pid(int fd, unsigned int* f_flags, int* error);
// The pid that PIDFD_SELF_* stand for, with a reference, and whether the thread
// or its leader is meant. Null if the number is none of them in this version.
pid* pidfd_self_pid(int pidfd, pid_type* type);
// The leader of the process that a pidfd names, with a reference; from v6.15
// on also the caller's thread or leader, by PIDFD_SELF_*. Null with *error
// -EBADF as above or -ESRCH: released, or a pidfd of a thread that leads none.
task_struct* pidfd_get_task(int pidfd, unsigned int* f_flags, int* error);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_PID_H_
