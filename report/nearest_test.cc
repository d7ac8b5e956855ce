// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/nearest.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NearestNamesTest, PutsTheNearestFirst) {
  EXPECT_THAT(NearestNames("tern", {"turn", "tern1", "other", "tarn"}),
              ElementsAre("tern1", "turn", "tarn"));
}

TEST(NearestNamesTest, FindsPartsOfNames) {
  EXPECT_THAT(NearestNames("clone_vm_live", {"sharers.clone_vm_live", "x"}),
              ElementsAre("sharers.clone_vm_live"));
}

TEST(NearestNamesTest, NamesThreeAtMost) {
  EXPECT_THAT(NearestNames("abcd", {"abcd1", "abcd2", "abcd3", "abcd4"}),
              ElementsAre("abcd1", "abcd2", "abcd3"));
}

TEST(NearestNamesTest, NamesNothingFarAway) {
  EXPECT_THAT(NearestNames("zzzzzz", {"signal", "killed"}), IsEmpty());
  EXPECT_THAT(NearestNames(std::string(1000, 'a'), {"a"}), IsEmpty());
}

}  // namespace
}  // namespace reapsim
