// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/debug.h"

#include <algorithm>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <vector>

#include "mm/memory.h"
#include "mm/mmu_notifier.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/swapfile.h"

namespace reapsim {
namespace {

__attribute__((format(printf, 2, 3))) void Report(
    std::vector<std::string>* problems, const char* format, ...) {
  char text[256];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  problems->push_back(text);
}

// One entry that is not empty: of a PTE table, or a huge one of a PMD table.
struct Mapped {
  uint64_t address;
  pte_t entry;
  bool huge;
};

// Walks the page tables of one mm below `table`, calling on_entry(Mapped) and
// on_table(const ptdesc*) for tables that are led to, the PGD included. A link
// to a dead table is reported through on_table(nullptr).
template <class OnEntry, class OnTable>
void Walk(const MmState& state, const ptdesc* table, int level, uint64_t base,
          uint64_t start, uint64_t end, const OnEntry& on_entry,
          const OnTable& on_table) {
  const Geometry geo = GeometryOf(state);
  on_table(table);
  for (const ptdesc* d = table->pmd_huge_pte; d != nullptr; d = d->next) {
    on_table(d);
  }
  const pte_t* entries = TableEntries(state, table);
  for (uint64_t i = 0; i < geo.ptrs(); ++i) {
    const uint64_t address = base + i * geo.size(level);
    if (pte_none(entries[i]) || address >= end ||
        address + geo.size(level) <= start) {
      continue;
    }
    const bool leaf =
        level == 1 ||
        (level == 2 && (pmd_trans_huge(entries[i]) || is_swap_pte(entries[i])));
    if (leaf) {
      on_entry(Mapped{address, entries[i], level == 2});
      continue;
    }
    const ptdesc* below = TableAt(state, entries[i]);
    if (below == nullptr) {
      on_table(nullptr);
      continue;
    }
    Walk(state, below, level - 1, address, start, end, on_entry, on_table);
  }
}

// How often each number has come up. A search asks at each end, so that this is
// a sorted list and no map.
class Tally {
 public:
  void Add(uint64_t number) { numbers_.push_back(number); }
  // Before the first Of().
  void Sort() { std::sort(numbers_.begin(), numbers_.end()); }
  // To be asked in ascending order.
  uint32_t Of(uint64_t number) {
    while (next_ < numbers_.size() && numbers_[next_] < number) ++next_;
    uint32_t count = 0;
    for (; next_ < numbers_.size() && numbers_[next_] == number; ++next_) {
      count++;
    }
    return count;
  }

 private:
  std::vector<uint64_t> numbers_;
  size_t next_ = 0;
};

// What all page tables and page caches hold together.
struct Holdings {
  Tally maps;                // entries of PTE tables, by page
  Tally entire_maps;         // huge entries, by head
  Tally refs;                // references, by head
  Tally slots;               // swap
  std::vector<bool> tables;  // led to, by slot number
};

struct Totals {
  int64_t rss[NR_MM_COUNTERS] = {};
  int64_t tables = 0;  // without the PGD
};

class Checker {
 public:
  Checker(const MmState& state, std::vector<std::string>* problems)
      : state_(const_cast<MmState&>(state)), problems_(problems) {
    held_.tables.resize(state_.ptdesc_slab.high_water());
  }

  void Run() {
    state_.mm_slab.ForEach([this](mm_struct* mm) { CheckMm(mm); });
    state_.mapping_slab.ForEach(
        [this](address_space* mapping) { CountMapping(mapping); });
    CheckFrames();
    CheckTables();
    CheckSwap();
    CheckNotifiers();
  }

 private:
  static constexpr uint32_t kMost = 20;  // problems of one kind

  uint32_t HpageNr() const {
    return static_cast<uint32_t>(GeometryOf(state_).hpage_pmd_nr());
  }
  uint32_t Number(const mm_struct* mm) const {
    return state_.mm_slab.IndexOf(mm);
  }

  void CountPresent(const Mapped& mapped, Totals* totals) {
    const pfn_t pfn = pte_pfn(mapped.entry);
    if (mapped.huge) {
      if (pfn == state_.huge_zero_pfn) return;
      held_.entire_maps.Add(pfn);
      held_.refs.Add(pfn);
      if (!pte_special(mapped.entry)) totals->rss[MM_ANONPAGES] += HpageNr();
      return;
    }
    if (pte_special(mapped.entry)) return;
    held_.maps.Add(pfn);
    held_.refs.Add(compound_head(state_, pfn));
    totals->rss[mm_counter_of(pfn_to_page(state_, pfn)->flags)]++;
  }

  void CountSwapped(const Mapped& mapped, Totals* totals) {
    const auto pfn = static_cast<pfn_t>(swp_offset(mapped.entry));
    switch (swp_type(mapped.entry)) {
      case SwpType::kSwap:
        held_.slots.Add(swp_offset(mapped.entry));
        totals->rss[MM_SWAPENTS]++;
        break;
      case SwpType::kMigrationRead:
      case SwpType::kMigrationWrite:
        totals->rss[mm_counter_of(pfn_to_page(state_, pfn)->flags)] +=
            mapped.huge ? HpageNr() : 1;
        break;
      case SwpType::kDevicePrivate:
      case SwpType::kDeviceExclusive:
        if (swp_type(mapped.entry) == SwpType::kDevicePrivate ||
            RootOf<EngineState>(&state_)
                .differences.device_exclusive_keeps_rmap) {
          held_.maps.Add(pfn);
        }
        held_.refs.Add(pfn);
        totals->rss[MM_ANONPAGES]++;
        break;
      case SwpType::kHwpoison:
      case SwpType::kMarker:
        break;
    }
  }

  void CheckMm(const mm_struct* mm) {
    if (mm->pgd == nullptr) return;
    Totals totals;
    Walk(
        state_, mm->pgd, 4, 0, 0, ~uint64_t{0},
        [&](const Mapped& mapped) {
          if (pte_present(mapped.entry)) {
            CountPresent(mapped, &totals);
          } else {
            CountSwapped(mapped, &totals);
          }
        },
        [&](const ptdesc* table) { CountTable(mm, table, &totals); });
    CheckCounters(mm, totals);
    if (rwsem_is_locked(&mm->mmap_lock)) {
      Report(problems_, "mm %u: mmap_lock is held", Number(mm));
    }
    if (spin_is_locked(&mm->page_table_lock)) {
      Report(problems_, "mm %u: page_table_lock is held", Number(mm));
    }
    if (mm->tlb_flush_pending != 0) {
      Report(problems_, "mm %u: %u gathers are open", Number(mm),
             mm->tlb_flush_pending);
    }
  }

  void CountTable(const mm_struct* mm, const ptdesc* table, Totals* totals) {
    if (table == nullptr) {
      Report(problems_, "mm %u: an entry leads to a freed table", Number(mm));
      return;
    }
    std::vector<bool>::reference seen =
        held_.tables[state_.ptdesc_slab.IndexOf(table)];
    if (seen) Report(problems_, "mm %u: a table is in two places", Number(mm));
    seen = true;
    if (table != mm->pgd) totals->tables++;
    if (spin_is_locked(&table->ptl)) {
      Report(problems_, "mm %u: a page-table lock is held", Number(mm));
    }
  }

  void CheckCounters(const mm_struct* mm, const Totals& totals) {
    static constexpr const char* kNames[] = {"MM_FILEPAGES", "MM_ANONPAGES",
                                             "MM_SWAPENTS", "MM_SHMEMPAGES"};
    for (int i = 0; i < NR_MM_COUNTERS; ++i) {
      const int64_t counted = get_mm_counter_sum(mm, i);
      if (counted != totals.rss[i]) {
        Report(problems_, "S7: mm %u: %s is %lld, but %lld are mapped",
               Number(mm), kNames[i], static_cast<long long>(counted),
               static_cast<long long>(totals.rss[i]));
      }
    }
    const int64_t bytes = totals.tables * (8 << state_.options.table_bits);
    if (mm->pgtables_bytes != bytes) {
      Report(problems_, "S7: mm %u: pgtables_bytes is %lld, tables have %lld",
             Number(mm), static_cast<long long>(mm->pgtables_bytes),
             static_cast<long long>(bytes));
    }
  }

  void CountMapping(const address_space* mapping) {
    // Leaf by leaf, and no further than the file goes: most are short.
    for (uint64_t at = 0; at < mapping->nr_pages; at += kRadixFanout) {
      const uint64_t* entries = mapping->i_pages.Find(at);
      if (entries == nullptr) continue;
      const uint64_t left = mapping->nr_pages - at;
      std::for_each_n(entries, std::min<uint64_t>(left, kRadixFanout),
                      [this](uint64_t entry) { CountCached(entry); });
    }
  }

  void CountCached(uint64_t entry) {
    if (entry == 0) return;
    if (entry >> kSwpTypeShift == 0) {
      held_.refs.Add(entry);
    } else {
      held_.slots.Add(swp_offset(entry));
    }
  }

  void CheckFrame(pfn_t pfn, const page& p) {
    const uint32_t maps = held_.maps.Of(pfn);
    const uint32_t entire = held_.entire_maps.Of(pfn);
    if (p._mapcount != maps || p._entire_mapcount != entire) {
      Report(problems_,
             "S6: frame %u: map counts are %u and %u, but %u and %u entries "
             "map it",
             pfn, p._mapcount, p._entire_mapcount, maps, entire);
    }
    if ((p.flags & PG_tail) != 0) return;
    const uint32_t refs = held_.refs.Of(pfn);
    if (p._refcount != refs) {
      Report(problems_, "S6: frame %u: %u references, but %u holders", pfn,
             p._refcount, refs);
    }
  }

  void CheckFrames() {
    held_.maps.Sort();
    held_.entire_maps.Sort();
    held_.refs.Sort();
    uint64_t allocated = 0;
    for (uint64_t i = 1; i < state_.fresh_pfn; ++i) {
      const auto pfn = static_cast<pfn_t>(i);
      const page& p = *pfn_to_page(state_, pfn);
      if ((p.flags & PG_allocated) == 0) {
        if (held_.maps.Of(pfn) != 0 || held_.refs.Of(pfn) != 0) {
          Report(problems_, "S6: frame %u is free, but mapped or cached", pfn);
        }
        continue;
      }
      allocated++;
      if ((p.flags & PG_reserved) == 0 && problems_->size() < kMost) {
        CheckFrame(pfn, p);
      }
    }
    if (allocated + state_.nr_free != state_.options.frames) {
      Report(problems_, "frames: %llu allocated and %llu free, of %llu",
             static_cast<unsigned long long>(allocated),
             static_cast<unsigned long long>(state_.nr_free),
             static_cast<unsigned long long>(state_.options.frames));
    }
  }

  void CheckTables() {
    // Tables that wait for their grace period are live, but led to by nothing.
    state_.ptdesc_slab.ForEach([this](ptdesc* table) {
      if (held_.tables[state_.ptdesc_slab.IndexOf(table)]) return;
      if (AwaitsRcu(table)) return;
      Report(problems_, "a table of level %u is lost", table->level);
    });
  }

  bool AwaitsRcu(const ptdesc* table) const {
    for (const rcu_head* head = RootOf<SchedState>(&state_).rcu.first;
         head != nullptr; head = head->next) {
      const auto* first = reinterpret_cast<const ptdesc*>(
          reinterpret_cast<const char*>(head) - offsetof(ptdesc, rcu));
      if (!state_.ptdesc_slab.IsLive(first)) continue;
      for (; first != nullptr; first = first->next) {
        if (first == table) return true;
      }
    }
    return false;
  }

  void CheckSwap() {
    held_.slots.Sort();
    uint64_t used = 0;
    state_.swap.swap_map.ForEach([&](uint64_t slot, const uint8_t& count) {
      used += count != 0 ? 1 : 0;
      const uint32_t held = held_.slots.Of(slot);
      if (count != held) {
        Report(problems_, "S6: swap slot %llu: count %u, but %u entries",
               static_cast<unsigned long long>(slot), count, held);
      }
    });
    if (used != state_.swap.used) {
      Report(problems_, "swap: %llu slots in use, but %llu counted",
             static_cast<unsigned long long>(used),
             static_cast<unsigned long long>(state_.swap.used));
    }
    if (spin_is_locked(&state_.swap.lock)) {
      Report(problems_, "the swap lock is held");
    }
  }

  void CheckNotifiers() {
    state_.notifier_slab.ForEach([this](const mmu_notifier* s) {
      if (s->active != 0 && !s->released) {
        Report(problems_, "S13: %u notifier ranges are open", s->active);
      }
    });
  }

  MmState& state_;  // only read; ForEach of a slab is not const
  std::vector<std::string>* problems_;
  Holdings held_;
};

// Pages by the counter that they belong to.
void CountPage(uint16_t page_flags, bool huge, uint64_t nr,
               PageCounts* counts) {
  switch (mm_counter_of(page_flags)) {
    case MM_ANONPAGES:
      counts->anon += nr;
      if (huge) counts->huge_anon += nr;
      break;
    case MM_SHMEMPAGES:
      counts->shmem += nr;
      break;
    default:
      counts->file += nr;
  }
}

// fs/proc/task_mmu.c:smaps_pte_entry(): pages on their way, or at a device,
// count as resident.
void CountNonpresent(const MmState& state, pte_t entry, uint64_t nr,
                     PageCounts* counts) {
  switch (swp_type(entry)) {
    case SwpType::kSwap:
      counts->swap++;
      return;
    case SwpType::kMarker:
      counts->markers++;
      return;
    case SwpType::kHwpoison:
      return;
    case SwpType::kMigrationRead:
    case SwpType::kMigrationWrite:
    case SwpType::kDevicePrivate:
    case SwpType::kDeviceExclusive:
      const auto pfn = static_cast<pfn_t>(swp_offset(entry));
      CountPage(pfn_to_page(state, pfn)->flags, /*huge=*/false, nr, counts);
      return;
  }
}

void CountEntry(const MmState& state, const Mapped& mapped,
                PageCounts* counts) {
  const uint64_t nr = mapped.huge ? GeometryOf(state).hpage_pmd_nr() : 1;
  const pte_t entry = mapped.entry;
  if (!pte_present(entry)) {
    CountNonpresent(state, entry, nr, counts);
    return;
  }
  const pfn_t pfn = pte_pfn(entry);
  if (pfn == (mapped.huge ? state.huge_zero_pfn : state.zero_pfn)) {
    counts->zero += nr;
    return;
  }
  if (pte_special(entry)) {
    (mapped.huge ? counts->hugetlb : counts->special) += nr;
    return;
  }
  CountPage(pfn_to_page(state, pfn)->flags, mapped.huge, nr, counts);
}

const char* SwpName(SwpType type) {
  switch (type) {
    case SwpType::kSwap:
      return "swap";
    case SwpType::kMigrationRead:
    case SwpType::kMigrationWrite:
      return "migration";
    case SwpType::kDevicePrivate:
      return "device-private";
    case SwpType::kDeviceExclusive:
      return "device-exclusive";
    case SwpType::kHwpoison:
      return "hwpoison";
    case SwpType::kMarker:
      return "marker";
  }
  return "?";
}

const char* KindName(const MmState& state, const Mapped& mapped) {
  if (pte_pfn(mapped.entry) == state.zero_pfn && !mapped.huge) return "zero";
  if (mapped.huge) {
    if (pte_pfn(mapped.entry) == state.huge_zero_pfn) return "huge-zero";
    return pte_special(mapped.entry) ? "hugetlb" : "huge-anon";
  }
  if (pte_special(mapped.entry)) return "special";
  static constexpr const char* kNames[] = {"file", "anon", "swap", "shmem"};
  return kNames[mm_counter_of(
      pfn_to_page(state, pte_pfn(mapped.entry))->flags)];
}

std::string Line(const MmState& state, const Mapped& mapped) {
  char text[160];
  const auto address = static_cast<unsigned long long>(mapped.address);
  const pte_t entry = mapped.entry;
  if (!pte_present(entry)) {
    std::snprintf(text, sizeof(text), "0x%llx %s %llu\n", address,
                  SwpName(swp_type(entry)),
                  static_cast<unsigned long long>(swp_offset(entry)));
    return text;
  }
  const bool has_word = !pte_special(entry) || mapped.huge;
  std::snprintf(
      text, sizeof(text), "0x%llx %s pfn %u%s%s%s word %llx\n", address,
      KindName(state, mapped), pte_pfn(entry), pte_write(entry) ? " rw" : " ro",
      pte_dirty(entry) ? " dirty" : "", pte_uffd_wp(entry) ? " uffd-wp" : "",
      static_cast<unsigned long long>(
          has_word ? ReadPageWord(state, pte_pfn(entry)) : 0));
  return text;
}

}  // namespace

void CheckMmConservation(const MmState& state,
                         std::vector<std::string>* problems) {
  Checker(state, problems).Run();
}

PageCounts CountPages(const mm_struct* mm, uint64_t start, uint64_t end) {
  const MmState& state = RootOf<MmState>(mm);
  PageCounts counts;
  if (mm->pgd == nullptr) return counts;
  Walk(
      state, mm->pgd, 4, 0, start, end,
      [&](const Mapped& mapped) { CountEntry(state, mapped, &counts); },
      [](const ptdesc*) {});
  return counts;
}

std::string DumpPages(const mm_struct* mm, uint64_t start, uint64_t end) {
  const MmState& state = RootOf<MmState>(mm);
  std::string out;
  if (mm->pgd == nullptr) return out;
  Walk(
      state, mm->pgd, 4, 0, start, end,
      [&](const Mapped& mapped) { out += Line(state, mapped); },
      [](const ptdesc*) {});
  return out;
}

}  // namespace reapsim
