// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The room in a new world. Source: mm/mm_init.c, init/main.c, very loosely.

#include <new>

#include "mm/mmap.h"
#include "mm/mmu_gather.h"
#include "mm/mmu_notifier.h"
#include "mm/page_alloc.h"
#include "mm/swapfile.h"
#include "mm/userfaultfd.h"

namespace reapsim {
namespace {

// Room for objects whose number does not follow from the options. Address
// space only: what is not used costs nothing.
constexpr uint32_t kMaxMms = 16384;
constexpr uint32_t kMaxVmas = 1 << 20;
constexpr uint32_t kMaxMappings = 1 << 17;
constexpr uint32_t kMaxNotifiers = 4096;
constexpr uint32_t kMaxBatchPages = 4096;
constexpr uint32_t kMaxUserfaultfds = 256;
constexpr uint32_t kMaxReapedWords = 4096;
constexpr uint32_t kMaxLeaves = 1 << 19;

// Enough page tables for a machine whose every frame is mapped once, with
// every table half full, and then some for small worlds and sharing.
uint32_t MaxTables(const MmOptions& options) {
  return static_cast<uint32_t>((options.frames >> options.table_bits) * 2 +
                               (1 << 17));
}

void CheckOptions(const MmOptions& options) {
  REAP_CHECK(options.cpus >= 1 && options.cpus <= kMaxCpus, "mm: cpus");
  REAP_CHECK(options.table_bits >= 1 && options.table_bits <= 9,
             "mm: table_bits");
}

}  // namespace

MmState* InitMm(Arena* arena, const MmOptions& options) {
  CheckOptions(options);
  auto* mm = arena->NewRoot<MmState>();
  mm->options = options;
  Extent* history = arena->Reserve(Part::kHistory, sizeof(MmHistory));
  history->used = sizeof(MmHistory);
  mm->history = new (history->base) MmHistory{};
  mm->mm_slab.Init(arena, "mm_struct", kMaxMms);
  mm->vma_slab.Init(arena, "vm_area_struct", kMaxVmas);
  mm->mapping_slab.Init(arena, "address_space", kMaxMappings);
  const uint32_t tables = MaxTables(options);
  mm->ptdesc_slab.Init(arena, "ptdesc", tables);
  mm->tables = arena->Reserve(Part::kState,
                              uint64_t{tables} << (options.table_bits + 3));
  mm->notifier_slab.Init(arena, "mmu_notifier", kMaxNotifiers);
  mm->gather_slab.Init(arena, "mmu_gather batch", kMaxBatchPages);
  mm->userfaultfd_slab.Init(arena, "userfaultfd_ctx", kMaxUserfaultfds);
  mm->reaped_slab.Init(arena, "reaped word", kMaxReapedWords);
  mm->word_pool.Init(arena, "words", kMaxLeaves);
  mm->byte_pool.Init(arena, "bytes", kMaxLeaves / 4);
  InitFrames(arena, *mm);
  InitSwap(*mm);
  return mm;
}

}  // namespace reapsim
