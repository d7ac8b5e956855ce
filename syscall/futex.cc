// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/futex/core.c, kernel/futex/waitwake.c; see the header for what
// is modelled, simplified and stubbed.

#include "syscall/futex.h"

#include <cerrno>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/pgtable.h"
#include "mm/vma.h"
#include "sched/pid.h"
#include "syscall/syscall_state.h"

namespace reapsim {
namespace {

// The file page or the address that the word is known by. 0 or -EFAULT. The
// kernel takes the page by get_user_pages(), which is why a page that has been
// reaped has no key. kernel/futex/core.c:get_futex_key()
int get_futex_key(uint64_t uaddr, futex_key* key) {
  uint64_t word = 0;
  if (access_user_word(uaddr, /*write=*/false, &word, /*user_mode=*/false) !=
      AccessResult::kOk) {
    return -EFAULT;
  }
  mm_struct* mm = current()->mm;
  mmap_read_lock(mm);
  int level = 0;
  const pte_t* entry = FindEntry(mm_state(), mm, uaddr, &level);
  const vm_area_struct* vma = find_vma(mm, uaddr);
  int error = -EFAULT;
  if (entry != nullptr && pte_present(*entry) && vma != nullptr &&
      vma->vm_start <= uaddr) {
    const bool anon =
        pte_special(*entry) ||
        (pfn_to_page(mm_state(), pte_pfn(*entry))->flags & PG_anon) != 0;
    *key = anon ? futex_key{mm, uaddr}
                : futex_key{vma->vm_mapping, linear_page_index(vma, uaddr)};
    error = 0;
  }
  mmap_read_unlock(mm);
  return error;
}

// Queues the caller if the word is still `val`. 0, -EAGAIN, or -EFAULT if the
// word's page went away since the key was made.
// kernel/futex/waitwake.c:futex_wait_setup()
int futex_wait_setup(uint64_t uaddr, uint64_t val, futex_q* q) {
  SyscallState& state = Here<SyscallState>();
  spin_lock(&state.futex_lock);
  uint64_t word = 0;
  int error = -EFAULT;
  if (access_user_word_inatomic(uaddr, &word) == AccessResult::kOk) {
    error = word == val ? 0 : -EAGAIN;
  }
  if (error == 0) state.futex_queue.push_back(*q);
  spin_unlock(&state.futex_lock);
  return error;
}

// One robust futex of a dying thread: if it is the owner, says so in the word
// that it died, and wakes one waiter. 0, or -1 to go no further.
// kernel/futex/core.c:handle_futex_death()
int handle_futex_death(uint64_t uaddr, const task_struct* curr,
                       bool pending_op) {
  uint64_t uval = 0;
  if (access_user_word(uaddr, /*write=*/false, &uval, /*user_mode=*/false) !=
      AccessResult::kOk) {
    return -1;
  }
  for (;;) {
    const uint64_t owner = uval & FUTEX_TID_MASK;
    if (pending_op && owner == 0) {
      // It died between unlocking and waking.
      (void)futex_wake(uaddr, 1);
      return 0;
    }
    if (owner != static_cast<uint64_t>(task_pid_vnr(curr))) return 0;
    const uint64_t mval = (uval & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    uint64_t seen = 0;
    if (cmpxchg_user_word(uaddr, uval, mval, &seen) != AccessResult::kOk) {
      return -1;
    }
    if (seen == uval) break;
    uval = seen;
  }
  if ((uval & FUTEX_WAITERS) != 0) (void)futex_wake(uaddr, 1);
  return 0;
}

bool ReadUser(uint64_t address, uint64_t* word) {
  return access_user_word(address, /*write=*/false, word,
                          /*user_mode=*/false) == AccessResult::kOk;
}

// kernel/futex/core.c:exit_robust_list()
void exit_robust_list(task_struct* curr) {
  const uint64_t head = curr->robust_list;
  uint64_t entry = 0;
  uint64_t futex_offset = 0;
  uint64_t pending = 0;
  if (!ReadUser(head + kRobustListNext, &entry) ||
      !ReadUser(head + kRobustFutexOffset, &futex_offset) ||
      !ReadUser(head + kRobustListOpPending, &pending)) {
    return;
  }
  for (unsigned limit = ROBUST_LIST_LIMIT; entry != head && limit != 0;
       --limit) {
    // The next one first: the lock may be gone once its waiter runs.
    uint64_t next = 0;
    const bool has_next = ReadUser(entry, &next);
    // The pending one comes last, and only once.
    if (entry != pending &&
        handle_futex_death(entry + futex_offset, curr, false) != 0) {
      return;
    }
    if (!has_next) return;
    entry = next;
    cond_resched();
  }
  if (pending != 0) {
    (void)handle_futex_death(pending + futex_offset, curr, true);
  }
}

}  // namespace

int64_t futex_wait(uint64_t uaddr, uint64_t val) {
  task_struct* self = current();
  SyscallState* state = &Here<SyscallState>();
  futex_q q;
  if (const int error = get_futex_key(uaddr, &q.key); error != 0) return error;
  if (const int error = futex_wait_setup(uaddr, val, &q); error != 0) {
    return error;
  }
  self->__state = TASK_INTERRUPTIBLE;
  WaitUntil(Point::kFutexWait, Access::kRead, NumberOf(&state->futex_lock),
            [&q, self] { return q.woken || signal_pending(self); });
  self->__state = TASK_RUNNING;
  spin_lock(&state->futex_lock);
  const bool woken = q.woken;
  if (!woken) state->futex_queue.erase(state->futex_queue.iterator_to(q));
  spin_unlock(&state->futex_lock);
  return woken ? 0 : -ERESTARTSYS;
}

int64_t futex_wake(uint64_t uaddr, int nr) {
  futex_key key;
  if (const int error = get_futex_key(uaddr, &key); error != 0) return error;
  SyscallState& state = Here<SyscallState>();
  int woken = 0;
  spin_lock(&state.futex_lock);
  for (auto it = state.futex_queue.begin();
       it != state.futex_queue.end() && woken < nr;) {
    futex_q& q = *it++;
    if (q.key != key) continue;
    state.futex_queue.erase(state.futex_queue.iterator_to(q));
    q.woken = true;
    woken++;
  }
  spin_unlock(&state.futex_lock);
  return woken;
}

int64_t sys_set_robust_list(uint64_t head) {
  current()->robust_list = head;
  return 0;
}

void futex_cleanup(task_struct* tsk) {
  if (tsk->robust_list == 0) return;
  exit_robust_list(tsk);
  tsk->robust_list = 0;
}

}  // namespace reapsim
