// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/host_states.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "base/errno_names.h"
#include "base/kernel_version.h"
#include "import/proc_source.h"
#include "import/read_file.h"
#include "import/smaps.h"
#include "states/states.h"

namespace reapsim {
namespace {

// The rows that no real machine can be brought into, each with its reason in
// docs/conform.md.
bool OnlyModelled(const std::string& id) {
  return id == "live.oom_skip" || id == "exit.after_exit_signals" ||
         absl::StartsWith(id, "kthread.borrows_") ||
         absl::StartsWith(id, "notifier.") || absl::StartsWith(id, "race.");
}

TEST(HostStates, EveryRowIsThereOrKnownToBeImpossible) {
  std::set<std::string> ids;
  for (const HostState& state : HostStates()) {
    EXPECT_NE(FindState(state.id), nullptr) << state.id;
    EXPECT_TRUE(ids.insert(state.id).second) << state.id << " is there twice";
  }
  for (const State& state : States()) {
    EXPECT_NE(ids.count(state.id) != 0, OnlyModelled(state.id)) << state.id;
  }
}

// What of the memory is in the page tables, in KiB.
struct Resident {
  uint64_t anonymous = 0;
  uint64_t other = 0;
  bool operator==(const Resident&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Resident& resident) {
  return out << resident.anonymous << " KiB anonymous, " << resident.other
             << " KiB other";
}

Resident ResidentOf(const ProcProcess& process) {
  Resident sum;
  for (const SmapsVma& vma : process.smaps.vmas) {
    sum.anonymous += vma.kib.anonymous;
    sum.other += vma.kib.rss - vma.kib.anonymous;
  }
  return sum;
}

// Rows whose memory is there, but can't be seen: /proc shows none for a zombie,
// and init is not ours to look at.
bool CannotBeSeen(const std::string& id) {
  return id == "exit.pinned" || id == "live.global_init";
}

void ExpectEffect(Effect effect, const std::string& id,
                  const HostOutcome& outcome) {
  ASSERT_EQ(outcome.has_memory, effect != Effect::kGone && !CannotBeSeen(id));
  if (!outcome.has_memory) return;
  const Resident before = ResidentOf(outcome.before);
  const Resident after = ResidentOf(outcome.after);
  switch (effect) {
    case Effect::kNothing:
    case Effect::kOnlyMarked:
      EXPECT_EQ(after, before);
      break;
    case Effect::kReleased:
      EXPECT_GT(before.anonymous, 0u);
      EXPECT_EQ(after.anonymous, 0u);
      // The mailboxes, if nothing else, are shared.
      EXPECT_GT(after.other, 0u);
      EXPECT_LT(after.other, before.other);
      break;
    default:
      ADD_FAILURE() << "no host does that: " << EffectName(effect);
  }
}

std::string Mounts() {
  return ReadFile("/proc/self/mountinfo").value_or("none");
}

class HostStatesTest : public ::testing::TestWithParam<HostState> {};

TEST_P(HostStatesTest, HostAnswersAsTheTableSays) {
  const absl::Status can = HostCanConform();
  if (!can.ok()) GTEST_SKIP() << can;
  const std::string mounts = Mounts();
  // "6.18.44-…" is v6.18 with fixes.
  const absl::StatusOr<KernelVersion> version =
      ParseKernelVersion(HostRelease());
  ASSERT_TRUE(version.ok()) << version.status();
  const State* row = FindState(GetParam().id);
  ASSERT_NE(row, nullptr);

  const HostOutcome outcome = PlayOnHost(GetParam());

  if (IsLack(outcome.status)) GTEST_SKIP() << outcome.status;
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  const Expected& expected = row->For(DifferencesAt(*version));
  if (!expected.reachable) return;
  EXPECT_EQ(ErrnoName(static_cast<int>(-outcome.ret)), ErrnoName(expected.ret));
  ExpectEffect(expected.effect, row->id, outcome);

  // Nothing is left.
  EXPECT_EQ(Mounts(), mounts);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG | __WALL), -1);
  EXPECT_EQ(errno, ECHILD);
}

INSTANTIATE_TEST_SUITE_P(All, HostStatesTest, ::testing::ValuesIn(HostStates()),
                         [](const ::testing::TestParamInfo<HostState>& info) {
                           std::string name = info.param.id;
                           for (char& c : name) {
                             if (c == '.' || c == '_') c = 'X';
                           }
                           return name;
                         });

}  // namespace
}  // namespace reapsim
