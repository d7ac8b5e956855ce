// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Every row of `reapsim conform` on the kernel that runs here.

#include "conform/conform.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "conform/host_machine.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

TEST(ConformRowsTest, AreManyAndDifferent) {
  std::set<std::string> ids;
  int states = 0;
  for (const ConformRow& row : ConformRows()) {
    EXPECT_TRUE(ids.insert(row.id).second) << row.id;
    EXPECT_FALSE(row.title.empty()) << row.id;
    if (!absl::StartsWith(row.id, "kind.")) ++states;
  }
  EXPECT_GE(states, 60);
}

class ConformTest : public ::testing::TestWithParam<ConformRow> {};

TEST_P(ConformTest, HostAndModelAgree) {
  const absl::Status can = HostCanConform();
  if (!can.ok()) GTEST_SKIP() << can.message();
  const ConformLine line =
      Judge(GetParam(), PlayOnHost(GetParam()), HostRelease());
  if (line.agree == ConformLine::Agree::kSkipped) {
    EXPECT_FALSE(line.skipped.empty());
    GTEST_SKIP() << line.skipped;
  }
  EXPECT_EQ(line.agree, ConformLine::Agree::kYes)
      << absl::StrJoin(line.differs, "\n");
  EXPECT_EQ(line.host, line.model);
}

std::string NameOf(const ::testing::TestParamInfo<ConformRow>& info) {
  std::string name = info.param.id;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(, ConformTest, ::testing::ValuesIn(ConformRows()),
                         NameOf);

}  // namespace
}  // namespace reapsim
