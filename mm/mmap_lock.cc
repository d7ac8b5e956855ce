// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/mmap_lock.c; see the header.

#include "mm/mmap_lock.h"

#include "mm/mmap.h"
#include "mm/vma.h"
#include "sched/lockdep.h"
#include "sched/race.h"
#include "sched/rcu.h"
#include "sched/task.h"

namespace reapsim {
namespace {

PerVmaLock Form() { return differences().per_vma_lock; }

void AssertMmapWriteLocked(const mm_struct* mm) {
  Invariant(mm->mmap_lock.writer == Here<EngineState>().current->id + 1,
            "a VMA is write-locked by a task that does not hold mmap_lock for "
            "writing");
}

// ---- Writing ---------------------------------------------------------------

// Keeps new readers out and waits for the others. False, at once, if the VMA
// is detached. As nobody can attach it meanwhile, nothing has to be said then.
// Source: __vma_enter_locked().
bool __vma_enter_locked(vm_area_struct* vma, bool detaching) {
  const uint32_t target = VMA_LOCK_OFFSET + (detaching ? 0 : 1);
  if (vma->vm_refcnt == 0) return false;
  vma->vm_refcnt += VMA_LOCK_OFFSET;
  if (vma->vm_refcnt != target) {
    task_struct* self = current();
    self->__state = TASK_UNINTERRUPTIBLE;
    WaitUntil(Point::kVmaStartWriteWait, Access::kAcquire,
              NumberOf(&vma->vm_refcnt),
              [vma, target] { return vma->vm_refcnt == target; });
    self->__state = TASK_RUNNING;
  }
  LockAcquired(LockClass::kVmaLock, &vma->vm_refcnt, SourceLine::Current());
  return true;
}

void __vma_exit_locked(vm_area_struct* vma) {
  LockReleased(LockClass::kVmaLock, &vma->vm_refcnt, SourceLine::Current());
  vma->vm_refcnt -= VMA_LOCK_OFFSET;
}

// No analysis: the semaphore is the VMA's.
void __vma_start_write(vm_area_struct* vma) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const uint32_t seq = vma->vm_mm->mm_lock_seq;
  if (Form() == PerVmaLock::kRwsem) {
    down_write(&vma->vm_lock);
    vma->vm_lock_seq = seq;
    up_write(&vma->vm_lock);
    return;
  }
  if (vma->vm_refcnt != 0) {
    SchedulePoint(Point::kVmaStartWrite, Access::kAcquire,
                  NumberOf(&vma->vm_refcnt));
  }
  const bool locked = __vma_enter_locked(vma, /*detaching=*/false);
  vma->vm_lock_seq = seq;
  if (locked) __vma_exit_locked(vma);
}

bool IsAttached(const vm_area_struct* vma) {
  return Form() == PerVmaLock::kRefcount ? vma->vm_refcnt != 0 : !vma->detached;
}

// ---- Reading ---------------------------------------------------------------

// What came of the try to hold a VMA for reading.
enum class StartRead : uint8_t { kLocked, kBusy, kDetached };

// Gives a reader's reference up. Source: vma_refcount_put().
void vma_refcount_put(vm_area_struct* vma) {
  SchedulePoint(Point::kVmaEndRead, Access::kRelease,
                NumberOf(&vma->vm_refcnt));
  vma_check_live(vma);
  Invariant((vma->vm_refcnt & ~VMA_LOCK_OFFSET) != 0,
            "a VMA's lock is read-released, unheld");
  LockReleased(LockClass::kVmaLock, &vma->vm_refcnt, SourceLine::Current(),
               Hold::kShared);
  vma->vm_refcnt--;
}

// Whether somebody who holds mmap_lock has the VMA for writing. It can't begin
// to be so while the caller holds it for reading, but it may end.
bool IsWriteLockedMeanwhile(const mm_struct* mm, const vm_area_struct* vma) {
  SchedulePoint(Point::kVmaLockSeq, Access::kRead, NumberOf(&mm->mm_lock_seq));
  RaceAcquire(&mm->mm_lock_seq);
  return vma->vm_lock_seq == mm->mm_lock_seq;
}

// v6.4 to v6.14. The read section keeps the VMA's memory. No analysis: a lock
// that is held depending on the result.
StartRead StartReadRwsem(mm_struct* mm,
                         vm_area_struct* vma) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!down_read_trylock(&vma->vm_lock)) return StartRead::kBusy;
  if (IsWriteLockedMeanwhile(mm, vma)) {
    up_read(&vma->vm_lock);
    return StartRead::kBusy;
  }
  if (vma->detached) {
    up_read(&vma->vm_lock);
    return StartRead::kDetached;
  }
  return StartRead::kLocked;
}

// v6.15 on. The read section only says that `vma` points at memory of a VMA:
// it may be free, which looks like "detached", or have become another one, of
// another mm perhaps. Ends the read section unless it succeeds. Source:
// vma_start_read(), v6.18.
StartRead StartReadRefcount(mm_struct* mm, vm_area_struct* vma) {
  SchedulePoint(Point::kVmaStartRead, Access::kAcquire,
                NumberOf(&vma->vm_refcnt));
  const uint32_t count = mm_state().vma_slab.IsLive(vma) ? vma->vm_refcnt : 0;
  if (count == 0 || count >= VMA_LOCK_OFFSET) {
    rcu_read_unlock();
    return count == 0 ? StartRead::kDetached : StartRead::kBusy;
  }
  vma->vm_refcnt++;
  LockAcquiredByTrying(LockClass::kVmaLock, &vma->vm_refcnt,
                       SourceLine::Current(), Hold::kShared);
  if (vma->vm_mm != mm) {
    // Its mm must outlive the wake-up that goes with the reference; this one
    // is nothing to the caller.
    mm_struct* other = vma->vm_mm;
    rcu_read_unlock();
    mmgrab(other);
    vma_refcount_put(vma);
    mmdrop(other);
    return StartRead::kBusy;
  }
  if (IsWriteLockedMeanwhile(mm, vma)) {
    vma_refcount_put(vma);
    rcu_read_unlock();
    return StartRead::kBusy;
  }
  return StartRead::kLocked;
}

StartRead vma_start_read(mm_struct* mm, vm_area_struct* vma) {
  if (Form() == PerVmaLock::kRefcount) return StartReadRefcount(mm, vma);
  const StartRead result = StartReadRwsem(mm, vma);
  if (result != StartRead::kLocked) rcu_read_unlock();
  return result;
}

// The VMA that the tree has for `address`, or null. Only looks. No analysis:
// under RCU.
vm_area_struct* VmaAt(mm_struct* mm,
                      uint64_t address) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  auto at = mm->mm_mt.upper_bound(address);
  if (at == mm->mm_mt.begin()) return nullptr;
  --at;
  return at->vm_end > address ? &*at : nullptr;
}

// Waits until the tree has something else for `address` than this VMA, which
// was found detached.
void WaitForReplacement(mm_struct* mm, uint64_t address,
                        const vm_area_struct* vma) {
  const bool by_count = Form() == PerVmaLock::kRefcount;
  WaitUntil(Point::kVmaLookup, Access::kRead, NumberOf(&mm->mm_mt), [=] {
    return VmaAt(mm, address) != vma ||
           (by_count ? vma->vm_refcnt != 0 : !vma->detached);
  });
}

}  // namespace

bool VmaIsWriteLocked(const vm_area_struct* vma) {
  AssertMmapWriteLocked(vma->vm_mm);
  return vma->vm_lock_seq == vma->vm_mm->mm_lock_seq;
}

bool VmaIsReadLocked(const vm_area_struct* vma) {
  return vma->vm_lock.readers != 0 || (vma->vm_refcnt & ~VMA_LOCK_OFFSET) > 1;
}

void vma_start_write(vm_area_struct* vma) {
  if (Form() == PerVmaLock::kNone || VmaIsWriteLocked(vma)) return;
  __vma_start_write(vma);
}

void vma_end_write_all(mm_struct* mm) {
  if (Form() == PerVmaLock::kNone) return;
  SchedulePoint(Point::kVmaEndWriteAll, Access::kRelease,
                NumberOf(&mm->mm_lock_seq));
  RaceStore(&mm->mm_lock_seq, /*release=*/true);
  mm->mm_lock_seq++;
}

void vma_mark_attached(vm_area_struct* vma) {
  if (Form() == PerVmaLock::kNone) return;
  Invariant(VmaIsWriteLocked(vma) && !IsAttached(vma),
            "a VMA is attached that is not write-locked, or is attached");
  if (Form() == PerVmaLock::kRwsem) {
    vma->detached = false;
    return;
  }
  SchedulePoint(Point::kVmaAttach, Access::kRelease, NumberOf(&vma->vm_refcnt));
  RaceStore(&vma->vm_refcnt, /*release=*/true);
  vma->vm_refcnt = 1;
}

void vma_mark_detached(vm_area_struct* vma) {
  if (Form() == PerVmaLock::kNone) return;
  Invariant(VmaIsWriteLocked(vma) && IsAttached(vma),
            "a VMA is detached that is not write-locked, or is detached");
  if (Form() == PerVmaLock::kRwsem) {
    vma->detached = true;
    return;
  }
  SchedulePoint(Point::kVmaDetach, Access::kAcquire, NumberOf(&vma->vm_refcnt));
  if (--vma->vm_refcnt == 0) return;
  // Somebody holds it who has yet to see that it is write-locked.
  if (__vma_enter_locked(vma, /*detaching=*/true)) __vma_exit_locked(vma);
}

// No analysis: the semaphore is the VMA's.
void vma_end_read(vm_area_struct* vma) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (Form() == PerVmaLock::kRefcount) {
    vma_refcount_put(vma);
    return;
  }
  // Keeps the memory of the semaphore until it is unlocked.
  rcu_read_lock();
  up_read(&vma->vm_lock);
  rcu_read_unlock();
}

// No analysis: the semaphore is the VMA's, and stays locked.
void vma_start_read_locked(vm_area_struct* vma) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (Form() == PerVmaLock::kRwsem) {
    down_read(&vma->vm_lock);
    return;
  }
  SchedulePoint(Point::kVmaStartRead, Access::kAcquire,
                NumberOf(&vma->vm_refcnt));
  Invariant(vma->vm_refcnt != 0 && vma->vm_refcnt < VMA_LOCK_OFFSET,
            "a VMA is write-locked beside a holder of mmap_lock");
  vma->vm_refcnt++;
  LockAcquiredByTrying(LockClass::kVmaLock, &vma->vm_refcnt,
                       SourceLine::Current(), Hold::kShared);
}

vm_area_struct* lock_vma_under_rcu(mm_struct* mm, uint64_t address) {
  if (Form() == PerVmaLock::kNone) return nullptr;
  for (;;) {
    rcu_read_lock();
    SchedulePoint(Point::kVmaLookup, Access::kRead, NumberOf(&mm->mm_mt));
    vm_area_struct* vma = VmaAt(mm, address);
    if (vma == nullptr) {
      rcu_read_unlock();
      return nullptr;
    }
    switch (vma_start_read(mm, vma)) {
      case StartRead::kBusy:
        return nullptr;
      case StartRead::kDetached:
        WaitForReplacement(mm, address, vma);
        continue;
      case StartRead::kLocked:
        break;
    }
    rcu_read_unlock();
    // It was found before it was locked: meanwhile it may have shrunk.
    PlainReadVma(vma);
    if (address >= vma->vm_start && address < vma->vm_end) return vma;
    vma_end_read(vma);
    return nullptr;
  }
}

// ---- The page fault's way to its VMA ---------------------------------------

namespace {

bool Holds(const vm_area_struct* vma, uint64_t address) {
  return vma != nullptr && vma->vm_start <= address;
}

bool MayGrowTo(const vm_area_struct* vma) {
  return vma != nullptr && (vma->vm_flags & VM_GROWSDOWN) != 0;
}

// Up to v6.4: stacks grow under the read lock, and the wait for it is deaf to
// signals. Source: arch/x86/mm/fault.c:do_user_addr_fault().
vm_area_struct* LockMmAndGrowStack(mm_struct* mm, uint64_t address)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mmap_read_lock(mm);
  vm_area_struct* vma = find_vma(mm, address);
  if (Holds(vma, address) ||
      (MayGrowTo(vma) && expand_stack_locked(vma, address) == 0)) {
    return vma;
  }
  mmap_read_unlock(mm);
  return nullptr;
}

}  // namespace

vm_area_struct* lock_mm_and_find_vma(mm_struct* mm, uint64_t address) {
  if (!differences().stack_grows_under_write_lock) {
    return LockMmAndGrowStack(mm, address);
  }
  if (mmap_read_lock_killable(mm) != 0) return nullptr;
  vm_area_struct* vma = find_vma(mm, address);
  if (Holds(vma, address)) return vma;
  mmap_read_unlock(mm);
  if (!MayGrowTo(vma) || mmap_write_lock_killable(mm) != 0) return nullptr;
  // Between the two locks everything may have changed.
  vma = find_vma(mm, address);
  if (Holds(vma, address) ||
      (MayGrowTo(vma) && expand_stack_locked(vma, address) == 0)) {
    mmap_write_downgrade(mm);
    return vma;
  }
  mmap_write_unlock(mm);
  return nullptr;
}

}  // namespace reapsim
