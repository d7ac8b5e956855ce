// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/invariants.h"

#include <cerrno>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/mmu_gather.h"
#include "mm/page_alloc.h"
#include "mm/swapfile.h"

namespace reapsim {

// ---- Reapers ---------------------------------------------------------------

ReapSection::ReapSection(mm_struct* mm) : mm_(mm) {
  TaskHistory& history = MyHistory();
  Invariant(history.context != TaskContext::kMrelease || !history.passed_dump,
            "S16: process_mrelease() reaps although it saw a core dump run");
  history.reaping = true;
  history.walks++;
  mm->reapers++;
  Touch();
}

ReapSection::~ReapSection() {
  MyHistory().reaping = false;
  mm_->reapers--;
  Touch();
}

void CheckMayReap(const vm_area_struct* vma) {
  Invariant((vma->vm_flags & VM_PFNMAP) == 0, "S21: a reaper unmaps a PFN map");
  Invariant((vma->vm_flags & VM_HUGETLB) == 0,
            "S21: a reaper unmaps a hugetlb VMA");
  Invariant(vma_is_anonymous(vma) || (vma->vm_flags & VM_SHARED) == 0,
            "S21: a reaper unmaps shared memory");
  Invariant(differences().reaps_mlocked || (vma->vm_flags & VM_LOCKED) == 0 ||
                Switched(Switch::kReaperTakesHugetlb),
            "S21: a reaper unmaps locked memory");
}

void CheckMarkerGoes(const vm_area_struct* vma, uint64_t bits) {
  Invariant((bits & PTE_MARKER_GUARD) == 0, "S28: a reaper clears a guard");
  Invariant((bits & PTE_MARKER_UFFD_WP) == 0 || vma_is_anonymous(vma),
            "S28: a reaper clears the uffd-wp marker of a file's page");
}

void MayFreeTables() {
  Invariant(!MyHistory().reaping, "S22: a reaper frees a page table");
}

void MayChangeVmas() {
  Invariant(!MyHistory().reaping, "S23: a reaper changes the set of VMAs");
}

void CheckNotTornDown(const mm_struct* mm, SourceLine source) {
  if (!mm->torn_down) return;
  Invariant(!MyHistory().reaping,
            "S19: a reaper walks an mm that exit_mmap() has taken apart",
            source);
}

// ---- exit_mmap(), mmput() --------------------------------------------------

void HideMm(mm_struct* mm) {
  // Where the caller is a user of the mm, its exit_mmap() may fall to it.
  Invariant(MyHistory().context != TaskContext::kMrelease ||
                differences().mrelease_pins_mm_users,
            "S30: process_mrelease() sets MMF_OOM_SKIP");
  set_bit(MMF_OOM_SKIP, &mm->flags);
}

void HideUnmappedMm(mm_struct* mm) {
  for (int member = 0; member < NR_MM_COUNTERS; ++member) {
    Invariant(get_mm_counter_sum(mm, member) == 0,
              "S18: exit_mmap() sets MMF_OOM_SKIP before all is unmapped");
  }
  HideMm(mm);
}

void MayFreeAllTables(const mm_struct* mm) {
  Invariant(mm->mmap_lock.writer == Here<EngineState>().current->id + 1 ||
                differences().exit_mmap_protocol == ExitMmapProtocol::kUnlocked,
            "S18: page tables are freed without mmap_lock held for writing");
}

void MayTearDown() {
  const TaskContext context = MyHistory().context;
  Invariant(context != TaskContext::kOomReaper,
            "S15: the OOM reaper tears an address space down");
  // Up to v5.16 this is what the version does.
  const bool its_way = differences().mrelease_pins_mm_users &&
                       !Switched(Switch::kMreleasePinsMmUsers) &&
                       !Checked(Check::kS15);
  Invariant(context != TaskContext::kMrelease || its_way,
            "S15: process_mrelease() tears an address space down");
}

// ---- Pages -----------------------------------------------------------------

void CheckFlushed(const vm_area_struct* vma, pfn_t pfn) {
  const MmState& state = mm_state();
  if (!differences().delays_rmap && !Switched(Switch::kRmapBeforeFlush)) return;
  for (int cpu = 0; cpu < state.options.cpus; ++cpu) {
    for (const TlbEntry& entry : state.tlb[cpu]) {
      const bool by_this = entry.mm == vma->vm_mm && entry.pfn == pfn &&
                           entry.vpn >= vma->vm_start >> PAGE_SHIFT &&
                           entry.vpn < vma->vm_end >> PAGE_SHIFT;
      Invariant(!by_this || !entry.writable,
                "S5: a dirty file page loses a mapping that a TLB can still "
                "write through");
    }
  }
}

namespace {

bool IsMapped(const MmState& state, const mm_struct* mm, uint64_t address) {
  int level = 0;
  const pte_t* entry = FindEntry(state, mm, address, &level);
  return entry != nullptr && pte_present(*entry);
}

// Whether the flush to come takes the page in.
bool Flushes(const mmu_gather& tlb, uint64_t address) {
  if (!tlb.freed_tables && !tlb.cleared_entries) return false;
  return tlb.fullmm || (address >= tlb.start && address < tlb.end);
}

}  // namespace

void CheckWillBeFlushed(const mmu_gather& tlb) {
  const MmState& state = mm_state();
  for (int cpu = 0; cpu < state.options.cpus; ++cpu) {
    if (state.tlb_filled[cpu] == 0) continue;
    for (const TlbEntry& entry : state.tlb[cpu]) {
      const uint64_t address = entry.vpn << PAGE_SHIFT;
      if (entry.mm != tlb.mm || address < tlb.walked_start ||
          address >= tlb.walked_end || Flushes(tlb, address)) {
        continue;
      }
      Invariant(IsMapped(state, tlb.mm, address),
                "S4: a gather ends while a TLB still translates what is no "
                "longer mapped");
    }
  }
}

void NoteReaped(vm_area_struct* vma) {
  if (Checked(Check::kS10)) vma->reaped = vma_is_anonymous(vma);
}

namespace {

ReapedWord* FindReapedWord(const mm_struct* mm, uint64_t vpn) {
  ReapedWord* found = nullptr;
  mm_state().reaped_slab.ForEach([&](ReapedWord* word) {
    if (word->mm == mm && word->vpn == vpn) found = word;
  });
  return found;
}

// Whether an entry holds a word that only the process itself has stored.
bool OwnWord(pte_t entry, uint64_t* word) {
  const MmState& state = mm_state();
  if (pte_present(entry)) {
    if (pte_special(entry)) return false;
    if ((pfn_to_page(state, pte_pfn(entry))->flags & PG_anon) == 0)
      return false;
    *word = ReadPageWord(state, pte_pfn(entry));
    return true;
  }
  if (!is_swap_pte(entry) || swp_type(entry) != SwpType::kSwap) return false;
  *word = swap_word(state, swp_offset(entry));
  return true;
}

}  // namespace

void NoteReapedWords(const vm_area_struct* vma, const pte_t* pte,
                     uint64_t address, uint64_t end) {
  for (; address != end; address += PAGE_SIZE, ++pte) {
    uint64_t word = 0;
    if (!OwnWord(*pte, &word)) continue;
    const uint64_t vpn = address >> PAGE_SHIFT;
    ReapedWord* noted = FindReapedWord(vma->vm_mm, vpn);
    if (noted == nullptr) noted = mm_state().reaped_slab.New();
    REAP_CHECK(noted != nullptr, "check S9: the world is too large for it");
    *noted = {.mm = vma->vm_mm, .vpn = vpn, .word = word};
  }
}

void CheckReapedWord(const mm_struct* mm, uint64_t address, bool write,
                     uint64_t word) {
  ReapedWord* noted = FindReapedWord(mm, address >> PAGE_SHIFT);
  if (noted == nullptr) return;
  if (write) noted->word = word;
  Invariant(noted->word == word,
            "S9: reaped memory reads as what was never stored there");
}

void ForgetReapedWords(const mm_struct* mm) {
  Slab<ReapedWord>& slab = mm_state().reaped_slab;
  if (slab.live() == 0) return;
  slab.ForEach([&](ReapedWord* word) {
    if (word->mm == mm) REAP_CHECK(slab.Delete(word), "check S9: free");
  });
}

// ---- process_mrelease() ----------------------------------------------------

const char* BrokenMreleaseRule(const MreleaseFacts& facts) {
  static constexpr const char* kKept[kRefKinds] = {
      "S11: process_mrelease() keeps or loses a reference to a pid",
      "S11: process_mrelease() keeps or loses a reference to a task",
      "S11: process_mrelease() keeps or loses an mm_count",
      "S11: process_mrelease() keeps or loses an mm_users",
  };
  if (facts.flags != 0 && facts.ret != -ENOSYS &&
      (facts.ret != -EINVAL || facts.ref_changes != 0)) {
    return "S27: process_mrelease() with flags does more than fail";
  }
  for (int kind = 0; kind < kRefKinds; ++kind) {
    if (facts.refs[kind] != 0) return kKept[kind];
  }
  if (facts.locks_changed) {
    return "S11: process_mrelease() returns with other locks than it came with";
  }
  if (facts.ret == -EAGAIN && facts.refused == 0) {
    return "S26: process_mrelease() says EAGAIN, but no notifier refused";
  }
  if (facts.ret == 0 && facts.walked && facts.refused != 0) {
    return "S26: process_mrelease() says 0, but a notifier refused";
  }
  return nullptr;
}

MreleaseWatch::MreleaseWatch(unsigned int flags)
    : flags_(flags), before_(MyHistory()), locks_(LocksHeld()) {
  const Fiber* fiber = Here<EngineState>().current;
  rcu_nesting_ = fiber->rcu_nesting;
  atomic_depth_ = fiber->atomic_depth;
  TaskHistory& history = MyHistory();
  history.context = TaskContext::kMrelease;
  history.passed_dump = false;
}

long MreleaseWatch::End(long ret) const {
  TaskHistory& history = MyHistory();
  history.context = before_.context;
  const Fiber* fiber = Here<EngineState>().current;
  MreleaseFacts facts = {
      .flags = flags_,
      .ret = ret,
      .walked = history.walks != before_.walks,
      .refused = history.refused - before_.refused,
      .ref_changes = history.ref_changes - before_.ref_changes,
      .locks_changed = LocksHeld() != locks_ ||
                       fiber->rcu_nesting != rcu_nesting_ ||
                       fiber->atomic_depth != atomic_depth_};
  for (int kind = 0; kind < kRefKinds; ++kind) {
    facts.refs[kind] = history.refs[kind] - before_.refs[kind];
  }
  const char* broken = BrokenMreleaseRule(facts);
  if (broken != nullptr) Fail(VerdictKind::kInvariantBroken, broken);
  return ret;
}

}  // namespace reapsim
