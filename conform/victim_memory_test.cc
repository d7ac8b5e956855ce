// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whether each kind of memory is what it is called: as the host shows it.

#include "conform/victim_memory.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "import/proc_source.h"

namespace reapsim {
namespace {

constexpr uint8_t kFilePage = kPagePresent | kPageFileOrShmem;
constexpr uint8_t kOwnPage = kPagePresent | kPageExclusive;

// There is a mapping with a name that contains `name`, and with the flags, of
// which a page has all of `set` and none of `clear`; or no page, if both are 0.
struct Shows {
  const char* kind;
  const char* name;
  std::vector<std::string> with;
  std::vector<std::string> without;
  uint8_t set = 0;
  uint8_t clear = 0;
};

std::vector<Shows> Cases() {
  return {
      {"anonymous", "", {"rd", "wr"}, {"sh"}, kOwnPage, kPageFileOrShmem},
      {"untouched", "", {"rd", "wr"}, {"sh"}},
      {"zero_page", "", {"wr"}, {}, kPagePresent | kPageZero},
      {"read_only", "", {"rd"}, {"wr"}, kOwnPage, kPageFileOrShmem},
      {"no_access", "", {"mr"}, {"rd", "wr"}, kOwnPage, kPageFileOrShmem},
      {"no_reserve", "", {"nr"}, {"ac"}, kOwnPage},
      {"populated", "", {"wr"}, {}, kPagePresent | kPageZero},
      {"one_page_vmas", "", {"rd"}, {"wr"}, kOwnPage, kPageFileOrShmem},
      {"neighbours", "", {"dd", "wr"}, {}, kOwnPage},
      {"neighbours", "", {"rr"}, {}, kOwnPage},
      {"neighbours", "", {"sr"}, {}, kOwnPage},
      {"advised", "", {"wr"}, {}, kOwnPage},
      {"mergeable", "", {"mg"}, {}, kOwnPage},
      {"droppable", "", {"dp"}, {}, kOwnPage},
      {"dev_zero", "/dev/zero", {"wr"}, {"sh"}, kOwnPage, kPageFileOrShmem},
      {"grows_down", "", {"gd"}, {}, kOwnPage},
      {"heap", "[heap]", {}, {}, kOwnPage},
      {"stack", "[stack]", {}, {}, kOwnPage},
      {"moved", "", {"wr"}, {}, kOwnPage},
      {"moved_dontunmap", "", {"wr"}, {}, kOwnPage},
      {"sealed", "", {"sl"}, {}, kOwnPage},
      {"locked", "", {"lo"}, {"lf"}, kOwnPage},
      {"locked_on_fault", "", {"lo", "lf"}, {}, kOwnPage},
      {"locked_all", "[stack]", {"lo"}, {}, kOwnPage},
      {"thp", "", {"hg"}, {}, kOwnPage | kPageHuge},
      {"thp_split", "", {"hg"}, {}, kOwnPage, kPageHuge},
      {"thp_split", "", {"hg"}, {}, kOwnPage | kPageHuge},
      {"thp_zero", "", {"hg"}, {}, kPagePresent | kPageHuge | kPageZero},
      {"thp_locked", "", {"hg", "lo"}, {}, kPagePresent | kPageHuge},
      {"thp_forked", "", {"hg"}, {}, kPagePresent | kPageHuge, kPageExclusive},
      {"thp_moved", "", {"hg"}, {}, kOwnPage | kPageHuge},
      {"thp_collapsed", "", {"hg"}, {}, kOwnPage | kPageHuge},
      {"hugetlb", "anon_hugepage", {"ht"}, {}},
      {"hugetlb_private", "anon_hugepage", {"ht"}, {"sh"}, kPagePresent},
      {"hugetlb_shared", "anon_hugepage", {"ht", "sh"}, {}, kPagePresent},
      {"swapped", "", {"wr"}, {}, kPageSwapped, kPageFileOrShmem},
      {"swapped", "", {"wr"}, {}, kOwnPage},
      {"swapped_file_cow", "/", {"wr"}, {"sh"}, kPageSwapped},
      // Only the file knows where its pages are.
      {"swapped_shared", "/dev/zero (deleted)", {"sh"}, {}},
      {"file_private", "/", {"rd"}, {"wr", "sh", "ex"}, kFilePage},
      {"file_private", "/", {"ex"}, {"wr", "sh"}, kFilePage},
      {"file_cow", "/", {"wr"}, {"sh"}, kFilePage},
      {"file_cow", "/", {"wr"}, {"sh"}, kOwnPage, kPageFileOrShmem},
      {"file_shared", "/", {"sh", "wr"}, {}, kFilePage},
      {"file_shared", "/", {"sh"}, {"wr"}, kFilePage},
      {"file_shared_read_only", "/", {"ms"}, {"sh"}, kFilePage},
      {"file_locked", "/", {"lo"}, {"wr"}, kFilePage},
      {"program", "/sleep", {"ex"}, {}, kFilePage},
      {"program", "libc.so", {"ex"}, {}, kFilePage},
      {"shared_anonymous", "/dev/zero (deleted)", {"sh"}, {}, kFilePage},
      {"shared_dev_zero", "/dev/zero (deleted)", {"sh"}, {}, kFilePage},
      {"memfd_shared", "/memfd:reapsim", {"sh", "wr"}, {}, kFilePage},
      {"memfd_shared", "/memfd:reapsim", {"sh"}, {"wr"}, kFilePage},
      {"memfd_private", "/memfd:reapsim", {}, {"sh", "wr"}, kFilePage},
      {"memfd_private",
       "/memfd:reapsim",
       {"wr"},
       {"sh"},
       kOwnPage,
       kPageFileOrShmem},
      {"memfd_read_only", "/memfd:reapsim", {"ms"}, {"sh"}, kFilePage},
      {"memfd_collapsed", "/memfd:reapsim", {}, {"sh"}, kFilePage | kPageHuge},
      {"sysv", "/SYSV", {"sh", "wr"}, {}, kFilePage},
      {"sysv_read_only", "/SYSV", {"ms"}, {"sh"}, kFilePage},
      {"secret", "/secretmem", {"lo"}, {}, kFilePage},
      {"forked",
       "",
       {"wr"},
       {},
       kPagePresent,
       kPageExclusive | kPageFileOrShmem},
      {"forked", "", {"dc"}, {}, kOwnPage},
      {"forked", "", {"wf"}, {}, kOwnPage},
      {"uffd_missing", "", {"um"}, {}, kOwnPage},
      {"uffd_missing", "", {"um"}, {}, kPagePresent | kPageZero},
      {"uffd_minor", "/memfd:reapsim", {"ui"}, {}, kFilePage},
      {"uffd_wp", "", {"uw"}, {}, kOwnPage | kPageUffdWp},
      {"uffd_wp", "", {"uw"}, {}, kPagePresent | kPageZero | kPageUffdWp},
      {"uffd_wp_unpopulated", "", {"uw"}, {}, kPageUffdWp, kPagePresent},
      {"uffd_wp_shmem", "/memfd", {"uw", "sh"}, {}, kFilePage | kPageUffdWp},
      {"uffd_wp_shmem", "/memfd", {"uw", "sh"}, {}, kPageUffdWp, kPagePresent},
      {"uffd_wp_shmem", "/memfd", {"uw"}, {"sh"}, kFilePage | kPageUffdWp},
      {"uffd_wp_shmem",
       "/memfd",
       {"uw"},
       {"sh"},
       kOwnPage | kPageUffdWp,
       kPageFileOrShmem},
      {"uffd_wp_file", "/", {"uw"}, {"sh"}, kFilePage | kPageUffdWp},
      {"uffd_wp_file", "/", {"uw"}, {"sh"}, kPageUffdWp, kPagePresent},
      {"uffd_wp_thp", "", {"uw"}, {}, kPageHuge | kPageUffdWp},
      {"uffd_poison", "", {"um"}, {}, kPageSwapped, kPageUffdWp | kPageGuard},
      {"uffd_move", "", {"um"}, {}, kOwnPage},
      {"guard", "", {"wr"}, {}, kPageGuard},
      {"guard_file", "/memfd:reapsim", {"sh"}, {}, kPageGuard},
      {"guard_file", "/", {}, {"sh"}, kPageGuard},
      {"vdso", "[vdso]", {}, {}, kFilePage},
      {"vdso", "[vvar]", {"pf"}, {}},
      {"perf_ring", "[perf_event]", {"sh", "pf"}, {}},
      {"packet_ring", "socket:", {"sh", "mm"}, {}, kFilePage},
      {"packet_ring", "socket:", {"mm"}, {"sh"}, kFilePage},
      {"uring_ring", "[io_uring]", {"sh"}, {}, kFilePage},
  };
}

bool HasPage(const VmaPages& pages, uint8_t set, uint8_t clear) {
  return std::any_of(
      pages.runs.begin(), pages.runs.end(), [&](const PageRun& run) {
        return (run.flags & set) == set && (run.flags & clear) == 0;
      });
}

bool Fits(const Shows& want, const SmapsVma& vma, const VmaPages& pages) {
  const auto has = [&vma](const std::string& flag) {
    return vma.HasFlag(flag);
  };
  // The victim's own: not what is looked for.
  if (absl::StrContains(vma.name, "memfd:victim") ||
      absl::StrContains(vma.name, "memfd:mailboxes")) {
    return false;
  }
  if (std::string(want.name).empty() && !vma.name.empty()) return false;
  return absl::StrContains(vma.name, want.name) &&
         std::all_of(want.with.begin(), want.with.end(), has) &&
         std::none_of(want.without.begin(), want.without.end(), has) &&
         (want.set + want.clear == 0 ? pages.runs.empty()
                                     : HasPage(pages, want.set, want.clear));
}

TEST(VictimKindsTest, AreAllLookedAt) {
  std::set<std::string> ids;
  for (const VictimKind& kind : VictimKinds()) {
    EXPECT_TRUE(ids.insert(kind.id).second) << kind.id;
  }
  for (const Shows& want : Cases()) ids.erase(want.kind);
  for (const std::string& id : ids) ADD_FAILURE() << id << " is not";
}

class VictimKindTest : public ::testing::TestWithParam<Shows> {};

TEST_P(VictimKindTest, IsWhatItIsCalled) {
  const absl::Status can = HostCanConform();
  if (!can.ok()) GTEST_SKIP() << can.message();
  const Shows& want = GetParam();
  HostMachine machine;
  HostTask& task = machine.Spawn();
  for (const VictimKind& kind : VictimKinds()) {
    if (kind.id == std::string(want.kind)) kind.make(task);
  }
  if (IsLack(machine.status())) {
    GTEST_SKIP() << machine.status().message();
  }
  ASSERT_TRUE(machine.ok()) << machine.status();
  const absl::StatusOr<ProcProcess> process =
      ReadProcess(absl::StrCat(task.tgid()));
  ASSERT_TRUE(process.ok()) << process.status();
  bool found = false;
  for (size_t i = 0; i < process->smaps.vmas.size(); ++i) {
    found |= Fits(want, process->smaps.vmas[i], process->pages[i]);
  }
  EXPECT_TRUE(found);
}

std::string NameOf(const ::testing::TestParamInfo<Shows>& info) {
  return absl::StrCat(info.param.kind, info.index);
}

INSTANTIATE_TEST_SUITE_P(, VictimKindTest, ::testing::ValuesIn(Cases()),
                         NameOf);

}  // namespace
}  // namespace reapsim
