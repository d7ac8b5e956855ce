// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Address spaces, VMAs, page frames and page-table pages, with the kernel's
// names. Source: include/linux/mm_types.h, v5.15 to v7.2.
//
// Fields are grouped by the lock that guards them.
#ifndef REAPSIM_MM_MM_TYPES_H_
#define REAPSIM_MM_MM_TYPES_H_

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "base/radix.h"
#include "base/slab.h"
#include "sched/rcu.h"
#include "sched/rwsem.h"
#include "sched/sched.h"
#include "sched/spinlock.h"

namespace reapsim {

inline constexpr unsigned PAGE_SHIFT = 12;
inline constexpr uint64_t PAGE_SIZE = uint64_t{1} << PAGE_SHIFT;

// rss_stat indices.
enum : int { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES };
inline constexpr int NR_MM_COUNTERS = 4;

// mm_struct::flags bits (numbers of v6.18; their values are nowhere visible).
inline constexpr unsigned MMF_VM_MERGEABLE = 16;
inline constexpr unsigned MMF_OOM_SKIP = 21;
inline constexpr unsigned MMF_UNSTABLE = 22;
inline constexpr unsigned MMF_OOM_REAP_QUEUED = 25;
inline constexpr unsigned MMF_MULTIPROCESS = 26;
inline constexpr unsigned MMF_OOM_VICTIM = 27;  // up to v6.0

// vm_area_struct::vm_flags.
inline constexpr uint64_t VM_READ = 0x00000001;
inline constexpr uint64_t VM_WRITE = 0x00000002;
inline constexpr uint64_t VM_EXEC = 0x00000004;
inline constexpr uint64_t VM_SHARED = 0x00000008;
inline constexpr uint64_t VM_MAYREAD = 0x00000010;
inline constexpr uint64_t VM_MAYWRITE = 0x00000020;
inline constexpr uint64_t VM_MAYEXEC = 0x00000040;
inline constexpr uint64_t VM_MAYSHARE = 0x00000080;
inline constexpr uint64_t VM_GROWSDOWN = 0x00000100;
inline constexpr uint64_t VM_UFFD_MISSING = 0x00000200;
inline constexpr uint64_t VM_PFNMAP = 0x00000400;
inline constexpr uint64_t VM_UFFD_WP = 0x00001000;
inline constexpr uint64_t VM_LOCKED = 0x00002000;
inline constexpr uint64_t VM_IO = 0x00004000;
inline constexpr uint64_t VM_SEQ_READ = 0x00008000;
inline constexpr uint64_t VM_RAND_READ = 0x00010000;
inline constexpr uint64_t VM_DONTCOPY = 0x00020000;
inline constexpr uint64_t VM_DONTEXPAND = 0x00040000;
inline constexpr uint64_t VM_LOCKONFAULT = 0x00080000;
inline constexpr uint64_t VM_ACCOUNT = 0x00100000;
inline constexpr uint64_t VM_NORESERVE = 0x00200000;
inline constexpr uint64_t VM_HUGETLB = 0x00400000;
inline constexpr uint64_t VM_WIPEONFORK = 0x02000000;
inline constexpr uint64_t VM_DONTDUMP = 0x04000000;
inline constexpr uint64_t VM_SOFTDIRTY = 0x08000000;
inline constexpr uint64_t VM_MIXEDMAP = 0x10000000;
inline constexpr uint64_t VM_HUGEPAGE = 0x20000000;
inline constexpr uint64_t VM_NOHUGEPAGE = 0x40000000;
inline constexpr uint64_t VM_MERGEABLE = 0x80000000;
inline constexpr uint64_t VM_DROPPABLE = uint64_t{1} << 40;

// How the frames of a machine are numbered; 0 is never handed out.
using pfn_t = uint32_t;
inline constexpr pfn_t kNoPfn = 0;

// page::flags.
inline constexpr uint16_t PG_anon = 1 << 0;        // maps as MM_ANONPAGES
inline constexpr uint16_t PG_swapbacked = 1 << 1;  // shmem: MM_SHMEMPAGES
inline constexpr uint16_t PG_head = 1 << 2;        // first page of a huge one
inline constexpr uint16_t PG_tail = 1 << 3;        // other pages of it
inline constexpr uint16_t PG_dirty = 1 << 4;
inline constexpr uint16_t PG_referenced = 1 << 5;
inline constexpr uint16_t PG_mlocked = 1 << 6;
inline constexpr uint16_t PG_reserved = 1 << 7;  // zero pages: never freed
inline constexpr uint16_t PG_tlb = 1 << 8;       // some TLB may know it
inline constexpr uint16_t PG_cache = 1 << 9;     // a page cache refers to it
inline constexpr uint16_t PG_allocated = 1 << 10;
inline constexpr uint16_t PG_word = 1 << 11;  // its word is not 0
inline constexpr uint16_t PG_ksm = 1 << 12;   // equal pages share it

// One page frame. Contents (one word a page) lie in a sparse side table.
struct page {
  uint32_t _refcount = 0;  // atomic; on the head for a huge page
  uint32_t _mapcount = 0;  // page-table entries that map it (not minus one);
                           // a free page: the next free one
  uint16_t flags = 0;
  uint16_t _entire_mapcount = 0;  // of a head: huge entries that map it whole
};
static_assert(sizeof(page) <= 12);

struct mm_struct;
struct vm_area_struct;

// What backs a mapping: a file's page cache, or shared memory.
struct address_space {
  enum Kind : uint8_t { kFile, kShmem, kSecretmem, kHugetlb, kDevice };
  Kind kind = kFile;      // constant
  uint64_t inode = 0;     // constant; seeds the contents of a file's pages
  uint32_t count = 0;     // atomic: descriptors and VMAs that refer to it
  uint64_t nr_pages = 0;  // size in pages; constant
  uint64_t vm_flags = 0;  // kDevice: what its driver sets on mappings; constant
  bool device_has_pages = false;  // … and whether it maps pages; constant
  // By page offset: a frame number, or a swap entry (see mm/pgtable.h); 0: no
  // page.
  RadixTable<uint64_t> i_pages;
};

// vm_operations_struct, reduced to what it tells apart. Null there is
// kAnonymous here: vma_is_anonymous().
enum class VmOps : uint8_t { kAnonymous, kFile, kShmem, kHugetlb, kSpecial };

struct userfaultfd_ctx;  // mm/userfaultfd.h

using VmaHook = boost::intrusive::set_member_hook<
    boost::intrusive::link_mode<boost::intrusive::safe_link>>;

// A range [vm_start, vm_end) of an address space.
struct vm_area_struct {
  // mmap_lock and, from v6.4 on, the VMA's own lock (both for write to change;
  // either for read to use):
  uint64_t vm_start = 0;
  uint64_t vm_end = 0;
  uint64_t vm_flags = 0;
  uint64_t vm_pgoff = 0;  // in pages of vm_mapping
  VmOps vm_ops = VmOps::kAnonymous;
  // mmap_lock (read is enough to set it):
  bool anon_vma = false;  // it has, or had, anonymous pages
  // The VMA's own lock; see mm/mmap_lock.h.
  bool reaped = false;   // Check::kS10: a reaper has taken all its pages
  bool detached = true;  // in no tree; v6.4 to v6.14
  rw_semaphore vm_lock{.lock_class = LockClass::kVmaLock};  // v6.4 to v6.14
  // Atomic, v6.15 on. 0: detached; else 1, and 1 for each reader, and
  // VMA_LOCK_OFFSET while a writer waits for those.
  uint32_t vm_refcnt = 0;
  // Write-locked iff equal to vm_mm's mm_lock_seq. Changed by who excludes all
  // readers and holds mmap_lock for write.
  uint32_t vm_lock_seq = ~uint32_t{0};
  // Constant after mmap:
  mm_struct* vm_mm = nullptr;
  address_space* vm_mapping = nullptr;
  // mmap_lock (write to change; read to use). Walks follow the links, as up to
  // v6.0; look-ups use the tree. A freed VMA's links are what makes a walk
  // beside exit_mmap() meet it.
  vm_area_struct* vm_next = nullptr;
  vm_area_struct* vm_prev = nullptr;
  userfaultfd_ctx* vm_userfaultfd_ctx = nullptr;  // who watches it
  VmaHook node;                                   // in mm->mm_mt
  rcu_head rcu;
};

struct VmaStartKey {
  using type = uint64_t;
  type operator()(const vm_area_struct& vma) const { return vma.vm_start; }
};
// The VMA tree: the maple tree, or list plus rbtree, of the kernel.
using VmaTree =
    boost::intrusive::set<vm_area_struct,
                          boost::intrusive::member_hook<vm_area_struct, VmaHook,
                                                        &vm_area_struct::node>,
                          boost::intrusive::key_of_value<VmaStartKey>,
                          boost::intrusive::constant_time_size<false>>;

// One page-table page (the kernel's ptdesc); its entries lie in
// MmState::tables, at the same index.
struct ptdesc {
  spinlock_t ptl{.lock_class = LockClass::kPteLock};
  uint8_t level = 0;  // 1: PTE table … 4: PGD
  mm_struct* mm = nullptr;
  // PMD tables: the PTE tables deposited under their huge entries, a stack.
  ptdesc* pmd_huge_pte = nullptr;
  ptdesc* next = nullptr;  // in such a stack, or in an RCU batch
  rcu_head rcu;
};

struct mmu_notifier;  // mm/mmu_notifier.h

inline constexpr int kMaxCpus = 8;

struct mm_struct {
  // Atomic.
  uint32_t mm_users = 0;  // tasks and transient users
  uint32_t mm_count = 0;  // references to the struct; all users hold one
  uint64_t flags = 0;     // MMF_*
  uint32_t tlb_flush_pending = 0;
  int64_t pgtables_bytes = 0;
  // rss_stat: v6.2 on a per-CPU counter (count + percpu deltas), before that
  // one atomic plus the threads' caches. See mm/memory.h:add_mm_counter().
  struct {
    int64_t count = 0;
    int32_t percpu[kMaxCpus] = {};
  } rss_stat[NR_MM_COUNTERS];

  rw_semaphore mmap_lock{.lock_class = LockClass::kMmapLock};
  // mmap_lock (write to change; racy): how often that was given up.
  uint32_t mm_lock_seq = 0;
  // mmap_lock (write to change; read to use):
  VmaTree mm_mt ABSL_GUARDED_BY(mmap_lock);
  vm_area_struct* mmap ABSL_GUARDED_BY(mmap_lock) = nullptr;       // lowest
  vm_area_struct* mmap_last ABSL_GUARDED_BY(mmap_lock) = nullptr;  // highest
  int map_count ABSL_GUARDED_BY(mmap_lock) = 0;
  uint64_t total_vm ABSL_GUARDED_BY(mmap_lock) = 0;
  uint64_t locked_vm ABSL_GUARDED_BY(mmap_lock) = 0;
  uint64_t def_flags ABSL_GUARDED_BY(mmap_lock) = 0;
  uint64_t mmap_base = 0;  // constant: mappings go down from here

  // page_table_lock: links of tables at level 2 and up.
  spinlock_t page_table_lock{.lock_class = LockClass::kPageTableLock};
  ptdesc* pgd = nullptr;

  // What is true of the mm and no kernel writes down, for invariants: reapers
  // that walk it; exit_mmap() has freed its VMAs and forgotten them (v6.1 on).
  uint32_t reapers = 0;
  bool torn_down = false;

  // Constant list of subscribers while anything walks: mmap_lock for write to
  // change.
  mmu_notifier* notifier_subscriptions = nullptr;

  core_state* core_state_515 = nullptr;  // up to v5.15: mm->core_state
  uint32_t aio_in_flight = 0;            // exit_aio waits for it to reach 0
  task_struct* owner = nullptr;          // for messages only
  uint64_t ksm_zero_pages = 0;           // atomic: that KSM placed (v6.6 on)
};

// Contents of pages, and everything else that is sparse.
struct MmOptions {
  int cpus = 2;
  uint64_t frames = uint64_t{1} << 20;  // 4 GiB
  uint64_t swap_slots = uint64_t{1} << 18;
  int table_bits = 9;  // entries of a page table: 1 << table_bits
};

// One CPU's TLB: translations that it may still use. Direct-mapped, so that
// its size is bounded; a collision evicts, as hardware does.
struct TlbEntry {
  mm_struct* mm = nullptr;  // null: empty
  uint64_t vpn = 0;
  pfn_t pfn = kNoPfn;
  bool writable = false;
};
inline constexpr int kTlbEntries = 64;

struct mmu_gather_batch_page;  // mm/mmu_gather.h
struct swap_info_struct {
  spinlock_t lock{.lock_class = LockClass::kSwapLock};
  uint64_t slots = 0;             // constant
  bool writeok = true;            // lock; SWP_WRITEOK: it was not switched off
  uint64_t used = 0;              // lock
  uint64_t next_fresh = 1;        // lock; slot 0 is the header
  RadixTable<uint8_t> swap_map;   // lock: references to each slot
  RadixTable<uint64_t> contents;  // lock
};

// The word that a page of private memory had when a reaper took it.
struct ReapedWord {
  const mm_struct* mm = nullptr;
  uint64_t vpn = 0;
  uint64_t word = 0;
};

struct MmHistory {
  uint64_t pages_allocated;
  uint64_t pages_freed;
};

struct MmState {
  static constexpr RootId kRoot = RootId::kMm;
  MmOptions options;  // constant

  Slab<mm_struct, FlagsSeen> mm_slab;
  Slab<vm_area_struct> vma_slab;
  Slab<address_space> mapping_slab;
  Slab<ptdesc> ptdesc_slab;
  Slab<mmu_notifier> notifier_slab;
  Slab<mmu_gather_batch_page> gather_slab;
  Slab<userfaultfd_ctx> userfaultfd_slab;
  Extent* tables = nullptr;  // entries of ptdesc i at i << (table_bits + 3)

  // Frames (page_alloc.cc).
  Extent* mem_map = nullptr;  // struct page, by frame number
  uint32_t free_pages = 0;    // head of the free list; 0: empty
  uint32_t free_huge = 0;     // likewise, heads of free huge pages
  uint64_t fresh_pfn = 1;     // frames from here on were never used
  uint64_t nr_free = 0;
  RadixPool<uint64_t> word_pool;
  RadixPool<uint8_t> byte_pool;
  RadixTable<uint64_t> contents;  // by frame number
  pfn_t zero_pfn = kNoPfn;
  pfn_t huge_zero_pfn = kNoPfn;  // made on first use
  // What an allocation does when no frame is left; it may sleep. True: try
  // again. Constant once the OOM killer is set up; null: allocations fail.
  bool (*out_of_memory)() = nullptr;

  swap_info_struct swap;
  TlbEntry tlb[kMaxCpus][kTlbEntries];
  uint32_t tlb_filled[kMaxCpus] = {};  // entries in use; 0: nothing to flush
  uint64_t next_inode = 1;

  // KSM: frames that hold, or once held, merged pages; the mm that a scan is
  // in; zero pages that it placed (v6.6 on).
  RadixTable<uint8_t> ksm_stable;
  mm_struct* ksm_scan_mm = nullptr;
  uint64_t ksm_zero_pages = 0;

  // Check::kS9: what was stored where a reaper has been.
  Slab<ReapedWord> reaped_slab;

  MmHistory* history = nullptr;  // history part
};

inline page* pfn_to_page(const MmState& mm, pfn_t pfn) {
  return reinterpret_cast<page*>(mm.mem_map->base) + pfn;
}
inline pfn_t page_to_pfn(const MmState& mm, const page* p) {
  return static_cast<pfn_t>(p - reinterpret_cast<page*>(mm.mem_map->base));
}

inline bool vma_is_anonymous(const vm_area_struct* vma) {
  return vma->vm_ops == VmOps::kAnonymous;
}

}  // namespace reapsim

#endif  // REAPSIM_MM_MM_TYPES_H_
