// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/schedule_page.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "report/json.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Two tasks, three steps: P0 takes a lock, victim waits for it and is small, P0
// drops a count and the lock.
SchedulePlay SmallPlay() {
  SchedulePlay play;
  play.heading = "Schedule to S3";
  play.end = "use after free: \"S3\"";
  play.replay = "reapsim replay a.reap@v6.18/-";
  play.columns = {"P0 lmkd", "victim"};
  play.facts = {{"Tasks", "victim", "waits for", "", true},
                {"Locks", "mmap_lock", "owner", "", true},
                {"Memory", "mm of victim", "mm_users", "2"},
                {"Memory", "mm of victim", "swap entries", "0"}};
  play.steps = {
      {.number = 0,
       .column = 0,
       .operations = {{"kernel/locking/rwsem.c:down_read", "mm/mmap_lock.h:74",
                       "r0 = process_mrelease(fd, 0);  (line 19)"}},
       .changes = {{1, "", "P0 lmkd (reads)"}}},
      {.number = 1,
       .column = 1,
       .preempts = true,
       .small = true,
       .operations = {{"a timer expires"}},
       .changes = {{0, "", "down_write"}}},
      {.number = 2,
       .column = 0,
       .decides = true,
       .operations = {{"kernel/fork.c:mmput"}},
       .changes = {{0, "down_write", ""},
                   {1, "P0 lmkd (reads)", ""},
                   {2, "2", "1"}}},
  };
  play.spans = {
      {ScheduleSpan::Kind::kShared, "mmap_lock", 0, 0, 1},
      {ScheduleSpan::Kind::kWaits, "mmap_lock", 1, 1, 1},
  };
  return play;
}

SchedulePage PageOf(SchedulePlay play) {
  return {"a <b> case", {{"a, v6.18", {"States 1"}, "", std::move(play)}}};
}

Json DataOf(const std::string& html) {
  const std::string open = "type=\"application/json\">";
  const size_t begin = html.find(open) + open.size();
  return Json::parse(html.substr(begin, html.find("</script>", begin) - begin));
}

TEST(SchedulePage, HasEachStepForwardAndBack) {
  const Json data = DataOf(SchedulePageHtml(PageOf(SmallPlay())));
  EXPECT_EQ(data["numbers"], Json({0, 1, 2}));
  EXPECT_EQ(data["who"], Json({"P0 lmkd", "victim", "P0 lmkd"}));
  Json values = data["start"];
  for (const Json& step : data["steps"]) {
    for (const Json& change : step) {
      EXPECT_EQ(values[change[0].get<size_t>()], change[1]);
      values[change[0].get<size_t>()] = change[2];
    }
  }
  EXPECT_EQ(values, Json({"", "", "1", "0"}));
}

TEST(SchedulePage, ReadsWithoutScripts) {
  const std::string html = SchedulePageHtml(PageOf(SmallPlay()));
  EXPECT_THAT(html, HasSubstr("mm_users <span class=\"src\">mm of victim</span>"
                              ": 2 &#8594; <b>1</b>"));
  EXPECT_THAT(html, HasSubstr("takes mmap_lock (to read)"));
  EXPECT_THAT(html, HasSubstr("waits for mmap_lock"));
  EXPECT_THAT(html, HasSubstr("releases mmap_lock"));
  EXPECT_THAT(html, HasSubstr("<div class=\"tag\">preemption</div>"));
  EXPECT_THAT(html, HasSubstr("from here on, every schedule ends so"));
  EXPECT_THAT(html, HasSubstr("r0 = process_mrelease(fd, 0);  (line 19)"));
}

TEST(SchedulePage, PutsTheFileBehindTheFunction) {
  const std::string html = SchedulePageHtml(PageOf(SmallPlay()));
  EXPECT_THAT(html, HasSubstr("title=\"model: mm/mmap_lock.h:74\">down_read "
                              "<span class=\"src\">kernel/locking/rwsem.c"));
  EXPECT_THAT(html, HasSubstr(">a timer expires</div>"));
}

TEST(SchedulePage, SaysWhoHoldsAndAwaitsALockAtEachStep) {
  const std::string html = SchedulePageHtml(PageOf(SmallPlay()));
  const size_t second = html.find("<tr id=\"c0-s1\"");
  const std::string row =
      html.substr(second, html.find("</tr>", second) - second);
  EXPECT_THAT(row, HasSubstr("class=\"turn small\""));
  EXPECT_THAT(row, HasSubstr("title=\"reads under mmap_lock\""));
  EXPECT_THAT(row, HasSubstr("title=\"waits for mmap_lock\""));
}

TEST(SchedulePage, LeavesOutFactsThatAreNothingAllTheTime) {
  EXPECT_THAT(SchedulePageHtml(PageOf(SmallPlay())),
              Not(HasSubstr("swap entries</th>")));
}

TEST(SchedulePage, SaysNamesThatLookLikeMarkup) {
  SchedulePlay play = SmallPlay();
  play.columns[1] = "</script><script>alert(1)</script>";
  play.steps[0].changes[0].to = "<i>";
  const std::string html = SchedulePageHtml(PageOf(play));
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(html, HasSubstr("a &lt;b&gt; case"));
  EXPECT_EQ(DataOf(html)["who"][1], "</script><script>alert(1)</script>");
}

TEST(SchedulePage, OfNoStepsIsAPage) {
  SchedulePlay play;
  play.columns = {"P0"};
  const std::string html = SchedulePageHtml(PageOf(play));
  EXPECT_EQ(DataOf(html)["steps"], Json::array());
  EXPECT_THAT(html, HasSubstr("0 steps."));
}

TEST(SchedulePage, SaysWhyThereIsNoSchedule) {
  const std::string html =
      SchedulePageHtml({"a", {{"a, v6.18", {}, "None was found.", {}}}});
  EXPECT_THAT(html, HasSubstr("<p class=\"none\">None was found.</p>"));
  EXPECT_THAT(html, Not(HasSubstr("application/json")));
}

TEST(SchedulePage, LinksItsCases) {
  const std::string html = SchedulePageHtml(
      {"a",
       {{"a, v5.15", {}, "", SmallPlay()}, {"a, v6.18", {}, "None.", {}}}});
  EXPECT_THAT(html, HasSubstr("<a href=\"#c0\">a, v5.15</a>"));
  EXPECT_THAT(html, HasSubstr("<a href=\"#c1\">a, v6.18 (no schedule)</a>"));
  EXPECT_THAT(html, HasSubstr("<section class=\"case\" id=\"c1\">"));
}

}  // namespace
}  // namespace reapsim
