// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/memory.h"

#include <sys/mman.h>

#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "mm/debug.h"
#include "mm/filemap.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/populate.h"
#include "mm/rmap.h"
#include "mm/swapfile.h"
#include "mm/testing.h"
#include "mm/userfaultfd.h"

namespace reapsim {
namespace {

constexpr uint64_t kBase = 0x40000000;
constexpr uint64_t kReadWrite = PROT_READ | PROT_WRITE;

std::vector<std::string> Problems(MmWorld& w) {
  std::vector<std::string> problems;
  CheckMmConservation(w.mm(), &problems);
  return problems;
}

#define EXPECT_CONSERVED(w) EXPECT_EQ(Problems(w), std::vector<std::string>())

void Map(MmWorld& w, task_struct* task, const MmapArgs& args) {
  int64_t result = 0;
  w.Run(task, [&] { result = vm_mmap(args); });
  ASSERT_EQ(result, static_cast<int64_t>(args.addr));
}

void MapAnon(MmWorld& w, task_struct* task, uint64_t pages) {
  Map(w, task,
      {.addr = kBase,
       .length = pages * PAGE_SIZE,
       .prot = kReadWrite,
       .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
}

AccessResult Write(MmWorld& w, task_struct* task, uint64_t address,
                   uint64_t word) {
  AccessResult result = AccessResult::kEfault;
  w.Run(task, [&] { result = access_user_word(address, true, &word); });
  return result;
}

// "42" or why not.
std::string Read(MmWorld& w, task_struct* task, uint64_t address) {
  AccessResult result = AccessResult::kEfault;
  uint64_t word = 0;
  w.Run(task, [&] { result = access_user_word(address, false, &word); });
  switch (result) {
    case AccessResult::kOk:
      return std::to_string(word);
    case AccessResult::kSigsegv:
      return "SIGSEGV";
    case AccessResult::kSigbus:
      return "SIGBUS";
    case AccessResult::kEfault:
      return "EFAULT";
    case AccessResult::kOom:
      return "OOM";
  }
  return "?";
}

// Unmaps the VMA at kBase as a reaper does, or as exit and munmap do.
void Zap(MmWorld& w, task_struct* task, bool exits) {
  w.Run(task, [exits] {
    mm_struct* mm = current()->mm;
    vm_area_struct* vma = find_vma(mm, kBase);
    mmu_gather tlb;
    tlb_gather_mmu(&tlb, mm);
    // Shared memory goes the way of MADV_DONTNEED: no reaper takes it. Nor
    // locked memory, in old versions.
    const bool spared = (vma->vm_flags & (VM_SHARED | VM_LOCKED)) != 0;
    zap_details details;
    details.reaping = !exits && !spared;
    details.drop_markers = exits;
    unmap_page_range(&tlb, vma, vma->vm_start, vma->vm_end, details);
    tlb_finish_mmu(&tlb);
  });
}

int64_t Rss(const task_struct* task, int member) {
  return get_mm_counter_sum(task->mm, member);
}

address_space* NewFile(MmWorld& w, address_space::Kind kind) {
  return NewMapping(w.mm(), kind, 1024);
}

void PutFile(MmWorld& w, task_struct* task, address_space* file) {
  w.Run(task, [file] { mapping_put(file); });
}

// ---- Entry kinds (semantics paper, 6.3) ------------------------------------

// What stands at one address before a zap.
enum class Entry {
  kNone,
  kAnon,
  kZero,
  kSpecial,
  kSwap,
  kMigration,
  kDevicePrivate,
  kHwpoison,
  kUffdWpMarker,
  kGuardMarker,
  kPoisonMarker,
};

// Puts `entry` at kBase, with counters and references as its maker would.
void Put(MmWorld& w, task_struct* task, Entry entry) {
  w.Run(task, [entry]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mm_struct* mm = current()->mm;
    MmState& state = mm_state();
    vm_area_struct* vma = find_vma(mm, kBase);
    pte_t* pmd = pmd_alloc(mm, kBase);
    pte_alloc(mm, pmd);
    const pfn_t pfn = TakeFrame(state);
    pfn_to_page(state, pfn)->flags |= PG_anon | PG_swapbacked;
    bool keeps_page = false;
    spinlock_t* ptl;
    pte_t* pte = pte_offset_map_lock(mm, pmd, kBase, &ptl);
    switch (entry) {
      case Entry::kNone:
        break;
      case Entry::kAnon:
        *pte = pfn_pte(pfn, vm_page_prot(vma));
        folio_add_rmap_pte(pfn, vma);
        add_mm_counter(mm, MM_ANONPAGES, 1);
        keeps_page = true;
        break;
      case Entry::kZero:
        *pte = pfn_pte(state.zero_pfn, vm_page_prot(vma) | _PAGE_SPECIAL);
        break;
      case Entry::kSpecial:
        *pte = pfn_pte(12345, vm_page_prot(vma) | _PAGE_SPECIAL);
        break;
      case Entry::kSwap:
        *pte = swp_entry(SwpType::kSwap, get_swap_page(7));
        add_mm_counter(mm, MM_SWAPENTS, 1);
        break;
      case Entry::kMigration:
        // The reference is the migration's own.
        *pte = swp_entry(SwpType::kMigrationWrite, pfn);
        add_mm_counter(mm, MM_ANONPAGES, 1);
        keeps_page = true;
        break;
      case Entry::kDevicePrivate:
        *pte = swp_entry(SwpType::kDevicePrivate, pfn);
        folio_add_rmap_pte(pfn, vma);
        add_mm_counter(mm, MM_ANONPAGES, 1);
        keeps_page = true;
        break;
      case Entry::kHwpoison:
        *pte = swp_entry(SwpType::kHwpoison, pfn);
        break;
      case Entry::kUffdWpMarker:
        *pte = make_pte_marker(PTE_MARKER_UFFD_WP);
        break;
      case Entry::kGuardMarker:
        *pte = make_pte_marker(PTE_MARKER_GUARD);
        break;
      case Entry::kPoisonMarker:
        *pte = make_pte_marker(PTE_MARKER_POISONED);
        break;
    }
    pte_unmap_unlock(ptl);
    if (!keeps_page) put_page(pfn);
  });
}

struct EntryCase {
  const char* name;
  const char* version;
  Entry entry;
  bool file_vma;
  bool exits;  // exit or munmap, not a reaper
  bool kept;   // the entry is still there
  uint64_t frames_freed;
};

void PrintTo(const EntryCase& c, std::ostream* out) { *out << c.name; }

class ZapEntryTest : public testing::TestWithParam<EntryCase> {};

TEST_P(ZapEntryTest, LeavesWhatTheKernelLeaves) {
  const EntryCase& c = GetParam();
  MmWorld w(c.version);
  task_struct* task = w.Spawn();
  address_space* file = NewFile(w, address_space::kFile);
  MmapArgs args = {.addr = kBase,
                   .length = 4 * PAGE_SIZE,
                   .prot = kReadWrite,
                   .flags = MAP_PRIVATE | MAP_FIXED};
  if (c.file_vma) {
    args.mapping = file;
  } else {
    args.flags |= MAP_ANONYMOUS;
  }
  Map(w, task, args);
  Put(w, task, c.entry);
  const uint64_t free_before = w.mm().nr_free;
  const int64_t tables_before = task->mm->pgtables_bytes;

  Zap(w, task, c.exits);

  int level;
  EXPECT_EQ(FindEntry(w.mm(), task->mm, kBase, &level) != nullptr, c.kept);
  EXPECT_EQ(w.mm().nr_free - free_before, c.frames_freed);
  EXPECT_EQ(w.mm().swap.used, 0u);
  EXPECT_EQ(task->mm->pgtables_bytes, tables_before) << "S22";
  for (int i = 0; i < NR_MM_COUNTERS; ++i) EXPECT_EQ(Rss(task, i), 0);
  PutFile(w, task, file);
  // Whoever migrates a page holds it beside all page tables.
  if (c.entry == Entry::kMigration) return;
  EXPECT_CONSERVED(w);
}

constexpr char kOld[] = "v5.15-rc1";
constexpr char kNew[] = "v6.18";

INSTANTIATE_TEST_SUITE_P(
    Kinds, ZapEntryTest,
    testing::Values(
        EntryCase{"None", kNew, Entry::kNone, false, false, false, 0},
        EntryCase{"AnonPage", kNew, Entry::kAnon, false, false, false, 1},
        EntryCase{"AnonPageOld", kOld, Entry::kAnon, false, false, false, 1},
        EntryCase{"CowedPage", kNew, Entry::kAnon, true, false, false, 1},
        EntryCase{"ZeroPage", kNew, Entry::kZero, false, false, false, 0},
        EntryCase{"Special", kNew, Entry::kSpecial, true, false, false, 0},
        EntryCase{"Swap", kNew, Entry::kSwap, false, false, false, 0},
        EntryCase{"SwapOld", kOld, Entry::kSwap, false, false, false, 0},
        // The page belongs to the migration.
        EntryCase{"Migration", kNew, Entry::kMigration, false, false, false, 0},
        EntryCase{"DevicePrivate", kNew, Entry::kDevicePrivate, false, false,
                  false, 1},
        EntryCase{"Hwpoison", kNew, Entry::kHwpoison, false, false, false, 0},
        EntryCase{"PoisonMarker", kNew, Entry::kPoisonMarker, false, false,
                  false, 0},
        EntryCase{"PoisonMarkerFile", kNew, Entry::kPoisonMarker, true, false,
                  false, 0},
        EntryCase{"UffdWpMarkerAnon", kNew, Entry::kUffdWpMarker, false, false,
                  false, 0},
        EntryCase{"UffdWpMarkerAnonV6p1", "v6.1", Entry::kUffdWpMarker, false,
                  false, true, 0},
        EntryCase{"UffdWpMarkerFile", kNew, Entry::kUffdWpMarker, true, false,
                  true, 0},
        EntryCase{"UffdWpMarkerFileExit", kNew, Entry::kUffdWpMarker, true,
                  true, false, 0},
        EntryCase{"GuardMarker", kNew, Entry::kGuardMarker, false, false, true,
                  0},
        EntryCase{"GuardMarkerExit", kNew, Entry::kGuardMarker, false, true,
                  false, 0}),
    [](const auto& info) { return info.param.name; });

// ---- Page kinds by VMA kind (6.2) ------------------------------------------

struct PageCase {
  const char* name;
  PopulateKind kind;
  address_space::Kind backing;
  uint64_t flags;
  int counter;  // -1: none
};

void PrintTo(const PageCase& c, std::ostream* out) { *out << c.name; }

class ZapPageTest : public testing::TestWithParam<PageCase> {};

TEST_P(ZapPageTest, MovesTheCounterOfThePage) {
  const PageCase& c = GetParam();
  for (const char* version : {kOld, kNew}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    address_space* file = NewFile(w, c.backing);
    MmapArgs args = {.addr = kBase,
                     .length = 600 * PAGE_SIZE,
                     .prot = kReadWrite,
                     .flags = c.flags | MAP_FIXED};
    if ((c.flags & MAP_ANONYMOUS) == 0) args.mapping = file;
    Map(w, task, args);
    uint64_t done = 0;
    w.Run(task, [&] {
      done =
          PopulatePresent(find_vma(current()->mm, kBase), kBase, 600, c.kind);
    });
    ASSERT_EQ(done, 600u);
    EXPECT_CONSERVED(w);
    for (int i = 0; i < NR_MM_COUNTERS; ++i) {
      EXPECT_EQ(Rss(task, i), i == c.counter ? 600 : 0) << i;
    }
    Zap(w, task, /*exits=*/false);
    for (int i = 0; i < NR_MM_COUNTERS; ++i) EXPECT_EQ(Rss(task, i), 0) << i;
    EXPECT_CONSERVED(w);
    PutFile(w, task, file);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ZapPageTest,
    testing::Values(PageCase{"Anon", PopulateKind::kAnon, address_space::kFile,
                             MAP_PRIVATE | MAP_ANONYMOUS, MM_ANONPAGES},
                    PageCase{"AnonZero", PopulateKind::kZero,
                             address_space::kFile, MAP_PRIVATE | MAP_ANONYMOUS,
                             -1},
                    PageCase{"AnonSwap", PopulateKind::kSwap,
                             address_space::kFile, MAP_PRIVATE | MAP_ANONYMOUS,
                             MM_SWAPENTS},
                    PageCase{"PrivateFile", PopulateKind::kFileClean,
                             address_space::kFile, MAP_PRIVATE, MM_FILEPAGES},
                    PageCase{"PrivateFileCowed", PopulateKind::kAnon,
                             address_space::kFile, MAP_PRIVATE, MM_ANONPAGES},
                    PageCase{"SharedFileDirty", PopulateKind::kFileDirty,
                             address_space::kFile, MAP_SHARED, MM_FILEPAGES},
                    PageCase{"PrivateShmem", PopulateKind::kFileClean,
                             address_space::kShmem, MAP_PRIVATE, MM_SHMEMPAGES},
                    PageCase{"SharedShmem", PopulateKind::kShmem,
                             address_space::kShmem, MAP_SHARED, MM_SHMEMPAGES}),
    [](const auto& info) { return info.param.name; });

TEST(ZapTest, DirtiesAndAgesTheFilePageThatItUnmaps) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  address_space* file = NewFile(w, address_space::kFile);
  Map(w, task,
      {.addr = kBase,
       .length = 4 * PAGE_SIZE,
       .prot = kReadWrite,
       .flags = MAP_SHARED | MAP_FIXED,
       .mapping = file});
  ASSERT_EQ(Write(w, task, kBase, 5), AccessResult::kOk);
  page* p = pfn_to_page(w.mm(), CachedPage(file, 0));
  p->flags &= static_cast<uint16_t>(~(PG_dirty | PG_referenced));
  Zap(w, task, /*exits=*/true);
  EXPECT_EQ(p->flags & (PG_dirty | PG_referenced), PG_dirty | PG_referenced);
  EXPECT_EQ(Read(w, task, kBase), "5") << "the page cache keeps the word";
  PutFile(w, task, file);
}

TEST(ZapTest, LeavesAMarkerWhereAProtectedFilePageWas) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  address_space* file = NewFile(w, address_space::kShmem);
  Map(w, task,
      {.addr = kBase,
       .length = 4 * PAGE_SIZE,
       .prot = kReadWrite,
       .flags = MAP_PRIVATE | MAP_FIXED,
       .mapping = file});
  ASSERT_EQ(Read(w, task, kBase), "0");
  w.Run(task, [] {
    mm_struct* mm = current()->mm;
    find_vma(mm, kBase)->vm_flags |= VM_UFFD_WP;
    pte_t* pmd = pmd_offset_lockless(mm, kBase);
    pte_t* pte = TableEntries(mm_state(), pgtable_visit(mm, *pmd, 1)) +
                 geometry().index(kBase, 1);
    *pte = pte_mkuffd_wp(*pte);
  });
  Zap(w, task, /*exits=*/false);
  int level;
  const pte_t* pte = FindEntry(w.mm(), task->mm, kBase, &level);
  ASSERT_NE(pte, nullptr);
  EXPECT_TRUE(pte_marker_uffd_wp(*pte));
  Zap(w, task, /*exits=*/true);
  EXPECT_EQ(FindEntry(w.mm(), task->mm, kBase, &level), nullptr);
  EXPECT_CONSERVED(w);
  PutFile(w, task, file);
}

TEST(ZapTest, ReapersMustNotComeToMapsOfPfns) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  Map(w, task,
      {.addr = kBase,
       .length = PAGE_SIZE,
       .prot = PROT_READ,
       .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
       .extra_vm_flags = VM_PFNMAP});
  w.Run(task, [] {
    mmu_gather tlb;
    vm_area_struct* vma = find_vma(current()->mm, kBase);
    tlb_gather_mmu(&tlb, current()->mm);
    unmap_page_range(&tlb, vma, vma->vm_start, vma->vm_end, {.reaping = true});
    tlb_finish_mmu(&tlb);
  });
  EXPECT_EQ(w.engine().TakeVerdict().what, "S21: a reaper unmaps a PFN map");
}

// The walk takes plain pages in blocks. One odd page among them, wherever it
// lies, must be found and treated as its kind asks for.
struct OddPage {
  const char* name;
  // Changes an entry and the page that it maps, as something else would have.
  void (*make)(MmState& mm, pte_t* pte, page* p);
  // Undoes what outlives the zap.
  void (*settle)(pfn_t pfn);
  const char* verdict;  // null: none
};

constexpr OddPage kOddPages[] = {
    {.name = "none differs", .make = [](MmState&, pte_t*, page*) {}},
    {.name = "read-only",
     .make = [](MmState&, pte_t* pte, page*) { *pte = pte_wrprotect(*pte); }},
    {.name = "mlocked",
     .make = [](MmState&, pte_t*, page* p) { p->flags |= PG_mlocked; }},
    {.name = "with a word",
     .make = [](MmState& mm, pte_t*,
                page* p) { WritePageWord(mm, page_to_pfn(mm, p), 42); }},
    {.name = "once known to a TLB",
     .make = [](MmState&, pte_t*, page* p) { p->flags |= PG_tlb; }},
    {.name = "pinned",
     .make = [](MmState&, pte_t*, page* p) { p->_refcount++; },
     .settle = [](pfn_t pfn) { put_page(pfn); }},
    {.name = "mapped nowhere",
     .make = [](MmState&, pte_t*, page* p) { p->_mapcount = 0; },
     .verdict = "S6: a map count drops below zero"},
    {.name = "mapped twice",
     .make = [](MmState&, pte_t*, page* p) { p->_mapcount = 2; },
     .verdict = "S6: a page is freed while page tables map it"},
    {.name = "free",
     .make = [](MmState&, pte_t*, page* p) { p->_refcount = 0; },
     .verdict = "S6: a reference to a free page is dropped"},
    {.name = "in a page cache",
     .make = [](MmState&, pte_t*, page* p) { p->flags |= PG_cache; },
     .verdict = "S6: a page is freed while a page cache holds it"},
};

class OddPageTest
    : public testing::TestWithParam<std::tuple<OddPage, uint64_t>> {};

TEST_P(OddPageTest, IsFoundAmongPlainOnes) {
  const auto& [odd, place] = GetParam();
  SCOPED_TRACE(odd.name);
  constexpr uint64_t kPages = 40;
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  MapAnon(w, task, kPages);
  const uint64_t free_before = w.mm().nr_free;
  pfn_t pfn = kNoPfn;
  w.Run(task, [&, odd = &odd, place = place] {
    vm_area_struct* vma = find_vma(current()->mm, kBase);
    PopulatePresent(vma, kBase, kPages, PopulateKind::kAnon);
    int level;
    auto* pte = const_cast<pte_t*>(FindEntry(
        mm_state(), current()->mm, kBase + place * PAGE_SIZE, &level));
    pfn = pte_pfn(*pte);
    odd->make(mm_state(), pte, pfn_to_page(mm_state(), pfn));
  });
  Zap(w, task, /*exits=*/false);
  if (odd.verdict != nullptr) {
    ASSERT_TRUE(w.engine().stopped());
    EXPECT_EQ(w.engine().TakeVerdict().what, odd.verdict);
    return;
  }
  ASSERT_FALSE(w.engine().stopped());
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 0);
  if (odd.settle != nullptr) {
    EXPECT_EQ(w.mm().nr_free, free_before - 1);
    w.Run(task, [settle = odd.settle, pfn] { settle(pfn); });
  }
  EXPECT_EQ(w.mm().nr_free, free_before);
  EXPECT_EQ(pfn_to_page(w.mm(), pfn)->flags, 0);
  EXPECT_CONSERVED(w);
}

// The first block, a later one, and what is left after the last one; the
// gather's own eight slots end within.
INSTANTIATE_TEST_SUITE_P(Places, OddPageTest,
                         testing::Combine(testing::ValuesIn(kOddPages),
                                          testing::Values(0, 3, 7, 8, 20, 31,
                                                          32, 39)));

TEST(ZapTest, FreesFramesInTheOrderOfTheirAddresses) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  MapAnon(w, task, 600);
  uint64_t first = 0;
  w.Run(task, [&] {
    first = mm_state().fresh_pfn;
    PopulatePresent(find_vma(current()->mm, kBase), kBase, 600,
                    PopulateKind::kAnon);
  });
  Zap(w, task, /*exits=*/false);
  // The list gives back the last one first.
  uint32_t at = w.mm().free_pages;
  for (uint64_t left = 600; left > 0; --left) {
    ASSERT_EQ(at, first + left - 1);
    at = pfn_to_page(w.mm(), at)->_mapcount;
  }
}

TEST(ZapTest, PassesOverEntriesThatAreNone) {
  // Pages 0, 9, 18 … of two tables: between them run gaps of eight.
  constexpr uint64_t kPages = 1000;
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  MapAnon(w, task, kPages);
  w.Run(task, [] {
    vm_area_struct* vma = find_vma(current()->mm, kBase);
    for (uint64_t i = 0; i < kPages; i += 9) {
      PopulatePresent(vma, kBase + i * PAGE_SIZE, 1, PopulateKind::kAnon);
    }
  });
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 112);
  Zap(w, task, /*exits=*/false);
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 0);
  EXPECT_EQ(DumpPages(task->mm, kBase, kBase + kPages * PAGE_SIZE), "");
  EXPECT_CONSERVED(w);
}

TEST(ZapTest, GoesOnAfterBeingAskedForTheCpu) {
  for (const char* version : {kOld, kNew}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    MapAnon(w, task, 1024);
    for (uint64_t i = 0; i < 1024; ++i) {
      ASSERT_EQ(Write(w, task, kBase + i * PAGE_SIZE, i), AccessResult::kOk);
    }
    task->thread_flags |= TIF_NEED_RESCHED;
    Zap(w, task, /*exits=*/false);
    EXPECT_EQ(Rss(task, MM_ANONPAGES), 0);
    EXPECT_EQ(task->thread_flags & TIF_NEED_RESCHED, 0u);
    EXPECT_CONSERVED(w);
  }
}

TEST(ZapTest, WalksTablesOfTheSmallestGeometry) {
  MmWorld w(kNew, {.frames = 64, .swap_slots = 8, .table_bits = 2});
  task_struct* task = w.Spawn();
  // 4 entries a table: three PTE tables, in two PMD tables.
  constexpr uint64_t kSmall = 0x1c000;
  Map(w, task,
      {.addr = kSmall,
       .length = 12 * PAGE_SIZE,
       .prot = kReadWrite,
       .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
  for (uint64_t i = 0; i < 12; ++i) {
    ASSERT_EQ(Write(w, task, kSmall + i * PAGE_SIZE, i), AccessResult::kOk);
  }
  // Three PTE tables and two PMD tables below one PUD table, of 32 bytes.
  EXPECT_EQ(task->mm->pgtables_bytes, 6 * 32);
  w.Run(task, [] { vm_munmap(kSmall, 12 * PAGE_SIZE); });
  EXPECT_EQ(task->mm->pgtables_bytes, 0);
  EXPECT_EQ(w.mm().nr_free, 63u);
  EXPECT_CONSERVED(w);
}

// ---- Faults ----------------------------------------------------------------

TEST(FaultTest, ReadsOfUntouchedMemorySeeZeroAndCostNoFrame) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  MapAnon(w, task, 2);
  const uint64_t free_before = w.mm().nr_free;
  EXPECT_EQ(Read(w, task, kBase), "0");
  EXPECT_EQ(w.mm().nr_free, free_before);
  EXPECT_EQ(CountPages(task->mm, kBase, kBase + PAGE_SIZE).zero, 1u);
  EXPECT_EQ(Write(w, task, kBase, 3), AccessResult::kOk);
  EXPECT_EQ(Read(w, task, kBase), "3");
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 1);
  EXPECT_CONSERVED(w);
}

TEST(FaultTest, AccessesOutsideOrAgainstTheProtectionFail) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  Map(w, task,
      {.addr = kBase,
       .length = PAGE_SIZE,
       .prot = PROT_READ,
       .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
  EXPECT_EQ(Read(w, task, kBase), "0");
  EXPECT_EQ(Write(w, task, kBase, 1), AccessResult::kSigsegv);
  EXPECT_EQ(Read(w, task, kBase + PAGE_SIZE), "SIGSEGV");
  EXPECT_EQ(Read(w, task, kBase - PAGE_SIZE), "SIGSEGV");
  EXPECT_EQ(Read(w, task, uint64_t{1} << 62), "SIGSEGV");
}

TEST(FaultTest, FilesEndAtTheirSize) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  address_space* file = NewMapping(w.mm(), address_space::kFile, 1);
  Map(w, task,
      {.addr = kBase,
       .length = 2 * PAGE_SIZE,
       .prot = kReadWrite,
       .flags = MAP_SHARED | MAP_FIXED,
       .mapping = file});
  EXPECT_EQ(Read(w, task, kBase), std::to_string(FileWord(file, 0)));
  EXPECT_EQ(Read(w, task, kBase + PAGE_SIZE), "SIGBUS");
  EXPECT_EQ(Write(w, task, kBase + PAGE_SIZE, 1), AccessResult::kSigbus);
  PutFile(w, task, file);
}

TEST(FaultTest, PrivateWritesLeaveTheFileAlone) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  address_space* file = NewFile(w, address_space::kFile);
  Map(w, task,
      {.addr = kBase,
       .length = 4 * PAGE_SIZE,
       .prot = kReadWrite,
       .flags = MAP_PRIVATE | MAP_FIXED,
       .mapping = file});
  // The first page by a write fault, the second by a read and then a write.
  ASSERT_EQ(Write(w, task, kBase, 8), AccessResult::kOk);
  ASSERT_EQ(Read(w, task, kBase + PAGE_SIZE),
            std::to_string(FileWord(file, 1)));
  ASSERT_EQ(Write(w, task, kBase + PAGE_SIZE, 9), AccessResult::kOk);
  EXPECT_EQ(Read(w, task, kBase), "8");
  EXPECT_EQ(Read(w, task, kBase + PAGE_SIZE), "9");
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 2);
  EXPECT_EQ(Rss(task, MM_FILEPAGES), 0);
  EXPECT_EQ(ReadPageWord(w.mm(), CachedPage(file, 0)), FileWord(file, 0));
  EXPECT_EQ(ReadPageWord(w.mm(), CachedPage(file, 1)), FileWord(file, 1));
  EXPECT_CONSERVED(w);
  PutFile(w, task, file);
}

TEST(FaultTest, FaultAroundMapsWhatTheCacheHoldsNearby) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  address_space* file = NewFile(w, address_space::kFile);
  const MmapArgs args = {.addr = kBase,
                         .length = 64 * PAGE_SIZE,
                         .prot = PROT_READ,
                         .flags = MAP_PRIVATE | MAP_FIXED,
                         .mapping = file};
  Map(w, task, args);
  for (const uint64_t pgoff : {0, 14, 15, 16}) {
    Read(w, task, kBase + pgoff * PAGE_SIZE);
  }
  Zap(w, task, /*exits=*/false);
  ASSERT_EQ(Rss(task, MM_FILEPAGES), 0);
  // One fault brings back the three cached pages of the aligned 16, not the
  // fourth behind them.
  Read(w, task, kBase + 15 * PAGE_SIZE);
  EXPECT_EQ(Rss(task, MM_FILEPAGES), 3);
  EXPECT_CONSERVED(w);
  PutFile(w, task, file);
}

TEST(FaultTest, SwappedPagesComeBackWithTheirWord) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  MapAnon(w, task, 2);
  ASSERT_EQ(Write(w, task, kBase, 77), AccessResult::kOk);
  bool out = false;
  w.Run(task,
        [&] { out = try_to_unmap_one(find_vma(current()->mm, kBase), kBase); });
  ASSERT_TRUE(out);
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 0);
  EXPECT_EQ(Rss(task, MM_SWAPENTS), 1);
  EXPECT_CONSERVED(w);
  EXPECT_EQ(Read(w, task, kBase), "77");
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 1);
  EXPECT_EQ(Rss(task, MM_SWAPENTS), 0);
  EXPECT_EQ(w.mm().swap.used, 0u);
  EXPECT_CONSERVED(w);
}

struct MarkerCase {
  const char* name;
  Entry entry;
  const char* read;
};

TEST(FaultTest, MarkersAndPoisonAnswerForThemselves) {
  const MarkerCase kCases[] = {
      {"guard", Entry::kGuardMarker, "SIGSEGV"},
      {"poison", Entry::kPoisonMarker, "SIGBUS"},
      {"hwpoison", Entry::kHwpoison, "SIGBUS"},
      {"uffd-wp without a uffd", Entry::kUffdWpMarker, "0"},
  };
  for (const MarkerCase& c : kCases) {
    SCOPED_TRACE(c.name);
    MmWorld w(kNew);
    task_struct* task = w.Spawn();
    MapAnon(w, task, 1);
    Put(w, task, c.entry);
    EXPECT_EQ(Read(w, task, kBase), c.read);
    EXPECT_CONSERVED(w);
  }
}

TEST(FaultTest, MissingFaultsWaitForTheCopy) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  task_struct* monitor = w.SpawnSharing(task);
  MapAnon(w, task, 1);
  w.Run(task,
        [] { find_vma(current()->mm, kBase)->vm_flags |= VM_UFFD_MISSING; });
  uint64_t word = 0;
  AccessResult result = AccessResult::kEfault;
  w.Start(task, [&] { result = access_user_word(kBase, false, &word); });
  EXPECT_FALSE(w.Go(task)) << "it sleeps";
  EXPECT_FALSE(rwsem_is_locked(&task->mm->mmap_lock));
  int copied = -1;
  w.Run(monitor, [&] {
    mm_struct* mm = current()->mm;
    mmap_read_lock(mm);
    copied = mfill_atomic_copy(mm, kBase, 5);
    mmap_read_unlock(mm);
  });
  EXPECT_EQ(copied, 0);
  ASSERT_TRUE(w.Go(task));
  EXPECT_EQ(result, AccessResult::kOk);
  EXPECT_EQ(word, 5u);
  EXPECT_CONSERVED(w);
}

// ---- After MMF_UNSTABLE (6.8) ----------------------------------------------

// What each access to a reaped address space gives, for the task itself and
// through another one.
TEST(UnstableTest, GuardsWhatTheKernelGuards) {
  for (const char* version : {kOld, kNew}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    task_struct* reader = w.Spawn();
    address_space* file = NewFile(w, address_space::kFile);
    address_space* shm = NewFile(w, address_space::kShmem);
    constexpr uint64_t kAnonAt = kBase;
    constexpr uint64_t kFileAt = kBase + 0x10000000;
    constexpr uint64_t kShmAt = kBase + 0x20000000;
    MapAnon(w, task, 4);
    Map(w, task,
        {.addr = kFileAt,
         .length = 64 * PAGE_SIZE,
         .prot = kReadWrite,
         .flags = MAP_PRIVATE | MAP_FIXED,
         .mapping = file});
    Map(w, task,
        {.addr = kShmAt,
         .length = 4 * PAGE_SIZE,
         .prot = kReadWrite,
         .flags = MAP_SHARED | MAP_FIXED,
         .mapping = shm});
    ASSERT_EQ(Write(w, task, kAnonAt, 1), AccessResult::kOk);
    ASSERT_EQ(Write(w, task, kFileAt, 2), AccessResult::kOk);
    ASSERT_EQ(Write(w, task, kShmAt, 3), AccessResult::kOk);
    // The walk of a reaper, over what is private.
    w.Run(task, [] {
      mm_struct* mm = current()->mm;
      set_bit(MMF_UNSTABLE, &mm->flags);
      for (const uint64_t at : {kAnonAt, kFileAt}) {
        vm_area_struct* vma = find_vma(mm, at);
        mmu_gather tlb;
        tlb_gather_mmu(&tlb, mm);
        unmap_page_range(&tlb, vma, vma->vm_start, vma->vm_end,
                         {.reaping = true});
        tlb_finish_mmu(&tlb);
      }
    });
    const auto remote = [&](uint64_t address, bool write) {
      uint64_t word = 9;
      AccessResult result = AccessResult::kOom;
      mm_struct* mm = task->mm;
      w.Run(reader,
            [&] { result = access_remote_word(mm, address, write, &word); });
      return result == AccessResult::kOk ? std::to_string(word) : "EFAULT";
    };
    EXPECT_EQ(remote(kAnonAt, false), "EFAULT") << "anonymous, read";
    EXPECT_EQ(remote(kAnonAt, true), "EFAULT") << "anonymous, write";
    EXPECT_EQ(Read(w, task, kAnonAt), "SIGBUS");
    EXPECT_EQ(Read(w, task, kAnonAt + PAGE_SIZE), "SIGBUS") << "untouched";
    EXPECT_EQ(remote(kFileAt, true), "EFAULT") << "private file, write first";
    // Fault-around does not look: the file's own word is back.
    EXPECT_EQ(remote(kFileAt, false), std::to_string(FileWord(file, 0)));
    // And nothing looks when the read-only page is then written to.
    EXPECT_EQ(remote(kFileAt, true), "9") << "private file, write after read";
    // What the cache does not hold has to go through finish_fault().
    EXPECT_EQ(remote(kFileAt + 32 * PAGE_SIZE, false), "EFAULT");
    EXPECT_EQ(remote(kShmAt, false), "3") << "shared";
    EXPECT_CONSERVED(w);
    PutFile(w, task, file);
    PutFile(w, task, shm);
  }
}

TEST(UnstableTest, UserfaultfdCopyBringsAPageBack) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  MapAnon(w, task, 1);
  int copied = -1;
  w.Run(task, [&] {
    mm_struct* mm = current()->mm;
    find_vma(mm, kBase)->vm_flags |= VM_UFFD_MISSING;
    set_bit(MMF_UNSTABLE, &mm->flags);
    copied = mfill_atomic_copy(mm, kBase, 5);
  });
  EXPECT_EQ(copied, 0);
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 1);
}

// ---- Counters --------------------------------------------------------------

TEST(CounterTest, ThreadsCacheEventsUpToVersion6p1) {
  MmWorld w("v6.1");
  task_struct* task = w.Spawn();
  MapAnon(w, task, 100);
  ASSERT_EQ(Write(w, task, kBase, 1), AccessResult::kOk);
  EXPECT_EQ(task->rss_cache[MM_ANONPAGES], 1);
  EXPECT_EQ(task->mm->rss_stat[MM_ANONPAGES].count, 0);
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 1);
  // The 65th fault moves what the 64 before it have left.
  for (uint64_t i = 1; i < 65; ++i) {
    ASSERT_EQ(Write(w, task, kBase + i * PAGE_SIZE, 1), AccessResult::kOk);
  }
  EXPECT_EQ(task->mm->rss_stat[MM_ANONPAGES].count, 64);
  EXPECT_EQ(task->rss_cache[MM_ANONPAGES], 1);
}

TEST(CounterTest, SomebodyElsesZapLeavesTheCacheAlone) {
  MmWorld w("v6.1");
  task_struct* task = w.Spawn();
  task_struct* reaper = w.SpawnWithoutMm();
  MapAnon(w, task, 3);
  for (uint64_t i = 0; i < 3; ++i) {
    ASSERT_EQ(Write(w, task, kBase + i * PAGE_SIZE, 1), AccessResult::kOk);
  }
  int64_t seen = -1;
  mm_struct* mm = task->mm;
  w.Run(reaper, [&] {
    vm_area_struct* vma = find_vma(mm, kBase);
    zap_page_range_single(vma, kBase, 3 * PAGE_SIZE);
    seen = get_mm_counter(mm, MM_ANONPAGES);
  });
  EXPECT_EQ(mm->rss_stat[MM_ANONPAGES].count, -3);
  EXPECT_EQ(seen, 0) << "readers never see less than 0";
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 0);
}

TEST(CounterTest, CpusKeepAShareFromVersion6p2) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  task->cpu = 1;
  MapAnon(w, task, 40);
  for (uint64_t i = 0; i < 31; ++i) {
    ASSERT_EQ(Write(w, task, kBase + i * PAGE_SIZE, 1), AccessResult::kOk);
  }
  EXPECT_EQ(task->mm->rss_stat[MM_ANONPAGES].count, 0);
  EXPECT_EQ(task->mm->rss_stat[MM_ANONPAGES].percpu[1], 31);
  ASSERT_EQ(Write(w, task, kBase + 31 * PAGE_SIZE, 1), AccessResult::kOk);
  EXPECT_EQ(task->mm->rss_stat[MM_ANONPAGES].count, 32) << "the share spills";
  EXPECT_EQ(task->mm->rss_stat[MM_ANONPAGES].percpu[1], 0);
  int64_t seen = -1;
  w.Run(task, [&] {
    uint64_t word = 1;
    access_user_word(kBase + 32 * PAGE_SIZE, true, &word);
    seen = get_mm_counter(current()->mm, MM_ANONPAGES);
  });
  EXPECT_EQ(seen, 32) << "approximate";
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 33);
}

// ---- Fork ------------------------------------------------------------------

TEST(ForkTest, ChildAndParentPartAtTheFirstWrite) {
  for (const char* version : {kOld, kNew}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* parent = w.Spawn();
    task_struct* child = w.SpawnWithoutMm();
    MapAnon(w, parent, 4);
    ASSERT_EQ(Write(w, parent, kBase, 1), AccessResult::kOk);
    ASSERT_EQ(Write(w, parent, kBase + PAGE_SIZE, 2), AccessResult::kOk);
    w.Run(parent, [] {
      try_to_unmap_one(find_vma(current()->mm, kBase), kBase + PAGE_SIZE);
    });
    Put(w, parent, Entry::kNone);
    mm_struct* copy = nullptr;
    w.Run(parent, [&] { copy = dup_mm(current()->mm); });
    ASSERT_NE(copy, nullptr);
    child->mm = child->active_mm = copy;
    EXPECT_EQ(Rss(child, MM_ANONPAGES), 1);
    EXPECT_EQ(Rss(child, MM_SWAPENTS), 1);
    EXPECT_EQ(swap_count(w.mm(), 1), 2u);
    EXPECT_CONSERVED(w);
    ASSERT_EQ(Write(w, parent, kBase, 10), AccessResult::kOk);
    EXPECT_EQ(Read(w, child, kBase), "1");
    EXPECT_EQ(Read(w, parent, kBase), "10");
    EXPECT_EQ(Read(w, child, kBase + PAGE_SIZE), "2");
    EXPECT_CONSERVED(w);
    // The child has the page alone now: it is written in place.
    const uint64_t free_before = w.mm().nr_free;
    ASSERT_EQ(Write(w, child, kBase, 20), AccessResult::kOk);
    EXPECT_EQ(w.mm().nr_free, free_before);
    // exit_mm() does it up to v6.1.
    w.Run(child, [] { sync_mm_rss(current()->mm); });
    w.StartExitMm(child);
    ASSERT_TRUE(w.Go(child));
    EXPECT_EQ(Read(w, parent, kBase), "10");
    EXPECT_CONSERVED(w);
  }
}

}  // namespace
}  // namespace reapsim
