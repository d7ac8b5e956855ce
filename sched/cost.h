// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an operation costs is counted by kind and charged to the task that
// performs it; what a kind costs in nanoseconds is not known here.
#ifndef REAPSIM_SCHED_COST_H_
#define REAPSIM_SCHED_COST_H_

#include <cstdint>

namespace reapsim {

// X(name, what one unit is)
#define REAPSIM_COSTS(X)                                        \
  X(kSyscall, "one system call: entry and exit")                \
  X(kVmaVisited, "one VMA walked")                              \
  X(kVmaSkipped, "one VMA looked at and passed over")           \
  X(kPteTableVisited, "one page table of level 1 scanned")      \
  X(kPmdTableVisited, "one page table of level 2 scanned")      \
  X(kAnonPage, "one present anonymous page unmapped")           \
  X(kFilePage, "one present file page unmapped")                \
  X(kShmemPage, "one present shmem page unmapped")              \
  X(kDirtyPage, "one dirty file page marked on unmapping")      \
  X(kMlockedPage, "one mlocked page munlocked on unmapping")    \
  X(kHugePage, "one huge page unmapped")                        \
  X(kSwapEntry, "one swap entry freed")                         \
  X(kPageFreed, "one page frame given back")                    \
  X(kPageAllocated, "one page frame taken and cleared")         \
  X(kPageCopied, "one page copied")                             \
  X(kPageTableFreed, "one page-table page freed")               \
  X(kTlbFlush, "one TLB flush")                                 \
  X(kTlbIpi, "one CPU interrupted for a TLB flush")             \
  X(kNotifierCall, "one mmu notifier called")                   \
  X(kProcessScanned, "one process looked at in a process walk") \
  X(kThreadScanned, "one thread looked at in a thread walk")    \
  X(kFault, "one page fault")                                   \
  X(kSignalSent, "one signal sent")

enum class Cost : uint8_t {
#define X(name, what) name,
  REAPSIM_COSTS(X)
#undef X
      kCount
};
inline constexpr int kCostKinds = static_cast<int>(Cost::kCount);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_COST_H_
