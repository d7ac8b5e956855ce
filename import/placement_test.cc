// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/placement.h"

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "import/vma_kind.h"
#include "mm/mm_types.h"

namespace reapsim {

void PrintTo(const FilledRun& run, std::ostream* out) {
  *out << "{" << std::hex << run.start << std::dec << " +" << run.pages
       << " filling " << int{static_cast<uint8_t>(run.filling)} << "}";
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Addresses are small so that they can be read: pages of 0x1000, huge pages of
// 0x200000.
constexpr uint64_t kBase = 0x400000;

SmapsVma Vma(uint64_t pages, SmapsSizes kib) {
  SmapsVma vma;
  vma.start = kBase;
  vma.end = kBase + pages * 0x1000;
  vma.kib = kib;
  vma.kib.size = pages * 4;
  return vma;
}

std::vector<FilledRun> Placed(const SmapsVma& vma, VmaKind kind,
                              const VmaPages* pages = nullptr) {
  std::vector<FilledRun> runs;
  EXPECT_TRUE(PlacePages(vma, kind, pages, &runs));
  return runs;
}

VmaPages Pages(std::vector<PageRun> runs) {
  return {.known = true, .runs = std::move(runs)};
}
// With what PAGEMAP_SCAN knows.
VmaPages Scanned(std::vector<PageRun> runs) {
  return {.known = true, .scanned = true, .runs = std::move(runs)};
}

TEST(PlacementTest, LeavesAnEmptyMappingEmpty) {
  EXPECT_THAT(Placed(Vma(8, {}), VmaKind::kAnonymous), IsEmpty());
}

TEST(PlacementTest, FillsFromTheLowEndAnonymousThenFileThenSwap) {
  const SmapsVma vma = Vma(8, {.rss = 16, .anonymous = 8, .swap = 4});
  EXPECT_THAT(Placed(vma, VmaKind::kFile),
              ElementsAre(FilledRun{kBase, 2, Filling::kAnon},
                          FilledRun{kBase + 0x2000, 2, Filling::kBacking},
                          FilledRun{kBase + 0x4000, 1, Filling::kSwap}));
}

// The mapping begins one page below a 2 MiB boundary: the huge page goes there,
// the three small ones first into the page before it, then behind it.
TEST(PlacementTest, PutsHugePagesAtAlignedPlacesFirst) {
  SmapsVma vma =
      Vma(1024, {.rss = 2060, .anonymous = 2060, .anon_huge_pages = 2048});
  vma.start -= 0x1000;
  vma.end -= 0x1000;
  EXPECT_THAT(Placed(vma, VmaKind::kAnonymous),
              ElementsAre(FilledRun{kBase - 0x1000, 1, Filling::kAnon},
                          FilledRun{kBase, 512, Filling::kHuge},
                          FilledRun{kBase + 0x200000, 2, Filling::kAnon}));
}

TEST(PlacementTest, CountsHugetlbPagesAsHugePages) {
  const SmapsVma vma =
      Vma(2048, {.shared_hugetlb = 2048, .private_hugetlb = 2048});
  EXPECT_THAT(Placed(vma, VmaKind::kHugetlb),
              ElementsAre(FilledRun{kBase, 1024, Filling::kHuge}));
}

TEST(PlacementTest, GivesSwapOfSharedMemoryToTheObject) {
  SmapsVma vma = Vma(8, {.rss = 8, .swap = 12});
  vma.permissions.shared = true;
  EXPECT_THAT(Placed(vma, VmaKind::kShmem),
              ElementsAre(FilledRun{kBase, 2, Filling::kBacking},
                          FilledRun{kBase + 0x2000, 3, Filling::kObjectSwap}));
}

// Four pages, all of them private copies, and two of them in swap below: only
// the object can hold those.
TEST(PlacementTest, PutsSwapBelowPrivateCopiesOfSharedMemory) {
  const SmapsVma vma = Vma(4, {.rss = 16, .anonymous = 16, .swap = 8});
  EXPECT_THAT(Placed(vma, VmaKind::kShmem),
              ElementsAre(FilledRun{kBase, 4, Filling::kAnon},
                          FilledRun{kBase, 2, Filling::kObjectSwap}));
}

TEST(PlacementTest, RefusesMoreSwapThanFits) {
  std::vector<FilledRun> runs;
  EXPECT_FALSE(PlacePages(Vma(4, {.rss = 12, .anonymous = 12, .swap = 8}),
                          VmaKind::kAnonymous, nullptr, &runs));
  // Only one page is not mapped: it has room for one swapped page of the
  // process's own and one of the object's.
  EXPECT_FALSE(PlacePages(Vma(4, {.rss = 12, .swap = 12}), VmaKind::kShmem,
                          nullptr, &runs));
}

TEST(PlacementTest, TakesPagesWherePagemapHasThem) {
  const VmaPages pages =
      Pages({{kBase + 0x1000, 1, kPagePresent | kPageExclusive},
             {kBase + 0x3000, 1, kPagePresent | kPageFileOrShmem},
             {kBase + 0x6000, 1, kPageSwapped}});
  const SmapsVma vma = Vma(8, {.rss = 8, .anonymous = 4, .swap = 4});
  EXPECT_THAT(Placed(vma, VmaKind::kFile, &pages),
              ElementsAre(FilledRun{kBase + 0x1000, 1, Filling::kAnon},
                          FilledRun{kBase + 0x3000, 1, Filling::kBacking},
                          FilledRun{kBase + 0x6000, 1, Filling::kSwap}));
}

// What only this process maps is anonymous for sure; what is left over of an
// anonymous mapping is the zero page, which no counter knows.
TEST(PlacementTest, TellsZeroPagesFromAnonymousOnes) {
  const VmaPages pages =
      Pages({{kBase, 2, kPagePresent},
             {kBase + 0x2000, 1, kPagePresent | kPageExclusive}});
  const SmapsVma vma = Vma(8, {.rss = 4, .anonymous = 4});
  EXPECT_THAT(Placed(vma, VmaKind::kAnonymous, &pages),
              ElementsAre(FilledRun{kBase, 2, Filling::kZero},
                          FilledRun{kBase + 0x2000, 1, Filling::kAnon}));
}

// A page that another process maps as well can't be told from the zero page:
// the first ones are those that smaps counts.
TEST(PlacementTest, TakesSharedPagesBeforeZeroPages) {
  const VmaPages pages =
      Pages({{kBase, 3, kPagePresent},
             {kBase + 0x3000, 1, kPagePresent | kPageExclusive},
             {kBase + 0x4000, 1, kPagePresent}});
  const SmapsVma vma = Vma(8, {.rss = 12, .anonymous = 12});
  EXPECT_THAT(Placed(vma, VmaKind::kAnonymous, &pages),
              ElementsAre(FilledRun{kBase, 2, Filling::kAnon},
                          FilledRun{kBase + 0x2000, 1, Filling::kZero},
                          FilledRun{kBase + 0x3000, 1, Filling::kAnon},
                          FilledRun{kBase + 0x4000, 1, Filling::kZero}));
}

// Nothing else in anonymous memory looks like a file's.
TEST(PlacementTest, TellsTheHugeZeroPageWithoutAScan) {
  const VmaPages pages = Pages({{kBase, 512, kPagePresent | kPageFileOrShmem}});
  EXPECT_THAT(Placed(Vma(512, {}), VmaKind::kAnonymous, &pages),
              ElementsAre(FilledRun{kBase, 512, Filling::kHugeZero}));
}

// The second run is as long as a huge page, but not in place of one.
TEST(PlacementTest, TellsHugePagesWithoutAScanIfTheirNumberFits) {
  const VmaPages pages =
      Pages({{kBase, 513, kPagePresent | kPageExclusive | kPageUffdWp},
             {kBase + 0x202000, 512, kPagePresent | kPageExclusive}});
  const SmapsVma vma =
      Vma(2048, {.rss = 4100, .anonymous = 4100, .anon_huge_pages = 2048});
  EXPECT_THAT(Placed(vma, VmaKind::kAnonymous, &pages),
              ElementsAre(FilledRun{kBase, 512, Filling::kHuge, true},
                          FilledRun{kBase + 0x200000, 1, Filling::kAnon, true},
                          FilledRun{kBase + 0x202000, 512, Filling::kAnon}));
}

// Two places for one huge page: the rule decides, by smaps alone.
TEST(PlacementTest, DoesNotGuessWhichPagesAreHuge) {
  const VmaPages pages =
      Pages({{kBase, 1024, kPagePresent | kPageExclusive | kPageUffdWp}});
  const SmapsVma vma =
      Vma(1024, {.rss = 4096, .anonymous = 4096, .anon_huge_pages = 2048});
  EXPECT_THAT(Placed(vma, VmaKind::kAnonymous, &pages),
              ElementsAre(FilledRun{kBase, 512, Filling::kHuge},
                          FilledRun{kBase + 0x200000, 512, Filling::kAnon}));
}

TEST(PlacementTest, KeepsWriteProtectionWithoutAScan) {
  const VmaPages pages =
      Pages({{kBase, 1, kPagePresent | kPageFileOrShmem | kPageUffdWp},
             {kBase + 0x1000, 1, kPagePresent | kPageExclusive | kPageUffdWp},
             {kBase + 0x2000, 1, kPageSwapped | kPageUffdWp}});
  EXPECT_THAT(
      Placed(Vma(8, {.rss = 8, .anonymous = 4}), VmaKind::kShmem, &pages),
      ElementsAre(FilledRun{kBase, 1, Filling::kBacking, true},
                  FilledRun{kBase + 0x1000, 1, Filling::kAnon, true},
                  FilledRun{kBase + 0x2000, 1, Filling::kUffdWp}));
}

TEST(PlacementTest, KeepsGuardMarkersAndDeviceFrames) {
  const VmaPages pages =
      Pages({{kBase, 1, kPageGuard}, {kBase + 0x1000, 3, kPagePresent}});
  SmapsVma vma = Vma(8, {});
  vma.vm_flags = {"pf"};
  EXPECT_THAT(Placed(vma, VmaKind::kDevice, &pages),
              ElementsAre(FilledRun{kBase, 1, Filling::kGuard},
                          FilledRun{kBase + 0x1000, 3, Filling::kSpecial}));
}

// The process has changed between the two reads: smaps counts three anonymous
// pages, pagemap shows one, and a file's page that smaps does not count.
TEST(PlacementTest, BelievesSmapsWherePagemapSaysOtherwise) {
  const VmaPages pages =
      Pages({{kBase + 0x2000, 1, kPagePresent | kPageExclusive},
             {kBase + 0x5000, 1, kPagePresent | kPageFileOrShmem}});
  const SmapsVma vma = Vma(8, {.rss = 12, .anonymous = 12});
  EXPECT_THAT(Placed(vma, VmaKind::kFile, &pages),
              ElementsAre(FilledRun{kBase, 3, Filling::kAnon}));
}

// One swapped page in the middle leaves no aligned place for the huge page that
// smaps counts.
TEST(PlacementTest, ForgetsPagemapIfHugePagesDoNotFitItsWay) {
  const VmaPages pages = Pages({{kBase + 0x100000, 1, kPageSwapped}});
  const SmapsVma vma =
      Vma(513,
          {.rss = 2048, .anonymous = 2048, .anon_huge_pages = 2048, .swap = 4});
  EXPECT_THAT(Placed(vma, VmaKind::kAnonymous, &pages),
              ElementsAre(FilledRun{kBase, 512, Filling::kHuge},
                          FilledRun{kBase + 0x200000, 1, Filling::kSwap}));
}

TEST(PlacementTest, IgnoresAPagemapThatCouldNotBeRead) {
  const VmaPages unknown;
  EXPECT_THAT(
      Placed(Vma(8, {.rss = 4, .anonymous = 4}), VmaKind::kAnonymous, &unknown),
      ElementsAre(FilledRun{kBase, 1, Filling::kAnon}));
}

// A scanned pagemap says all: 512 pages mapped by one entry, a page of the huge
// zero page's, and so on; who else maps a page makes no difference.
TEST(PlacementTest, FollowsAScannedPagemapPageByPage) {
  constexpr uint64_t kHuge = 0x200000;
  constexpr uint64_t kAfter = kBase + 2 * kHuge;
  const VmaPages pages = Scanned({
      {kBase, 100, kPagePresent | kPageHuge},
      {kBase + 100 * 0x1000, 412, kPagePresent | kPageHuge | kPageExclusive},
      {kBase + kHuge, 512,
       kPagePresent | kPageHuge | kPageZero | kPageFileOrShmem},
      {kAfter, 1, kPagePresent},
      {kAfter + 0x1000, 1, kPagePresent | kPageExclusive | kPageUffdWp},
      {kAfter + 0x2000, 1, kPagePresent | kPageZero},
      {kAfter + 0x3000, 1, kPagePresent | kPageFileOrShmem},
      {kAfter + 0x4000, 1, kPageSwapped | kPageGuard},
      {kAfter + 0x5000, 2, kPageSwapped | kPageUffdWp},
      {kAfter + 0x7000, 1, kPageSwapped},
  });
  const SmapsVma vma =
      Vma(2048, {.rss = 2060, .anonymous = 2056, .anon_huge_pages = 2048});
  EXPECT_THAT(Placed(vma, VmaKind::kShmem, &pages),
              ElementsAre(FilledRun{kBase, 512, Filling::kHuge},
                          FilledRun{kBase + kHuge, 512, Filling::kHugeZero},
                          FilledRun{kAfter, 1, Filling::kAnon},
                          FilledRun{kAfter + 0x1000, 1, Filling::kAnon, true},
                          FilledRun{kAfter + 0x2000, 1, Filling::kZero},
                          FilledRun{kAfter + 0x3000, 1, Filling::kBacking},
                          FilledRun{kAfter + 0x4000, 1, Filling::kGuard},
                          FilledRun{kAfter + 0x5000, 2, Filling::kUffdWp},
                          FilledRun{kAfter + 0x7000, 1, Filling::kPoison}));
}

// What is no page and counted by smaps is in swap.
TEST(PlacementTest, TellsSwapFromMarkersBySmaps) {
  const VmaPages pages =
      Scanned({{kBase, 2, kPageSwapped | kPageUffdWp}, {kBase + 0x2000, 1, 2}});
  EXPECT_THAT(Placed(Vma(8, {.swap = 12}), VmaKind::kAnonymous, &pages),
              ElementsAre(FilledRun{kBase, 2, Filling::kSwap, true},
                          FilledRun{kBase + 0x2000, 1, Filling::kSwap}));
}

// A file's page that a huge entry maps is one among others.
TEST(PlacementTest, MapsPagesOfFilesByThemselves) {
  const VmaPages pages =
      Scanned({{kBase, 512, kPagePresent | kPageHuge | kPageFileOrShmem}});
  EXPECT_THAT(Placed(Vma(512, {.rss = 2048}), VmaKind::kFile, &pages),
              ElementsAre(FilledRun{kBase, 512, Filling::kBacking}));
}

// Smaps counts a page more than the scanned pagemap has, or half of a huge page
// lies outside of the mapping: they were read at different times, and the rule
// decides.
TEST(PlacementTest, FollowsTheRuleWhereTheyDisagree) {
  const VmaPages one = Scanned({{kBase + 0x1000, 1, kPagePresent}});
  EXPECT_THAT(
      Placed(Vma(8, {.rss = 8, .anonymous = 8}), VmaKind::kAnonymous, &one),
      ElementsAre(FilledRun{kBase, 2, Filling::kAnon}));
  const VmaPages half = Scanned({{kBase, 256, kPagePresent | kPageHuge}});
  EXPECT_THAT(Placed(Vma(256, {.rss = 1024, .anonymous = 1024}),
                     VmaKind::kAnonymous, &half),
              ElementsAre(FilledRun{kBase, 256, Filling::kAnon}));
}

TEST(PlacementTest, KnowsHugetlbPagesByTheirMapping) {
  const VmaPages pages =
      Scanned({{kBase, 512, kPagePresent | kPageHuge | kPageFileOrShmem}});
  EXPECT_THAT(
      Placed(Vma(1024, {.private_hugetlb = 2048}), VmaKind::kHugetlb, &pages),
      ElementsAre(FilledRun{kBase, 512, Filling::kHuge}));
}

// ---- VmaKind ---------------------------------------------------------------

struct KindCase {
  const char* test;
  const char* name;
  uint64_t inode;
  bool shared;
  std::vector<std::string> flags;
  SmapsSizes kib;
  VmaKind kind;
};

class VmaKindTest : public ::testing::TestWithParam<KindCase> {};

TEST_P(VmaKindTest, FollowsNameFlagsAndSizes) {
  SmapsVma vma;
  vma.name = GetParam().name;
  vma.inode = GetParam().inode;
  vma.permissions.shared = GetParam().shared;
  vma.vm_flags = GetParam().flags;
  vma.kib = GetParam().kib;
  vma.kib.size = 64;
  EXPECT_EQ(KindOf(vma), GetParam().kind);
}

INSTANTIATE_TEST_SUITE_P(
    , VmaKindTest,
    ::testing::Values(
        KindCase{"Nameless", "", 0, false, {}, {}, VmaKind::kAnonymous},
        KindCase{"Heap", "[heap]", 0, false, {}, {}, VmaKind::kAnonymous},
        KindCase{"Stack", "[stack]", 0, false, {}, {}, VmaKind::kAnonymous},
        KindCase{"StackOfAThread",
                 "[stack:17]",
                 0,
                 false,
                 {},
                 {},
                 VmaKind::kAnonymous},
        KindCase{"NamedArena",
                 "[anon:dalvik-main space]",
                 0,
                 false,
                 {},
                 {},
                 VmaKind::kAnonymous},
        KindCase{"PrivateDevZero",
                 "/dev/zero",
                 5,
                 false,
                 {},
                 {},
                 VmaKind::kAnonymous},
        KindCase{"Binary", "/usr/bin/bash", 9, false, {}, {}, VmaKind::kFile},
        KindCase{"DeletedLibrary",
                 "/lib/libc.so (deleted)",
                 9,
                 false,
                 {},
                 {},
                 VmaKind::kFile},
        KindCase{
            "Memfd", "/memfd:x (deleted)", 9, true, {}, {}, VmaKind::kShmem},
        KindCase{"PrivateMemfd",
                 "/memfd:x (deleted)",
                 9,
                 false,
                 {},
                 {},
                 VmaKind::kShmem},
        KindCase{
            "PosixShm", "/dev/shm/sem.x", 9, true, {}, {}, VmaKind::kShmem},
        KindCase{"SystemVShm",
                 "/SYSV00000000 (deleted)",
                 9,
                 true,
                 {},
                 {},
                 VmaKind::kShmem},
        KindCase{"SharedAnonymous",
                 "/dev/zero (deleted)",
                 9,
                 true,
                 {},
                 {},
                 VmaKind::kShmem},
        KindCase{"NamedSharedAnonymous",
                 "[anon_shmem:x]",
                 0,
                 true,
                 {},
                 {},
                 VmaKind::kShmem},
        KindCase{"Ashmem",
                 "/dev/ashmem/x (deleted)",
                 9,
                 true,
                 {},
                 {},
                 VmaKind::kShmem},
        KindCase{"SharedWithoutAFile", "", 0, true, {}, {}, VmaKind::kShmem},
        KindCase{"SharedFileWithSwap",
                 "/tmp/x",
                 9,
                 true,
                 {},
                 {.swap = 4},
                 VmaKind::kShmem},
        KindCase{"HugePagesOfShmem",
                 "/tmp/x",
                 9,
                 true,
                 {},
                 {.shmem_pmd_mapped = 2048},
                 VmaKind::kShmem},
        KindCase{"MoreInSwapThanADiskFileCan",
                 "/tmp/x",
                 9,
                 false,
                 {},
                 {.rss = 64, .swap = 4},
                 VmaKind::kShmem},
        KindCase{"Secretmem",
                 "/secretmem (deleted)",
                 9,
                 true,
                 {},
                 {},
                 VmaKind::kSecretmem},
        KindCase{"HugetlbByFlag",
                 "/anon_hugepage (deleted)",
                 9,
                 true,
                 {"ht"},
                 {},
                 VmaKind::kHugetlb},
        KindCase{"HugetlbByPages",
                 "/dev/hugepages/x",
                 9,
                 true,
                 {},
                 {.private_hugetlb = 2048},
                 VmaKind::kHugetlb},
        KindCase{"HugetlbByPageSize",
                 "",
                 0,
                 false,
                 {},
                 {.kernel_page_size = 2048},
                 VmaKind::kHugetlb},
        KindCase{
            "PfnMapping", "/dev/mem", 9, true, {"pf"}, {}, VmaKind::kDevice},
        KindCase{"DriverOfAFile",
                 "/usr/lib/x",
                 9,
                 false,
                 {"io"},
                 {},
                 VmaKind::kDevice},
        KindCase{"Vdso", "[vdso]", 0, false, {}, {.rss = 8}, VmaKind::kDevice},
        KindCase{"IoUring",
                 "anon_inode:[io_uring]",
                 9,
                 true,
                 {},
                 {},
                 VmaKind::kDevice},
        KindCase{
            "PacketSocket", "socket:[4711]", 9, true, {}, {}, VmaKind::kDevice},
        KindCase{"NamelessWithPagesOfOthers",
                 "",
                 0,
                 false,
                 {},
                 {.rss = 8},
                 VmaKind::kDevice}),
    [](const ::testing::TestParamInfo<KindCase>& info) {
      return info.param.test;
    });

TEST(VmFlagsTest, ReadsTheFlagsThatTheModelKnows) {
  SmapsVma vma;
  vma.vm_flags = {"rd", "ms", "lo", "zz"};
  EXPECT_EQ(VmFlagsOf(vma), VM_READ | VM_MAYSHARE | VM_LOCKED);
}

TEST(VmFlagsTest, GivesHugetlbItsFlagWhereTheTextHasNone) {
  SmapsVma vma;
  vma.kib.private_hugetlb = 2048;
  EXPECT_EQ(VmFlagsOf(vma), VM_HUGETLB);
}

}  // namespace
}  // namespace reapsim
