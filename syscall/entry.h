// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The border between user mode and the kernel.
// Source: kernel/entry/common.c; no difference between versions.
#ifndef REAPSIM_SYSCALL_ENTRY_H_
#define REAPSIM_SYSCALL_ENTRY_H_

#include <cerrno>
#include <cstdint>

#include "sched/task.h"
#include "syscall/result.h"

namespace reapsim {

// Where every task's fiber begins. A kernel thread runs its function. A user
// task stands in user mode, as if in pause(2), until it is given a program or
// has a signal to see to.
void TaskEntry(void* task);

// What a task does before it may go back to user mode: sees to its signals, of
// which some stop it and some end it. Returns only if it lives on: whether one
// of its handlers has run.
bool exit_to_user_mode_loop();

// The edge of a system call: entered, which is a place to stop the task, and
// its result noted for the host.
void SyscallEnter();
void NoteResult(int64_t result);

// Makes a system call, and makes it again where the kernel would: a call that
// a signal cut short (-ERESTARTSYS, -ERESTARTNOINTR) starts anew once the
// signal has been seen to, unless a handler ran for it: then it fails with
// -EINTR (but for -ERESTARTNOINTR). Handlers are taken to be without
// SA_RESTART.
template <class Fn>
int64_t RestartableCall(const Fn& fn) {
  for (;;) {
    const int64_t result = fn();
    if (result != -ERESTARTSYS && result != -ERESTARTNOINTR) return result;
    const bool handled = exit_to_user_mode_loop();
    if (handled && result == -ERESTARTSYS) return -EINTR;
  }
}

// A whole system call of a task's program: entered, made, and left. A task that
// a signal ends here never comes back.
template <class Fn>
SysResult SystemCall(const Fn& fn) {
  SyscallEnter();
  const int64_t result = RestartableCall(fn);
  NoteResult(result);
  (void)exit_to_user_mode_loop();
  return SysResult(result);
}

// A kernel thread that borrows an address space, as drivers' workers do, and
// makes calls with it, until the loan is over. `loan` is an MmLoan.
struct MmLoan {
  mm_struct* mm = nullptr;
  bool over = false;
};
void BorrowerThread(void* loan);
// One pass of ksmd. A null argument: without use_zero_pages.
void KsmThread(void* use_zero_pages);

// The loop of the softirq task: expired timers, RCU callbacks.
void SoftirqThread(void* unused);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_ENTRY_H_
