// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How tasks come to be: fork, vfork, clone, kernel threads, and the first two.
//
// Source: kernel/fork.c, v5.15 to v7.2 without a difference in what is
// modelled here (the mm_struct's own life is in mm/fork.h).
// Modelled: copy_process() with the flags below, its error checks in order, a
// fatal signal that arrives half-way, vfork's killable wait, what a dying or
// exec'ing thread does to its old address space (exit_mm_release()).
// Stubbed: cgroup charges, seccomp, namespaces other than the pid's.
#ifndef REAPSIM_SYSCALL_FORK_H_
#define REAPSIM_SYSCALL_FORK_H_

#include <sched.h>
#include <signal.h>

#include <cstdint>

#include "sched/sched.h"
#include "sched/task.h"

namespace reapsim {

// The arguments of a clone. All pointers are only read during the call, except
// for pidfd.
struct kernel_clone_args {
  // CLONE_VM, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK,
  // CLONE_PARENT, CLONE_NEWPID, CLONE_PIDFD, CLONE_CHILD_CLEARTID,
  // CLONE_PTRACE; others change nothing.
  uint64_t flags = 0;
  int exit_signal = SIGCHLD;   // to the parent at death; 0: none
  uint64_t child_tid = 0;      // user address for CLONE_CHILD_CLEARTID
  int* pidfd = nullptr;        // gets the descriptor for CLONE_PIDFD
  const char* comm = nullptr;  // null: the caller's
  bool user_worker = false;    // a PF_USER_WORKER thread (vhost, io_uring)
};

// A new task, visible to all, in TASK_NEW: its fiber waits at kWake until
// wake_up_new_task(). Passes the mark kCopyProcess when all is copied, before
// the last look for a fatal signal. Null, and *error is a negative errno:
//   -EINVAL        CLONE_THREAD without CLONE_SIGHAND; CLONE_SIGHAND without
//                  CLONE_VM; CLONE_PARENT by an init; CLONE_THREAD with
//                  CLONE_NEWPID; namespaces nested too deep
//   -ERESTARTNOINTR  a signal for the caller is pending at the start
//   -EAGAIN        no pid is left
//   -ENOMEM        no room for a task or an mm; the namespace's init is dying
//   -EINTR         a fatal signal arrived before the task became visible
// May sleep. Source: kernel/fork.c:copy_process().
task_struct* copy_process(const kernel_clone_args& args, int* error);

// Lets a task from copy_process() run. Source: kernel/sched/core.c.
void wake_up_new_task(task_struct* p);

// clone(2): the new task's pid as the caller's namespace numbers it, or an
// error of copy_process(). With CLONE_VFORK it returns when the child has let
// go of the address space, or when the caller is killed.
// Source: kernel/fork.c:kernel_clone().
int64_t kernel_clone(const kernel_clone_args& args);

// A kernel thread, child of kthreadd, that runs fn(arg) and then exits. Null
// if there is no room. On a fiber. Source: kernel/fork.c:kernel_thread().
task_struct* kernel_thread(void (*fn)(void* arg), void* arg, const char* comm);

// The same for the host, before or between steps: for the threads that a
// machine boots with. kthreadd must be there.
task_struct* MakeKernelThread(SchedState* sched, void (*fn)(void* arg),
                              void* arg, const char* comm);

// Host side, once in a new world after InitSched() and with
// sched->task_entry set: the initial pid namespace, pid 1 with that name, and
// pid 2 (kthreadd, which never runs). Fills in init_pid_ns, init_task and
// kthreadd; returns pid 1. It has neither mm nor files: its first step calls
// init_task_start().
task_struct* make_init_task(SchedState* sched, const char* comm);

// On pid 1's fiber, first of all: gives it an empty address space and an empty
// table of files. 0 or -ENOMEM.
int init_task_start();

// What a thread does to an address space that it is about to leave: settles
// its robust futexes, clears the word that a joiner waits for if others use the
// mm, wakes the vfork parent. Accesses user memory through current's mm, so it
// must still be the task's. `mm` may be null. No locks held.
// Source: kernel/fork.c:exit_mm_release(), exec_mm_release().
void exit_mm_release(task_struct* tsk, mm_struct* mm);
void exec_mm_release(task_struct* tsk, mm_struct* mm);

// A private copy, with one reference, of a table of signal handlers; null if
// there is no room. Takes the siglock of `old`.
sighand_struct* sighand_dup(sighand_struct* old);
// Drops one reference to a shared table of signal handlers.
// Source: kernel/fork.c:__cleanup_sighand().
void __cleanup_sighand(sighand_struct* sighand);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_FORK_H_
