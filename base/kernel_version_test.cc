// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/kernel_version.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

KernelVersion V(absl::string_view text) {
  const absl::StatusOr<KernelVersion> version = ParseKernelVersion(text);
  EXPECT_TRUE(version.ok()) << version.status();
  return version.value_or(KernelVersion{});
}

// The value of the field `name` at a version, as text.
std::string ValueAt(absl::string_view version, absl::string_view name) {
  for (const DifferenceField& field : DifferenceFields()) {
    if (field.name == name) {
      return std::string(field.value(DifferencesAt(V(version))));
    }
  }
  ADD_FAILURE() << "no field " << name;
  return "";
}

struct ParseCase {
  std::string text;
  KernelVersion want;
};

TEST(ParseKernelVersionTest, ReadsNamesAndWhatUnamePrints) {
  const ParseCase kCases[] = {
      {"v5.15-rc1", {.major = 5, .minor = 15, .rc = 1}},
      {"5.15-rc1", {.major = 5, .minor = 15, .rc = 1}},
      {"v5.15", {.major = 5, .minor = 15}},
      {"v6.18", {.major = 6, .minor = 18}},
      {"6.18.44", {.major = 6, .minor = 18, .stable = 44}},
      {"6.1.0-47-cloud-amd64", {.major = 6, .minor = 1}},
      {"6.12.43+deb12-amd64", {.major = 6, .minor = 12, .stable = 43}},
      {"5.15.0-204-generic", {.major = 5, .minor = 15}},
      {"6.18.44-fc-v657", {.major = 6, .minor = 18, .stable = 44}},
      {"6.12.0-rc3", {.major = 6, .minor = 12, .rc = 3}},
      {"6.12-rc3+", {.major = 6, .minor = 12, .rc = 3}},
      {"7.3~rc7-1", {.major = 7, .minor = 3, .rc = 7}},
      {"2.6.32-754.el6.x86_64", {.major = 2, .minor = 6, .stable = 32}},
      {"6.6.87.2-microsoft-standard-WSL2",
       {.major = 6, .minor = 6, .stable = 87}},
      // A candidate of the stable release 6.12.3 has all of 6.12.
      {"6.12.3-rc1", {.major = 6, .minor = 12, .stable = 3}},
  };
  for (const ParseCase& c : kCases) {
    const absl::StatusOr<KernelVersion> version = ParseKernelVersion(c.text);
    ASSERT_TRUE(version.ok()) << c.text << ": " << version.status();
    EXPECT_EQ(*version, c.want) << c.text;
  }
}

struct BadCase {
  std::string text;
  std::string want_reason;
};

TEST(ParseKernelVersionTest, SaysWhatIsWrongWithEverythingElse) {
  const BadCase kCases[] = {
      {"", "its major number cannot be read"},
      {"latest", "its major number cannot be read"},
      {"-5.15", "its major number cannot be read"},
      {"6", "its minor number cannot be read"},
      {"v6.", "its minor number cannot be read"},
      {"6-18", "its minor number cannot be read"},
      {"6.12345", "its minor number cannot be read"},
      {"6.18.12345", "its third number cannot be read"},
      {"6.18-rc", "-rc needs a number from 1"},
      {"6.18-rc0", "-rc needs a number from 1"},
      {"6.18x", "cannot read what follows v6.18"},
      {"6.18.44 ", "cannot read what follows v6.18.44"},
      {"6.1 8", "cannot read what follows v6.1"},
      {"6.18-\x01", "\"6.18-?\": cannot read what follows v6.18"},
      // The series ended at 5.19, 4.20 and 2.6; 0.x is not a version of it.
      {"5.20", "there was never such a release"},
      {"4.21", "there was never such a release"},
      {"2.7", "there was never such a release"},
      {"0.99", "there was never such a release"},
      {std::string(65, '6'), "too long"},
  };
  for (const BadCase& c : kCases) {
    const absl::StatusOr<KernelVersion> version = ParseKernelVersion(c.text);
    EXPECT_EQ(version.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(version.status().message()),
                HasSubstr(c.want_reason))
        << c.text;
    EXPECT_THAT(std::string(version.status().message()),
                HasSubstr("expected a version such as v6.18"))
        << c.text;
  }
}

TEST(KernelVersionTest, OrdersByDevelopment) {
  const std::vector<std::string> kAscending = {
      "2.6.32", "4.20",     "5.14.21",  "5.15-rc1", "5.15-rc7", "5.15-rc10",
      "5.15",   "5.15.204", "5.16-rc1", "6.9",      "6.10",     "6.18-rc8",
      "6.18",   "6.18.44",  "6.19",     "7.0-rc1",  "7.2",
  };
  for (size_t i = 0; i < kAscending.size(); ++i) {
    for (size_t j = 0; j < kAscending.size(); ++j) {
      EXPECT_EQ(V(kAscending[i]) < V(kAscending[j]), i < j)
          << kAscending[i] << " < " << kAscending[j];
    }
  }
}

TEST(KernelVersionTest, PrintsAsTheKernelsTagIsNamed) {
  EXPECT_EQ(ToString(V("5.15-rc1")), "v5.15-rc1");
  EXPECT_EQ(ToString(V("v6.18")), "v6.18");
  EXPECT_EQ(ToString(V("6.18.44-fc")), "v6.18.44");
}

// The last version without a change and the first with it.
struct ChangeCase {
  std::string field;
  std::string last_before;
  std::string first_with;
  std::string want_before;
  std::string want_with;
};

TEST(DifferencesTest, ChangeWhereTheHistorySaysSo) {
  const ChangeCase kCases[] = {
      {"has_process_mrelease", "5.14.21", "5.15-rc1", "false", "true"},
      {"mrelease_original_form", "5.14", "5.15-rc1", "false", "true"},
      {"mrelease_original_form", "5.15-rc6", "5.15-rc7", "true", "false"},
      {"mrelease_pins_mm_users", "5.15-rc6", "5.15-rc7", "false", "true"},
      {"mrelease_pins_mm_users", "5.16.20", "5.17-rc1", "true", "false"},
      {"mrelease_rechecks_oom_skip", "5.16", "5.17-rc1", "false", "true"},
      {"pidfd_get_task_drops_pid_early", "5.15", "5.16-rc1", "false", "true"},
      {"has_pidfd_thread", "6.8", "6.9-rc1", "false", "true"},
      {"pidfd_self", "6.14", "6.15-rc1", "kNone", "kFirstValues"},
      {"pidfd_self", "6.16.12", "6.17-rc1", "kFirstValues", "kFinalValues"},
      {"pidfd_open_nonleader_enoent", "6.14", "6.15-rc1", "false", "true"},
      {"dying_vetoed_by_group_coredump_flag", "5.16", "5.17-rc1", "true",
       "false"},
      {"coredump_sets_group_exit", "5.16", "5.17-rc1", "false", "true"},
      {"coredump_kills_mm_sharers", "5.15", "5.16-rc1", "true", "false"},
      {"coredump_waits_in_exit_mm", "5.15", "5.16-rc1", "true", "false"},
      {"guarantees_group_exit", "6.0", "6.1-rc1", "false", "true"},
      {"group_exit_one_siglock_section", "6.14", "6.15-rc1", "false", "true"},
      {"thread_group_empty_needs_leader", "6.6", "6.7-rc1", "false", "true"},
      {"exit_mmap_protocol", "5.16", "5.17-rc1", "kUnlocked",
       "kWriteLockDangling"},
      {"exit_mmap_protocol", "5.17-rc5", "5.17-rc6", "kWriteLockDangling",
       "kWriteLock"},
      {"exit_mmap_protocol", "6.0.19", "6.1-rc1", "kWriteLock",
       "kReadThenWrite"},
      {"has_mmf_oom_victim", "6.0", "6.1-rc1", "true", "false"},
      {"uses_maple_tree", "6.0", "6.1-rc1", "false", "true"},
      {"locks_hugetlb_around_exit_unmap", "6.6", "6.7-rc1", "false", "true"},
      {"failed_dup_mmap_leaves_marker", "6.7", "6.8-rc1", "false", "true"},
      {"failed_dup_mmap_leaves_marker", "7.1", "7.2-rc1", "true", "false"},
      {"failed_dup_mmap_hides_mm", "6.13", "6.14-rc1", "false", "true"},
      {"frees_tables_by_rcu", "6.13", "6.14-rc1", "false", "true"},
      {"exec_defers_old_mm", "7.1", "7.2-rc1", "false", "true"},
      {"reaps_mlocked", "5.17", "5.18-rc1", "false", "true"},
      {"walks_in_reverse", "6.17", "6.18-rc1", "false", "true"},
      {"notifies_clear", "7.0", "7.1-rc1", "false", "true"},
      {"uffd_wp_anon_marker_cleared", "6.3", "6.4-rc1", "false", "true"},
      {"uffd_wp_markers", "5.18", "5.19-rc1", "false", "true"},
      {"has_uffd_wp_async", "6.6", "6.7-rc1", "false", "true"},
      {"has_uffd_poison", "6.5", "6.6-rc1", "false", "true"},
      {"has_guard_markers", "6.12", "6.13-rc1", "false", "true"},
      {"guards_any_mapping", "6.14", "6.15-rc1", "false", "true"},
      {"has_droppable", "6.10", "6.11-rc1", "false", "true"},
      {"ksm_counts_zero_pages", "6.5", "6.6-rc1", "false", "true"},
      {"device_exclusive_keeps_rmap", "6.14", "6.15-rc1", "false", "true"},
      {"zap_batches_ptes", "6.8", "6.9-rc1", "false", "true"},
      {"zap_batches_swap_entries", "6.9", "6.10-rc1", "false", "true"},
      {"gather_full_early", "6.8", "6.9-rc1", "false", "true"},
      {"zap_checks_resched_on_none", "6.13", "6.14-rc1", "false", "true"},
      {"delays_rmap", "6.1", "6.2-rc1", "false", "true"},
      {"pte_map_may_fail", "6.4", "6.5-rc1", "false", "true"},
      {"retracts_tables_under_read_lock", "6.5", "6.6-rc1", "false", "true"},
      {"madvise_reclaims_empty_tables", "6.13", "6.14-rc1", "false", "true"},
      {"rss_percpu", "6.1", "6.2-rc1", "false", "true"},
      {"per_vma_lock", "6.3", "6.4-rc1", "kNone", "kRwsem"},
      {"per_vma_lock", "6.14", "6.15-rc1", "kRwsem", "kRefcount"},
      {"stack_grows_under_write_lock", "6.4", "6.5-rc1", "false", "true"},
      {"madvise_locks_vma", "6.16", "6.17-rc1", "false", "true"},
      {"use_pf_oom_killer", "5.15", "5.16-rc1", "true", "false"},
      {"oom_ignores_zero_gfp_mask", "6.1", "6.2-rc1", "true", "false"},
      {"oom_reaper_delayed", "5.18-rc3", "5.18-rc4", "false", "true"},
      {"mark_victim_has_fields", "6.8", "6.9-rc1", "false", "true"},
      {"exact_rss_sums", "7.1", "7.2-rc1", "false", "true"},
      {"thaws_whole_process", "6.17", "6.18-rc1", "false", "true"},
      {"freezer_has_frozen_state", "6.0", "6.1-rc1", "false", "true"},
      {"reclaim_skips_reaped_mm", "6.10", "6.11-rc1", "false", "true"},
      {"swapoff_skips_unstable", "6.17", "6.18-rc1", "false", "true"},
      {"memcg_fails_charges_of_reaped_victim", "7.1", "7.2-rc1", "false",
       "true"},
  };
  std::set<std::string> covered;
  for (const ChangeCase& c : kCases) {
    EXPECT_EQ(ValueAt(c.last_before, c.field), c.want_before)
        << c.field << " at " << c.last_before;
    EXPECT_EQ(ValueAt(c.first_with, c.field), c.want_with)
        << c.field << " at " << c.first_with;
    covered.insert(c.field);
  }
  for (const DifferenceField& field : DifferenceFields()) {
    EXPECT_TRUE(covered.count(std::string(field.name)))
        << field.name << " has no case here";
  }
}

// Every change is one between neighbours, so that no row ends or starts
// anywhere that the test above does not look at.
TEST(DifferencesTest, HaveOneRowForEachSpanOfAValue) {
  std::map<std::string, int> rows_of;
  for (const DifferenceRow& row : DifferenceRows()) {
    ++rows_of[std::string(row.field)];
  }
  for (const auto& [field, rows] : rows_of) {
    const int want = field == "exit_mmap_protocol"                      ? 3
                     : field == "pidfd_self" || field == "per_vma_lock" ? 2
                                                                        : 1;
    EXPECT_EQ(rows, want) << field;
  }
}

TEST(DifferencesTest, HaveRowsThatSetTheValueTheyName) {
  for (const DifferenceRow& row : DifferenceRows()) {
    Differences differences = {};
    row.apply(differences);
    EXPECT_THAT(DifferingFields(differences, Differences{}),
                ElementsAre(std::string(row.field)));
    for (const DifferenceField& field : DifferenceFields()) {
      if (field.name == row.field) {
        EXPECT_EQ(field.value(differences), row.value) << row.field;
      }
    }
  }
}

TEST(DifferencesTest, HaveRowsInTheOrderOfTheFields) {
  std::vector<std::string> order;
  for (const DifferenceRow& row : DifferenceRows()) {
    if (order.empty() || order.back() != row.field) {
      order.emplace_back(row.field);
    }
  }
  std::vector<std::string> declared;
  for (const DifferenceField& field : DifferenceFields()) {
    declared.emplace_back(field.name);
  }
  EXPECT_EQ(order, declared);
}

TEST(DifferencesTest, HaveRowsThatSayWhereTheyComeFrom) {
  for (const DifferenceRow& row : DifferenceRows()) {
    EXPECT_FALSE(row.title.empty()) << row.field;
    EXPECT_FALSE(row.evidence.empty()) << row.field;
    EXPECT_FALSE(row.changes.empty()) << row.field;
    EXPECT_TRUE(row.commit.empty() || row.commit.size() == 12) << row.commit;
    if (!(row.until == KernelVersion{})) {
      EXPECT_LT(row.since, row.until) << row.field;
    }
  }
}

TEST(SupportedVersionsTest, AreOldestFirstAndResolveToThemselves) {
  const SupportedVersion* previous = nullptr;
  for (const SupportedVersion& supported : SupportedVersions()) {
    if (previous != nullptr) {
      EXPECT_LT(previous->version, supported.version);
    }
    previous = &supported;
    const absl::StatusOr<ResolvedVersion> resolved =
        Resolve(ToString(supported.version));
    ASSERT_TRUE(resolved.ok());
    EXPECT_EQ(resolved->supported, supported.name);
    EXPECT_EQ(resolved->differences, DifferencesAt(supported.version));
    EXPECT_THAT(resolved->differing, IsEmpty());
  }
}

struct ResolveCase {
  std::string text;
  std::string want_supported;
  std::string want_in_note;
};

TEST(ResolveTest, TakesTheVersionWithTheFewestDifferences) {
  const std::string kNone = "before v5.15 (no process_mrelease)";
  const ResolveCase kCases[] = {
      {"v5.15-rc1", "v5.15-rc1", "kernel v5.15-rc1"},
      {"v6.18", "v6.18", "kernel v6.18"},
      {"2.6.32-754.el6.x86_64", kNone, "the call is ENOSYS there"},
      {"5.14", kNone, "kernel v5.14: before v5.15"},
      {"5.15-rc6", "v5.15-rc1", "no difference between them is known"},
      // Only how the mm is held differs: 2 from v5.15-rc1.
      {"5.15", "v5.15-rc1", "in mrelease_original_form, mrelease_pins_mm_user"},
      // 4 of what decides the call from v5.15-rc1, 7 from v6.18.
      {"5.16", "v5.15-rc1", "coredump_kills_mm_sharers"},
      // 6 from v5.15-rc1, 4 from v6.18.
      {"5.17", "v6.18", "guarantees_group_exit, exit_mmap_protocol, reaps_ml"},
      {"6.1.0-47-cloud-amd64", "v6.18", "(from \"6.1.0-47-cloud-amd64\")"},
      {"6.12.43+deb12-amd64", "v6.18",
       "differ in nothing that decides the call"},
      {"7.0", "v6.18", "no difference between them is known"},
      // Five in all, none of which decides the call.
      {"7.2", "v6.18", "and in 5 other points"},
      {"7.4.1", "v6.18", "changes after v7.3 are not known"},
  };
  for (const ResolveCase& c : kCases) {
    const absl::StatusOr<ResolvedVersion> resolved = Resolve(c.text);
    ASSERT_TRUE(resolved.ok()) << c.text << ": " << resolved.status();
    EXPECT_EQ(resolved->supported, c.want_supported) << c.text;
    EXPECT_THAT(resolved->note, HasSubstr(c.want_in_note)) << c.text;
    EXPECT_EQ(resolved->requested, c.text);
  }
}

TEST(ResolveTest, GivesTheDifferencesOfTheVersionUsed) {
  const absl::StatusOr<ResolvedVersion> resolved = Resolve("6.17");
  ASSERT_TRUE(resolved.ok());
  // v6.17 walks upwards and thaws one thread; v6.18, which is used, doesn't.
  EXPECT_TRUE(resolved->differences.walks_in_reverse);
  EXPECT_THAT(resolved->differing,
              ElementsAre("walks_in_reverse", "thaws_whole_process",
                          "swapoff_skips_unstable"));
}

TEST(ResolveTest, WarnsOfBackportsOnlyWhereThereMayBeSome) {
  const std::string kWarning = "distributions and stable releases changed";
  EXPECT_THAT(Resolve("6.18.44")->note, HasSubstr(kWarning));
  EXPECT_THAT(Resolve("6.1.0-47-amd64")->note, HasSubstr(kWarning));
  EXPECT_THAT(Resolve("v6.12")->note, Not(HasSubstr(kWarning)));
  EXPECT_THAT(Resolve("v6.18-rc3")->note, Not(HasSubstr(kWarning)));
}

TEST(ResolveTest, RefusesWhatIsNoVersion) {
  EXPECT_EQ(Resolve("newest").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ResolveExactlyTest, GivesTheTableAsItStandsAndClaimsNothing) {
  const absl::StatusOr<ResolvedVersion> resolved = ResolveExactly("6.17");
  ASSERT_TRUE(resolved.ok());
  EXPECT_EQ(resolved->differences, DifferencesAt(V("6.17")));
  EXPECT_EQ(resolved->supported, "v6.17");
  EXPECT_FALSE(resolved->differences.walks_in_reverse);
  EXPECT_THAT(
      resolved->differing,
      ElementsAre("locks_hugetlb_around_exit_unmap",
                  "retracts_tables_under_read_lock",
                  "madvise_reclaims_empty_tables", "reclaim_skips_reaped_mm"));
  EXPECT_THAT(resolved->note,
              HasSubstr("kernel v6.17 as the table of "
                        "differences has it; not modelled: locks_hugetlb"));
  // Up to v5.15 only the page-fault OOM is missing; in v6.1 nothing is.
  EXPECT_THAT(ResolveExactly("v5.15")->differing,
              ElementsAre("use_pf_oom_killer"));
  EXPECT_THAT(ResolveExactly("v6.1")->note, HasSubstr("all of it modelled"));
}

TEST(ResolveExactlyTest, WarnsAndRefusesAsResolveDoes) {
  EXPECT_THAT(ResolveExactly("6.1.0-47-amd64")->note,
              HasSubstr("distributions and stable releases changed"));
  EXPECT_EQ(ResolveExactly("newest").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(EpochsTest, AreOldestFirstAndTellEachProtocolApart) {
  const Epoch* previous = nullptr;
  std::set<std::string> protocols;
  for (const Epoch& epoch : Epochs()) {
    ASSERT_TRUE(ResolveExactly(epoch.version).ok()) << epoch.version;
    if (previous != nullptr) {
      EXPECT_LT(V(previous->version), V(epoch.version));
      EXPECT_THAT(DifferingFields(DifferencesAt(V(previous->version)),
                                  DifferencesAt(V(epoch.version))),
                  Not(IsEmpty()));
    }
    previous = &epoch;
    protocols.insert(ValueAt(epoch.version, "exit_mmap_protocol"));
    EXPECT_FALSE(epoch.what.empty());
  }
  EXPECT_THAT(protocols, ElementsAre("kReadThenWrite", "kUnlocked",
                                     "kWriteLock", "kWriteLockDangling"));
}

}  // namespace
}  // namespace reapsim
