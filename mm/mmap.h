// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// VMAs and address spaces: making, changing and taking them apart.
// Source: mm/mmap.c, mm/vma.c, kernel/fork.c (mm_struct's life).
#ifndef REAPSIM_MM_MMAP_H_
#define REAPSIM_MM_MMAP_H_

#include <cstdint>

#include "mm/mm_types.h"
#include "mm/mmap_lock.h"
#include "sched/race.h"

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
// mmdrop() of a reference that is not the running task's own: that of all users
// together, of a signal_struct, of KSM.
void MmdropOfOthers(mm_struct* mm);

// ---- VMAs ------------------------------------------------------------------

// The first VMA that ends above `address` (it may start above it), or null.
// Each step of a walk checks that the VMA is alive: a freed one is a verdict
// (S3). Caller: mmap_lock, or nobody else can reach the mm.
vm_area_struct* find_vma(mm_struct* mm, uint64_t address,
                         SourceLine source = SourceLine::Current());
vm_area_struct* vma_first(mm_struct* mm,
                          SourceLine source = SourceLine::Current());
vm_area_struct* vma_last(mm_struct* mm,
                         SourceLine source = SourceLine::Current());
// The neighbours of a VMA, also of one that munmap has taken out of the set
// together with them; null at the ends.
vm_area_struct* vma_next(vm_area_struct* vma,
                         SourceLine source = SourceLine::Current());
vm_area_struct* vma_prev(vm_area_struct* vma,
                         SourceLine source = SourceLine::Current());
// Tells the race detector that the caller reads the VMA's bounds and flags.
inline void PlainReadVma(const vm_area_struct* vma,
                         SourceLine source = SourceLine::Current()) {
  PlainRead(&vma->vm_start, "vma->vm_start", source);
  PlainRead(&vma->vm_end, "vma->vm_end", source);
  PlainRead(&vma->vm_flags, "vma->vm_flags", source);
}
// Fails with "use after free" unless the VMA is live.
void vma_check_live(const vm_area_struct* vma,
                    SourceLine source = SourceLine::Current());

// ---- The calls' insides; all take mmap_lock(W) themselves ------------------

// MAP_DROPPABLE (v6.11): private anonymous memory that reclaim may drop. Takes
// the place of MAP_PRIVATE.
inline constexpr uint64_t kMapDroppable = 0x08;

struct MmapArgs {
  uint64_t addr = 0;                 // hint, or the place with MAP_FIXED
  uint64_t length = 0;               // bytes
  uint64_t prot = 0;                 // PROT_*
  uint64_t flags = 0;                // MAP_*
  address_space* mapping = nullptr;  // null: anonymous
  bool dev_zero = false;             // the descriptor is /dev/zero
  bool file_writable = true;         // how the descriptor was opened
  uint64_t pgoff = 0;
  uint64_t extra_vm_flags = 0;  // VM_HUGETLB, VM_PFNMAP …: what drivers set
  // The file's own mmap(), or null. It may sleep, and mmap_lock is held then.
  void (*file_mmap)() = nullptr;
};
// mmap(2): the address, or a negative errno.
//   -EINTR     a fatal signal ended the wait for the lock
//   -EINVAL    length 0; neither shared nor private; MAP_FIXED and unaligned;
//              MAP_GROWSDOWN of a file or of shared memory; secretmem private
//   -ENOMEM    no room, too many VMAs, more than RAM and swap
//   -EOVERFLOW the offset wraps
//   -EPERM     MAP_FIXED below 64 KiB
//   -EEXIST    MAP_FIXED_NOREPLACE, and something is there
//   -EACCES    shared and writable, of a descriptor opened read-only
int64_t vm_mmap(const MmapArgs& args);
// munmap(2): 0; -EINTR; -EINVAL (unaligned, length 0, not user memory);
// -ENOMEM (too many VMAs).
int vm_munmap(uint64_t start, uint64_t length);
// mprotect(2): 0; -EINVAL (unaligned); -EINTR; -ENOMEM (a hole, too many VMAs);
// -EACCES (the mapping may not have that).
int do_mprotect(uint64_t start, uint64_t length, uint64_t prot);
// Advice that Debian's C library does not name.
inline constexpr int kMadvDontneedLocked = 24;
inline constexpr int kMadvCollapse = 25;
inline constexpr int kMadvGuardInstall = 102;
inline constexpr int kMadvGuardRemove = 103;
// madvise(2): 0; -EINVAL (unaligned, unknown advice, not for this kind of
// memory); -EINTR; -ENOMEM (a hole; the rest was advised); -EAGAIN (too many
// VMAs); -EFAULT (MADV_POPULATE_*: a fault failed).
int do_madvise(uint64_t start, uint64_t length, int advice);
// mlock(2), mlock2(2) with MLOCK_ONFAULT, and munlock(2): 0; -EINTR; -EINVAL
// (the range wraps); -ENOMEM (a hole, too many VMAs, a fault failed); -EAGAIN
// (no memory left).
int do_mlock(uint64_t start, uint64_t length, bool on_fault);
int do_munlock(uint64_t start, uint64_t length);
// mlockall(2): `flags` is MCL_*; 0, -EINVAL, -EINTR. munlockall(2): 0, -EINTR.
int do_mlockall(int flags);
int do_munlockall();

// ---- The end ---------------------------------------------------------------

// Takes apart the address space of an mm that has no users any more. What it
// locks, and when MMF_OOM_SKIP is set, differs between versions: see
// ExitMmapProtocol.
void exit_mmap(mm_struct* mm);
// Parts of it up to v6.0. Whether the mm is an OOM victim's; such a one is
// reaped once more, by its own exit and without a lock, and hidden, so that the
// reaper thread can leave it alone.
bool IsMarkedVictim(mm_struct* mm);
void ReapOwnMm(mm_struct* mm);

// Sets the room up in a new world.
MmState* InitMm(Arena* arena, const MmOptions& options);

// The room's root, for modelled code.
inline MmState& mm_state() { return Here<MmState>(); }

}  // namespace reapsim

#endif  // REAPSIM_MM_MMAP_H_
