// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// VMAs and address spaces: making, changing and taking them apart.
// Source: mm/mmap.c, mm/vma.c, kernel/fork.c (mm_struct's life).
#ifndef REAPSIM_MM_MMAP_H_
#define REAPSIM_MM_MMAP_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

// ---- Life of an mm (kernel/fork.c; modelled in mm/fork.cc) -----------------

// A new mm with mm_users = mm_count = 1, or null.
mm_struct* mm_alloc();
// A copy of `oldmm` for fork: dup_mmap(). Null on failure (-ENOMEM, or a
// fatal signal while waiting for oldmm's mmap_lock).
mm_struct* dup_mm(mm_struct* oldmm);
// mm_users: +1. The caller must hold one.
void mmget(mm_struct* mm);
// mm_users: +1 unless it is 0; whether it was taken.
bool mmget_not_zero(mm_struct* mm);
// mm_users: -1; the last one tears the address space down, in this context.
void mmput(mm_struct* mm);
// mm_count: +1, -1; the last one frees the mm_struct and its PGD.
void mmgrab(mm_struct* mm);
void mmdrop(mm_struct* mm);

// ---- mmap_lock -------------------------------------------------------------

inline void mmap_read_lock(mm_struct* mm)
    ABSL_SHARED_LOCK_FUNCTION(mm->mmap_lock) {
  down_read(&mm->mmap_lock);
}
// 0 or -EINTR.
inline int mmap_read_lock_killable(mm_struct* mm)
    ABSL_SHARED_TRYLOCK_FUNCTION(0, mm->mmap_lock) {
  return down_read_killable(&mm->mmap_lock);
}
inline bool mmap_read_trylock(mm_struct* mm)
    ABSL_SHARED_TRYLOCK_FUNCTION(true, mm->mmap_lock) {
  return down_read_trylock(&mm->mmap_lock);
}
inline void mmap_read_unlock(mm_struct* mm)
    ABSL_UNLOCK_FUNCTION(mm->mmap_lock) {
  up_read(&mm->mmap_lock);
}
inline void mmap_write_lock(mm_struct* mm)
    ABSL_EXCLUSIVE_LOCK_FUNCTION(mm->mmap_lock) {
  down_write(&mm->mmap_lock);
}
inline int mmap_write_lock_killable(mm_struct* mm)
    ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(0, mm->mmap_lock) {
  return down_write_killable(&mm->mmap_lock);
}
inline void mmap_write_unlock(mm_struct* mm)
    ABSL_UNLOCK_FUNCTION(mm->mmap_lock) {
  up_write(&mm->mmap_lock);
}

// ---- VMAs ------------------------------------------------------------------

// The first VMA that ends above `address` (it may start above it), or null.
// Each step of a walk checks that the VMA is alive: a freed one is a verdict
// (S3). Caller: mmap_lock, or nobody else can reach the mm.
vm_area_struct* find_vma(mm_struct* mm, uint64_t address);
vm_area_struct* vma_first(mm_struct* mm);
vm_area_struct* vma_last(mm_struct* mm);
vm_area_struct* vma_next(vm_area_struct* vma);
vm_area_struct* vma_prev(vm_area_struct* vma);
// Fails with "use after free" unless the VMA is live.
void vma_check_live(const vm_area_struct* vma);

// ---- The calls' insides; all take mmap_lock(W) themselves ------------------

struct MmapArgs {
  uint64_t addr = 0;                 // hint, or the place with MAP_FIXED
  uint64_t length = 0;               // bytes
  uint64_t prot = 0;                 // PROT_*
  uint64_t flags = 0;                // MAP_*
  address_space* mapping = nullptr;  // null: anonymous
  bool file_writable = true;         // how the descriptor was opened
  uint64_t pgoff = 0;
  uint64_t extra_vm_flags = 0;  // VM_HUGETLB, VM_PFNMAP …: what drivers set
};
// The address, or a negative errno: -EINVAL (length 0, unaligned), -ENOMEM
// (no room, too many VMAs), -EACCES (shared writable mapping of a read-only
// file), -EEXIST (MAP_FIXED_NOREPLACE), -EINTR (killed while waiting for the
// lock).
int64_t vm_mmap(const MmapArgs& args);
// 0 or -EINVAL, -ENOMEM, -EINTR.
int vm_munmap(uint64_t start, uint64_t length);
int do_mprotect(uint64_t start, uint64_t length, uint64_t prot);
int do_madvise(uint64_t start, uint64_t length, int advice);
// mlock(2), mlock2(2) with MLOCK_ONFAULT, and munlock(2).
int do_mlock(uint64_t start, uint64_t length, bool on_fault);
int do_munlock(uint64_t start, uint64_t length);

// ---- The end ---------------------------------------------------------------

// Takes apart the address space of an mm that has no users any more. What it
// locks, and when MMF_OOM_SKIP is set, differs between versions: see
// ExitMmapProtocol.
void exit_mmap(mm_struct* mm);

// Sets the room up in a new world.
MmState* InitMm(Arena* arena, const MmOptions& options);

// The room's root, for modelled code.
inline MmState& mm_state() { return Here<MmState>(); }

}  // namespace reapsim

#endif  // REAPSIM_MM_MMAP_H_
