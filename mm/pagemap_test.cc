// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/pagemap.h"

#include <sys/mman.h>

#include <ostream>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/populate.h"
#include "mm/testing.h"

namespace reapsim {

void PrintTo(const PagemapRun& run, std::ostream* out) {
  *out << "{" << std::hex << run.start << " +" << std::dec << run.pages << " "
       << std::hex << run.bits << std::dec << "}";
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kPage = PAGE_SIZE;
constexpr uint64_t kBase = 0x40000000;
constexpr uint64_t kOwn = PM_PRESENT | PM_MMAP_EXCLUSIVE;

// A process with a mapping of 1024 pages at kBase, and what is put there.
class PagemapTest : public ::testing::Test {
 protected:
  PagemapTest() : task_(w_.Spawn()) {}

  void Map(uint64_t flags, uint64_t vm_flags = 0,
           address_space* mapping = nullptr) {
    w_.Run(task_, [=] {
      (void)vm_mmap({.addr = kBase,
                     .length = 1024 * kPage,
                     .prot = PROT_READ | PROT_WRITE,
                     .flags = flags | MAP_FIXED,
                     .mapping = mapping,
                     .extra_vm_flags = vm_flags});
    });
  }
  void MapAnonymous() { Map(MAP_PRIVATE | MAP_ANONYMOUS); }
  void Fill(uint64_t page, uint64_t pages, PopulateKind kind,
            bool uffd_wp = false) {
    w_.Run(task_, [=, this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      done_ = PopulatePresent(find_vma(task_->mm, kBase), kBase + page * kPage,
                              pages, kind, uffd_wp);
    });
    EXPECT_EQ(done_, pages);
  }
  std::vector<PagemapRun> Pages() {
    const auto report = ReportPagemap(task_->mm);
    return report.empty() ? std::vector<PagemapRun>() : report[0];
  }

  MmWorld w_{"v6.18"};
  task_struct* task_;
  uint64_t done_ = 0;
};

TEST_F(PagemapTest, NoMmIsAnEmptyReport) {
  EXPECT_THAT(ReportPagemap(nullptr), IsEmpty());
}

TEST_F(PagemapTest, ShowsNothingWhereNothingIs) {
  MapAnonymous();
  EXPECT_THAT(Pages(), IsEmpty());
}

// Two runs in two page tables are one if they touch.
TEST_F(PagemapTest, JoinsNeighboursWithTheSameBits) {
  MapAnonymous();
  Fill(0, 3, PopulateKind::kAnon);
  Fill(510, 4, PopulateKind::kAnon);
  EXPECT_THAT(Pages(), ElementsAre(PagemapRun{kBase, 3, kOwn},
                                   PagemapRun{kBase + 510 * kPage, 4, kOwn}));
}

TEST_F(PagemapTest, ShowsZeroPages) {
  MapAnonymous();
  Fill(1, 1, PopulateKind::kZero);
  Fill(512, 512, PopulateKind::kHugeZero);
  EXPECT_THAT(
      Pages(),
      ElementsAre(
          PagemapRun{kBase + kPage, 1, PM_PRESENT | PAGE_IS_PFNZERO},
          PagemapRun{kBase + 512 * kPage, 512,
                     PM_PRESENT | PM_FILE | PAGE_IS_PFNZERO | PAGE_IS_HUGE}));
}

TEST_F(PagemapTest, ShowsHugePages) {
  MapAnonymous();
  Fill(0, 512, PopulateKind::kHuge);
  Fill(512, 512, PopulateKind::kHuge, /*uffd_wp=*/true);
  EXPECT_THAT(Pages(),
              ElementsAre(PagemapRun{kBase, 512, kOwn | PAGE_IS_HUGE},
                          PagemapRun{kBase + 512 * kPage, 512,
                                     kOwn | PAGE_IS_HUGE | PM_UFFD_WP}));
}

// A private mapping's pages are anonymous, a shared one's a file's.
TEST_F(PagemapTest, ShowsPagesOfHugetlb) {
  Map(MAP_PRIVATE | MAP_ANONYMOUS, VM_HUGETLB);
  Fill(512, 512, PopulateKind::kHuge);
  EXPECT_THAT(Pages(), ElementsAre(PagemapRun{kBase + 512 * kPage, 512,
                                              kOwn | PAGE_IS_HUGE}));
}

TEST_F(PagemapTest, ShowsPagesOfSharedHugetlbAsAFiles) {
  Map(MAP_SHARED | MAP_ANONYMOUS, VM_HUGETLB);
  Fill(512, 512, PopulateKind::kHuge);
  EXPECT_THAT(Pages(), ElementsAre(PagemapRun{kBase + 512 * kPage, 512,
                                              kOwn | PM_FILE | PAGE_IS_HUGE}));
}

TEST_F(PagemapTest, ShowsOnlyThePartOfAHugePageThatIsInTheMapping) {
  Map(MAP_SHARED | MAP_ANONYMOUS, VM_HUGETLB);
  Fill(512, 512, PopulateKind::kHuge);
  // No kernel has half a huge page in a mapping; the report does not depend on
  // it.
  w_.Run(task_, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    find_vma(task_->mm, kBase)->vm_end -= 256 * kPage;
  });
  const std::vector<PagemapRun> pages = Pages();
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_EQ(pages[0].start, kBase + 512 * kPage);
  EXPECT_EQ(pages[0].pages, 256u);
  EXPECT_EQ(pages[0].bits & (PM_PRESENT | PAGE_IS_HUGE),
            PM_PRESENT | PAGE_IS_HUGE);
  w_.Run(task_, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    find_vma(task_->mm, kBase)->vm_end += 256 * kPage;
  });
}

TEST_F(PagemapTest, ShowsPagesOfFilesAndOfSharedMemory) {
  Map(MAP_SHARED | MAP_ANONYMOUS);
  Fill(4, 2, PopulateKind::kShmem);
  EXPECT_THAT(Pages(),
              ElementsAre(PagemapRun{kBase + 4 * kPage, 2, kOwn | PM_FILE}));
}

TEST_F(PagemapTest, ShowsSwapAndMarkers) {
  MapAnonymous();
  Fill(0, 1, PopulateKind::kSwap);
  Fill(1, 1, PopulateKind::kSwap, /*uffd_wp=*/true);
  Fill(2, 1, PopulateKind::kGuard);
  Fill(3, 1, PopulateKind::kUffdWp);
  Fill(4, 1, PopulateKind::kPoison);
  EXPECT_THAT(
      Pages(),
      ElementsAre(PagemapRun{kBase, 1, PM_SWAP},
                  PagemapRun{kBase + kPage, 1, PM_SWAP | PM_UFFD_WP},
                  PagemapRun{kBase + 2 * kPage, 1, PM_SWAP | PM_GUARD_REGION},
                  PagemapRun{kBase + 3 * kPage, 1, PM_SWAP | PM_UFFD_WP},
                  PagemapRun{kBase + 4 * kPage, 1, PM_SWAP}));
}

// A page on its way to another frame still says whose it is, but not that
// nobody else maps it.
TEST_F(PagemapTest, ShowsMigrationEntriesAsSwapped) {
  MapAnonymous();
  Fill(0, 1, PopulateKind::kAnon);
  int level = 0;
  auto* entry =
      const_cast<pte_t*>(FindEntry(w_.mm(), task_->mm, kBase, &level));
  const pte_t present = *entry;
  *entry = swp_entry(SwpType::kMigrationRead, pte_pfn(present));
  EXPECT_THAT(Pages(), ElementsAre(PagemapRun{kBase, 1, PM_SWAP}));
  *entry = present;
}

TEST_F(PagemapTest, ShowsFramesWithoutAPageAsPresentOnly) {
  Map(MAP_SHARED | MAP_ANONYMOUS, VM_MIXEDMAP);
  Fill(0, 2, PopulateKind::kSpecial);
  EXPECT_THAT(Pages(), ElementsAre(PagemapRun{kBase, 2, PM_PRESENT}));
}

TEST_F(PagemapTest, PassesMappingsOfPfnsBy) {
  Map(MAP_SHARED | MAP_ANONYMOUS, VM_PFNMAP);
  Fill(0, 2, PopulateKind::kSpecial);
  EXPECT_THAT(Pages(), IsEmpty());
}

TEST_F(PagemapTest, KnowsWhatIsMappedTwice) {
  MapAnonymous();
  Fill(0, 2, PopulateKind::kAnon);
  Fill(512, 512, PopulateKind::kHuge);
  task_struct* child = w_.SpawnWithoutMm();
  w_.Run(task_, [this, child] { child->mm = dup_mm(task_->mm); });
  EXPECT_THAT(Pages(), ElementsAre(PagemapRun{kBase, 2, PM_PRESENT},
                                   PagemapRun{kBase + 512 * kPage, 512,
                                              PM_PRESENT | PAGE_IS_HUGE}));
}

}  // namespace
}  // namespace reapsim
