// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "states/states.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/errno_names.h"

namespace reapsim {
namespace {

struct Case {
  const State* state;
  const char* version;
};

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const State& state : States()) {
    for (const char* version : {"v5.15-rc1", "v6.18"}) {
      cases.push_back({&state, version});
    }
  }
  return cases;
}

std::string NameOf(const ::testing::TestParamInfo<Case>& info) {
  std::string name = std::string(info.param.state->id) + info.param.version;
  std::erase_if(name, [](char c) { return !isalnum(c); });
  return name;
}

// Every VMA must be there afterwards as it was, whatever became of its pages.
void ExpectVmasUnchanged(const Outcome& outcome) {
  ASSERT_EQ(outcome.after.vmas.size(), outcome.before.vmas.size());
  for (size_t i = 0; i < outcome.before.vmas.size(); ++i) {
    EXPECT_EQ(outcome.after.vmas[i].start, outcome.before.vmas[i].start);
    EXPECT_EQ(outcome.after.vmas[i].end, outcome.before.vmas[i].end);
    EXPECT_EQ(outcome.after.vmas[i].vm_flags, outcome.before.vmas[i].vm_flags);
  }
  EXPECT_EQ(outcome.after.locked, outcome.before.locked);
  // No huge page, so no deposited table: page tables stay as they were.
  EXPECT_EQ(outcome.after.page_tables_bytes, outcome.before.page_tables_bytes);
}

// The rule of the walk, stated anew here rather than asked of the model.
bool MayBeTaken(const VmaReport& vma, bool mlocked_too) {
  if ((vma.vm_flags & (VM_HUGETLB | VM_PFNMAP)) != 0) return false;
  if ((vma.vm_flags & VM_LOCKED) != 0 && !mlocked_too) return false;
  return vma.vm_ops == VmOps::kAnonymous || (vma.vm_flags & VM_SHARED) == 0;
}

// What is left of each VMA: nothing where it may be taken, all elsewhere. With
// `refused`, exactly one VMA that may be taken is left whole.
void ExpectWalked(const Outcome& outcome, bool mlocked_too, int refused) {
  EXPECT_TRUE(outcome.unstable_after);
  EXPECT_FALSE(outcome.oom_skip_after) << "S30: never set by the call";
  int whole = 0;
  for (size_t i = 0; i < outcome.before.vmas.size(); ++i) {
    const VmaReport& before = outcome.before.vmas[i];
    const VmaReport& after = outcome.after.vmas[i];
    SCOPED_TRACE(i);
    if (!MayBeTaken(before, mlocked_too)) {
      EXPECT_EQ(after, before);
    } else if (before.rss + before.swap > 0 && after == before) {
      ++whole;
    } else {
      EXPECT_EQ(after.rss, 0u);
      EXPECT_EQ(after.swap, 0u);
    }
  }
  EXPECT_EQ(whole, refused);
}

class StatesTest : public ::testing::TestWithParam<Case> {};

TEST_P(StatesTest, AnswersAndActsAsTheKernelDoes) {
  const State& state = *GetParam().state;
  absl::StatusOr<std::unique_ptr<Scene>> scene =
      Scene::Create({.version = GetParam().version});
  ASSERT_TRUE(scene.ok()) << scene.status();
  Kernel& k = (*scene)->k();
  const Expected& want = state.For(k.differences());
  state.play(**scene);
  const Outcome& outcome = (*scene)->outcome();

  if (!want.reachable) {
    EXPECT_FALSE(outcome.called) << "reached, and should not be";
    return;
  }
  ASSERT_TRUE(outcome.called) << outcome.unreachable;
  EXPECT_STREQ(EffectName(EffectOf(outcome)), EffectName(want.effect));
  if (want.effect == Effect::kBroken) {
    EXPECT_EQ(outcome.verdict.kind, VerdictKind::kUseAfterFree)
        << outcome.verdict.ToString();
    return;
  }
  ASSERT_FALSE(outcome.verdict) << outcome.verdict.ToString();
  EXPECT_EQ(ErrnoName(outcome.ret.error()), ErrnoName(want.ret));
  EXPECT_EQ(outcome.ret.kernel(), -want.ret);
  EXPECT_EQ(DecidedBy(outcome.decision, outcome.why),
            DecidedBy(want.decision, want.why));
  if (want.why != WillFreeReason::kNone) {
    EXPECT_STREQ(WillFreeText(outcome.why), WillFreeText(want.why));
  }

  const bool mlocked_too = k.differences().reaps_mlocked;
  switch (want.effect) {
    case Effect::kReleased:
      ExpectVmasUnchanged(outcome);
      ExpectWalked(outcome, mlocked_too, 0);
      break;
    case Effect::kPartly:
      ExpectVmasUnchanged(outcome);
      ExpectWalked(outcome, mlocked_too, 1);
      break;
    case Effect::kOnlyMarked:
    case Effect::kNothing:
      EXPECT_EQ(outcome.after, outcome.before);
      break;
    default:
      break;
  }

  const std::vector<std::string> left = (*scene)->Shutdown();
  EXPECT_EQ(left, std::vector<std::string>()) << k.TakeVerdict().ToString();
}

INSTANTIATE_TEST_SUITE_P(, StatesTest, ::testing::ValuesIn(AllCases()), NameOf);

TEST(States, HaveIdsOfTheirOwnAndCoverEveryRowOfThePaper) {
  std::set<std::string> ids;
  std::set<int> rows;
  for (const State& state : States()) {
    EXPECT_TRUE(ids.insert(state.id).second) << state.id;
    rows.insert(state.row);
  }
  // Row 48, mlocked memory, is part of every victim: see the next test.
  for (int row = 1; row <= 58; ++row) {
    if (row == 48) continue;
    EXPECT_TRUE(rows.count(row)) << row;
  }
}

// The standard victim's memory, part by part, against what the paper says of
// each kind; numbers are pages (of 4 KiB).
TEST(States, ReleaseEachPartOfTheVictimAsTheVersionDoes) {
  for (const bool newer : {false, true}) {
    const absl::StatusOr<Outcome> outcome =
        Play(*FindState("killed.running"),
             {.version = newer ? "v6.18" : "v5.15-rc1"});
    ASSERT_TRUE(outcome.ok());
    // The image: 8 pages of text, 2 copied data pages, 1 stack page.
    uint64_t before = 8 + 2 + 1;
    uint64_t after = 0;
    for (const VictimPart& part : StandardVictimParts()) {
      before += part.pages;
      const bool released =
          newer ? part.released_v6_18 : part.released_v5_15_rc1;
      if (!released) after += part.pages;
    }
    EXPECT_EQ(outcome->before.rss, before * 4096);
    EXPECT_EQ(outcome->after.rss, after * 4096);
  }
}

}  // namespace
}  // namespace reapsim
