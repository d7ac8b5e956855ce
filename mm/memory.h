// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Page tables at work: faults, copies at fork, and the zap walk that unmap,
// exit and the reapers share. Source: mm/memory.c, mm/huge_memory.c.
#ifndef REAPSIM_MM_MEMORY_H_
#define REAPSIM_MM_MEMORY_H_

#include <cstdint>

#include "mm/mm_types.h"
#include "mm/mmu_gather.h"
#include "mm/pgtable.h"
#include "sched/task.h"

namespace reapsim {

// ---- Counters --------------------------------------------------------------

// Adds to a counter of rss_stat as the modelled version does: to the one count
// (up to v6.1), or to the caller's CPU's share, which spills into the count
// (v6.2 on). Any context.
void add_mm_counter(mm_struct* mm, int member, int64_t value);
// As above, but up to v6.1 into the caller's per-thread cache if the mm is its
// own: what page faults use.
void add_mm_counter_fast(mm_struct* mm, int member, int64_t value);
// What the kernel itself reads: approximate, never negative.
int64_t get_mm_counter(const mm_struct* mm, int member);
// The exact sum, over all CPUs' shares and all threads' caches. Host side, too.
int64_t get_mm_counter_sum(const mm_struct* mm, int member);
// Moves the running task's cached events into its mm (up to v6.1).
void sync_mm_rss(mm_struct* mm);

// ---- Giving way ------------------------------------------------------------

// Whether somebody wants the running task's CPU.
inline bool need_resched() {
  return (current()->thread_flags & TIF_NEED_RESCHED) != 0;
}
// Gives way if so. No spinlock may be held.
inline void cond_resched(SourceLine source = SourceLine::Current()) {
  Mark(Point::kCondResched, source);
  current()->thread_flags &= ~TIF_NEED_RESCHED;
}

// ---- The zap walk ----------------------------------------------------------

// How zapping differs between its users.
struct zap_details {
  bool reaping = false;       // v7.1 on: the caller is a reaper
  bool drop_markers = false;  // exit and munmap: markers go, too
  bool reclaim_pt = false;    // MADV_DONTNEED, v6.14 on: so do empty tables
};

// Unmaps [start, end) of one VMA: every entry, huge or small, swapped or
// present. Takes page-table locks itself. Caller: mmap_lock for read at least
// (or nobody else can reach the mm), and a gather on vma->vm_mm.
void unmap_page_range(mmu_gather* tlb, vm_area_struct* vma, uint64_t start,
                      uint64_t end, const zap_details& details);
// Unmaps the part of [start, end) that lies in each VMA of mm, ascending, as
// exit and munmap do (markers dropped). Brackets it with notifier calls.
void unmap_vmas(mmu_gather* tlb, mm_struct* mm, uint64_t start, uint64_t end);
// Unmaps a range of one VMA on behalf of madvise: own gather, own notifier
// bracket.
void zap_page_range_single(vm_area_struct* vma, uint64_t start, uint64_t size,
                           const zap_details& details = {});
// Frees the page-table pages that cover only [floor, ceiling) around the given
// VMAs of mm, first to last. Caller: the pages unmapped before; mmap_lock for
// write, if `mm_wr_locked`: then the VMAs' own locks are taken for write, so
// that whoever uses one of them is gone. Else the VMAs are in no tree any more
// (or, up to v5.16, the mm has no users).
void free_pgtables(mmu_gather* tlb, mm_struct* mm, vm_area_struct* first,
                   vm_area_struct* last, uint64_t floor, uint64_t ceiling,
                   bool mm_wr_locked);

// ---- Fork ------------------------------------------------------------------

// Copies the page tables of src_vma into dst_vma's mm, sharing pages
// copy-on-write where they are private. 0 or -ENOMEM. Both mmap_locks held for
// write.
int copy_page_range(vm_area_struct* dst_vma, vm_area_struct* src_vma);

// ---- Faults ----------------------------------------------------------------

inline constexpr unsigned FAULT_FLAG_WRITE = 0x01;
inline constexpr unsigned FAULT_FLAG_USER = 0x40;
inline constexpr unsigned FAULT_FLAG_REMOTE = 0x80;
inline constexpr unsigned FAULT_FLAG_INSTRUCTION = 0x100;
// The VMA's own lock is held instead of mmap_lock.
inline constexpr unsigned FAULT_FLAG_VMA_LOCK = 0x1000;

// vm_fault_t.
inline constexpr unsigned VM_FAULT_OOM = 0x0001;
inline constexpr unsigned VM_FAULT_SIGBUS = 0x0002;
inline constexpr unsigned VM_FAULT_MAJOR = 0x0004;
inline constexpr unsigned VM_FAULT_SIGSEGV = 0x0040;
inline constexpr unsigned VM_FAULT_NOPAGE = 0x0100;
inline constexpr unsigned VM_FAULT_RETRY = 0x0400;  // the lock was dropped
inline constexpr unsigned VM_FAULT_FALLBACK = 0x0800;

// A fault on its way through the handlers.
struct vm_fault {
  vm_area_struct* vma = nullptr;
  uint64_t address = 0;  // page aligned
  uint64_t pgoff = 0;    // in the mapping
  unsigned flags = 0;    // FAULT_FLAG_*
  pte_t* pmd = nullptr;  // the PMD entry
  pte_t* pte = nullptr;  // while its lock is held
  spinlock_t* ptl = nullptr;
  pte_t orig_pte = 0;
  pfn_t page = kNoPfn;  // of the file, with a reference
  pfn_t cow_page = kNoPfn;
  ptdesc* prealloc_pte = nullptr;
};

// VM_FAULT_SIGBUS if the mm has been reaped (MMF_UNSTABLE): its private pages
// may have lost what was written to them. Source: include/linux/oom.h.
unsigned check_stable_address_space(mm_struct* mm);

// A fault that userfaultfd has to resolve: waits until somebody has filled the
// entry, or the caller has a fatal signal pending. The fault's lock is dropped:
// returns VM_FAULT_RETRY. Source: fs/userfaultfd.c:handle_userfault().
unsigned handle_userfault(vm_fault* vmf) ABSL_NO_THREAD_SAFETY_ANALYSIS;

// Gives up what the fault holds: its VMA's own lock, or mmap_lock.
void release_fault_lock(const vm_fault* vmf) ABSL_NO_THREAD_SAFETY_ANALYSIS;
// Before the VMA gets its first anonymous page. 0, or VM_FAULT_RETRY: only the
// VMA's own lock was held, which is dropped now, and mmap_lock is not free.
unsigned vmf_anon_prepare(const vm_fault* vmf) ABSL_NO_THREAD_SAFETY_ANALYSIS;

// Maps vmf->page, or vmf->cow_page of a private write fault. 0,
// VM_FAULT_NOPAGE if somebody was faster, VM_FAULT_SIGBUS if the mm has been
// reaped, VM_FAULT_OOM.
unsigned finish_fault(vm_fault* vmf);
// Writes the entry of a page that is not anonymous and counts the mapping,
// which takes over a reference. Caller: the entry's lock. Source:
// set_pte_range().
void set_file_pte(const vm_fault* vmf, pte_t* pte, pfn_t pfn, bool write);

// Resolves a fault at `address`. Caller: mmap_lock for read (mm/gup and the
// page-fault entry take it), or with FAULT_FLAG_VMA_LOCK the VMA's own. Returns
// VM_FAULT_* bits; 0: done. With VM_FAULT_RETRY the lock is not held any more.
unsigned handle_mm_fault(vm_area_struct* vma, uint64_t address, unsigned flags);

// ---- Access, as the MMU and the kernel's copy routines make it -------------

// Why an access could not be made.
enum class AccessResult : uint8_t { kOk, kSigsegv, kSigbus, kEfault, kOom };

// One word of user memory, accessed by the running task through its own mm:
// TLB, page tables, then faults as often as needed. From user mode a failure
// is a signal (the caller sends it), from kernel mode -EFAULT; and faults of
// the kernel's never use VMA locks.
AccessResult access_user_word(uint64_t address, bool write, uint64_t* word,
                              bool user_mode = true);
// As above, but never faults: kEfault if the MMU finds no translation. For
// those who hold a spinlock.
AccessResult access_user_word_inatomic(uint64_t address, uint64_t* word);
// Stores `desired` if the word is `expected`, in one step; *seen is what it
// was. Faults as access_user_word() for writing does.
AccessResult cmpxchg_user_word(uint64_t address, uint64_t expected,
                               uint64_t desired, uint64_t* seen);
// One word of another mm (process_vm_readv, /proc/PID/mem): faults with
// FAULT_FLAG_REMOTE under mmap_lock(R). The caller pins mm_users.
AccessResult access_remote_word(mm_struct* mm, uint64_t address, bool write,
                                uint64_t* word);

// Takes a reference to each page of the caller's memory from `start` on, for a
// device to read, or (`write`) to write: they stay where they are, whatever
// becomes of their mapping. How many were taken, or -EFAULT for none. May
// sleep. Source: mm/gup.c.
int64_t pin_user_pages(uint64_t start, int nr_pages, bool write, pfn_t* pages);
// Gives them back; `dirty`: the device has written to them. Any context.
void unpin_user_pages(const pfn_t* pages, int nr_pages, bool dirty);

// ---- Looking, for the host: no schedule points, no locks -------------------

struct PageCounts {
  // Present pages of the range, by how they count in rss_stat.
  uint64_t anon = 0;
  uint64_t file = 0;
  uint64_t shmem = 0;
  uint64_t zero = 0;       // shared zero page: counts nowhere
  uint64_t special = 0;    // frames without a struct page: count nowhere
  uint64_t hugetlb = 0;    // base pages of hugetlb pages: count nowhere
  uint64_t huge_anon = 0;  // of anon: mapped by a huge entry
  uint64_t swap = 0;
  uint64_t markers = 0;
  uint64_t rss() const { return anon + file + shmem; }
};
// What is mapped in [start, end) of mm.
PageCounts CountPages(const mm_struct* mm, uint64_t start, uint64_t end);

}  // namespace reapsim

#endif  // REAPSIM_MM_MEMORY_H_
