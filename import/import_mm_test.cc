// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/import_mm.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "import/proc_source.h"
#include "import/smaps.h"
#include "mm/pagemap.h"
#include "mm/smaps.h"
#include "syscall/kernel.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr uint64_t kKib = 1024;

// A machine with one process that has the imported memory.
struct Imported {
  explicit Imported(const ImportPlan& plan) : kernel(Options(plan)) {
    task = &kernel.Spawn("imported");
    status = plan.Apply(kernel, *task);
  }
  static KernelOptions Options(const ImportPlan& plan) {
    KernelOptions options;
    plan.EnlargeMachine(&options);
    return options;
  }
  MemoryReport Report() { return ReportMemory(task->raw()->mm); }

  Kernel kernel;
  Task* task = nullptr;
  absl::Status status;
};

// The promise of the importer, mapping by mapping.
void ExpectEqualsText(const MemoryReport& report, const SmapsFile& smaps,
                      const ImportPlan& plan) {
  ASSERT_EQ(report.vmas.size(), smaps.vmas.size());
  for (size_t i = 0; i < smaps.vmas.size(); ++i) {
    const SmapsVma& text = smaps.vmas[i];
    const VmaReport& vma = report.vmas[i];
    SCOPED_TRACE(absl::StrCat("line ", text.line, ": ", text.name));
    EXPECT_EQ(vma.start, text.start);
    EXPECT_EQ(vma.end, text.end);
    EXPECT_EQ(vma.vm_flags, VmFlagsOf(text));
    EXPECT_EQ(vma.rss, text.kib.rss * kKib);
    EXPECT_EQ(vma.anonymous, text.kib.anonymous * kKib);
    EXPECT_EQ(vma.anon_huge, text.kib.anon_huge_pages * kKib);
    EXPECT_EQ(vma.hugetlb,
              (text.kib.shared_hugetlb + text.kib.private_hugetlb) * kKib);
    EXPECT_EQ(vma.swap_entries + plan.vmas()[i].object_swap * 4096,
              text.kib.swap * kKib);
  }
  const SmapsSizes totals = Totals(smaps);
  EXPECT_EQ(report.rss, totals.rss * kKib);
  EXPECT_EQ(report.anon, totals.anonymous * kKib);
  EXPECT_EQ(report.anon_huge, totals.anon_huge_pages * kKib);
  EXPECT_EQ(report.size, totals.size * kKib);
}

void ExpectImportsExactly(const SmapsFile& smaps,
                          const std::vector<VmaPages>* pages) {
  const absl::StatusOr<ImportPlan> plan =
      ImportPlan::Make(smaps, {.pages = pages});
  ASSERT_TRUE(plan.ok()) << plan.status();
  Imported imported(*plan);
  ASSERT_TRUE(imported.status.ok()) << imported.status;
  ExpectEqualsText(imported.Report(), smaps, *plan);
  // The kernel's own counters say the same.
  const Mm mm = imported.task->mm();
  EXPECT_EQ(mm.rss().bytes().raw(), imported.Report().rss);
  EXPECT_EQ(mm.vmas(), static_cast<int>(smaps.vmas.size()));
  EXPECT_THAT(imported.kernel.Conservation(), IsEmpty());
  EXPECT_THAT(imported.kernel.Shutdown(), IsEmpty());
}

class RecordedImportTest : public ::testing::TestWithParam<const char*> {};

TEST_P(RecordedImportTest, GivesEveryMappingWhatTheTextSays) {
  const absl::StatusOr<SmapsFile> smaps =
      ReadSmaps(absl::StrCat("tests/data/smaps/", GetParam(), ".smaps"));
  ASSERT_TRUE(smaps.ok()) << smaps.status();
  ExpectImportsExactly(*smaps, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Programs, RecordedImportTest,
                         ::testing::Values("bash", "chromium_renderer", "jvm",
                                           "postgres", "python3", "redis"));

TEST(ImportTest, GivesTheTestItselfWhatProcSays) {
  // Before the first Kernel: it maps a world into this process.
  const absl::StatusOr<ProcProcess> self = ReadProcess("self");
  ASSERT_TRUE(self.ok()) << self.status();
  ExpectImportsExactly(self->smaps, &self->pages);
}

// The bits of mm/pagemap.h for the flags of import/proc_source.h.
uint64_t BitsOf(uint8_t flags) {
  uint64_t bits = 0;
  if ((flags & kPagePresent) != 0) bits |= PM_PRESENT;
  if ((flags & kPageSwapped) != 0) bits |= PM_SWAP;
  if ((flags & kPageFileOrShmem) != 0) bits |= PM_FILE;
  if ((flags & kPageUffdWp) != 0) bits |= PM_UFFD_WP;
  if ((flags & kPageGuard) != 0) bits |= PM_GUARD_REGION;
  if ((flags & kPageHuge) != 0) bits |= PAGE_IS_HUGE;
  if ((flags & kPageZero) != 0) bits |= PAGE_IS_PFNZERO;
  return bits;
}

// ---- Mappings made here ----------------------------------------------------

SmapsVma Vma(uint64_t start, uint64_t pages, SmapsSizes kib = {}) {
  SmapsVma vma;
  vma.start = start;
  vma.end = start + pages * 4096;
  vma.permissions = {.read = true, .write = true};
  vma.vm_flags = {"rd", "wr", "mr", "mw", "me"};
  vma.kib = kib;
  vma.kib.size = pages * 4;
  vma.line = static_cast<int>(start >> 12);
  return vma;
}

SmapsVma FileVma(uint64_t start, uint64_t pages, uint64_t inode,
                 SmapsSizes kib = {}) {
  SmapsVma vma = Vma(start, pages, kib);
  vma.inode = inode;
  vma.name = absl::StrCat("/file", inode);
  return vma;
}

// Whatever a scanned pagemap can show is in the model's pagemap afterwards.
TEST(ImportTest, GivesBackAScannedPagemapPageByPage) {
  constexpr uint64_t kAnon = uint64_t{1} << 30;
  constexpr uint64_t kHuge = uint64_t{2} << 20;
  constexpr uint64_t kMarkers = uint64_t{1} << 32;
  constexpr uint64_t kFile = uint64_t{1} << 33;
  SmapsVma anon = Vma(
      kAnon, 2048, {.rss = 4104, .anonymous = 4104, .anon_huge_pages = 4096});
  anon.vm_flags.push_back("uw");
  SmapsVma markers = Vma(kMarkers, 8, {.swap = 8});
  markers.vm_flags.push_back("uw");
  SmapsVma file = FileVma(kFile, 8, 5, {.rss = 12, .anonymous = 4});
  file.vm_flags.push_back("uw");
  const std::vector<VmaPages> pages = {
      {.known = true,
       .scanned = true,
       .runs = {{kAnon, 512, kPagePresent | kPageHuge},
                {kAnon + kHuge, 512, kPagePresent | kPageHuge | kPageUffdWp},
                {kAnon + 2 * kHuge, 512,
                 kPagePresent | kPageHuge | kPageZero | kPageFileOrShmem},
                {kAnon + 3 * kHuge, 1, kPagePresent},
                {kAnon + 3 * kHuge + 0x1000, 1, kPagePresent | kPageUffdWp},
                {kAnon + 3 * kHuge + 0x2000, 1, kPagePresent | kPageZero},
                {kAnon + 3 * kHuge + 0x3000, 1, kPageSwapped | kPageGuard},
                {kAnon + 3 * kHuge + 0x4000, 1, kPageSwapped | kPageUffdWp},
                {kAnon + 3 * kHuge + 0x5000, 1, kPageSwapped}}},
      {.known = true,
       .scanned = true,
       .runs = {{kMarkers, 1, kPageSwapped},
                {kMarkers + 0x1000, 1, kPageSwapped | kPageUffdWp}}},
      {.known = true,
       .scanned = true,
       .runs = {{kFile, 1, kPagePresent | kPageFileOrShmem},
                {kFile + 0x1000, 1,
                 kPagePresent | kPageFileOrShmem | kPageUffdWp},
                {kFile + 0x2000, 1, kPagePresent}}},
  };
  const SmapsFile smaps = {.vmas = {anon, markers, file}};
  ExpectImportsExactly(smaps, &pages);

  const absl::StatusOr<ImportPlan> plan =
      ImportPlan::Make(smaps, {.pages = &pages});
  ASSERT_TRUE(plan.ok()) << plan.status();
  Imported imported(*plan);
  const auto report = ReportPagemap(imported.task->raw()->mm);
  ASSERT_EQ(report.size(), pages.size());
  for (size_t i = 0; i < pages.size(); ++i) {
    ASSERT_EQ(report[i].size(), pages[i].runs.size());
    for (size_t j = 0; j < pages[i].runs.size(); ++j) {
      const PageRun& want = pages[i].runs[j];
      const PagemapRun& run = report[i][j];
      EXPECT_EQ(run.start, want.start);
      EXPECT_EQ(run.pages, want.pages);
      EXPECT_EQ(run.bits & ~PM_MMAP_EXCLUSIVE, BitsOf(want.flags))
          << "mapping " << i << ", run " << j;
    }
  }
}

TEST(ImportTest, KeepsNeighboursApartThatTheModelWouldJoin) {
  ExpectImportsExactly(
      {.vmas = {Vma(0x10000, 4, {.rss = 4, .anonymous = 4}), Vma(0x14000, 4)}},
      nullptr);
}

TEST(ImportTest, TakesAMappingAtAddressZero) {
  ExpectImportsExactly({.vmas = {Vma(0, 4, {.rss = 8, .anonymous = 8})}},
                       nullptr);
}

// One file mapped twice, at the same offset: eight pages of RSS, four frames.
TEST(ImportTest, SharesPagesBetweenMappingsOfOneFile) {
  const SmapsFile smaps = {.vmas = {FileVma(0x10000, 4, 9, {.rss = 16}),
                                    FileVma(0x20000, 4, 9, {.rss = 16})}};
  const absl::StatusOr<ImportPlan> plan = ImportPlan::Make(smaps, {});
  ASSERT_TRUE(plan.ok());
  Kernel k;
  Task& task = k.Spawn("imported", {.bare = true});
  const uint64_t free_before = k.free_pages();
  ASSERT_TRUE(plan->Apply(k, task).ok());
  EXPECT_EQ(task.mm().rss(), Pages(8));
  EXPECT_EQ(free_before - k.free_pages(), 4u);
}

// Three levels below the PGD for one page.
TEST(ImportTest, MakesOnlyThePageTablesThatPagesNeed) {
  const SmapsFile smaps = {
      .vmas = {Vma(0x10000, uint64_t{1} << 28, {.rss = 4, .anonymous = 4})}};
  const absl::StatusOr<ImportPlan> plan = ImportPlan::Make(smaps, {});
  ASSERT_TRUE(plan.ok());
  Imported imported(*plan);
  ASSERT_TRUE(imported.status.ok()) << imported.status;
  EXPECT_EQ(imported.Report().page_tables_bytes, 3u * 4096);
}

TEST(ImportTest, KeepsSwapOfSharedMemoryOutOfThePageTables) {
  SmapsVma shared = FileVma(0x10000, 8, 9, {.rss = 8, .swap = 12});
  shared.name = "/memfd:x (deleted)";
  shared.permissions.shared = true;
  const absl::StatusOr<ImportPlan> plan =
      ImportPlan::Make({.vmas = {shared}}, {});
  ASSERT_TRUE(plan.ok());
  Imported imported(*plan);
  ASSERT_TRUE(imported.status.ok()) << imported.status;
  EXPECT_EQ(imported.Report().swap, 0u);
  EXPECT_EQ(imported.Report().shmem, 8 * kKib);
  EXPECT_EQ(imported.kernel.mm().swap.used, 3u);
  EXPECT_THAT(imported.kernel.Shutdown(), IsEmpty());
}

TEST(ImportTest, ReplacesWhatTheTaskHad) {
  Kernel k;
  Task& task = k.Spawn("imported");
  ASSERT_GT(task.mm().rss(), Pages(1));
  const SmapsFile smaps = {
      .vmas = {Vma(0x10000, 1, {.rss = 4, .anonymous = 4})}};
  ASSERT_TRUE(ImportSmaps(k, task, smaps).ok());
  EXPECT_EQ(task.mm().rss(), Pages(1));
  EXPECT_EQ(task.mm().vmas(), 1);
}

// A browser's reservations and a database's many files: what is reserved costs
// nothing, what is resident is 64 pages in each of 60,000 mappings.
TEST(ImportTest, TakesLargeProcesses) {
  SmapsFile smaps;
  smaps.vmas.push_back(Vma(uint64_t{1} << 44, uint64_t{1} << 28));
  smaps.vmas.push_back(
      Vma(uint64_t{1} << 45, uint64_t{1} << 28, {.rss = 8, .anonymous = 8}));
  for (uint64_t i = 0; i < 60'000; ++i) {
    SmapsVma vma = FileVma((uint64_t{3} << 45) + i * 0x800000, 1024, i + 1,
                           {.rss = 256, .anonymous = 4});
    vma.offset = uint64_t{1} << 31;
    smaps.vmas.push_back(vma);
  }
  const absl::StatusOr<ImportPlan> plan = ImportPlan::Make(smaps, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  Imported imported(*plan);
  ASSERT_TRUE(imported.status.ok()) << imported.status;
  EXPECT_EQ(imported.task->mm().rss(), Pages(60'000 * 64 + 2));
}

TEST(ImportTest, SaysWhenTheMachineIsTooSmall) {
  Kernel k({.memory = uint64_t{4} << 20});
  Task& task = k.Spawn("imported");
  const SmapsFile smaps = {
      .vmas = {Vma(0x10000, 2048, {.rss = 8192, .anonymous = 8192})}};
  const absl::Status status = ImportSmaps(k, task, smaps);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("machine is too small"));
}

// ---- Texts that can't be true, or are too much ------------------------------

struct BadCase {
  const char* test;
  std::vector<SmapsVma> vmas;
  const char* message;  // after the place
};

class BadImportTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadImportTest, NamesFileAndLine) {
  const absl::StatusOr<ImportPlan> plan =
      ImportPlan::Make({.vmas = GetParam().vmas}, {.file_name = "x.smaps"});
  ASSERT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(plan.status().message());
  EXPECT_THAT(message, StartsWith(absl::StrCat(
                           "x.smaps:", GetParam().vmas.back().line, ":1: ")));
  EXPECT_THAT(message, HasSubstr(GetParam().message));
}

SmapsVma HugetlbVma(uint64_t start, uint64_t pages, SmapsSizes kib) {
  SmapsVma vma = Vma(start, pages, kib);
  vma.vm_flags = {"rd", "ht"};
  return vma;
}

// Mappings of one page each, a GiB apart: a table of level 1 and one of level 2
// for each, and one of level 3 for every 512. The last one makes 250,002.
std::vector<SmapsVma> Scattered() {
  std::vector<SmapsVma> vmas;
  for (uint64_t i = 0; i < 124'879; ++i) {
    vmas.push_back(Vma((i + 1) << 30, 1, {.rss = 4, .anonymous = 4}));
  }
  return vmas;
}

std::vector<SmapsVma> ManyVmas(uint64_t count) {
  std::vector<SmapsVma> vmas;
  for (uint64_t i = 0; i < count; ++i) vmas.push_back(Vma((i + 1) << 13, 1));
  return vmas;
}

std::vector<SmapsVma> ManyFiles() {
  std::vector<SmapsVma> vmas;
  for (uint64_t i = 1; i <= 100'001; ++i) {
    vmas.push_back(FileVma(i << 13, 1, i));
  }
  return vmas;
}

constexpr uint64_t kTooMuch = (uint64_t{256} << 20) + 4;  // KiB

INSTANTIATE_TEST_SUITE_P(
    , BadImportTest,
    ::testing::Values(
        BadCase{"LastPage", {Vma(0x7ffffffff000, 1)}, "last page below 47"},
        BadCase{"PagesOfAnotherMachine",
                {Vma(0x10000, 16, {.kernel_page_size = 16})},
                "KernelPageSize: is 16 kB"},
        BadCase{"HugetlbUnaligned",
                {HugetlbVma(0x10000, 512, {})},
                "hugetlb mapping is not aligned"},
        BadCase{"HugetlbWithRss",
                {HugetlbVma(0x200000, 512, {.rss = 4})},
                "has Rss: or Swap:"},
        BadCase{"HugetlbInParts",
                {HugetlbVma(0x200000, 512, {.private_hugetlb = 64})},
                "not whole"},
        BadCase{"SwapOfShmemThatHasNoRoom",
                {FileVma(0x10000, 4, 9, {.rss = 16, .swap = 4})},
                "make up more than the mapping"},
        BadCase{"TooMuchResident",
                {Vma(0x10000, kTooMuch / 4,
                     {.rss = kTooMuch, .anonymous = kTooMuch})},
                "more than 256 GiB resident"},
        BadCase{"TooMuchSwapped",
                {Vma(0x10000, kTooMuch / 4, {.swap = kTooMuch})},
                "more than 128 GiB swapped out"},
        BadCase{"TooManyMappings", ManyVmas(kMaxImportVmas + 1),
                "too many mappings"},
        BadCase{"TooManyFiles", ManyFiles(), "too many files"},
        BadCase{"TooManyTables", Scattered(), "too far apart"}),
    [](const ::testing::TestParamInfo<BadCase>& info) {
      return info.param.test;
    });

}  // namespace
}  // namespace reapsim
