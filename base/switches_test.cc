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

TEST(Proposals, HaveNamesThatSayWhatTheyAre) {
  int next = 0;
  for (const ProposalInfo& info : AllProposals()) {
    EXPECT_EQ(static_cast<int>(info.id), next++);
    EXPECT_THAT(std::string(info.name), MatchesRegex("proposal-[a-z][a-z-]*"));
    EXPECT_TRUE(ParseKernelVersion(info.since).ok()) << info.name;
    EXPECT_FALSE(info.meaning.empty());
  }
  EXPECT_EQ(next, static_cast<int>(Proposal::kCount));
}

TEST(VariationOf, TellsSwitchesFromProposals) {
  const auto variation = VariationOf({"proposal-keep-mm", "no-recheck"});
  ASSERT_TRUE(variation.ok());
  EXPECT_EQ(variation->switches, Switches{Switch::kNoRecheck});
  EXPECT_EQ(variation->proposals, Proposals{Proposal::kKeepMm});
}

TEST(VariationOf, NamesBothWhenOneIsNeither) {
  const auto variation = VariationOf({"no-recheck", "keep-mm"});
  ASSERT_FALSE(variation.ok());
  const std::string message(variation.status().message());
  EXPECT_THAT(message, HasSubstr("no switch is called \"keep-mm\""));
  EXPECT_THAT(message, HasSubstr(", thaw-one-thread; and the proposals "
                                 "proposal-reap-kill, proposal-keep-mm"));
}

// The oldest version that a proposal names can carry it, the one before can't.
TEST(CheckProposals, HoldsWhatEachSaysOfItself) {
  for (const ProposalInfo& info : AllProposals()) {
    const KernelVersion first = *ParseKernelVersion(info.since);
    EXPECT_TRUE(
        CheckProposals({info.id}, DifferencesAt(first), info.since).ok());
    KernelVersion before = first;
    before.minor--;
    EXPECT_EQ(
        CheckProposals({info.id}, DifferencesAt(before), "it").message(),
        std::string(info.name) + " is for " + std::string(info.since) +
            " and later, not for it");
    EXPECT_FALSE(CheckProposals({info.id}, Differences{}, "it").ok());
  }
  EXPECT_TRUE(CheckProposals({}, Differences{}, "it").ok());
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
