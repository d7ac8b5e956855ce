// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Where a change of a whole picture is meant:
//   REAPSIM_UPDATE_GOLDENS=1 ./bazelw run //report:run_picture_test
// writes them anew into the source tree, to be looked at before they are
// committed.

#include "report/run_picture.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kMs = 1'000'000;

TaskAccount TaskOf(pid_t pid, const char* comm) {
  TaskAccount task;
  task.pid = pid;
  task.comm = comm;
  return task;
}

// A killer on a big CPU reaps a victim that is dying on a little one, for 40
// ms of a run that began 100 ms before.
RunPicture SmallRun() {
  constexpr uint64_t kZero = 100 * kMs;
  const auto at = [](uint64_t ms) { return kZero + ms * kMs; };
  Timeline timeline;
  timeline.slices = {
      {at(0) - 5 * kMs, at(0), 1, 0, SliceKind::kUser},
      {at(0), at(1), 1, 0, SliceKind::kKernel},
      {at(0), at(12), 0, 1, SliceKind::kKernel},
      {at(2), at(16), 1, 0, SliceKind::kKernel},
      {at(12), at(14), 0, 1, SliceKind::kSpin},
      {at(14), at(20), 0, 2, SliceKind::kUser},
      {at(20), at(30), 0, 1, SliceKind::kKernel},
  };
  timeline.waits = {
      {at(1), at(2), 0, WaitKind::kLock, Point::kDownRead, 7},
      {at(14), at(20), 1, WaitKind::kRunQueue, Point::kNone, 0},
      {at(16), at(35), 0, WaitKind::kSleep, Point::kWait, 0},
  };
  timeline.marks = {{at(2), 0, "process_mrelease"}};
  timeline.free_pages = {{0, 20'000},
                         {at(3), 30'000},
                         {at(8), 60'000},
                         {at(14), 90'000},
                         {at(16), 110'000}};
  timeline.frequencies = {{0, 0, 600}, {at(10), 0, 1200}};
  TaskAccount killer = TaskOf(7, "lmkd");
  killer.run_ns = 20 * kMs;
  killer.by_class_ps[static_cast<int>(WorkClass::kZap)] = 14'000 * kMs;
  killer.lock_wait_ns = kMs;
  RunPicture run = PictureOf(
      std::move(timeline), {killer, TaskOf(8, "victim"), TaskOf(9, "<b>&\"")},
      {{.kind = "little", .capacity = 400}, {.kind = "big"}}, kZero - 5 * kMs,
      at(35), {1});
  run.title = "kill, then process_mrelease()";
  run.about = "v6.18, machine two-cores";
  run.zero_ns = kZero;
  run.moments = {{at(0), "kill"},
                 {at(16), "memory back"},
                 {at(16) + kMs / 2, "the call returns"},
                 {at(30), "victim gone"}};
  run.levels = {{"min", 15'000}, {"low", 18'000}, {"high", 21'000}};
  return run;
}

SpreadPicture SmallSpread() {
  return {"Memory back after the kill",
          {{"kill only", {120 * kMs, 80 * kMs, std::nullopt, 95 * kMs}},
           {"with the call", {16 * kMs, 17 * kMs, 16 * kMs, 18 * kMs}},
           {"never", {std::nullopt, std::nullopt}},
           {"once", {40 * kMs}}}};
}

PictureSheet SmallSheet() {
  return {.title = "A kill & its \"memory\"",
          .about = "Drawn by a test.",
          .text = "back  16 ms\n",
          .spreads = {SmallSpread()},
          .runs = {SmallRun()}};
}

// Compares it with the file, or writes that.
void ExpectIsAsBefore(const std::string& text, const std::string& name) {
  const std::string path = absl::StrCat("report/testdata/", name);
  const char* tree = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (std::getenv("REAPSIM_UPDATE_GOLDENS") != nullptr && tree != nullptr) {
    std::ofstream(absl::StrCat(tree, "/", path)) << text;
    return;
  }
  std::ifstream file(path);
  const std::string want{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, want) << "see the top of report/run_picture_test.cc";
}

TEST(RunPicture, LooksAsItDid) {
  ExpectIsAsBefore(SheetSvg(SmallSheet()), "sheet.svg");
}

TEST(RunPicture, LooksAsItDidOnAPage) {
  ExpectIsAsBefore(SheetHtml(SmallSheet()), "sheet.html");
}

TEST(RunPicture, OfNothingIsAPicture) {
  const std::string svg =
      SheetSvg({.title = "Nothing", .runs = {RunPicture{}}});
  EXPECT_THAT(svg, HasSubstr("<title>Nothing</title>"));
  EXPECT_THAT(svg, HasSubstr("0 CPUs, 0 tasks, 0 ns."));
  const SpreadPicture none = {"None", {}};
  EXPECT_THAT(SheetHtml({.title = "Nothing", .spreads = {none}}),
              HasSubstr("<title>Nothing</title>"));
}

TEST(RunPicture, SaysNamesThatLookLikeMarkup) {
  for (const std::string& text :
       {SheetSvg(SmallSheet()), SheetHtml(SmallSheet())}) {
    EXPECT_THAT(text, HasSubstr("&lt;b&gt;&amp;&quot; 9"));
    EXPECT_THAT(text, Not(HasSubstr("<b>&")));
  }
}

TEST(RunPicture, GivesThoseNamedFirstTheFirstLanes) {
  EXPECT_THAT(SmallRun().lanes, ElementsAre(1, 0, 2));
}

TEST(RunPicture, HasLanesForThoseWhoRunInIt) {
  Timeline timeline;
  timeline.slices = {{0, 10, 0, 0, SliceKind::kUser},
                     {10, 20, 0, 1, SliceKind::kUser},
                     {20, 30, 0, 2, SliceKind::kUser}};
  const std::vector<TaskAccount> tasks(4);
  EXPECT_THAT(PictureOf(timeline, tasks, {{}}, 10, 20).lanes, ElementsAre(1));
  EXPECT_THAT(PictureOf(timeline, tasks, {{}}, 10, 20, {3, 9}).lanes,
              ElementsAre(3, 1))
      << "asked for, though it did not run; and there is no tenth";
}

TEST(RunPicture, IsNoLargerForALongerRun) {
  RunPicture run = SmallRun();
  run.timeline.slices.clear();
  // 400,000 slices on one CPU, two tasks by turns.
  for (uint64_t i = 0; i < 100'000; ++i) {
    const uint64_t start = run.begin_ns + i * 400;
    run.timeline.slices.push_back(
        {start, start + 390, 0, static_cast<uint32_t>(i % 2),
         i % 3 == 0 ? SliceKind::kUser : SliceKind::kKernel});
    run.timeline.free_pages.push_back({start, 20'000 + i});
    run.timeline.marks.push_back({start, 0, "again"});
  }
  const std::string svg = SheetSvg({.title = "Long", .runs = {run}});
  // Three lanes and a curve of 836 pixels, some 40 bytes each, and the marks.
  EXPECT_LT(svg.size(), 400'000u);
}

TEST(RunPicture, SaysHowManyTasksHaveNoLane) {
  RunPicture run;
  run.end_ns = kMs;
  for (uint32_t i = 0; i < 100; ++i) {
    run.tasks.push_back(TaskOf(static_cast<pid_t>(i), "task"));
    run.lanes.push_back(i);
  }
  const std::string svg = SheetSvg({.title = "Many", .runs = {run}});
  EXPECT_THAT(svg, HasSubstr("and 68 more tasks without a lane"));
  EXPECT_THAT(svg, HasSubstr(">task 31<"));
  EXPECT_THAT(svg, Not(HasSubstr(">task 32<")));
}

TEST(RunPicture, TellsRunsInWhichATimeNeverCame) {
  const std::string svg =
      SheetSvg({.title = "Spread", .spreads = {SmallSpread()}});
  EXPECT_THAT(svg, HasSubstr("p50 95 ms, p99-p1 40 ms, 1 of 4 never"));
  EXPECT_THAT(svg, HasSubstr(">2 of 2 never<"));
  EXPECT_THAT(svg, HasSubstr(">40 ms<"));
}

}  // namespace
}  // namespace reapsim
