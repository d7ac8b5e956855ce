// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/switches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(Switches, HaveNamesOfTheirOwnThatCanBeRead) {
  std::set<std::string> names;
  int next = 0;
  for (const SwitchInfo& info : AllSwitches()) {
    EXPECT_EQ(static_cast<int>(info.id), next++);
    EXPECT_TRUE(names.insert(std::string(info.name)).second) << info.name;
    EXPECT_THAT(std::string(info.name), MatchesRegex("[a-z][a-z-]*"));
    EXPECT_THAT(std::string(info.bug), MatchesRegex("(H[0-9]+)?"));
    EXPECT_FALSE(info.meaning.empty());
    ASSERT_TRUE(ParseSwitch(info.name).ok());
    EXPECT_EQ(*ParseSwitch(info.name), info.id);
  }
  EXPECT_EQ(next, static_cast<int>(Switch::kCount));
}

TEST(Switches, NameAllOthersWhenOneIsNotKnown) {
  const std::string message(ParseSwitch("no-lock").status().message());
  EXPECT_THAT(message, HasSubstr("no switch is called \"no-lock\""));
  for (const SwitchInfo& info : AllSwitches()) {
    EXPECT_THAT(message, HasSubstr(std::string(info.name)));
  }
}

TEST(Checks, HaveTheNumbersOfTheInvariants) {
  for (const CheckInfo& info : AllChecks()) {
    EXPECT_THAT(std::string(info.name), MatchesRegex("S[0-9]+"));
    EXPECT_EQ(*ParseCheck(info.name), info.id);
  }
  EXPECT_THAT(std::string(ParseCheck("S1").status().message()),
              HasSubstr("no check is called \"S1\"; there are S9, S10, S15"));
}

TEST(EnumSet, HoldsWhatWasPutIn) {
  Switches some = {Switch::kNoRecheck, Switch::kThawOneThread};
  EXPECT_TRUE(some.Has(Switch::kNoRecheck));
  EXPECT_TRUE(some.Has(Switch::kThawOneThread));
  EXPECT_FALSE(some.Has(Switch::kExitWithoutLock));
  EXPECT_FALSE(some.empty());
  EXPECT_TRUE(Switches().empty());
  some.Add(Switch::kExitWithoutLock);
  EXPECT_TRUE(some.Has(Switch::kExitWithoutLock));
}

// Where a switch is nothing but a difference undone, it is one.
TEST(WithSwitches, UndoesTheDifferenceAndNoOther) {
  struct Case {
    Switch id;
    std::string field;
  };
  const Case kCases[] = {
      {Switch::kNoRecheck, "mrelease_rechecks_oom_skip"},
      {Switch::kMreleasePinsMmUsers, "mrelease_pins_mm_users"},
      {Switch::kRmapBeforeFlush, "delays_rmap"},
      {Switch::kFailedForkNotHidden, "failed_dup_mmap_hides_mm"},
      {Switch::kThawOneThread, "thaws_whole_process"},
  };
  const Differences newest = DifferencesAt({.major = 6, .minor = 18});
  for (const Case& c : kCases) {
    EXPECT_THAT(DifferingFields(newest, WithSwitches(newest, {c.id})),
                ElementsAre(c.field));
  }
  EXPECT_EQ(WithSwitches(newest, {Switch::kExitWithoutLock}), newest);
}

}  // namespace
}  // namespace reapsim
