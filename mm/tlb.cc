// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: arch/x86/mm/tlb.c; see the header for what is modelled.

#include "mm/tlb.h"

#include "mm/mmap.h"
#include "sched/task.h"

namespace reapsim {
namespace {

TlbEntry* EntryFor(MmState& mm, uint32_t cpu, uint64_t address) {
  return &mm.tlb[cpu][(address >> PAGE_SHIFT) % kTlbEntries];
}

// Empties the entries of [first, last] page numbers; how many there were.
uint32_t FlushCpu(MmState& mm, int cpu, const mm_struct* of, uint64_t first,
                  uint64_t last) {
  uint32_t flushed = 0;
  for (TlbEntry& entry : mm.tlb[cpu]) {
    if (entry.mm != of || entry.vpn < first || entry.vpn > last) continue;
    entry = TlbEntry{};
    flushed++;
  }
  mm.tlb_filled[cpu] -= flushed;
  return flushed;
}

}  // namespace

void flush_tlb_mm_range(mm_struct* mm, uint64_t start, uint64_t end,
                        unsigned stride_shift) {
  if (end == TLB_FLUSH_ALL ||
      (end - start) >> stride_shift > tlb_single_page_flush_ceiling) {
    start = 0;
    end = TLB_FLUSH_ALL;
  }
  MmState& state = mm_state();
  uint64_t interrupted = 0;
  for (int cpu = 0; cpu < state.options.cpus; ++cpu) {
    if (state.tlb_filled[cpu] == 0) continue;
    const uint32_t flushed =
        FlushCpu(state, cpu, mm, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
    if (flushed != 0 && static_cast<uint32_t>(cpu) != current()->cpu) {
      interrupted++;
    }
  }
  Charge(Cost::kTlbFlush, 1);
  Charge(Cost::kTlbIpi, interrupted);
}

void flush_tlb_mm(mm_struct* mm) {
  flush_tlb_mm_range(mm, 0, TLB_FLUSH_ALL, PAGE_SHIFT);
}

void flush_tlb_page(const vm_area_struct* vma, uint64_t address) {
  address &= ~(PAGE_SIZE - 1);
  flush_tlb_mm_range(vma->vm_mm, address, address + PAGE_SIZE, PAGE_SHIFT);
}

const TlbEntry* tlb_lookup(uint32_t cpu, const mm_struct* mm,
                           uint64_t address) {
  const TlbEntry* entry = EntryFor(mm_state(), cpu, address);
  return entry->mm == mm && entry->vpn == address >> PAGE_SHIFT ? entry
                                                                : nullptr;
}

void tlb_fill(uint32_t cpu, mm_struct* mm, uint64_t address, pfn_t pfn,
              bool writable) {
  MmState& state = mm_state();
  TlbEntry* entry = EntryFor(state, cpu, address);
  if (entry->mm == nullptr) state.tlb_filled[cpu]++;
  *entry = {
      .mm = mm, .vpn = address >> PAGE_SHIFT, .pfn = pfn, .writable = writable};
  pfn_to_page(state, pfn)->flags |= PG_tlb;
}

bool TlbKnowsFrame(const MmState& mm, pfn_t pfn) {
  for (int cpu = 0; cpu < mm.options.cpus; ++cpu) {
    if (mm.tlb_filled[cpu] == 0) continue;
    for (const TlbEntry& entry : mm.tlb[cpu]) {
      if (entry.mm != nullptr && entry.pfn == pfn) return true;
    }
  }
  return false;
}

}  // namespace reapsim
