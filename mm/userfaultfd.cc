// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: fs/userfaultfd.c, mm/userfaultfd.c; see the header.

#include "mm/userfaultfd.h"

#include <algorithm>
#include <cerrno>

#include "mm/filemap.h"
#include "mm/huge_memory.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/mmap_lock.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/tlb.h"
#include "mm/vma.h"
#include "sched/race.h"

namespace reapsim {
namespace {

uint64_t KnownFeatures() {
  uint64_t known = 0;
  if (differences().uffd_wp_anon_marker_cleared) {
    known |= UFFD_FEATURE_WP_UNPOPULATED;
  }
  if (differences().has_uffd_wp_async) known |= UFFD_FEATURE_WP_ASYNC;
  return known;
}

// fs/userfaultfd.c:userfaultfd_ctx_put()
void userfaultfd_ctx_put(userfaultfd_ctx* ctx) {
  if (atomic_dec_return(&ctx->refcount) != 0) return;
  mmdrop(ctx->mm);
  REAP_CHECK(mm_state().userfaultfd_slab.Delete(ctx), "userfaultfd: free");
}

// fs/userfaultfd.c:userfaultfd_must_wait(): whether the entry is still as the
// fault found it. The kernel looks again under RCU, after it has queued itself.
bool userfaultfd_must_wait(const vm_fault* vmf) {
  int level = 0;
  const pte_t* pte =
      FindEntry(mm_state(), vmf->vma->vm_mm, vmf->address, &level);
  return (pte == nullptr ? 0 : *pte) == vmf->orig_pte;
}

// fs/userfaultfd.c:validate_range(), validate_unaligned_range()
bool ValidRange(uint64_t start, uint64_t len) {
  if (((start | len) & (PAGE_SIZE - 1)) != 0 || len == 0) return false;
  const uint64_t task_size = TaskSize(mm_state());
  return start >= PAGE_SIZE && start < task_size && len <= task_size - start;
}

bool vma_is_shmem(const vm_area_struct* vma) {
  return vma->vm_ops == VmOps::kShmem;
}

// include/linux/userfaultfd_k.h:vma_can_userfault()
bool vma_can_userfault(const userfaultfd_ctx* ctx, const vm_area_struct* vma,
                       uint64_t vm_flags) {
  if ((vma->vm_flags & VM_DROPPABLE) != 0) return false;
  if ((ctx->features & UFFD_FEATURE_WP_ASYNC) != 0 && vm_flags == VM_UFFD_WP) {
    return (vma->vm_flags & VM_HUGETLB) == 0;
  }
  if ((vm_flags & VM_UFFD_WP) != 0 && !differences().uffd_wp_markers &&
      !vma_is_anonymous(vma)) {
    return false;
  }
  return vma_is_anonymous(vma) || vma_is_shmem(vma);
}

// Whether each VMA of the range may be watched. 0 or a negative errno.
int CheckRange(const userfaultfd_ctx* ctx, uint64_t start, uint64_t end,
               uint64_t vm_flags) {
  vm_area_struct* vma = find_vma_intersection(ctx->mm, start, end);
  if (vma == nullptr) return -EINVAL;
  for (; vma != nullptr && vma->vm_start < end; vma = vma_next(vma)) {
    if (!vma_can_userfault(ctx, vma, vm_flags)) return -EINVAL;
    if ((vma->vm_flags & VM_MAYWRITE) == 0) return -EPERM;
    if (vma->vm_userfaultfd_ctx != nullptr && vma->vm_userfaultfd_ctx != ctx) {
      return -EBUSY;
    }
  }
  return 0;
}

// Gives each VMA of the range that `ctx` may watch the flags and the watcher.
// 0 or -ENOMEM.
int WatchRange(mm_struct* mm, userfaultfd_ctx* ctx, uint64_t start,
               uint64_t end, uint64_t vm_flags, userfaultfd_ctx* watcher)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  for (uint64_t at = start; at < end;) {
    vm_area_struct* vma = find_vma_intersection(mm, at, end);
    if (vma == nullptr) break;
    const uint64_t from = std::max(at, vma->vm_start);
    const uint64_t to = std::min(end, vma->vm_end);
    at = to;
    const bool mine = vma->vm_userfaultfd_ctx == ctx;
    if (watcher == nullptr && !mine) continue;
    if (mine && (vma->vm_flags & ~vm_flags & VM_UFFD_WP) != 0) {
      (void)uffd_wp_range(vma, from, to - from, /*enable_wp=*/false);
    }
    if (vma->vm_start < from && split_vma(mm, vma, from, true) != 0) {
      return -ENOMEM;
    }
    if (to < vma->vm_end && split_vma(mm, vma, to, false) != 0) return -ENOMEM;
    vma_start_write(vma);
    PlainWrite(&vma->vm_flags, "vma->vm_flags");
    vma->vm_flags = (vma->vm_flags & ~VM_UFFD_FLAGS) | vm_flags;
    vma->vm_userfaultfd_ctx = watcher;
    (void)vma_merge(mm, vma);
  }
  return 0;
}

void WakeAll(userfaultfd_ctx* ctx) {
  SchedulePoint(Point::kWake, Access::kWrite, NumberOf(&ctx->wakes));
  ctx->wakes++;
}

}  // namespace

// ---- fs/userfaultfd.c ------------------------------------------------------

bool userfaultfd_wp_async(const vm_area_struct* vma) {
  const userfaultfd_ctx* ctx = vma->vm_userfaultfd_ctx;
  return ctx != nullptr && (ctx->features & UFFD_FEATURE_WP_ASYNC) != 0;
}

unsigned handle_userfault(vm_fault* vmf) {
  mm_struct* mm = vmf->vma->vm_mm;
  task_struct* self = current();
  // A dying task, or one that is being dumped, waits for nobody.
  if ((self->flags & (PF_EXITING | PF_DUMPCORE)) != 0) return VM_FAULT_SIGBUS;
  userfaultfd_ctx* ctx = vmf->vma->vm_userfaultfd_ctx;
  const uint64_t address = vmf->address;
  const pte_t was = vmf->orig_pte;
  const bool must_wait = userfaultfd_must_wait(vmf);
  uint32_t seen = 0;
  if (ctx != nullptr) {
    atomic_inc(&ctx->refcount);
    seen = ctx->wakes;
  }
  release_fault_lock(vmf);
  self->__state = TASK_KILLABLE;
  WaitUntil(Point::kHandleUserfault, Access::kRead, NumberOf(mm), [=] {
    if (!must_wait || fatal_signal_pending(self)) return true;
    // Only the monitor wakes: that the entry goes, as a reaper may have it,
    // tells nobody.
    if (ctx != nullptr) return ctx->released || ctx->wakes != seen;
    int level;
    const pte_t* pte = FindEntry(RootOf<MmState>(mm), mm, address, &level);
    return (pte == nullptr ? 0 : *pte) != was;
  });
  self->__state = TASK_RUNNING;
  if (ctx != nullptr) userfaultfd_ctx_put(ctx);
  return VM_FAULT_RETRY;
}

void dup_userfaultfd(vm_area_struct* vma) {
  vma->vm_userfaultfd_ctx = nullptr;
  PlainWrite(&vma->vm_flags, "vma->vm_flags");
  vma->vm_flags &= ~VM_UFFD_FLAGS;
}

void userfaultfd_release(userfaultfd_ctx* ctx) {
  mm_struct* mm = ctx->mm;
  ctx->released = true;
  if (mmget_not_zero(mm)) {
    mmap_write_lock(mm);
    (void)WatchRange(mm, ctx, 0, TaskSize(mm_state()), 0, nullptr);
    mmap_write_unlock(mm);
    mmput(mm);
  }
  WakeAll(ctx);
  userfaultfd_ctx_put(ctx);
}

int userfaultfd_register(userfaultfd_ctx* ctx, uint64_t start, uint64_t len,
                         uint64_t mode) {
  constexpr uint64_t kKnown =
      UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP;
  if (mode == 0 || (mode & ~kKnown) != 0 || !ValidRange(start, len)) {
    return -EINVAL;
  }
  uint64_t vm_flags = 0;
  if ((mode & UFFDIO_REGISTER_MODE_MISSING) != 0) vm_flags |= VM_UFFD_MISSING;
  if ((mode & UFFDIO_REGISTER_MODE_WP) != 0) vm_flags |= VM_UFFD_WP;
  mm_struct* mm = ctx->mm;
  if (!mmget_not_zero(mm)) return -ENOMEM;
  mmap_write_lock(mm);
  int error = CheckRange(ctx, start, start + len, vm_flags);
  if (error == 0)
    error = WatchRange(mm, ctx, start, start + len, vm_flags, ctx);
  mmap_write_unlock(mm);
  mmput(mm);
  return error;
}

int userfaultfd_unregister(userfaultfd_ctx* ctx, uint64_t start, uint64_t len) {
  if (!ValidRange(start, len)) return -EINVAL;
  mm_struct* mm = ctx->mm;
  if (!mmget_not_zero(mm)) return -ENOMEM;
  mmap_write_lock(mm);
  const int error = find_vma_intersection(mm, start, start + len) == nullptr
                        ? -EINVAL
                        : WatchRange(mm, ctx, start, start + len, 0, nullptr);
  mmap_write_unlock(mm);
  WakeAll(ctx);
  mmput(mm);
  return error;
}

int userfaultfd_wake(userfaultfd_ctx* ctx, uint64_t start, uint64_t len) {
  if (!ValidRange(start, len)) return -EINVAL;
  WakeAll(ctx);
  return 0;
}

userfaultfd_ctx* new_userfaultfd(uint64_t features, int* error) {
  *error = -EINVAL;
  if ((features & ~KnownFeatures()) != 0) return nullptr;
  *error = -ENOMEM;
  userfaultfd_ctx* ctx = mm_state().userfaultfd_slab.New();
  if (ctx == nullptr) return nullptr;
  *error = 0;
  ctx->refcount = 1;
  // The asynchronous mode needs markers wherever nothing is.
  if ((features & UFFD_FEATURE_WP_ASYNC) != 0) {
    features |= UFFD_FEATURE_WP_UNPOPULATED;
  }
  ctx->features = features;
  ctx->mm = current()->mm;
  mmgrab(ctx->mm);
  return ctx;
}

// ---- mm/userfaultfd.c ------------------------------------------------------

namespace {

// include/linux/swapops.h:pte_none_mostly(): a marker may be overwritten.
bool pte_none_mostly(pte_t pte) {
  return pte_none(pte) || (differences().uffd_wp_markers && pte_is_marker(pte));
}

// What is to be installed: a page that the entry then holds a reference of, or
// no page.
struct Filling {
  pte_t entry = 0;
  pfn_t page = kNoPfn;
  bool over_markers = false;
};

// Installs it. 0, -EEXIST or -ENOMEM; unless 0, the page is put. Source:
// mfill_atomic_install_pte(), mfill_atomic_pte_zeropage(),
// mfill_atomic_pte_poison().
int InstallFilling(vm_area_struct* vma, uint64_t address,
                   const Filling& filling) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = vma->vm_mm;
  pte_t* pmd = pmd_alloc(mm, address);
  int error = -ENOMEM;
  if (pmd != nullptr && (!pte_none(*pmd) || pte_alloc(mm, pmd) == 0)) {
    error = -EEXIST;
    spinlock_t* ptl;
    pte_t* pte = pmd_trans_huge(*pmd)
                     ? nullptr
                     : pte_offset_map_lock(mm, pmd, address, &ptl);
    if (pte != nullptr) {
      if (filling.over_markers ? pte_none_mostly(*pte) : pte_none(*pte)) {
        if (filling.page != kNoPfn) {
          folio_add_rmap_pte(filling.page, vma);
          const page* p = pfn_to_page(mm_state(), filling.page);
          add_mm_counter(mm, mm_counter_of(p->flags), 1);
        }
        *pte = filling.entry;
        error = 0;
      }
      pte_unmap_unlock(ptl);
    }
  }
  if (error != 0 && filling.page != kNoPfn) put_page(filling.page);
  return error;
}

// A page of shmem that is not there yet, filled and put into the object, with a
// reference. kNoPfn, and *error. Source: mm/shmem.c:shmem_mfill_atomic_pte().
pfn_t NewShmemPage(vm_area_struct* vma, uint64_t address, uint64_t word,
                   int* error) {
  MmState& state = mm_state();
  address_space* mapping = vma->vm_mapping;
  const uint64_t pgoff = linear_page_index(vma, address);
  *error = -EFAULT;
  if (pgoff >= mapping->nr_pages) return kNoPfn;
  *error = -ENOMEM;
  const pfn_t pfn = alloc_page();
  if (pfn == kNoPfn) return kNoPfn;
  if (mapping->i_pages.Get(pgoff) != 0) {
    put_page(pfn);
    *error = -EEXIST;
    return kNoPfn;
  }
  *error = 0;
  WritePageWord(state, pfn, word);
  pfn_to_page(state, pfn)->flags |= PG_dirty;
  AddToPageCache(state, mapping, pgoff, pfn);
  get_page(pfn);
  return pfn;
}

// A page of the VMA that is to hold `word`. Source: mfill_atomic_pte().
int FillWithPage(vm_area_struct* vma, uint64_t address, uint64_t word,
                 bool wp) {
  int error = -ENOMEM;
  pfn_t pfn = kNoPfn;
  if ((vma->vm_flags & VM_SHARED) != 0) {
    pfn = NewShmemPage(vma, address, word, &error);
  } else if (pfn = alloc_page(); pfn != kNoPfn) {
    WritePageWord(mm_state(), pfn, word);
    pfn_to_page(mm_state(), pfn)->flags |= PG_anon | PG_swapbacked;
    vma->anon_vma = true;
  }
  if (pfn == kNoPfn) return error;
  pte_t entry =
      maybe_mkwrite(pte_mkdirty(pfn_pte(pfn, vm_page_prot(vma))), vma);
  if (wp) entry = pte_mkuffd_wp(entry);
  return InstallFilling(vma, address, {entry, pfn, /*over_markers=*/true});
}

// One page. Caller: mmap_lock for read.
int FillOne(vm_area_struct* vma, UffdFill fill, uint64_t address, uint64_t word,
            bool wp) {
  switch (fill) {
    case UffdFill::kCopy:
      return FillWithPage(vma, address, word, wp);
    case UffdFill::kZeropage:
      if ((vma->vm_flags & VM_SHARED) != 0) {
        return FillWithPage(vma, address, 0, /*wp=*/false);
      }
      return InstallFilling(
          vma, address,
          {.entry = pfn_pte(mm_state().zero_pfn,
                            vm_page_prot(vma) | _PAGE_SPECIAL)});
    case UffdFill::kPoison:
      vma->anon_vma = true;
      return InstallFilling(vma, address,
                            {.entry = make_pte_marker(PTE_MARKER_POISONED)});
  }
  return -EINVAL;
}

// The VMA that covers all of the range and is watched by anybody. Null, and
// *error. mm/userfaultfd.c:find_dst_vma(), and what follows it.
vm_area_struct* find_dst_vma(mm_struct* mm, uint64_t start, uint64_t len,
                             bool wp, int* error) {
  vm_area_struct* vma = find_vma(mm, start);
  *error = -ENOENT;
  if (vma == nullptr || vma->vm_start > start || start + len > vma->vm_end ||
      (vma->vm_flags & VM_UFFD_FLAGS) == 0) {
    return nullptr;
  }
  *error = -EINVAL;
  if (wp && (vma->vm_flags & VM_UFFD_WP) == 0) return nullptr;
  if (!vma_is_anonymous(vma) && !vma_is_shmem(vma)) return nullptr;
  *error = 0;
  return vma;
}

}  // namespace

int64_t mfill_atomic(userfaultfd_ctx* ctx, UffdFill fill, uint64_t dst,
                     uint64_t src, uint64_t len, bool wp) {
  mm_struct* mm = ctx->mm;
  if (!ValidRange(dst, len)) return -EINVAL;
  if (fill == UffdFill::kPoison && !differences().has_uffd_poison) {
    return -EINVAL;
  }
  if (!mmget_not_zero(mm)) return -ESRCH;
  int64_t copied = 0;
  int error = 0;
  while (error == 0 && copied < static_cast<int64_t>(len)) {
    const auto done = static_cast<uint64_t>(copied);
    uint64_t word = 0;
    if (fill == UffdFill::kCopy &&
        access_user_word(src + done, /*write=*/false, &word,
                         /*user_mode=*/false) != AccessResult::kOk) {
      error = -EFAULT;
      break;
    }
    mmap_read_lock(mm);
    vm_area_struct* vma = find_dst_vma(mm, dst, len, wp, &error);
    if (vma != nullptr) error = FillOne(vma, fill, dst + done, word, wp);
    mmap_read_unlock(mm);
    if (error == 0) copied += PAGE_SIZE;
    if (fatal_signal_pending(current())) break;
  }
  if (copied != 0) WakeAll(ctx);
  mmput(mm);
  if (copied != 0) return copied;
  return error != 0 ? error : -EINTR;
}

int mfill_atomic_copy(mm_struct* mm, uint64_t address, uint64_t word, bool wp) {
  address &= ~(PAGE_SIZE - 1);
  int error = 0;
  vm_area_struct* vma = find_dst_vma(mm, address, PAGE_SIZE, wp, &error);
  return vma == nullptr ? error
                        : FillOne(vma, UffdFill::kCopy, address, word, wp);
}

// ---- Write protection ------------------------------------------------------

namespace {

// include/linux/userfaultfd_k.h:userfaultfd_wp_use_markers()
bool userfaultfd_wp_use_markers(const vm_area_struct* vma) {
  if (!differences().uffd_wp_markers) return false;
  if (!vma_is_anonymous(vma)) return true;
  const userfaultfd_ctx* ctx = vma->vm_userfaultfd_ctx;
  return ctx != nullptr && (ctx->features & UFFD_FEATURE_WP_UNPOPULATED) != 0;
}

// The entry with or without protection. Source: mm/mprotect.c,
// change_pte_range().
pte_t ChangeUffdWp(pte_t pte, bool enable_wp, bool use_markers) {
  if (pte_present(pte)) {
    return enable_wp ? pte_mkuffd_wp(pte) : pte & ~_PAGE_UFFD_WP;
  }
  if (pte_none(pte)) {
    return enable_wp && use_markers ? make_pte_marker(PTE_MARKER_UFFD_WP) : 0;
  }
  if (pte_is_marker(pte)) {
    return !enable_wp && pte_marker_uffd_wp(pte) ? 0 : pte;
  }
  return enable_wp ? pte | _PAGE_SWP_UFFD_WP : pte & ~_PAGE_SWP_UFFD_WP;
}

// The entries of one table.
void ChangeTable(vm_area_struct* vma, pte_t* pmd, uint64_t start, uint64_t end,
                 bool enable_wp) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const bool use_markers = userfaultfd_wp_use_markers(vma);
  spinlock_t* ptl;
  pte_t* pte = pte_offset_map_lock(vma->vm_mm, pmd, start, &ptl);
  if (pte == nullptr) return;
  for (uint64_t at = start; at != end; at += PAGE_SIZE, ++pte) {
    *pte = ChangeUffdWp(*pte, enable_wp, use_markers);
  }
  ChargePteTable(start, end);
  pte_unmap_unlock(ptl);
}

}  // namespace

int uffd_wp_range(vm_area_struct* vma, uint64_t start, uint64_t len,
                  bool enable_wp) {
  mm_struct* mm = vma->vm_mm;
  const Geometry geo = geometry();
  const uint64_t end = start + len;
  const bool needs_tables = enable_wp && userfaultfd_wp_use_markers(vma);
  // Without an anon_vma, fork would not copy the markers.
  if (needs_tables) vma->anon_vma = true;
  for (uint64_t at = start; at < end;) {
    const uint64_t next = geo.addr_end(at, end, 2);
    pte_t* pmd = needs_tables ? pmd_alloc(mm, at) : pmd_offset_lockless(mm, at);
    if (pmd == nullptr && needs_tables) return -ENOMEM;
    if (pmd != nullptr && pmd_trans_huge(*pmd)) __split_huge_pmd(vma, pmd, at);
    if (needs_tables && pte_none(*pmd) && pte_alloc(mm, pmd) != 0) {
      return -ENOMEM;
    }
    if (pmd != nullptr && pte_present(*pmd)) {
      ChangeTable(vma, pmd, at, next, enable_wp);
    }
    at = next;
  }
  flush_tlb_mm_range(mm, start, end, PAGE_SHIFT);
  return 0;
}

int mwriteprotect_range(userfaultfd_ctx* ctx, uint64_t start, uint64_t len,
                        bool enable_wp) {
  mm_struct* mm = ctx->mm;
  if (!ValidRange(start, len)) return -EINVAL;
  if (!mmget_not_zero(mm)) return -ESRCH;
  mmap_read_lock(mm);
  int error = -ENOENT;
  const uint64_t end = start + len;
  for (vm_area_struct* vma = find_vma_intersection(mm, start, end);
       vma != nullptr && vma->vm_start < end; vma = vma_next(vma)) {
    error = -ENOENT;
    if ((vma->vm_flags & VM_UFFD_WP) == 0) break;
    const uint64_t from = std::max(start, vma->vm_start);
    error =
        uffd_wp_range(vma, from, std::min(end, vma->vm_end) - from, enable_wp);
    if (error != 0) break;
  }
  mmap_read_unlock(mm);
  if (!enable_wp) WakeAll(ctx);
  mmput(mm);
  return error;
}

}  // namespace reapsim
