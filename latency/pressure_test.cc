// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/pressure.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "latency/machine.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;

constexpr char kScenario[] = R"json({
  "name": "small",
  "about": "a test",
  "machine": "default",
  "profile": "host",
  "free": "64MiB",
  "target": "32MiB",
  "time_limit": "1s",
  "foreground": {"name": "fg", "needs": "96MiB", "rate": "1GiB", "nice": -5},
  "processes": [
    {"name": "app", "count": 3, "shape": "anon=32MiB,threads=2",
     "oom_score_adj": 900, "nice": 10, "cpus": [0], "cgroup": "apps",
     "doing": "driver", "driver_sleep": "5ms", "on_sigterm": "ignores",
     "device_busy": "2ms", "device_period": "10ms"},
    {"name": "ide", "shape": "thp=32MiB", "cgroup": "ide",
     "on_sigterm": "cleans up", "cleanup": "20ms"},
    {"name": "tab", "shape": "anon=4KiB", "cgroup": "apps"}
  ],
  "lmkd": {"reaper_cpus": [0, 1], "kill_timeout": "50ms", "min_adj": 250},
  "earlyoom": {"term_percent": 8, "kill_percent": 4},
  "oomd": {"interval": "1s", "kernelkill": true, "pressure_percent": 40}
})json";

TEST(PressureTest, ReadsEachField) {
  const absl::StatusOr<PressureScenario> s = ParsePressure(kScenario, "s.json");
  ASSERT_TRUE(s.ok()) << s.status();
  EXPECT_EQ(s->name, "small");
  EXPECT_EQ(s->free, uint64_t{64} << 20);
  EXPECT_EQ(s->time_limit_ns, 1'000'000'000u);
  EXPECT_EQ(s->foreground.needs, uint64_t{96} << 20);
  EXPECT_EQ(s->foreground.nice, -5);
  ASSERT_EQ(s->processes.size(), 3u);
  const PressureProcess& app = s->processes[0];
  EXPECT_EQ(app.count, 3u);
  EXPECT_EQ(app.shape.anon, uint64_t{32} << 20);
  EXPECT_EQ(app.shape.threads, 2u);
  EXPECT_EQ(app.affinity, 1u);
  EXPECT_EQ(app.doing, Doing::kDriver);
  EXPECT_EQ(app.driver_ns, 5'000'000u);
  EXPECT_EQ(app.on_sigterm, OnSigterm::kIgnores);
  EXPECT_EQ(app.device_busy_ns, 2'000'000u);
  EXPECT_EQ(s->processes[1].cleanup_ns, 20'000'000u);
  // Cgroups are numbered in the order in which they are named.
  EXPECT_THAT(s->cgroups, testing::ElementsAre("apps", "ide"));
  EXPECT_EQ(app.cgroup, 1u);
  EXPECT_EQ(s->processes[1].cgroup, 2u);
  EXPECT_EQ(s->processes[2].cgroup, 1u);
  EXPECT_EQ(s->lmkd.reaper_cpus, 3u);
  EXPECT_EQ(s->lmkd.min_adj, 250);
  EXPECT_EQ(s->lmkd.threads, 2u);  // its own default
  EXPECT_EQ(s->earlyoom.kill_percent, 4u);
  EXPECT_TRUE(s->oomd.kernelkill);
}

TEST(PressureTest, SaysWhatIsWrongAndWhere) {
  struct Case {
    absl::string_view good;
    absl::string_view bad;
    absl::string_view message;
  };
  const Case kCases[] = {
      {R"("free": "64MiB")", R"("free": 64)", "s.json:6:11: free: "},
      {R"("target": "32MiB",)", "", "s.json:1:1: target: "},
      {R"("about")", R"("abuot")", "abuot"},
      {R"("rate": "1GiB")", R"("rate": "12KiB")", "foreground.rate: "},
      {R"("needs": "96MiB")", R"("needs": "96MiB", "step": "97MiB")",
       "foreground.step: "},
      {R"("needs": "96MiB")", R"("needs": "512KiB")",
       "foreground.step: expected no more than foreground.needs"},
      {"anon=32MiB,threads=2", "anon=32MiB,treads=2",
       "s.json:11:42: processes[0].shape: unknown field \"treads\""},
      {R"("oom_score_adj": 900)", R"("oom_score_adj": 1001)",
       "processes[0].oom_score_adj: "},
      {R"("cpus": [0])", R"("cpus": [0, 64])", "processes[0].cpus[1]: "},
      {R"("driver")", R"("drives")",
       "processes[0].doing: expected one of sleeps, computes, driver, frozen"},
      {R"("doing": "driver", )", "",
       "processes[0].driver_sleep: only for \"doing\": \"driver\""},
      {R"(, "driver_sleep": "5ms")", "", "processes[0].driver_sleep: "},
      {R"("cleanup": "20ms")", R"("nice": 0)", "processes[1].cleanup: "},
      {R"("on_sigterm": "cleans up", )", "",
       "processes[1].cleanup: only for \"on_sigterm\": \"cleans up\""},
      {R"("on_sigterm": "cleans up")",
       R"("on_sigterm": "cleans up", "doing": "frozen")",
       "processes[1].on_sigterm: "},
      {R"(, "device_period": "10ms")", "",
       "processes[0].device_busy: only with \"device_period\""},
      {R"("device_busy": "2ms")", R"("device_busy": "10ms")",
       "processes[0].device_busy: "},
      {R"("count": 3)", R"("count": 255)",
       "processes: has 257 processes; expected at most 256"},
      {R"("min_adj": 250)", R"("min_adj": 200)", "lmkd.min_adj: "},
      {R"("kill_percent": 4)", R"("kill_percent": 9)",
       "earlyoom.kill_percent: "},
      {R"("term_percent": 8, "kill_percent": 4)", R"("term_percent": 4)",
       "earlyoom.term_percent: expected no less than kill_percent, 5"},
      {R"("interval": "1s")", R"("intervall": "1s")", "oomd"},
  };
  for (const Case& c : kCases) {
    const std::string text = absl::StrReplaceAll(kScenario, {{c.good, c.bad}});
    ASSERT_NE(text, kScenario) << c.good;
    const absl::StatusOr<PressureScenario> s = ParsePressure(text, "s.json");
    ASSERT_FALSE(s.ok()) << c.bad;
    EXPECT_EQ(s.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(s.status().message()), HasSubstr(c.message));
  }
}

TEST(PressureTest, LoadsWhatComesWithTheProgram) {
  ASSERT_FALSE(BuiltinScenarios().empty());
  for (const absl::string_view name : BuiltinScenarios()) {
    const absl::StatusOr<PressureScenario> s = LoadPressure(std::string(name));
    ASSERT_TRUE(s.ok()) << s.status();
    EXPECT_EQ(s->name, name);
    EXPECT_TRUE(LoadMachine(s->machine).ok()) << s->machine;
  }
}

TEST(PressureTest, SaysThatThereIsNoSuchFile) {
  const absl::StatusOr<PressureScenario> s = LoadPressure("no-such-scenario");
  EXPECT_EQ(s.status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace reapsim
