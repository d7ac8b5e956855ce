// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Futexes: words of user memory on which tasks sleep, and the list of those
// that a thread may own when it dies.
//
// Source: kernel/futex/core.c (up to v5.15 kernel/futex.c),
// kernel/futex/waitwake.c, v5.15 to v7.2 without a difference in what is
// modelled here.
// Modelled: FUTEX_WAIT and FUTEX_WAKE of shared and of private memory,
//   set_robust_list(2), and the walk of that list, through user memory, when a
//   thread exits or calls exec.
// Simplified: a user word is one word a page, so each member of a struct in
//   user memory has a page of its own; one hash bucket. Stubbed: priority
//   inheritance, requeueing, timeouts, bit sets.
#ifndef REAPSIM_SYSCALL_FUTEX_H_
#define REAPSIM_SYSCALL_FUTEX_H_

#include <cstdint>

#include "mm/mm_types.h"
#include "sched/task.h"

namespace reapsim {

// Bits of a robust futex word (include/uapi/linux/futex.h).
inline constexpr uint64_t FUTEX_WAITERS = 0x80000000;
inline constexpr uint64_t FUTEX_OWNER_DIED = 0x40000000;
inline constexpr uint64_t FUTEX_TID_MASK = 0x3fffffff;

// Locks that are looked at in one list at most: a list may be a ring.
inline constexpr unsigned ROBUST_LIST_LIMIT = 2048;

// struct robust_list_head in user memory: where its members are, from its
// address on. An entry of the list is one word, the address of the next; its
// lock's word lies `futex_offset` bytes further on.
inline constexpr uint64_t kRobustListNext = 0;  // the head itself ends the list
inline constexpr uint64_t kRobustFutexOffset = PAGE_SIZE;
inline constexpr uint64_t kRobustListOpPending = 2 * PAGE_SIZE;
inline constexpr uint64_t kRobustHeadPages = 3;

// What a futex is known by: the object in which its word lies, and where.
struct futex_key {
  const void* object = nullptr;  // an address_space, or an mm_struct
  uint64_t offset = 0;           // a page of it, or a user address
  bool operator==(const futex_key&) const = default;
};

// A sleeper. Lies on its own stack.
struct futex_q {
  futex_key key;
  bool woken = false;  // bucket lock
  ListHook list;       // bucket lock
};
using FutexQueue = IntrusiveList<futex_q, &futex_q::list>;

// futex(2), FUTEX_WAIT: sleeps until it is woken, if the word is `val`. 0;
// -EAGAIN (it is not), -EFAULT (it can't be read), -ERESTARTSYS.
int64_t futex_wait(uint64_t uaddr, uint64_t val);
// FUTEX_WAKE: how many were woken, at most `nr`, those first who slept first.
// -EFAULT: the word's page is not there and can't be faulted in, so nobody can
// tell which futex is meant.
int64_t futex_wake(uint64_t uaddr, int nr);

// set_robust_list(2): where the calling thread keeps the list of its locks.
int64_t sys_set_robust_list(uint64_t head);

// Tells the waiters of all robust futexes on the thread's list that their owner
// has died. What can't be read ends the walk in silence. The thread's mm must
// still be its own; no locks held. Source: futex_exit_release(),
// futex_exec_release().
void futex_cleanup(task_struct* tsk);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_FUTEX_H_
