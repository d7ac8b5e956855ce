// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/fork.c, include/linux/sched/mm.h, include/linux/sched/task.h,
// v5.15 to v7.2.
// Modelled: an mm's two counts and what happens when each reaches 0; dup_mmap()
//   under both locks, with its failures; a task's and a signal_struct's end.
// Simplified: a failed dup_mmap() leaves only the VMAs copied so far; what
//   v6.8 to v6.19 keep behind the marker in the tree is never looked at again.
//   Dropping signal->oom_mm needs no work item: there are no contexts here in
//   which __mmdrop() must not run.
// Stubbed: khugepaged_exit() (it matters while that thread works on the mm),
//   uprobes, NUMA, cgroups, credentials.

#include "mm/fork.h"

#include <algorithm>
#include <cerrno>

#include "mm/exit_switches.h"
#include "mm/filemap.h"
#include "mm/invariants.h"
#include "mm/ksm.h"
#include "mm/memory.h"
#include "mm/mmu_notifier.h"
#include "mm/pgtable.h"
#include "mm/tlb.h"
#include "mm/userfaultfd.h"
#include "mm/vma.h"
#include "sched/race.h"

namespace reapsim {
namespace {

void CheckMmLive(const mm_struct* mm, SourceLine source) {
  if (!mm_state().mm_slab.IsLive(mm)) {
    Fail(VerdictKind::kUseAfterFree, "an mm_struct is used after its free",
         source);
  }
}

// ---- dup_mmap --------------------------------------------------------------

// include/linux/mmap_lock.h:mmap_write_lock_nested(): the child's lock inside
// the parent's. Nobody else knows the child's mm, so its lock may carry the
// nested class for as long as it is held.
void mmap_write_lock_nested(mm_struct* mm)
    ABSL_EXCLUSIVE_LOCK_FUNCTION(mm->mmap_lock) {
  mm->mmap_lock.lock_class = LockClass::kMmapLockNested;
  mmap_write_lock(mm);
}
void mmap_write_unlock_nested(mm_struct* mm)
    ABSL_UNLOCK_FUNCTION(mm->mmap_lock) {
  mmap_write_unlock(mm);
  mm->mmap_lock.lock_class = LockClass::kMmapLock;
}

// The child's copy of one VMA, linked, with its page tables. 0 or -ENOMEM.
int dup_vma(mm_struct* mm, vm_area_struct* mpnt)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  if ((mpnt->vm_flags & VM_ACCOUNT) != 0 &&
      !vm_enough_memory(vma_pages(mpnt))) {
    return -ENOMEM;
  }
  vm_area_struct* tmp = vm_area_dup(mpnt);
  if (tmp == nullptr) return -ENOMEM;
  tmp->vm_mm = mm;
  const bool wipe = (tmp->vm_flags & VM_WIPEONFORK) != 0;
  if (wipe) tmp->anon_vma = false;
  tmp->vm_flags &= ~VM_LOCKED_MASK;
  dup_userfaultfd(tmp);
  vma_link(mm, tmp);
  return wipe ? 0 : copy_page_range(tmp, mpnt);
}

// Copies the VMAs. On failure *left is where it stopped: the first VMA that
// the child lacks, or null if it has them all.
int dup_vmas(mm_struct* mm, mm_struct* oldmm, vm_area_struct** left)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock, oldmm->mmap_lock) {
  for (vm_area_struct* mpnt = vma_first(oldmm); mpnt != nullptr;
       mpnt = vma_next(mpnt)) {
    Mark(Point::kDupMmap);
    vma_start_write(mpnt);
    *left = mpnt;
    if ((mpnt->vm_flags & VM_DONTCOPY) != 0) {
      mm->total_vm -= vma_pages(mpnt);
      continue;
    }
    if (fatal_signal_pending(current())) return -EINTR;
    const int linked = mm->map_count;
    const int error = dup_vma(mm, mpnt);
    if (error != 0) {
      if (mm->map_count > linked) *left = vma_next(mpnt);
      return error;
    }
  }
  *left = nullptr;
  return 0;
}

// kernel/fork.c:dup_mmap(): 0, -EINTR or -ENOMEM.
int dup_mmap(mm_struct* mm, mm_struct* oldmm) {
  if (mmap_write_lock_killable(oldmm) != 0) return -EINTR;
  mmap_write_lock_nested(mm);
  mm->total_vm = oldmm->total_vm;
  vm_area_struct* left = nullptr;
  const int error = dup_vmas(mm, oldmm, &left);
  if (error == 0) ksm_fork(mm, oldmm);
  if (error != 0 && differences().failed_dup_mmap_hides_mm) {
    if (left != nullptr) HideMm(mm);
    set_bit(MMF_UNSTABLE, &mm->flags);
  }
  mmap_write_unlock_nested(mm);
  // The parent's entries have become read-only.
  flush_tlb_mm(oldmm);
  mmap_write_unlock(oldmm);
  return error;
}

// ---- Birth -----------------------------------------------------------------

// Where mappings begin to go down: 128 MiB below the top, which are the
// stack's, as mmap_base() has it for an ordinary stack limit and no
// randomisation.
uint64_t MmapBase() {
  const uint64_t task_size = geometry().task_size();
  return task_size - std::min(uint64_t{128} << 20, task_size / 8) - PAGE_SIZE;
}

// kernel/fork.c:mm_init(). Null, and the mm is gone, if there is no memory. No
// analysis: nobody else knows the mm; and what it inherits from the caller's
// is read without that one's lock, as in the kernel.
mm_struct* mm_init(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  // What mlockall(MCL_FUTURE) set is not inherited; VM_INIT_DEF_MASK is.
  constexpr uint64_t VM_INIT_DEF_MASK = VM_NOHUGEPAGE;
  mm->mm_users = 1;
  mm->mm_count = 1;
  mm->owner = current();
  mm->mmap_base = MmapBase();
  const mm_struct* parent = current()->mm;
  if (parent != nullptr) mm->def_flags = parent->def_flags & VM_INIT_DEF_MASK;
  if (pgd_alloc(mm)) return mm;
  REAP_CHECK(mm_state().mm_slab.Delete(mm), "mm_init: free");
  return nullptr;
}

// ---- Death -----------------------------------------------------------------

// kernel/fork.c:check_mm()
void check_mm(mm_struct* mm) {
  for (int i = 0; i < NR_MM_COUNTERS; ++i) {
    Invariant(get_mm_counter_sum(mm, i) == 0,
              "S7: an mm is freed while its rss counters are not 0");
  }
  Invariant(mm->pgtables_bytes == 0,
            "S7: an mm is freed while it has page tables");
}

// kernel/fork.c:__mmdrop(). No analysis: nobody else knows the mm any more.
void __mmdrop(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Invariant(mm->mm_users == 0, "S17: mm_count is 0 but mm_users is not");
  Invariant(mm != current()->mm && mm != current()->active_mm,
            "S17: a task frees the mm that it runs on");
  pgd_free(mm);
  mmu_notifier_subscriptions_destroy(mm);
  ForgetReapedWords(mm);
  check_mm(mm);
  Invariant(mm->mm_mt.empty(), "an mm is freed while it has VMAs");
  Invariant(
      !rwsem_is_locked(&mm->mmap_lock) && !rwsem_is_contended(&mm->mmap_lock),
      "an mm is freed while its mmap_lock is held");
  RaceFree(mm, sizeof(*mm));
  REAP_CHECK(mm_state().mm_slab.Delete(mm), "__mmdrop: free");
}

// fs/aio.c:exit_aio(): waits, deaf to all signals, for what the device does.
void exit_aio(mm_struct* mm) {
  task_struct* self = current();
  self->__state = TASK_UNINTERRUPTIBLE;
  WaitUntil(Point::kExitAio, Access::kAcquire, NumberOf(&mm->aio_in_flight),
            [mm] { return mm->aio_in_flight == 0; });
  RaceAcquire(&mm->aio_in_flight);
  self->__state = TASK_RUNNING;
}

// kernel/fork.c:__mmput()
void __mmput(mm_struct* mm) {
  Here<SchedState>().task_slab.ForEach([mm](const task_struct* t) {
    Invariant(t->mm != mm, "S17: mm_users is 0 but a task has the mm");
  });
  MayTearDown();
  Mark(Point::kMmput);
  exit_aio(mm);
  ksm_exit(mm);
  if (!ExitMmapSwitched(mm)) exit_mmap(mm);
  MmdropOfOthers(mm);
}

}  // namespace

mm_struct* mm_alloc() {
  mm_struct* mm = mm_state().mm_slab.New();
  return mm == nullptr ? nullptr : mm_init(mm);
}

mm_struct* dup_mm(mm_struct* oldmm) {
  mm_struct* mm = mm_alloc();
  if (mm == nullptr) return nullptr;
  mm->mmap_base = oldmm->mmap_base;
  if (dup_mmap(mm, oldmm) == 0) return mm;
  mm->owner = nullptr;
  mmput(mm);
  return nullptr;
}

void mmget(mm_struct* mm) {
  CheckMmLive(mm, SourceLine::Current());
  atomic_inc(&mm->mm_users);
  NoteRef(kRefMmUsers, 1);
  Invariant(mm->mm_users > 1, "S17: mmget() of an mm that has no users");
}

bool mmget_not_zero(mm_struct* mm) {
  CheckMmLive(mm, SourceLine::Current());
  SchedulePoint(Point::kRefInc, Access::kWrite, NumberOf(&mm->mm_users));
  if (mm->mm_users == 0) return false;
  RaceAcquire(&mm->mm_users);
  RaceRelease(&mm->mm_users);
  mm->mm_users++;
  NoteRef(kRefMmUsers, 1);
  return true;
}

void mmput(mm_struct* mm) {
  CheckMmLive(mm, SourceLine::Current());
  NoteRef(kRefMmUsers, -1);
  if (atomic_dec_return(&mm->mm_users) == 0) __mmput(mm);
}

void mmgrab(mm_struct* mm) {
  CheckMmLive(mm, SourceLine::Current());
  atomic_inc(&mm->mm_count);
  NoteRef(kRefMmCount, 1);
}

void mmdrop(mm_struct* mm) {
  NoteRef(kRefMmCount, -1);
  MmdropOfOthers(mm);
}

void MmdropOfOthers(mm_struct* mm) {
  CheckMmLive(mm, SourceLine::Current());
  if (atomic_dec_return(&mm->mm_count) == 0) __mmdrop(mm);
}

// ---- Tasks -----------------------------------------------------------------

namespace {

void CheckTaskLive(const task_struct* t, SourceLine source) {
  if (!Here<SchedState>().task_slab.IsLive(t)) {
    Fail(VerdictKind::kUseAfterFree, "a task_struct is used after its free",
         source);
  }
}

// kernel/fork.c:free_signal_struct()
void free_signal_struct(signal_struct* sig) {
  if (sig->oom_mm != nullptr) MmdropOfOthers(sig->oom_mm);
  Invariant(sig->thread_head.empty(),
            "a signal_struct is freed while it has threads");
  RaceFree(sig, sizeof(*sig));
  REAP_CHECK(Here<SchedState>().signal_slab.Delete(sig), "signal: free");
}

// kernel/fork.c:__put_task_struct()
void __put_task_struct(task_struct* tsk) {
  Invariant(tsk->exit_state != 0, "a task is freed that has not exited");
  Invariant(tsk != current(), "a task drops the last reference to itself");
  put_signal_struct(tsk->signal);
  free_task(tsk);
}

}  // namespace

void free_task(task_struct* tsk) {
  CheckTaskLive(tsk, SourceLine::Current());
  if (tsk->thread != nullptr) {
    Here<EngineState>().engine->FreeFiber(tsk->thread);
  }
  if (tsk->exit_mm != nullptr) MmdropOfOthers(tsk->exit_mm);
  RaceFree(tsk, sizeof(*tsk));
  REAP_CHECK(Here<SchedState>().task_slab.Delete(tsk), "task: free");
}

void get_task_struct(task_struct* t) {
  CheckTaskLive(t, SourceLine::Current());
  atomic_inc(&t->usage);
  NoteRef(kRefTask, 1);
  Invariant(t->usage > 1, "get_task_struct() of a task without references");
}

void put_task_struct(task_struct* t) {
  CheckTaskLive(t, SourceLine::Current());
  NoteRef(kRefTask, -1);
  if (atomic_dec_return(&t->usage) == 0) __put_task_struct(t);
}

void put_signal_struct(signal_struct* sig) {
  if (!Here<SchedState>().signal_slab.IsLive(sig)) {
    Fail(VerdictKind::kUseAfterFree, "a signal_struct is used after its free");
  }
  if (atomic_dec_return(&sig->sigcnt) == 0) free_signal_struct(sig);
}

}  // namespace reapsim
