// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/mmap.c, v5.15 to v7.2.
// Modelled: mmap(2) with the flags that a mapping gets, munmap(2), and the end
//   of an address space in all its forms.
// Simplified: no address randomisation: mappings go down from a fixed base, or
//   up from it when there is no room below; anonymous ones of whole huge pages
//   are aligned to a huge page (v6.7 on; here always). No limits but the number
//   of VMAs, the size of the address space, of a stack, and plain overcommit.
// Stubbed: MAP_SYNC, protection keys, security modules, userfaultfd events.

#include "mm/mmap.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "mm/filemap.h"
#include "mm/invariants.h"
#include "mm/memory.h"
#include "mm/mmu_gather.h"
#include "mm/mmu_notifier.h"
#include "mm/oom_kill.h"
#include "mm/pgtable.h"
#include "mm/vma.h"
#include "sched/race.h"

namespace reapsim {
namespace {

// ---- Flags -----------------------------------------------------------------

// include/linux/mman.h:calc_vm_prot_bits(), calc_vm_flag_bits(): what prot and
// flags say about vm_flags.
uint64_t calc_vm_bits(const MmapArgs& args) {
  uint64_t vm_flags = 0;
  if ((args.prot & PROT_READ) != 0) vm_flags |= VM_READ;
  if ((args.prot & PROT_WRITE) != 0) vm_flags |= VM_WRITE;
  if ((args.prot & PROT_EXEC) != 0) vm_flags |= VM_EXEC;
  if ((args.flags & MAP_GROWSDOWN) != 0) vm_flags |= VM_GROWSDOWN;
  if ((args.flags & MAP_LOCKED) != 0) vm_flags |= VM_LOCKED;
  return vm_flags | args.extra_vm_flags;
}

bool IsFileBacked(const MmapArgs& args) {
  return args.mapping != nullptr || args.dev_zero;
}

// The part of do_mmap() that judges sharing and the descriptor's mode: adds to
// *vm_flags. 0 or a negative errno.
int ApplySharing(const MmapArgs& args, uint64_t* vm_flags) {
  const uint64_t type = args.flags & MAP_TYPE;
  const bool shared =
      type == MAP_SHARED || (type == MAP_SHARED_VALIDATE && IsFileBacked(args));
  const bool droppable = type == kMapDroppable && !IsFileBacked(args) &&
                         differences().has_droppable;
  if (!shared && !droppable && type != MAP_PRIVATE) return -EINVAL;
  if (droppable) {
    if ((args.flags & (MAP_LOCKED | MAP_HUGETLB)) != 0 ||
        (*vm_flags & VM_GROWSDOWN) != 0) {
      return -EINVAL;
    }
    *vm_flags |= VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
  }
  if (shared) {
    if (IsFileBacked(args) && !args.file_writable &&
        (args.prot & PROT_WRITE) != 0) {
      return -EACCES;
    }
    *vm_flags |= VM_SHARED | VM_MAYSHARE;
    // Nobody will ever write through this mapping. It counts as private to
    // everyone who asks for VM_SHARED, the reapers among them.
    if (IsFileBacked(args) && !args.file_writable) {
      *vm_flags &= ~(VM_MAYWRITE | VM_SHARED);
    }
  }
  const bool may_grow = !IsFileBacked(args) && !shared;
  if ((*vm_flags & VM_GROWSDOWN) != 0 && !may_grow) return -EINVAL;
  // mm/secretmem.c:secretmem_mmap()
  if (args.mapping != nullptr &&
      args.mapping->kind == address_space::kSecretmem) {
    if (!shared) return -EINVAL;
    *vm_flags |= VM_LOCKED | VM_DONTDUMP;
  }
  return 0;
}

// ---- Placement -------------------------------------------------------------

// mm/mmap.c:vm_unmapped_area() top-down: the highest place for `length` bytes
// below `top`, or 0.
uint64_t FindGapBelow(mm_struct* mm, uint64_t top, uint64_t length,
                      uint64_t align) {
  vm_area_struct* above = find_vma(mm, top - 1);
  if (above != nullptr) top = std::min(top, vm_start_gap(above));
  vm_area_struct* below = above == nullptr ? vma_last(mm) : vma_prev(above);
  for (;;) {
    const uint64_t bottom =
        std::max(below == nullptr ? 0 : below->vm_end, MmapMinAddr());
    if (top >= length) {
      const uint64_t start = (top - length) / align * align;
      if (start >= bottom) return start;
    }
    if (below == nullptr) return 0;
    top = vm_start_gap(below);
    below = vma_prev(below);
  }
}

// mm/mmap.c:vm_unmapped_area() bottom-up: the lowest place from `bottom` on, or
// 0.
uint64_t FindGapAbove(mm_struct* mm, uint64_t bottom, uint64_t length) {
  for (vm_area_struct* vma = find_vma(mm, bottom); vma != nullptr;
       vma = vma_next(vma)) {
    if (bottom + length <= vm_start_gap(vma)) return bottom;
    bottom = std::max(bottom, vma->vm_end);
  }
  return bottom + length <= TaskSize(mm_state()) ? bottom : 0;
}

// mm/mmap.c:get_unmapped_area(): where to map, or a negative errno.
int64_t get_unmapped_area(mm_struct* mm, const MmapArgs& args,
                          uint64_t length) {
  const uint64_t task_size = TaskSize(mm_state());
  if (length > task_size) return -ENOMEM;
  if ((args.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0) {
    if (args.addr > task_size - length) return -ENOMEM;
    if (!IsPageAligned(args.addr)) return -EINVAL;
    // security_mmap_addr(), for a caller without CAP_SYS_RAWIO.
    if (args.addr < MmapMinAddr()) return -EPERM;
    return static_cast<int64_t>(args.addr);
  }
  if (args.addr >= PAGE_SIZE) {
    const uint64_t hint = std::max(args.addr & ~(PAGE_SIZE - 1), MmapMinAddr());
    const vm_area_struct* above = find_vma(mm, hint);
    if (hint <= task_size - length &&
        (above == nullptr || hint + length <= vm_start_gap(above))) {
      return static_cast<int64_t>(hint);
    }
  }
  const uint64_t huge = geometry().pmd_size();
  const bool want_huge =
      (args.mapping == nullptr || (args.extra_vm_flags & VM_HUGETLB) != 0) &&
      args.addr == 0 && length % huge == 0;
  uint64_t found =
      want_huge ? FindGapBelow(mm, mm->mmap_base, length, huge) : 0;
  if (found == 0) found = FindGapBelow(mm, mm->mmap_base, length, PAGE_SIZE);
  if (found == 0) found = FindGapAbove(mm, mm->mmap_base, length);
  return found == 0 ? -ENOMEM : static_cast<int64_t>(found);
}

// ---- Mapping ---------------------------------------------------------------

VmOps OpsOf(const address_space* mapping, uint64_t vm_flags) {
  if ((vm_flags & VM_HUGETLB) != 0) return VmOps::kHugetlb;
  if (mapping == nullptr) {
    return (vm_flags & (VM_PFNMAP | VM_IO | VM_MIXEDMAP)) != 0
               ? VmOps::kSpecial
               : VmOps::kAnonymous;
  }
  switch (mapping->kind) {
    case address_space::kShmem:
      return VmOps::kShmem;
    case address_space::kHugetlb:
      return VmOps::kHugetlb;
    case address_space::kDevice:
      return VmOps::kSpecial;
    case address_space::kFile:
    case address_space::kSecretmem:
      return VmOps::kFile;
  }
  return VmOps::kFile;
}

// Gives the VMA what it maps: mm/mmap.c:mmap_region() from call_mmap() to
// shmem_zero_setup(). False: no memory.
bool SetBacking(const MmapArgs& args, vm_area_struct* vma) {
  address_space* mapping = args.mapping;
  const bool made = mapping == nullptr && (vma->vm_flags & VM_SHARED) != 0;
  if (made) {
    // Shared memory that only descendants will know.
    mapping =
        NewMapping(mm_state(),
                   (vma->vm_flags & VM_HUGETLB) != 0 ? address_space::kHugetlb
                                                     : address_space::kShmem,
                   vma_pages(vma));
    if (mapping == nullptr) return false;
  } else if (mapping != nullptr) {
    mapping_get(mapping);
  }
  vma->vm_mapping = mapping;
  vma->vm_ops = OpsOf(mapping, vma->vm_flags);
  if (mapping == nullptr) {
    // Equal everywhere for memory that is private and anonymous, so that
    // neighbours can merge: mm/mmap.c:do_mmap().
    vma->vm_pgoff = vma->vm_start >> PAGE_SHIFT;
  } else if (!made) {
    vma->vm_pgoff = args.pgoff;
  }
  return true;
}

// mm/mmap.c:mmap_region(): the address, or -ENOMEM.
int64_t mmap_region(mm_struct* mm, const MmapArgs& args, uint64_t addr,
                    uint64_t length, uint64_t vm_flags)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  const int error = do_munmap(mm, addr, length);
  if (error != 0) return error;
  // include/linux/mm.h:accountable_mapping()
  if ((vm_flags & (VM_NORESERVE | VM_SHARED | VM_WRITE | VM_HUGETLB)) ==
      VM_WRITE) {
    if (!vm_enough_memory(length >> PAGE_SHIFT)) return -ENOMEM;
    vm_flags |= VM_ACCOUNT;
  }
  vm_area_struct* vma = vm_area_alloc(mm);
  if (vma == nullptr) return -ENOMEM;
  vma->vm_start = addr;
  vma->vm_end = addr + length;
  vma->vm_flags = vm_flags | VM_SOFTDIRTY;
  if (!SetBacking(args, vma)) {
    __vm_area_free(vma);
    return -ENOMEM;
  }
  // include/linux/fs.h:call_mmap(). Nobody finds the VMA yet.
  if (args.file_mmap != nullptr) args.file_mmap();
  mm->total_vm += vma_pages(vma);
  if ((vma->vm_flags & VM_LOCKED) != 0) {
    // What is never paged out anyway can't be locked.
    if ((vma->vm_flags & (VM_SPECIAL | VM_HUGETLB)) != 0) {
      vma->vm_flags &= ~VM_LOCKED_MASK;
    } else {
      PlainWrite(&mm->locked_vm, "mm->locked_vm");
      mm->locked_vm += vma_pages(vma);
    }
  }
  vma_link(mm, vma);
  vma_merge(mm, vma);
  return static_cast<int64_t>(addr);
}

// mm/mmap.c:do_mmap(). `length` is in whole pages and not 0.
int64_t do_mmap(mm_struct* mm, const MmapArgs& args, uint64_t length)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  if (args.pgoff + (length >> PAGE_SHIFT) < args.pgoff) return -EOVERFLOW;
  PlainRead(&mm->map_count, "mm->map_count");
  if (mm->map_count > sysctl_max_map_count) return -ENOMEM;
  PlainRead(&mm->def_flags, "mm->def_flags");
  uint64_t vm_flags = calc_vm_bits(args) | mm->def_flags | VM_MAYREAD |
                      VM_MAYWRITE | VM_MAYEXEC;
  const int64_t addr = get_unmapped_area(mm, args, length);
  if (addr < 0) return addr;
  const auto start = static_cast<uint64_t>(addr);
  if ((args.flags & MAP_FIXED_NOREPLACE) != 0 &&
      find_vma_intersection(mm, start, start + length) != nullptr) {
    return -EEXIST;
  }
  const int error = ApplySharing(args, &vm_flags);
  if (error != 0) return error;
  if ((args.flags & MAP_NORESERVE) != 0) vm_flags |= VM_NORESERVE;
  return mmap_region(mm, args, start, length, vm_flags);
}

}  // namespace

int64_t vm_mmap(const MmapArgs& args) {
  mm_struct* mm = current()->mm;
  if (mmap_write_lock_killable(mm) != 0) return -EINTR;
  Mark(Point::kMmapLocked);
  int64_t addr = 0;
  const uint64_t length = PageAlign(args.length);
  if (args.length == 0) {
    addr = -EINVAL;
  } else if (length == 0) {
    addr = -ENOMEM;
  } else {
    addr = do_mmap(mm, args, length);
  }
  const bool locked =
      (args.flags & MAP_LOCKED) != 0 || (mm->def_flags & VM_LOCKED) != 0;
  mmap_write_unlock(mm);
  const bool populate =
      locked || (args.flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
  if (addr >= 0 && populate) {
    __mm_populate(static_cast<uint64_t>(addr), length, /*ignore_errors=*/true);
  }
  return addr;
}

namespace {

// Whether what is being unmapped may be so beside readers. Up to v6.4 a stack
// above it could grow into it meanwhile, and use tables that go.
bool MayDowngrade(const vma_munmap_struct& vms) {
  if (Switched(Switch::kMunmapAlwaysDowngrades)) return true;
  return differences().stack_grows_under_write_lock || vms.next == nullptr ||
         (vms.next->vm_flags & VM_GROWSDOWN) == 0;
}

}  // namespace

int vm_munmap(uint64_t start, uint64_t length) {
  mm_struct* mm = current()->mm;
  if (mmap_write_lock_killable(mm) != 0) return -EINTR;
  Mark(Point::kMmapLocked);
  vma_munmap_struct vms;
  int error = check_munmap_range(start, length);
  if (error == 0) {
    error = vms_gather_munmap_vmas(mm, start, start + PageAlign(length), &vms);
  }
  if (error != 0 || vms.first == nullptr) {
    mmap_write_unlock(mm);
    return error;
  }
  if (!MayDowngrade(vms)) {
    vms_complete_munmap_vmas(mm, vms, /*mm_wr_locked=*/true);
    mmap_write_unlock(mm);
    return 0;
  }
  // The VMAs are out of reach. What is left to do, the long part of it, may go
  // on beside readers.
  mmap_write_downgrade(mm);
  vms_complete_munmap_vmas(mm, vms, /*mm_wr_locked=*/false);
  mmap_read_unlock(mm);
  return 0;
}

// ---- The end ---------------------------------------------------------------

// No analysis: that there is no lock is the point.
void ReapOwnMm(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  (void)__oom_reap_task_mm(mm);
  HideMm(mm);
}

bool IsMarkedVictim(mm_struct* mm) {
  return differences().has_mmf_oom_victim &&
         test_bit(MMF_OOM_VICTIM, &mm->flags);
}

namespace {

// mm/mmap.c:unlock_range() of all of mm, up to v5.17. No analysis: the
// callers' locks differ.
void MunlockAll(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  PlainRead(&mm->locked_vm, "mm->locked_vm");
  if (differences().reaps_mlocked || mm->locked_vm == 0) return;
  for (vm_area_struct* vma = vma_first(mm); vma != nullptr;
       vma = vma_next(vma)) {
    if ((vma->vm_flags & VM_LOCKED) == 0) continue;
    PlainWrite(&mm->locked_vm, "mm->locked_vm");
    mm->locked_vm -= vma_pages(vma);
    munlock_vma_pages_all(vma);
  }
}

// The page tables of all VMAs: free_pgtables() and the flush.
void FreePageTables(mmu_gather* tlb, mm_struct* mm) {
  Mark(Point::kExitMmapFreePgtables);
  free_pgtables(tlb, mm, vma_first(mm), vma_last(mm), /*floor=*/0,
                /*ceiling=*/0, /*mm_wr_locked=*/true);
  tlb_finish_mmu(tlb);
}

// Frees all VMAs, lowest first. The list is left as it was, pointing at freed
// VMAs: whether that matters is up to the caller's protocol. No analysis: up
// to v5.16 this happens under no lock.
void FreeVmas(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  int count = 0;
  for (vm_area_struct* vma = vma_first(mm); vma != nullptr;) {
    vm_area_struct* next = vma_next(vma);
    mm->mm_mt.erase(mm->mm_mt.iterator_to(*vma));
    vma_mark_detached(vma);
    remove_vma(vma, /*unreachable=*/true);
    Charge(Cost::kVmaFreed, 1);
    count++;
    cond_resched();
    vma = next;
  }
  Invariant(count == mm->map_count, "exit_mmap: map_count is wrong");
}

// mm/mmap.c:__mt_destroy(), and what came before it: mm->mmap = NULL.
void ForgetVmas(mm_struct* mm) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  PlainWrite(&mm->mmap, "mm->mmap");
  PlainWrite(&mm->mmap_last, "mm->mmap_last");
  mm->mmap = nullptr;
  mm->mmap_last = nullptr;
  mm->torn_down = differences().uses_maple_tree;
}

// v5.15 and v5.16. Nobody holds mm_users, so nobody else may look: the reapers,
// who hold mm_count and mmap_lock(R), look all the same.
void exit_mmap_unlocked(mm_struct* mm) {
  if (IsMarkedVictim(mm)) {
    ReapOwnMm(mm);
    // Waits for a reaper that is inside, and keeps later ones out by the flag.
    mmap_write_lock(mm);
    mmap_write_unlock(mm);
  }
  MunlockAll(mm);
  if (vma_first(mm) == nullptr) return;
  mmu_gather tlb;
  tlb_gather_mmu_fullmm(&tlb, mm);
  Mark(Point::kExitMmapUnmap);
  unmap_vmas(&tlb, mm, 0, ~uint64_t{0});
  FreePageTables(&tlb, mm);
  FreeVmas(mm);
}

// v5.17 to v6.0: everything under the write lock.
void exit_mmap_write_locked(mm_struct* mm) {
  if (IsMarkedVictim(mm)) ReapOwnMm(mm);
  mmap_write_lock(mm);
  MunlockAll(mm);
  if (vma_first(mm) == nullptr) {
    mmap_write_unlock(mm);
    return;
  }
  mmu_gather tlb;
  tlb_gather_mmu_fullmm(&tlb, mm);
  Mark(Point::kExitMmapUnmap);
  unmap_vmas(&tlb, mm, 0, ~uint64_t{0});
  FreePageTables(&tlb, mm);
  FreeVmas(mm);
  if (differences().exit_mmap_protocol !=
      ExitMmapProtocol::kWriteLockDangling) {
    ForgetVmas(mm);
  }
  mmap_write_unlock(mm);
}

// v6.1 on: pages under the read lock, beside reapers; tables and VMAs under the
// write lock, when every reaper that comes sees MMF_OOM_SKIP.
void exit_mmap_read_then_write(mm_struct* mm) {
  mmap_read_lock(mm);
  if (vma_first(mm) == nullptr) {
    // A fork that failed at once. Where the tree may hold a marker of that, it
    // is destroyed under the write lock.
    mmap_read_unlock(mm);
    if (differences().failed_dup_mmap_leaves_marker) {
      mmap_write_lock(mm);
      mmap_write_unlock(mm);
    }
    return;
  }
  mmu_gather tlb;
  tlb_gather_mmu_fullmm(&tlb, mm);
  Mark(Point::kExitMmapUnmap);
  unmap_vmas(&tlb, mm, 0, ~uint64_t{0});
  mmap_read_unlock(mm);
  HideUnmappedMm(mm);
  mmap_write_lock(mm);
  FreePageTables(&tlb, mm);
  FreeVmas(mm);
  ForgetVmas(mm);
  mmap_write_unlock(mm);
}

}  // namespace

void exit_mmap(mm_struct* mm) {
  Charge(Cost::kMmExit, 1);
  Mark(Point::kExitMmap);
  mmu_notifier_release(mm);
  switch (differences().exit_mmap_protocol) {
    case ExitMmapProtocol::kUnlocked:
      exit_mmap_unlocked(mm);
      break;
    case ExitMmapProtocol::kWriteLockDangling:
    case ExitMmapProtocol::kWriteLock:
      exit_mmap_write_locked(mm);
      break;
    case ExitMmapProtocol::kReadThenWrite:
      exit_mmap_read_then_write(mm);
      break;
  }
  Mark(Point::kExitMmapDone);
}

}  // namespace reapsim
