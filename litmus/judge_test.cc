// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/judge.h"

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "litmus/condition.h"

namespace reapsim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Scenario Read(absl::string_view text) {
  absl::StatusOr<Scenario> scenario = ReadScenario(text, "f.reap");
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  return scenario.ok() ? *std::move(scenario) : Scenario{};
}

// A file with these promises, in which nothing happens but one call.
Scenario Promising(absl::string_view promises,
                   absl::string_view condition = "exists (0:r=2)") {
  return Read(absl::StrCat("REAP t\n(*\n", promises,
                           "\n*)\n{ process p; }\nP0(p) { r = getpid(); }\n",
                           condition, "\n"));
}

// ---- Cases -----------------------------------------------------------------

std::vector<std::string> Names(const Scenario& scenario,
                               absl::string_view kernel,
                               const std::vector<std::string>& with = {}) {
  std::vector<std::string> names;
  const auto cases = CasesOf(scenario, kernel, with);
  EXPECT_TRUE(cases.ok()) << cases.status();
  for (const Case& each : *cases) {
    names.push_back(absl::StrCat(each.variant.ToString(), " ",
                                 each.promise == nullptr
                                     ? "-"
                                     : FrequencyName(each.promise->frequency)));
  }
  return names;
}

constexpr char kPromises[] =
    "Result: Sometimes v5.15-rc1..v5.16\n"
    "Result: Never v5.17..v6.18\n"
    "Result: Always v6.18 with no-recheck";

TEST(CasesTest, AreTheEndsOfEachPromise) {
  EXPECT_THAT(
      Names(Promising(kPromises), ""),
      ElementsAre("v5.15-rc1 Sometimes", "v5.16 Sometimes", "v5.17 Never",
                  "v6.18 Never", "v6.18+no-recheck Always"));
}

TEST(CasesTest, OfOneVersionHaveEverySwitchThatIsPromised) {
  EXPECT_THAT(Names(Promising(kPromises), "v6.18"),
              ElementsAre("v6.18 Never", "v6.18+no-recheck Always"));
  EXPECT_THAT(Names(Promising(kPromises), "v6.1"), ElementsAre("v6.1 Never"));
}

TEST(CasesTest, OfASwitchAreThoseOfItsPromises) {
  EXPECT_THAT(Names(Promising(kPromises), "", {"no-recheck"}),
              ElementsAre("v6.18+no-recheck Always"));
  EXPECT_THAT(Names(Promising(kPromises), "v5.17", {"no-recheck"}),
              ElementsAre("v5.17+no-recheck -"));
}

TEST(CasesTest, OfAllVersionsAreWhereSomethingChanges) {
  const std::vector<std::string> names = Names(Promising(kPromises), "all");
  EXPECT_THAT(names, Contains("v5.15-rc1 Sometimes"));
  EXPECT_THAT(names, Contains("v6.1-rc1 Never"));
  EXPECT_THAT(names, Contains("v6.18 Never"));
  EXPECT_THAT(names, Contains("v6.18+no-recheck Always"));
  EXPECT_THAT(names, Not(Contains("v5.17-rc6 Never")))
      << "before v5.17, which nothing promises";
}

TEST(CasesTest, FollowTheFirstPromiseThatCoversAVersion) {
  EXPECT_THAT(Names(Promising("Result: Always v6.18\nResult: Never"), "v6.18"),
              ElementsAre("v6.18 Always"));
}

TEST(VariantTest, IsReadAsItIsWritten) {
  const absl::StatusOr<Variant> variant = ParseVariant("v6.18+no-recheck");
  ASSERT_TRUE(variant.ok()) << variant.status();
  EXPECT_EQ(variant->version, "v6.18");
  EXPECT_EQ(variant->ToString(), "v6.18+no-recheck");
  EXPECT_FALSE(ParseVariant("v6.18+nothing").ok());
  EXPECT_FALSE(ParseVariant("").ok());
}

// ---- Conditions ------------------------------------------------------------

struct ConditionCase {
  const char* condition;
  bool holds;  // of 0:r = -ESRCH
};

TEST(ConditionTest, ComparesAndJoins) {
  constexpr ConditionCase kCases[] = {
      {"0:r=-ESRCH", true},
      {"0:r=-3", true},
      {"0:r!=-ESRCH", false},
      {"0:r<0", true},
      {"0:r<=-3", true},
      {"0:r>=-2", false},
      {"0:r>-4", true},
      {"0:r=never", false},
      {"0:r!=never", true},
      {"not 0:r=0", true},
      {"0:r=0 \\/ 0:r=-3", true},
      {"0:r=0 /\\ 0:r=-3", false},
      {"verdict=none", true},
      {"verdict!=none", false},
      {"~(0:r=0 \\/ (0:r=-3 /\\ 0:r<0))", false},
  };
  for (const ConditionCase& each : kCases) {
    const Scenario scenario = Promising(
        "Result: Never", absl::StrCat("exists (", each.condition, ")"));
    const FinalState state = ParseOutcome(scenario, "0:r=-ESRCH;");
    EXPECT_EQ(Holds(scenario, state), each.holds) << each.condition;
  }
}

TEST(ConditionTest, IsFalseAboutAnExecutionThatBroke) {
  FinalState state;
  state.verdict = VerdictKind::kUseAfterFree;
  state.what = "S3: a walk";
  for (const char* condition :
       {"verdict=S3", "verdict=use_after_free", "not 0:r=0"}) {
    EXPECT_TRUE(Holds(
        Promising("Result: Never", absl::StrCat("exists (", condition, ")")),
        state))
        << condition;
  }
  for (const char* condition :
       {"verdict=S30", "verdict=deadlock", "verdict=none", "0:r!=0"}) {
    EXPECT_FALSE(Holds(
        Promising("Result: Never", absl::StrCat("exists (", condition, ")")),
        state))
        << condition;
  }
  EXPECT_EQ(VerdictWord(state.verdict, state.what), "S3");
  EXPECT_EQ(VerdictWord(VerdictKind::kLockOrder, "a: b"),
            "lock_order_inversion");
}

// ---- Judgements ------------------------------------------------------------

Judgement Judged(const Scenario& scenario) {
  const auto cases = CasesOf(scenario, "v6.18", {});
  EXPECT_TRUE(cases.ok()) << cases.status();
  const auto made = Judge(scenario, cases->front(), {});
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *made : Judgement{};
}

// The process is always the fourth: init, the softirq thread and the reaper
// come before it.
TEST(JudgeTest, KeepsOrBreaksEachKindOfPromise) {
  const std::string always = "exists (0:r>0)";
  EXPECT_TRUE(Judged(Promising("Result: Always", always)).kept());
  EXPECT_FALSE(Judged(Promising("Result: Sometimes", always)).kept());
  const Judgement never = Judged(Promising("Result: Never", always));
  EXPECT_FALSE(never.kept());
  EXPECT_EQ(never.why,
            "promised Never, found Always; every schedule was "
            "tried");
  ASSERT_TRUE(never.witness.has_value());
  EXPECT_TRUE(never.witness_holds);
  EXPECT_THAT(never.replay, HasSubstr("f.reap@v6.18/"));
  const Judgement lost = Judged(Promising("Result: Always", "exists (0:r=0)"));
  EXPECT_FALSE(lost.kept());
  EXPECT_FALSE(lost.witness_holds);
}

TEST(JudgeTest, ProvesNothingThatWasNotTried) {
  const Scenario scenario = Promising("Result: Never");
  const Case tried{{"v6.18", {}}, &scenario.file.promises.front()};
  const auto bounded =
      Judge(scenario, tried, {.explore = {.max_preemptions = 1}});
  ASSERT_TRUE(bounded.ok()) << bounded.status();
  EXPECT_TRUE(bounded->kept());
  EXPECT_FALSE(bounded->proved);
  EXPECT_EQ(bounded->why, "every schedule with at most 1 preemption was tried");
  const auto given_up =
      Judge(scenario, tried,
            {.explore = {.strategy = Strategy::kStateful, .max_states = 0}});
  ASSERT_TRUE(given_up.ok()) << given_up.status();
  EXPECT_EQ(given_up->standing, Standing::kUndecided);
  EXPECT_THAT(given_up->why, HasSubstr("not proved: "));
}

// What happens sometimes may do so beyond what was tried.
TEST(JudgeTest, LeavesOpenWhatASearchCantTell) {
  const struct {
    const char* promise;
    const char* condition;
    ExploreOptions explore;
    Standing want;
  } kCases[] = {
      {"Sometimes",
       "exists (0:r>0)",
       {.max_preemptions = 0},
       Standing::kUndecided},
      {"Sometimes", "exists (0:r>0)", {}, Standing::kBroken},
      {"Always", "exists (0:r>0)", {.max_preemptions = 0}, Standing::kKept},
      {"Always",
       "exists (0:r>0)",
       {.strategy = Strategy::kRandom, .executions = 3},
       Standing::kUndecided},
      {"Always",
       "exists (0:r=0)",
       {.strategy = Strategy::kRandom, .executions = 3},
       Standing::kBroken},
      {"Never",
       "exists (0:r=0)",
       {.strategy = Strategy::kPct, .executions = 3},
       Standing::kUndecided},
      {"Never",
       "exists (0:r>0)",
       {.strategy = Strategy::kRandom, .executions = 3},
       Standing::kBroken},
  };
  for (const auto& c : kCases) {
    const Scenario scenario =
        Promising(absl::StrCat("Result: ", c.promise), c.condition);
    const Case tried{{"v6.18", {}}, &scenario.file.promises.front()};
    const auto made = Judge(scenario, tried, {.explore = c.explore});
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(made->standing, c.want) << c.promise << " " << c.condition;
  }
}

TEST(JudgeTest, ABrokenKernelIsAFindingWhereNothingIsPromised) {
  const Scenario scenario = Read(
      "REAP t\n(* Result: Always v5.15 *)\n"
      "{ process p; memfd word[1]: p; }\n"
      "P0(p) { r = futex_wait(word, 1); }\nexists (verdict=deadlock)\n");
  const auto made = Judge(scenario, {{"v6.18", {}}, nullptr}, {});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->standing, Standing::kBroken);
  EXPECT_THAT(made->why, HasSubstr("which no promise speaks of: "));
}

TEST(JudgeTest, BreaksAPromiseOfABreakThatDoesNotCome) {
  const Judgement made = Judged(
      Promising("Result: Always breaks S3", "exists (verdict=none /\\ 0:r>0)"));
  EXPECT_EQ(made.standing, Standing::kBroken);
  EXPECT_EQ(made.why, "promised to break S3, but nothing is broken");
}

// Races are watched where somebody asks, on the command line or in the file.
TEST(JudgeTest, SaysWhatItKnowsOfRacesToWhomeverAsks) {
  const auto races = [](Races asked, absl::string_view condition) {
    const Scenario scenario = Promising("Result: Never v6.18", condition);
    JudgeOptions options;
    options.explore.races = asked;
    const auto made = Judge(scenario, {{"v6.18", {}}, nullptr}, options);
    EXPECT_TRUE(made.ok()) << made.status();
    EXPECT_TRUE(made->kept()) << made->why;
    return made->found.races;
  };
  EXPECT_EQ(races(Races::kIgnore, "exists (0:r=2)"), "");
  EXPECT_THAT(races(Races::kIgnore, "exists (0:r=2 \\/ verdict=data_race)"),
              HasSubstr("not exhausted: merging states"));
  EXPECT_THAT(races(Races::kReport, "exists (0:r=2)"),
              HasSubstr("not exhausted: merging states"));
  // The task beside the kernel's threads.
  EXPECT_EQ(races(Races::kProve, "exists (0:r=2)"),
            "none in 1 execution: all there are");
}

TEST(JudgeTest, BreaksAPromiseOfNoRacesThatItCantKeep) {
  const Scenario scenario = Read(
      "REAP t\n(*\nResult: Never v6.18\n*)\n{ process p, q; }\n"
      "P0(p) { r = getpid(); }\nP1(q) { r = getpid(); }\nexists (0:r=2)\n");
  JudgeOptions options;
  options.explore.races = Races::kProve;
  options.explore.max_executions = 1;
  const auto made = Judge(scenario, {{"v6.18", {}}, nullptr}, options);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_FALSE(made->kept());
  EXPECT_EQ(made->why, "not proved: more than 1 executions");
}

TEST(JudgeTest, RefusesAnInitialStateThatCantBeReached) {
  const Scenario scenario = Read(
      "REAP t\n(* Result: Never *)\n{ process p;\n  p: kill(4711, 0); }\n"
      "P0(p) { r = getpid(); }\nexists (0:r=0)\n");
  const auto made = Judge(scenario, {{"v6.18", {}}, nullptr}, {});
  EXPECT_EQ(std::string(made.status().message()),
            "f.reap:4:6: kill() fails with ESRCH under v6.18; expected an "
            "initial state whose every call succeeds");
}

TEST(JudgeTest, ADeadTaskRunsNoProgram) {
  const Scenario scenario = Read(
      "REAP t\n(* Result: Never *)\n{ process p, q;\n"
      "  p: kill(q, SIGKILL); run q; }\n"
      "P0(q) { r = getpid(); }\nexists (0:r=0)\n");
  const auto made = Judge(scenario, {{"v6.18", {}}, nullptr}, {});
  EXPECT_THAT(std::string(made.status().message()),
              HasSubstr("f.reap:5:4: \"q\" can't begin its program; "));
}

TEST(JudgeTest, TakesAWaitThatIsAskedForAsAnEnd) {
  constexpr char kText[] =
      "REAP t\n(* Result: Always *)\n{ process p; memfd word[1]: p; }\n"
      "P0(p) { r = futex_wait(word, 1); }\n";
  EXPECT_TRUE(
      Judged(Read(absl::StrCat(kText, "exists (waits(p)=1 /\\ 0:r=never)")))
          .kept());
  const Judgement made =
      Judged(Read(absl::StrCat(kText, "exists (0:r=never)")));
  EXPECT_FALSE(made.kept());
  EXPECT_THAT(made.why, HasSubstr("which the condition does not speak of"));
  EXPECT_EQ(made.broken, "deadlock");
}

// ---- Wishes ----------------------------------------------------------------

struct WishCase {
  const char* what;
  const char* init;
  const char* program;
  const char* wish;    // L4 or L6
  const char* broken;  // how the verdict begins; "": it is not
};

TEST(WishTest, IsLookedAtWhereTheConditionSpeaksOfIt) {
  constexpr char kCall[] = "P0(lmkd) { r = process_mrelease(fd, 0); }\n";
  constexpr char kOutOfMemory[] = "P0(init) { r = run_out_of_memory(); }\n";
  constexpr char kTwice[] =
      "P0(init) { r = run_out_of_memory(); r1 = run_out_of_memory(); }\n";
  // The one who is chosen first; the reaper gives up on it.
  constexpr char kSleeper[] =
      "machine swap=1000; process other: oom_score_adj=500;"
      "process p: oom_score_adj=1000; anon a[1]: p; anon b[1]: other;"
      "p: dev = open_device(1); block device;"
      "p: start mmap(NULL, 1, PROT_READ, MAP_SHARED, dev, 0);";
  const WishCase kCases[] = {
      {"a kernel thread has it",
       "process lmkd, p; anon a[1]: p; borrower b: p;"
       "lmkd: fd = pidfd_open(p, 0); lmkd: kill(p, SIGKILL); run p;",
       kCall, "L4",
       "L4: p has been killed and keeps its memory: process_mrelease() answers "
       "ESRCH"},
      {"... and it still has that itself",
       "process lmkd, p; anon a[1]: p; borrower b: p; block device;"
       "p: start driver_wait();"
       "lmkd: fd = pidfd_open(p, 0); lmkd: kill(p, SIGKILL);",
       kCall, "L4",
       "L4: p has been killed and keeps its memory: process_mrelease() answers "
       "EINVAL"},
      {"it is hidden", kSleeper, kOutOfMemory, "L4",
       "L4: p has been killed and keeps its memory: process_mrelease() does "
       "nothing"},
      {"it could be released",
       "process lmkd, p; anon a[1]: p; block device; p: start driver_wait();"
       "lmkd: fd = pidfd_open(p, 0); lmkd: kill(p, SIGKILL);",
       "P0(lmkd) { r = getpid(); }\n", "L4", ""},
      {"somebody lives who has it",
       "process lmkd, p; anon a[1]: p; sharer s: p;"
       "lmkd: fd = pidfd_open(p, 0); lmkd: kill(p, SIGKILL);",
       kCall, "L4", ""},
      {"it has not been killed",
       "process lmkd, p; anon a[1]: p; borrower b: p;"
       "lmkd: fd = pidfd_open(p, 0);",
       "P0(p) { r = exit(0); }\n", "L4", ""},
      {"the first victim sleeps", kSleeper, kTwice, "L6",
       "L6: a second victim is chosen while the first has memory"},
      {"the first victim can be reaped",
       "machine swap=1000; process other: oom_score_adj=500;"
       "process p: oom_score_adj=1000; anon a[1]: p; anon b[1]: other;"
       "block device; p: start driver_wait(); other: start driver_wait();",
       kTwice, "L6", ""},
  };
  for (const WishCase& c : kCases) {
    SCOPED_TRACE(c.what);
    const std::string text =
        absl::StrCat("REAP t\n(* Result: Sometimes *)\n{ ", c.init, " }\n",
                     c.program, "exists (verdict=");
    const Scenario asking = Read(absl::StrCat(text, c.wish, ")\n"));
    const auto made = Judge(asking, {{"v6.18", {}}, nullptr},
                            {.explore = {.max_preemptions = 2}});
    ASSERT_TRUE(made.ok()) << made.status();
    const std::string what =
        made->found.failure ? made->found.failure->verdict.what : "";
    EXPECT_THAT(what, ::testing::StartsWith(c.broken));
    EXPECT_EQ(what.empty(), c.broken[0] == '\0') << what;
    EXPECT_EQ(made->broken, what.substr(0, 2));
    // It is a wish: of others nothing is asked.
    const auto silent =
        Judge(Read(absl::StrCat(text, "S1)\n")), {{"v6.18", {}}, nullptr},
              {.explore = {.max_preemptions = 2}});
    ASSERT_TRUE(silent.ok()) << silent.status();
    EXPECT_FALSE(silent->found.failure.has_value());
  }
}

TEST(JudgeTest, SaysWhichInvariantIsBrokenInsteadOfThePromised) {
  const Scenario scenario = Read(
      "REAP t\n(* Result: Sometimes breaks S1 *)\n"
      "{ process p; memfd word[1]: p; }\n"
      "P0(p) { r = futex_wait(word, 1); }\nexists (verdict!=none)\n");
  const Judgement made = Judged(scenario);
  EXPECT_FALSE(made.kept());
  EXPECT_EQ(made.why, "promised to break S1, but deadlock is broken");
}

}  // namespace
}  // namespace reapsim
