// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// MMU notifiers: drivers that want to know when translations go away.
// Source: mm/mmu_notifier.c, v5.15 to v7.2.
#ifndef REAPSIM_MM_MMU_NOTIFIER_H_
#define REAPSIM_MM_MMU_NOTIFIER_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

enum mmu_notifier_event : uint8_t {
  MMU_NOTIFY_UNMAP,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
};

struct mmu_notifier_range {
  mm_struct* mm;
  uint64_t start;
  uint64_t end;
  mmu_notifier_event event;
  bool blockable;
};

// A subscriber, as a driver would register it: to the whole mm (a list
// subscriber) or to [start, end) (an interval subscriber).
struct mmu_notifier {
  mm_struct* mm = nullptr;
  mmu_notifier* next = nullptr;
  bool interval = false;
  uint64_t start = 0;
  uint64_t end = ~uint64_t{0};
  // Set by the test that plays the driver: it holds a lock of its own, so a
  // call that must not sleep fails with -EAGAIN and one that may waits.
  bool busy = false;
  // What it has seen.
  uint32_t starts = 0;
  uint32_t failed_starts = 0;
  uint32_t ends = 0;
  uint32_t active = 0;                          // ranges started and not ended
  mmu_notifier_event event = MMU_NOTIFY_UNMAP;  // of the last start
  bool released = false;
};

// Subscribes; caller holds mmap_lock(W) or is alone. Null: no memory.
mmu_notifier* mmu_notifier_register(mm_struct* mm, bool interval,
                                    uint64_t start, uint64_t end);
void mmu_notifier_unregister(mmu_notifier* subscription);

// Waits for subscribers that are busy.
void mmu_notifier_invalidate_range_start(mmu_notifier_range* range);
// 0, or -EAGAIN if a subscriber would have to sleep: then range_end must not
// be called, and those that had started were ended here.
int mmu_notifier_invalidate_range_start_nonblock(mmu_notifier_range* range);
void mmu_notifier_invalidate_range_end(mmu_notifier_range* range);
// At the start of exit_mmap: no translation is used any more.
void mmu_notifier_release(mm_struct* mm);
// At mm_count 0: frees what is left.
void mmu_notifier_subscriptions_destroy(mm_struct* mm);

}  // namespace reapsim

#endif  // REAPSIM_MM_MMU_NOTIFIER_H_
