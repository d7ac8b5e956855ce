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

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

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
    EXPECT_FALSE(row.rests_on.empty()) << row.field;
    EXPECT_FALSE(row.changes.empty()) << row.field;
    EXPECT_TRUE(row.commit.empty() || row.commit.size() == 12) << row.commit;
    if (!(row.until == KernelVersion{})) {
      EXPECT_LT(row.since, row.until) << row.field;
    }
  }
}

struct ResolveCase {
  std::string text;
  std::string want_used;
  std::string want_note;
};

TEST(ResolveTest, TakesEachVersionForItselfAndSaysWhatIsNotKnown) {
  const std::string kUnknown =
      "what distributions and stable releases changed is not known";
  const ResolveCase kCases[] = {
      {"v5.15-rc1", "v5.15-rc1", "kernel v5.15-rc1"},
      {"5.17-rc1", "v5.17-rc1", "kernel v5.17-rc1"},
      {"v6.18", "v6.18", "kernel v6.18"},
      {"6.18-rc3", "v6.18-rc3", "kernel v6.18-rc3"},
      {"7.3", "v7.3", "kernel v7.3"},
      {"v5.10", "v5.10", "kernel v5.10: it has no process_mrelease"},
      {"2.6.32-754.el6.x86_64", "v2.6.32",
       "kernel v2.6.32 (from \"2.6.32-754.el6.x86_64\"): it has no "
       "process_mrelease"},
      {"6.18.44", "v6.18.44", "kernel v6.18.44; " + kUnknown},
      {"6.18.0-1-amd64", "v6.18",
       "kernel v6.18 (from \"6.18.0-1-amd64\"); " + kUnknown},
      {"7.4.1", "v7.3",
       "kernel v7.4.1: v7.3 is used; what changed after it is not known"},
  };
  for (const ResolveCase& c : kCases) {
    const absl::StatusOr<ResolvedVersion> resolved = Resolve(c.text);
    ASSERT_TRUE(resolved.ok()) << c.text << ": " << resolved.status();
    EXPECT_EQ(ToString(resolved->used), c.want_used) << c.text;
    EXPECT_THAT(resolved->note, StartsWith(c.want_note)) << c.text;
    EXPECT_EQ(resolved->requested, c.text);
    EXPECT_EQ(resolved->version, V(c.text));
    EXPECT_EQ(resolved->differences, DifferencesAt(V(c.want_used))) << c.text;
  }
}

// Each pair of neighbours that a change lies between. No two of them may
// resolve to the same differences.
TEST(ResolveTest, GivesEveryVersionItsOwnDifferences) {
  std::set<KernelVersion> changes;
  for (const DifferenceRow& row : DifferenceRows()) {
    changes.insert(row.since);
    changes.insert(row.until);
  }
  changes.erase(KernelVersion{});
  const Differences* previous = nullptr;
  std::vector<Differences> resolved;
  resolved.reserve(changes.size());
  for (const KernelVersion& version : changes) {
    resolved.push_back(Resolve(ToString(version))->differences);
    if (previous != nullptr) {
      EXPECT_THAT(DifferingFields(*previous, resolved.back()), Not(IsEmpty()))
          << version;
    }
    previous = &resolved.back();
  }
  // v5.15-rc1, -rc7, v5.16 and so on: far more than the epochs.
  EXPECT_GT(changes.size(), Epochs().size());
}

TEST(ResolveTest, WarnsOfBackportsOnlyWhereThereMayBeSome) {
  const std::string kWarning = "distributions and stable releases changed";
  EXPECT_THAT(Resolve("6.18.44")->note, HasSubstr(kWarning));
  EXPECT_THAT(Resolve("6.1.0-47-amd64")->note, HasSubstr(kWarning));
  EXPECT_THAT(Resolve("v6.12")->note, Not(HasSubstr(kWarning)));
  EXPECT_THAT(Resolve("v6.18-rc3")->note, Not(HasSubstr(kWarning)));
  // Without a call there is nothing to warn of.
  EXPECT_THAT(Resolve("5.10.0-32-amd64")->note, Not(HasSubstr(kWarning)));
}

TEST(ResolveTest, NamesTheBackportsThatAreKnownAndMatter) {
  EXPECT_THAT(Resolve("5.15.0-204-generic")->note,
              HasSubstr("(some have failed_dup_mmap_hides_mm, "
                        "oom_reaper_delayed, mark_victim_has_fields"));
  // v5.18-rc4 and v6.9 brought the latter two.
  EXPECT_THAT(Resolve("6.12.43+deb12-amd64")->note,
              AllOf(HasSubstr("(some have failed_dup_mmap_hides_mm"),
                    Not(HasSubstr("oom_reaper_delayed"))));
  // No page reclaim is modelled, so what it skips does not matter.
  EXPECT_THAT(Resolve("6.8.5")->note,
              Not(HasSubstr("reclaim_skips_reaped_mm")));
  EXPECT_THAT(Resolve("6.18.44")->note, Not(HasSubstr("some have")));
}

TEST(ResolveTest, RefusesWhatIsNoVersion) {
  EXPECT_EQ(Resolve("newest").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ParseKnownVersionTest, RefusesWhatIsNotKnownYet) {
  EXPECT_EQ(*ParseKnownVersion("6.17"), V("6.17"));
  // A stable release or candidate of the newest series is of that series.
  EXPECT_EQ(*ParseKnownVersion("7.3.4"), V("7.3.4"));
  EXPECT_EQ(std::string(ParseKnownVersion("7.4").status().message()),
            "what v7.4 does is not known; expected a version up to v7.3");
  EXPECT_EQ(ParseKnownVersion("newest").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(EvidenceTest, HasANameForEachKind) {
  EXPECT_EQ(ToString(Evidence::kRecorded), "recorded");
  EXPECT_EQ(ToString(Evidence::kSource), "source");
  EXPECT_EQ(ToString(Evidence::kReasoning), "reasoning");
}

TEST(EpochsTest, AreOldestFirstAndTellEachProtocolApart) {
  const Epoch* previous = nullptr;
  std::set<std::string> protocols;
  for (const Epoch& epoch : Epochs()) {
    ASSERT_TRUE(Resolve(epoch.version).ok()) << epoch.version;
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
