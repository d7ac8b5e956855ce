// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/vma.c (v6.10 on; before that mm/mmap.c), v5.15 to v7.2.
// Modelled: the set of VMAs, splitting, merging, unmapping with its downgrade,
//   the growth of stacks, the memory of VMAs and when it is freed; which VMAs
//   all that locks.
// Simplified: one tree for look-ups and one list for walks stand for the maple
//   tree as well as for the older rbtree and list. Merging ignores which
//   anon_vma each side has. A change of flags first splits, then merges, where
//   the kernel moves a boundary in one go; it needs one VMA more at the limit.
//   A stack grows under page_table_lock, which stands for its anon_vma's lock
//   as well, and only for faults of its own process; its limit is 8 MiB.
// Stubbed: reverse maps, memory policies, sealing, names of anonymous VMAs.

#include "mm/vma.h"

#include <algorithm>
#include <cerrno>

#include "mm/filemap.h"
#include "mm/huge_memory.h"
#include "mm/invariants.h"
#include "mm/memory.h"
#include "mm/mmu_gather.h"
#include "mm/mmu_notifier.h"
#include "mm/swapfile.h"
#include "sched/race.h"

namespace reapsim {
namespace {

// True iff a walk may follow `vma` from mm's list: it is a VMA, not yet freed,
// and not used again for somebody else.
bool IsLiveIn(const vm_area_struct* vma, const mm_struct* mm) {
  return mm_state().vma_slab.IsLive(vma) && vma->vm_mm == mm;
}

[[noreturn]] void FailUseAfterFree(SourceLine source) {
  Fail(VerdictKind::kUseAfterFree,
       "S3: a walk over the VMAs of an mm reaches one that has been freed",
       source);
}

// Follows a link of the list.
vm_area_struct* Step(const mm_struct* mm, vm_area_struct* to,
                     SourceLine source) {
  if (to == nullptr) return nullptr;
  if (!IsLiveIn(to, mm)) FailUseAfterFree(source);
  PlainReadVma(to, source);
  return to;
}

}  // namespace

// ---- Walking and looking up ------------------------------------------------

void vma_check_live(const vm_area_struct* vma, SourceLine source) {
  if (!mm_state().vma_slab.IsLive(vma)) FailUseAfterFree(source);
}

// The walks take no lock themselves: some callers hold mmap_lock, some know
// that nobody else can reach the mm, and up to v5.16 some only believe so.
vm_area_struct* vma_first(mm_struct* mm,
                          SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  CheckNotTornDown(mm, source);
  PlainRead(&mm->mmap, "mm->mmap", source);
  return Step(mm, mm->mmap, source);
}
vm_area_struct* vma_last(mm_struct* mm,
                         SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  CheckNotTornDown(mm, source);
  PlainRead(&mm->mmap_last, "mm->mmap_last", source);
  return Step(mm, mm->mmap_last, source);
}
vm_area_struct* vma_next(vm_area_struct* vma, SourceLine source) {
  vma_check_live(vma, source);
  PlainRead(&vma->vm_next, "vma->vm_next", source);
  return Step(vma->vm_mm, vma->vm_next, source);
}
vm_area_struct* vma_prev(vm_area_struct* vma, SourceLine source) {
  vma_check_live(vma, source);
  PlainRead(&vma->vm_prev, "vma->vm_prev", source);
  return Step(vma->vm_mm, vma->vm_prev, source);
}

// No analysis: see vma_first().
vm_area_struct* find_vma(mm_struct* mm, uint64_t address,
                         SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  PlainRead(&mm->mm_mt, "mm->mm_mt", source);
  auto above = mm->mm_mt.upper_bound(address);
  if (above != mm->mm_mt.begin()) {
    auto at = above;
    --at;
    vma_check_live(&*at, source);
    PlainReadVma(&*at, source);
    if (at->vm_end > address) return &*at;
  }
  if (above == mm->mm_mt.end()) return nullptr;
  vma_check_live(&*above, source);
  PlainReadVma(&*above, source);
  return &*above;
}

vm_area_struct* find_vma_intersection(mm_struct* mm, uint64_t start,
                                      uint64_t end) {
  vm_area_struct* vma = find_vma(mm, start);
  return vma != nullptr && vma->vm_start < end ? vma : nullptr;
}

// ---- Memory of VMAs (kernel/fork.c) ----------------------------------------

vm_area_struct* vm_area_alloc(mm_struct* mm) {
  vm_area_struct* vma = mm_state().vma_slab.New();
  if (vma != nullptr) vma->vm_mm = mm;
  return vma;
}

vm_area_struct* vm_area_dup(const vm_area_struct* orig) {
  vm_area_struct* vma = vm_area_alloc(orig->vm_mm);
  if (vma == nullptr) return nullptr;
  vma->vm_start = orig->vm_start;
  vma->vm_end = orig->vm_end;
  vma->vm_flags = orig->vm_flags;
  vma->vm_pgoff = orig->vm_pgoff;
  vma->vm_ops = orig->vm_ops;
  vma->anon_vma = orig->anon_vma;
  vma->vm_mapping = orig->vm_mapping;
  vma->vm_userfaultfd_ctx = orig->vm_userfaultfd_ctx;
  if (vma->vm_mapping != nullptr) mapping_get(vma->vm_mapping);
  return vma;
}

void __vm_area_free(vm_area_struct* vma) {
  Invariant(vma->vm_refcnt == 0 && !VmaIsReadLocked(vma),
            "a VMA is freed while it is attached, or read-locked");
  RaceFree(vma, sizeof(*vma));
  if (!mm_state().vma_slab.Delete(vma)) {
    Fail(VerdictKind::kDoubleFree, "S3: a VMA is freed twice");
  }
}

void vm_area_free(vm_area_struct* vma) {
  if (differences().per_vma_lock != PerVmaLock::kRwsem) {
    __vm_area_free(vma);
    return;
  }
  vma_check_live(vma);
  call_rcu(&vma->rcu, [](rcu_head* head) {
    __vm_area_free(reinterpret_cast<vm_area_struct*>(
        reinterpret_cast<char*>(head) - offsetof(vm_area_struct, rcu)));
  });
}

// ---- The set of VMAs -------------------------------------------------------

namespace {

// The set of mm's VMAs is about to change, for those, too, who look into it
// under RCU.
void BeforeTreeStore(const mm_struct* mm) {
  if (differences().per_vma_lock == PerVmaLock::kNone) return;
  SchedulePoint(Point::kVmaTreeStore, Access::kWrite, NumberOf(&mm->mm_mt));
}

// The links between two neighbours, either of which may be null: the ends.
void PlainWriteLinks(mm_struct* mm, vm_area_struct* prev,
                     vm_area_struct* next) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (prev == nullptr) {
    PlainWrite(&mm->mmap, "mm->mmap");
  } else {
    PlainWrite(&prev->vm_next, "vma->vm_next");
  }
  if (next == nullptr) {
    PlainWrite(&mm->mmap_last, "mm->mmap_last");
  } else {
    PlainWrite(&next->vm_prev, "vma->vm_prev");
  }
  PlainWrite(&mm->mm_mt, "mm->mm_mt");
  PlainWrite(&mm->map_count, "mm->map_count");
}

void Insert(mm_struct* mm, vm_area_struct* vma)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  MayChangeVmas();
  const auto [at, inserted] = mm->mm_mt.insert(*vma);
  Invariant(inserted, "two VMAs of an mm start at the same address");
  auto after = at;
  ++after;
  vm_area_struct* next = after == mm->mm_mt.end() ? nullptr : &*after;
  vm_area_struct* prev = next == nullptr ? mm->mmap_last : next->vm_prev;
  Invariant((prev == nullptr || prev->vm_end <= vma->vm_start) &&
                (next == nullptr || vma->vm_end <= next->vm_start),
            "VMAs of an mm overlap");
  PlainWriteLinks(mm, prev, next);
  vma->vm_prev = prev;
  vma->vm_next = next;
  (prev == nullptr ? mm->mmap : prev->vm_next) = vma;
  (next == nullptr ? mm->mmap_last : next->vm_prev) = vma;
  mm->map_count++;
}

void Remove(mm_struct* mm, vm_area_struct* first, vm_area_struct* last)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  MayChangeVmas();
  vm_area_struct* prev = first->vm_prev;
  vm_area_struct* next = last->vm_next;
  PlainWriteLinks(mm, prev, next);
  (prev == nullptr ? mm->mmap : prev->vm_next) = next;
  (next == nullptr ? mm->mmap_last : next->vm_prev) = prev;
  first->vm_prev = nullptr;
  last->vm_next = nullptr;
  for (vm_area_struct* vma = first; vma != nullptr; vma = vma_next(vma)) {
    mm->mm_mt.erase(mm->mm_mt.iterator_to(*vma));
    mm->map_count--;
  }
}

}  // namespace

void vma_link(mm_struct* mm, vm_area_struct* vma) {
  vma_start_write(vma);
  vma_mark_attached(vma);
  BeforeTreeStore(mm);
  Insert(mm, vma);
}

void detach_vmas_to_be_unmapped(mm_struct* mm, vm_area_struct* first,
                                vm_area_struct* last) {
  BeforeTreeStore(mm);
  Remove(mm, first, last);
}

void remove_vma(vm_area_struct* vma, bool unreachable) {
  vma_check_live(vma);
  if (vma->vm_mapping != nullptr) mapping_put(vma->vm_mapping);
  vma->vm_mapping = nullptr;
  unreachable ? __vm_area_free(vma) : vm_area_free(vma);
}

int __split_vma(mm_struct* mm, vm_area_struct* vma, uint64_t addr,
                bool new_below) {
  vm_area_struct* made = vm_area_dup(vma);
  if (made == nullptr) return -ENOMEM;
  vma_start_write(vma);
  vma_start_write(made);
  // mm/huge_memory.c:vma_adjust_trans_huge(): a huge page across the cut.
  if (addr % geometry().pmd_size() != 0) split_huge_pmd_address(vma, addr);
  vma_mark_attached(made);
  BeforeTreeStore(mm);
  const uint64_t pages_below = (addr - vma->vm_start) >> PAGE_SHIFT;
  if (new_below) {
    // The tree's order holds throughout: the old VMA only moves up within the
    // place it had.
    PlainWrite(&vma->vm_start, "vma->vm_start");
    vma->vm_start = addr;
    vma->vm_pgoff += pages_below;
    made->vm_end = addr;
  } else {
    PlainWrite(&vma->vm_end, "vma->vm_end");
    vma->vm_end = addr;
    made->vm_start = addr;
    made->vm_pgoff += pages_below;
  }
  Insert(mm, made);
  return 0;
}

int split_vma(mm_struct* mm, vm_area_struct* vma, uint64_t addr,
              bool new_below) {
  PlainRead(&mm->map_count, "mm->map_count");
  if (mm->map_count >= sysctl_max_map_count) return -ENOMEM;
  return __split_vma(mm, vma, addr, new_below);
}

// ---- Merging ---------------------------------------------------------------

namespace {

// mm/vma.c:is_mergeable_vma(), can_vma_merge_after(): whether `after` goes on
// where `vma` ends, in every respect that can be seen.
bool can_vma_merge(const vm_area_struct* vma, const vm_area_struct* after) {
  constexpr uint64_t kNever = VM_SPECIAL | VM_HUGETLB;
  return vma->vm_end == after->vm_start &&
         ((vma->vm_flags ^ after->vm_flags) & ~VM_SOFTDIRTY) == 0 &&
         (vma->vm_flags & kNever) == 0 && vma->vm_ops == after->vm_ops &&
         vma->vm_mapping == after->vm_mapping &&
         vma->vm_userfaultfd_ctx == after->vm_userfaultfd_ctx &&
         vma->vm_pgoff + vma_pages(vma) == after->vm_pgoff;
}

// Lets `vma` cover its successor, too.
void MergeNext(mm_struct* mm, vm_area_struct* vma)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  vm_area_struct* next = vma->vm_next;
  vma_start_write(vma);
  vma_start_write(next);
  BeforeTreeStore(mm);
  Remove(mm, next, next);
  PlainWrite(&vma->vm_end, "vma->vm_end");
  PlainWrite(&vma->vm_flags, "vma->vm_flags");
  vma->vm_end = next->vm_end;
  vma->vm_flags |= next->vm_flags & VM_SOFTDIRTY;
  vma->anon_vma = vma->anon_vma || next->anon_vma;
  vma_mark_detached(next);
  remove_vma(next, /*unreachable=*/false);
}

}  // namespace

vm_area_struct* vma_merge(mm_struct* mm, vm_area_struct* vma) {
  vm_area_struct* next = vma_next(vma);
  if (next != nullptr && can_vma_merge(vma, next)) MergeNext(mm, vma);
  vm_area_struct* prev = vma_prev(vma);
  if (prev == nullptr || !can_vma_merge(prev, vma)) return vma;
  MergeNext(mm, prev);
  return prev;
}

vm_area_struct* vma_modify_flags(mm_struct* mm, vm_area_struct* vma,
                                 uint64_t start, uint64_t end,
                                 uint64_t vm_flags) {
  if (vma->vm_start < start &&
      split_vma(mm, vma, start, /*new_below=*/true) != 0) {
    return nullptr;
  }
  if (end < vma->vm_end && split_vma(mm, vma, end, /*new_below=*/false) != 0) {
    // As in the kernel, the first cut stays; nothing tells the halves apart.
    return nullptr;
  }
  vma_start_write(vma);
  PlainWrite(&vma->vm_flags, "vma->vm_flags");
  vma->vm_flags = vm_flags;
  return vma_merge(mm, vma);
}

// ---- Unmapping -------------------------------------------------------------

namespace {

// mm/vma.c:unmap_region(). The VMAs are in no tree any more; `vms` says up to
// where their page tables belong to nobody else.
void unmap_region(mm_struct* mm, const vma_munmap_struct& vms,
                  bool mm_wr_locked) {
  mmu_notifier_range range{.mm = mm,
                           .start = vms.start,
                           .end = vms.end,
                           .event = MMU_NOTIFY_UNMAP,
                           .blockable = true};
  mmu_gather tlb;
  tlb_gather_mmu(&tlb, mm);
  // unmap_vmas() for VMAs that the mm does not know any more.
  mmu_notifier_invalidate_range_start(&range);
  for (vm_area_struct* vma = vms.first; vma != nullptr; vma = vma_next(vma)) {
    unmap_page_range(&tlb, vma, vma->vm_start, vma->vm_end,
                     {.drop_markers = true});
  }
  mmu_notifier_invalidate_range_end(&range);
  free_pgtables(&tlb, mm, vms.first, vms.last, vms.floor, vms.ceiling,
                mm_wr_locked);
  tlb_finish_mmu(&tlb);
}

}  // namespace

int check_munmap_range(uint64_t start, uint64_t length) {
  const uint64_t task_size = TaskSize(mm_state());
  if (!IsPageAligned(start) || start > task_size ||
      length > task_size - start || PageAlign(length) == 0) {
    return -EINVAL;
  }
  return 0;
}

int vms_gather_munmap_vmas(mm_struct* mm, uint64_t start, uint64_t end,
                           vma_munmap_struct* vms) {
  *vms = {.start = start, .end = end};
  vm_area_struct* first = find_vma_intersection(mm, start, end);
  if (first == nullptr) return 0;
  if (start > first->vm_start) {
    // Only a hole in the middle makes one VMA more than there were.
    if (end < first->vm_end && mm->map_count >= sysctl_max_map_count) {
      return -ENOMEM;
    }
    const int error = __split_vma(mm, first, start, /*new_below=*/true);
    if (error != 0) return error;
  }
  vm_area_struct* last = find_vma(mm, end - 1);
  if (last == nullptr || last->vm_start >= end) {
    last = last == nullptr ? mm->mmap_last : last->vm_prev;
  }
  if (end < last->vm_end) {
    const int error = __split_vma(mm, last, end, /*new_below=*/false);
    if (error != 0) return error;
  }
  vms->first = first;
  vms->last = last;
  vms->next = last->vm_next;
  vms->floor = first->vm_prev == nullptr ? 0 : first->vm_prev->vm_end;
  vms->ceiling = last->vm_next == nullptr ? 0 : last->vm_next->vm_start;
  // Nobody finds them in the tree and locks them, from here on.
  for (vm_area_struct* vma = first;; vma = vma_next(vma)) {
    vma_start_write(vma);
    vma_mark_detached(vma);
    if (vma == last) break;
  }
  for (vm_area_struct* vma = first;; vma = vma_next(vma)) {
    mm->total_vm -= vma_pages(vma);
    if ((vma->vm_flags & VM_LOCKED) != 0) {
      PlainWrite(&mm->locked_vm, "mm->locked_vm");
      mm->locked_vm -= vma_pages(vma);
      if (!differences().reaps_mlocked) munlock_vma_pages_all(vma);
    }
    if (vma == last) break;
  }
  detach_vmas_to_be_unmapped(mm, first, last);
  return 0;
}

void vms_complete_munmap_vmas(mm_struct* mm, const vma_munmap_struct& vms,
                              bool mm_wr_locked) {
  if (vms.first == nullptr) return;
  unmap_region(mm, vms, mm_wr_locked);
  for (vm_area_struct* vma = vms.first; vma != nullptr;) {
    vm_area_struct* next = vma_next(vma);
    remove_vma(vma, /*unreachable=*/false);
    vma = next;
  }
}

int do_munmap(mm_struct* mm, uint64_t start, uint64_t length) {
  const int invalid = check_munmap_range(start, length);
  if (invalid != 0) return invalid;
  vma_munmap_struct vms;
  const int error =
      vms_gather_munmap_vmas(mm, start, start + PageAlign(length), &vms);
  if (error == 0) vms_complete_munmap_vmas(mm, vms, /*mm_wr_locked=*/true);
  return error;
}

// ---- Stacks (up to v6.10 mm/mmap.c) ----------------------------------------

namespace {

// mm/mprotect.c, include/linux/mm.h:vma_is_accessible()
bool vma_is_accessible(const vm_area_struct* vma) {
  return (vma->vm_flags & VM_ACCESS_FLAGS) != 0;
}

// mm/vma.c:acct_stack_growth(): whether a stack may have `size` bytes, `grow`
// pages more than it has.
bool MayGrow(uint64_t size, uint64_t grow) {
  return size <= _STK_LIM && vm_enough_memory(grow);
}

// mm/vma.c:expand_downwards(). No analysis: up to v6.4 mmap_lock is held for
// reading, and page_table_lock guards what changes against others who do the
// same.
int expand_downwards(vm_area_struct* vma,
                     uint64_t address) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if ((vma->vm_flags & VM_GROWSDOWN) == 0) return -EFAULT;
  mm_struct* mm = vma->vm_mm;
  address &= ~(PAGE_SIZE - 1);
  if (address < MmapMinAddr()) return -EPERM;
  const vm_area_struct* prev = vma_prev(vma);
  if (prev != nullptr && (prev->vm_flags & VM_GROWSDOWN) == 0 &&
      vma_is_accessible(prev) && address - prev->vm_end < StackGuardGap()) {
    return -ENOMEM;
  }
  vma->anon_vma = true;
  if (differences().stack_grows_under_write_lock) vma_start_write(vma);
  BeforeTreeStore(mm);
  spin_lock(&mm->page_table_lock);
  int error = 0;
  // Somebody may have been faster.
  if (address < vma->vm_start) {
    const uint64_t grow = (vma->vm_start - address) >> PAGE_SHIFT;
    error = -ENOMEM;
    if (MayGrow(vma->vm_end - address, grow)) {
      if ((vma->vm_flags & VM_LOCKED) != 0) {
        PlainWrite(&mm->locked_vm, "mm->locked_vm");
        mm->locked_vm += grow;
      }
      PlainWrite(&vma->vm_start, "vma->vm_start");
      mm->total_vm += grow;
      vma->vm_start = address;
      vma->vm_pgoff -= grow;
      error = 0;
    }
  }
  spin_unlock(&mm->page_table_lock);
  return error;
}

}  // namespace

uint64_t vm_start_gap(const vm_area_struct* vma) {
  if ((vma->vm_flags & VM_GROWSDOWN) == 0) return vma->vm_start;
  return vma->vm_start - std::min(vma->vm_start, StackGuardGap());
}

int expand_stack_locked(vm_area_struct* vma, uint64_t address) {
  return expand_downwards(vma, address);
}

// ---- Accounting ------------------------------------------------------------

bool vm_enough_memory(uint64_t pages) {
  const MmState& mm = mm_state();
  return pages <= mm.options.frames + total_swap_pages(mm);
}

}  // namespace reapsim
