// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Userfaultfd: faults that wait for another process, and the calls by which
// that one resolves them. None of these looks at MMF_UNSTABLE.
//
// Source: fs/userfaultfd.c, mm/userfaultfd.c, mm/mprotect.c (uffd-wp), v5.15 to
// v7.2.
// Modelled: registration of anonymous memory and shmem for missing and for
//   write-protect faults, and of any private memory for asynchronous write
//   protection; faults that sleep; UFFDIO_COPY, ZEROPAGE, POISON, WRITEPROTECT
//   and WAKE; closing.
// Simplified: every waiter sleeps killably; the source page of a copy is read
//   before the target is locked; huge pages are split before they are
//   protected.
// Stubbed: events (so a fork's child is not watched), minor faults,
//   UFFDIO_MOVE, hugetlb, reading the messages.
#ifndef REAPSIM_MM_USERFAULTFD_H_
#define REAPSIM_MM_USERFAULTFD_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

// One userfaultfd(2) descriptor.
struct userfaultfd_ctx {
  uint32_t refcount = 0;    // atomic: the descriptor, sleeping faults
  uint64_t features = 0;    // constant
  mm_struct* mm = nullptr;  // constant: whom it watches; holds mm_count
  bool released = false;    // the descriptor is closed
  uint32_t wakes = 0;       // moved on by everything that wakes sleepers
};

// Features (include/uapi/linux/userfaultfd.h).
inline constexpr uint64_t UFFD_FEATURE_WP_UNPOPULATED = 1 << 13;  // v6.4
inline constexpr uint64_t UFFD_FEATURE_WP_ASYNC = 1 << 15;        // v6.7
// UFFDIO_REGISTER's modes.
inline constexpr uint64_t UFFDIO_REGISTER_MODE_MISSING = 1 << 0;
inline constexpr uint64_t UFFDIO_REGISTER_MODE_WP = 1 << 1;

inline constexpr uint64_t VM_UFFD_FLAGS = VM_UFFD_MISSING | VM_UFFD_WP;

// A new context on the caller's mm, with one reference. Null, and *error:
// -EINVAL (the version knows no such feature), -ENOMEM.
userfaultfd_ctx* new_userfaultfd(uint64_t features, int* error);
// The descriptor is closed: nothing is watched any more, and all sleepers go
// on. May be the last user of the mm, and then takes it apart. Takes
// mmap_lock(W). Source: userfaultfd_release().
void userfaultfd_release(userfaultfd_ctx* ctx);

// UFFDIO_REGISTER of [start, start + len): 0; -EINVAL (unaligned, empty, no or
// unknown modes, nothing mapped, memory of a kind that can't be watched);
// -ENOMEM (the mm has no users any more, too many VMAs); -EPERM (never
// writable); -EBUSY (watched by somebody else).
int userfaultfd_register(userfaultfd_ctx* ctx, uint64_t start, uint64_t len,
                         uint64_t mode);
// UFFDIO_UNREGISTER: 0, -EINVAL, -ENOMEM.
int userfaultfd_unregister(userfaultfd_ctx* ctx, uint64_t start, uint64_t len);
// UFFDIO_WAKE: 0 or -EINVAL.
int userfaultfd_wake(userfaultfd_ctx* ctx, uint64_t start, uint64_t len);

// What a page is filled with.
enum class UffdFill : uint8_t { kCopy, kZeropage, kPoison };
// UFFDIO_COPY from `src` in the caller's memory, UFFDIO_ZEROPAGE, or
// UFFDIO_POISON (then `src` means nothing): the bytes done, page by page, and
// who waited is woken; or, if that is none, -EINVAL, -ESRCH (the mm has no
// users any more), -ENOENT (no VMA that is watched covers all of it), -EEXIST
// (something is there), -EFAULT (src), -ENOMEM. `wp`: write-protected at once.
int64_t mfill_atomic(userfaultfd_ctx* ctx, UffdFill fill, uint64_t dst,
                     uint64_t src, uint64_t len, bool wp);
// UFFDIO_WRITEPROTECT: 0, -EINVAL, -ESRCH, -ENOENT (not watched for that).
int mwriteprotect_range(userfaultfd_ctx* ctx, uint64_t start, uint64_t len,
                        bool enable_wp);

// Fills the empty entry at `address` with a new page that holds `word`. 0;
// -EEXIST: something is there; -ENOENT: no anonymous or shmem VMA that is
// watched covers it; -ENOMEM. Caller: mmap_lock for read.
int mfill_atomic_copy(mm_struct* mm, uint64_t address, uint64_t word,
                      bool wp = false);
// Protects [start, start + len) of the VMA, or stops doing so: entries that are
// there, and by markers, where the VMA's watcher wants them, those that are
// not. 0 or -ENOMEM. Caller: mmap_lock for read at least.
int uffd_wp_range(vm_area_struct* vma, uint64_t start, uint64_t len,
                  bool enable_wp);

// Whether write faults of the VMA resolve themselves.
bool userfaultfd_wp_async(const vm_area_struct* vma);
// A fork's copy of a VMA is not watched.
void dup_userfaultfd(vm_area_struct* vma);

}  // namespace reapsim

#endif  // REAPSIM_MM_USERFAULTFD_H_
