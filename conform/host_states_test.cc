// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/host_states.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "base/errno_names.h"
#include "base/kernel_version.h"
#include "import/read_file.h"
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

class HostStatesTest : public ::testing::TestWithParam<HostState> {};

TEST_P(HostStatesTest, HostAnswersAsTheTableSays) {
  const absl::Status can = HostCanConform();
  if (!can.ok()) GTEST_SKIP() << can;
  // "6.18.44-…" is v6.18 with fixes.
  const absl::StatusOr<KernelVersion> version =
      ParseKernelVersion(HostRelease());
  ASSERT_TRUE(version.ok()) << version.status();
  const State* row = FindState(GetParam().id);
  ASSERT_NE(row, nullptr);

  const HostOutcome outcome = PlayOnHost(GetParam());

  if (absl::IsUnimplemented(outcome.status) ||
      absl::IsPermissionDenied(outcome.status)) {
    GTEST_SKIP() << outcome.status;
  }
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  const Expected& expected = row->For(DifferencesAt(*version));
  if (!expected.reachable) return;
  EXPECT_EQ(ErrnoName(static_cast<int>(-outcome.ret)), ErrnoName(expected.ret));
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
