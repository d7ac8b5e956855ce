// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/kthread.h"

#include "mm/mmap.h"
#include "sched/race.h"

namespace reapsim {

void kthread_use_mm(mm_struct* mm) {
  task_struct* tsk = current();
  REAP_CHECK((tsk->flags & PF_KTHREAD) != 0, "kthread: a user task borrows");
  REAP_CHECK(tsk->mm == nullptr, "kthread: it has an mm already");
  mmgrab(mm);
  task_lock(tsk);
  PlainWrite(&tsk->mm, "task->mm");
  tsk->mm = mm;
  Touch();
  task_unlock(tsk);
}

void kthread_unuse_mm(mm_struct* mm) {
  task_struct* tsk = current();
  REAP_CHECK(tsk->mm == mm, "kthread: gives back what it has not");
  task_lock(tsk);
  PlainWrite(&tsk->mm, "task->mm");
  tsk->mm = nullptr;
  task_unlock(tsk);
  mmdrop(mm);
}

}  // namespace reapsim
