// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/result_text.h"

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "report/text.h"
#include "sched/point.h"

namespace reapsim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

// A file in which nothing happens but one call.
Scenario Asking(absl::string_view condition,
                absl::string_view promise = "Always") {
  absl::StatusOr<Scenario> scenario = ReadScenario(
      absl::StrCat("REAP t\n(* Result: ", promise,
                   " *)\n{ process p; }\nP0(p) { r = getpid(); }\n", condition,
                   "\n"),
      "f.reap");
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  return scenario.ok() ? *std::move(scenario) : Scenario{};
}

Judgement Judged(const Scenario& scenario, const JudgeOptions& options = {}) {
  const auto cases = CasesOf(scenario, "v6.18", {});
  EXPECT_TRUE(cases.ok()) << cases.status();
  const auto made = Judge(scenario, cases->front(), options);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *made : Judgement{};
}

// ---- Schedules -------------------------------------------------------------

// An execution written down by hand.
class Played {
 public:
  // A choice, and the points that are passed by it.
  Played& Step(Choice who, const std::vector<Point>& points) {
    schedule_.push_back(who);
    before_.push_back(trace_.size());
    for (const Point point : points) {
      TraceEntry entry{};
      entry.fiber = who;
      entry.point = point;
      entry.source = {"mm/a.cc", 7};
      trace_.push_back(entry);
    }
    return *this;
  }
  Played& Steps(int count, Choice who, Point point) {
    for (int i = 0; i < count; ++i) Step(who, {point});
    return *this;
  }
  std::string Text(int64_t no_return = -1, bool full = false) const {
    return ScheduleText(Asking("exists (0:r>0)"), {"P0 p", "other"},
                        {schedule_, trace_, before_, no_return}, full);
  }

 private:
  Schedule schedule_;
  std::vector<TraceEntry> trace_;
  std::vector<size_t> before_;
};

// What the schedule's short form calls choice 2 is number 2 here, too: marks
// are no choices.
TEST(ScheduleTextTest, NumbersRowsByChoice) {
  EXPECT_EQ(Played()
                .Step(0, {Point::kSyscallEntry, Point::kMreleaseChecked})
                .Step(0, {Point::kDownRead, Point::kMreleaseWalk})
                .Step(1, {Point::kUpRead})
                .Text(-1, true),
            "  P0 p [0]\n"
            "    r = getpid();  (line 4)\n"
            "     0  mm/a.cc:7            "
            "kernel/entry/common.c:syscall_enter_from_user_mode\n"
            "     0  mm/a.cc:7            "
            "mm/oom_kill.c:process_mrelease after task_unlock\n"
            "     1  mm/a.cc:7            kernel/locking/rwsem.c:down_read\n"
            "     1  mm/a.cc:7            "
            "mm/oom_kill.c:process_mrelease before the walk\n"
            "  other [1]\n"
            "     2  mm/a.cc:7            kernel/locking/rwsem.c:up_read\n");
}

// Two before, two after, however small; and the last three of each turn.
TEST(ScheduleTextTest, ShowsThePointOfNoReturnAndItsNeighbours) {
  constexpr char kSmall[] =
      "  mm/a.cc:7            include/linux/compiler.h:READ_ONCE\n";
  EXPECT_EQ(
      Played().Steps(12, 0, Point::kRacyRead).Text(4),
      absl::StrCat("  P0 p [0]\n     2", kSmall, "     3", kSmall, "     4",
                   kSmall, "        ^ from here on, every schedule ends so\n",
                   "     5", kSmall, "     6", kSmall, "     9", kSmall,
                   "    10", kSmall, "    11", kSmall,
                   "  Not shown: 4 small steps of 12; see --full.\n"));
}

// Those of a long turn, too, whose middle is left out.
TEST(ScheduleTextTest, ShowsThePointOfNoReturnAmidALongTurn) {
  Played played;
  for (int i = 0; i < 50; ++i) {
    played.Step(0, {Point::kDownRead}).Step(0, {Point::kUpRead});
  }
  EXPECT_THAT(played.Text(), AllOf(Not(HasSubstr("\n    40  ")),
                                   HasSubstr("Not shown: 60 small steps")));
  EXPECT_THAT(played.Text(40),
              AllOf(HasSubstr("\n    38  "), Not(HasSubstr("\n    37  ")),
                    HasSubstr("kernel/locking/rwsem.c:down_read\n        ^ "),
                    HasSubstr("\n    42  "), Not(HasSubstr("\n    43  "))));
}

TEST(ScheduleTextTest, ShowsEverythingInFull) {
  const std::string text =
      Played().Steps(100, 0, Point::kCondResched).Text(-1, true);
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(text, HasSubstr(absl::StrFormat("\n  %4d  ", i)));
  }
  EXPECT_THAT(text, Not(HasSubstr("Not shown")));
}

TEST(ScheduleTextTest, ShowsAtLeastOneOperationOfATurn) {
  EXPECT_EQ(Played()
                .Step(0, {Point::kCondResched})
                .Step(0, {Point::kRcuReadLock})
                .Text(),
            "  P0 p [0]\n"
            "     0  mm/a.cc:7            kernel/sched/core.c:cond_resched\n"
            "  Not shown: 1 small step of 2; see --full.\n");
}

// Before its first operation a task can do nothing that others see.
TEST(ScheduleTextTest, LeavesTurnsWithoutOperationsToFullOnes) {
  const Played played = Played().Step(1, {}).Step(0, {Point::kDownRead});
  EXPECT_THAT(played.Text(),
              AllOf(Not(HasSubstr("other")), HasSubstr("     1  mm/a.cc"),
                    HasSubstr("Not shown: 1 small step of 2")));
  EXPECT_THAT(played.Text(-1, true),
              StartsWith("  other [1]\n     0  goes on to its next operation\n"
                         "  P0 p [0]\n"));
}

TEST(ScheduleTextTest, ShowsTimersThatExpire) {
  EXPECT_EQ(Played().Step(kEventBase + 2, {}).Text(0),
            "  timer [e2]\n"
            "     0  kernel/time/timer.c: a timer expires\n"
            "        ^ from here on, every schedule ends so\n");
}

// With names and lines of files up to 20 characters.
TEST(ScheduleTextTest, KeepsToTheColumnsOfATerminal) {
  for (int point = 1; point < static_cast<int>(Point::kCount); ++point) {
    const std::string text =
        Played().Step(1, {static_cast<Point>(point)}).Text(-1, true);
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      EXPECT_LE(line.size(), kColumns) << line;
    }
  }
}

// ---- Ends ------------------------------------------------------------------

TEST(WitnessTextTest, SaysHowTheScheduleEnds) {
  // Four tasks of the kernel come before the process.
  const Scenario scenario = Asking("exists (0:r>0)", "Never");
  EXPECT_THAT(WitnessText(scenario, Judged(scenario), false),
              AllOf(StartsWith("Schedule to where the condition holds, "),
                    HasSubstr("\nEnd: 0:r=5;\nEvery schedule ends so.\n"
                              "Replay: reapsim replay f.reap@v6.18/"),
                    Not(HasSubstr("^ from here on"))));
}

TEST(WitnessTextTest, SaysWhatBreaksWithoutItsStep) {
  Verdict verdict;
  verdict.kind = VerdictKind::kUseAfterFree;
  verdict.what = "S3: a walk";
  verdict.where = "mm/a.cc:7";
  verdict.step = 1287;
  EXPECT_EQ(EndLine(verdict, ""),
            "End: use after free: S3: a walk (mm/a.cc:7)\n");
  EXPECT_EQ(EndLine({}, "0:r=4;"), "End: 0:r=4;\n");
  EXPECT_EQ(EndLine({}, ""), "End: verdict=none;\n");
}

TEST(ResultBlockTest, NamesAnEndOfWhichTheFileAsksNothing) {
  const Scenario scenario = Asking("exists (verdict=none)");
  EXPECT_THAT(ResultBlock(scenario, Judged(scenario)),
              HasSubstr("\nStates 1\nverdict=none;\nOk\n"));
}

// A search that knows states again has no number of executions to tell.
TEST(ResultBlockTest, SaysHowMuchWasSearched) {
  const Scenario scenario = Asking("exists (0:r>0)");
  EXPECT_THAT(ResultBlock(scenario, Judged(scenario)),
              MatchesRegex("(.|\n)*\nSearched [0-9]+ states, 1 end, [0-9]+ "
                           "steps?: all there are\n(.|\n)*"));
  JudgeOptions random;
  random.explore.strategy = Strategy::kRandom;
  random.explore.executions = 10;
  EXPECT_THAT(ResultBlock(scenario, Judged(scenario, random)),
              MatchesRegex("(.|\n)*\nSearched 10 executions, [0-9]+ "
                           "steps\n(.|\n)*"));
}

}  // namespace
}  // namespace reapsim
