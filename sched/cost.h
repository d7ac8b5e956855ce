// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an operation costs is counted by kind and charged to the task that
// performs it. What a unit of a kind costs in time is given to the world from
// outside (Prices). Without prices, counting is all that happens; with them,
// what is charged becomes Work, which the task must do before it passes its
// next schedule point: sched/timed.h.
#ifndef REAPSIM_SCHED_COST_H_
#define REAPSIM_SCHED_COST_H_

#include <cstdint>

namespace reapsim {

// What time goes to, for reports. X(name, what)
#define REAPSIM_WORK_CLASSES(X)                            \
  X(kZap, "walking VMAs and page tables, unmapping pages") \
  X(kFree, "giving back frames, page tables, VMAs")        \
  X(kFlush, "flushing TLBs, calling notifiers")            \
  X(kKernel, "everything else that the kernel does")       \
  X(kUser, "the program's own time")

enum class WorkClass : uint8_t {
#define X(name, what) name,
  REAPSIM_WORK_CLASSES(X)
#undef X
      kCount
};
inline constexpr int kWorkClasses = static_cast<int>(WorkClass::kCount);

// X(name, class, name in profiles, what one unit is)
#define REAPSIM_COSTS(X)                                                       \
  X(kSyscall, kKernel, "syscall", "one system call: entry and exit")           \
  X(kReapWalk, kKernel, "reap_walk", "one walk of a reaper, beside its VMAs")  \
  X(kVmaVisited, kZap, "vma_visited", "one VMA walked")                        \
  X(kVmaSkipped, kZap, "vma_skipped", "one VMA looked at and passed over")     \
  X(kVmaFreed, kFree, "vma_freed", "one VMA removed at exit")                  \
  X(kPteTableVisited, kZap, "pte_table_visited",                               \
    "one page table of level 1 visited, beside its entries")                   \
  X(kPteLine, kZap, "pte_line", "eight entries of it read: a cache line")      \
  X(kPmdTableVisited, kZap, "pmd_table_visited",                               \
    "one page table of level 2 visited, beside its entries")                   \
  X(kPmdLine, kZap, "pmd_line", "eight entries of it read: a cache line")      \
  X(kAnonPage, kZap, "anon_page", "one present anonymous page unmapped")       \
  X(kFilePage, kZap, "file_page", "one present file page unmapped")            \
  X(kShmemPage, kZap, "shmem_page", "one present shmem page unmapped")         \
  X(kFolio, kZap, "folio", "one folio of those pages")                         \
  X(kDirtyPage, kZap, "dirty_page", "one dirty file page marked on unmapping") \
  X(kYoungPage, kZap, "young_page", "one young file page marked on unmapping") \
  X(kMlockedPage, kZap, "mlocked_page", "one page munlocked on unmapping")     \
  X(kHugePage, kZap, "huge_page", "one huge page unmapped")                    \
  X(kSwapEntry, kFree, "swap_entry", "one swap entry freed")                   \
  X(kPageFreed, kFree, "page_freed", "one page frame given back")              \
  X(kBatchFreed, kFree, "batch_freed", "one batch of pages given back")        \
  X(kHugePageFreed, kFree, "huge_page_freed", "one huge page given back")      \
  X(kPageAllocated, kKernel, "page_allocated",                                 \
    "one page frame taken and cleared")                                        \
  X(kPageCopied, kKernel, "page_copied", "one page copied")                    \
  X(kPageTableFreed, kFree, "page_table_freed", "one page-table page freed")   \
  X(kTlbFlush, kFlush, "tlb_flush", "one TLB flush")                           \
  X(kTlbIpi, kFlush, "tlb_ipi", "one CPU interrupted for a TLB flush")         \
  X(kNotifierCall, kFlush, "notifier_call", "one mmu notifier called")         \
  X(kProcessScanned, kKernel, "process_scanned",                               \
    "one process looked at in a process walk")                                 \
  X(kThreadScanned, kKernel, "thread_scanned",                                 \
    "one thread looked at in a thread walk")                                   \
  X(kFault, kKernel, "fault", "one page fault")                                \
  X(kSignalSent, kKernel, "signal_sent", "one signal sent")                    \
  X(kFork, kKernel, "fork", "one task made, beside its memory")                \
  X(kExec, kKernel, "exec", "one exec, beside its memory")                     \
  X(kExit, kKernel, "exit", "one task's end, beside its memory")               \
  X(kMmExit, kKernel, "mm_exit", "one address space's end, beside its VMAs")   \
  X(kContextSwitch, kKernel, "context_switch", "one switch to a task")         \
  X(kTick, kKernel, "tick", "one timer tick on a busy CPU")

enum class Cost : uint8_t {
#define X(name, work, key, what) name,
  REAPSIM_COSTS(X)
#undef X
      kCount
};
inline constexpr int kCostKinds = static_cast<int>(Cost::kCount);

struct CostInfo {
  Cost cost;
  WorkClass work;
  const char* key;   // its name in profiles
  const char* what;  // one unit
};
inline constexpr CostInfo kCostInfo[kCostKinds] = {
#define X(name, work, key, what) {Cost::name, WorkClass::work, key, what},
    REAPSIM_COSTS(X)
#undef X
};

// What one unit costs, in picoseconds.
struct Price {
  uint64_t cpu_ps = 0;    // on the reference CPU at its highest frequency
  uint64_t stall_ps = 0;  // of waiting for memory, whatever the CPU
  // It is done under a lock of the machine's (zone->lock, lru_lock), or lives
  // on the memory's bandwidth: it takes longer while others do the like.
  bool contended = false;
};
struct Prices {
  Price of[kCostKinds];
};

// What a task has yet to do before it may go on.
struct Work {
  uint64_t cpu_ps[kWorkClasses];
  uint64_t stall_ps[kWorkClasses];
  uint64_t contended_cpu_ps;  // of the above
  uint64_t contended_stall_ps;
  bool any;

  void Add(const CostInfo& info, const Price& price, uint64_t count) {
    const uint64_t cpu = price.cpu_ps * count;
    const uint64_t stall = price.stall_ps * count;
    if ((cpu | stall) == 0) return;
    const auto i = static_cast<int>(info.work);
    any = true;
    cpu_ps[i] += cpu;
    stall_ps[i] += stall;
    if (!price.contended) return;
    contended_cpu_ps += cpu;
    contended_stall_ps += stall;
  }
  // Of the program's own, in picoseconds of the reference CPU.
  void AddUser(uint64_t ps) {
    if (ps == 0) return;
    any = true;
    cpu_ps[static_cast<int>(WorkClass::kUser)] += ps;
  }
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_COST_H_
