// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Runs with round prices, all but a few of them 0, so that their times can be
// reckoned by hand. Each run's accounts are added up.

#include "latency/latency.h"

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "latency/machine.h"
#include "latency/profile.h"
#include "latency/shape.h"
#include "latency/strategy.h"

namespace reapsim {
namespace {

using ::testing::Each;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kUs = 1'000;
constexpr uint64_t kMs = 1'000 * kUs;

// 1 MiB of anonymous pages, and those of the standard image.
constexpr uint64_t kPages = 256 + 3;
// What 100 ns for each of them come to.
constexpr uint64_t kPagesNs = kPages * 100;

struct Scene {
  // A page that is unmapped costs 100 ns.
  Scene() {
    profile.of(Cost::kAnonPage).price.cpu_ps = 100'000;
    machine.config.cpus = {CpuConfig{}, CpuConfig{}};
    machine.memory = uint64_t{64} << 20;
    options.profile = &profile;
    options.machine = &machine;
    Has("anon=1MiB");
    Does("mrelease");
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  void Has(const std::string& spec) {
    options.victim.shape = ParseShape(spec, "test").value();
  }
  void Does(const std::string& text) {
    options.strategy = ParseStrategy(text, "test").value();
  }
  LatencyResult Run() {
    LatencyResult result = RunLatency(options);
    EXPECT_EQ(result.account_problem, "");
    return result;
  }

  CostProfile profile;
  Machine machine;
  LatencyOptions options;
};

TEST(LatencyTest, AVictimThatIsKilledGivesItsMemoryBackItself) {
  Scene s;
  s.Does("kill");
  const LatencyResult r = s.Run();
  // It is on the other CPU at once; nothing but its pages costs anything.
  EXPECT_EQ(r.all_ns, kPagesNs);
  EXPECT_EQ(r.back_ns, kPagesNs);
  EXPECT_EQ(r.gone_ns, kPagesNs);
  EXPECT_EQ(r.call_ns, std::nullopt);
  EXPECT_THAT(r.calls, IsEmpty());
  EXPECT_EQ(r.bill(Role::kVictim).run_ns, kPagesNs);
  EXPECT_EQ(r.bill(Role::kVictim).class_ns(WorkClass::kZap), kPagesNs);
  EXPECT_EQ(r.bill(Role::kCaller).run_ns, 0u);
  EXPECT_EQ(r.pages, kPages);
}

TEST(LatencyTest, TheCallerReapsAVictimThatSleepsUninterruptibly) {
  Scene s;
  s.options.victim.state = StateAtKill::kUninterruptible;
  s.options.victim.uninterruptible_ns = 50 * kMs;
  s.Has("anon=64MiB");
  constexpr uint64_t kAll = (16384 + 3) * 100;
  const LatencyResult called = s.Run();
  EXPECT_LE(*called.back_ns, kAll);
  EXPECT_EQ(called.call_ns, kAll);
  EXPECT_EQ(called.bill(Role::kCaller).run_ns, kAll);
  EXPECT_EQ(called.bill(Role::kVictim).run_ns, 0u);
  // Since the kill, which comes as soon as the caller wakes up.
  EXPECT_EQ(called.gone_ns, 50 * kMs);
  ASSERT_THAT(called.calls, SizeIs(1));
  EXPECT_EQ(called.calls[0].result, 0);
  EXPECT_EQ(called.calls[0].end_ns - called.calls[0].begin_ns, kAll);

  s.Does("kill");
  const LatencyResult alone = s.Run();
  EXPECT_EQ(alone.gone_ns, 50 * kMs + kAll);
  EXPECT_GT(*alone.back_ns, 50 * kMs);
  EXPECT_EQ(alone.bill(Role::kVictim).run_ns, kAll);
  EXPECT_EQ(alone.bill(Role::kCaller).run_ns, 0u);
  EXPECT_EQ(alone.pages, called.pages);
}

TEST(LatencyTest, VictimAndCallerShareTheWork) {
  Scene s;
  // Two mappings: from v6.18 on the reaper begins with the higher one.
  s.Has("anon=32MiB,cow=32MiB");
  const LatencyResult r = s.Run();
  constexpr uint64_t kAll = (16384 + 3) * 100;
  const Bill& caller = r.bill(Role::kCaller);
  const Bill& victim = r.bill(Role::kVictim);
  // Each page is unmapped once.
  EXPECT_EQ(caller.class_ns(WorkClass::kZap) + victim.class_ns(WorkClass::kZap),
            kAll);
  EXPECT_GT(caller.class_ns(WorkClass::kZap), kAll * 2 / 5);
  EXPECT_GT(victim.class_ns(WorkClass::kZap), kAll * 2 / 5);
  EXPECT_LT(*r.all_ns, kAll * 3 / 5);
}

TEST(LatencyTest, MemoryWithAnotherUserComesBackByTheCallOnly) {
  Scene s;
  s.options.victim.pinned = true;
  const LatencyResult called = s.Run();
  // The victim has left its memory at once, and does not tear it down.
  EXPECT_EQ(called.gone_ns, 0u);
  EXPECT_EQ(called.calls[0].result, 0);
  EXPECT_EQ(called.call_ns, kPagesNs);
  EXPECT_EQ(called.bill(Role::kCaller).run_ns, kPagesNs);
  s.Does("kill");
  const LatencyResult alone = s.Run();
  EXPECT_EQ(alone.gone_ns, 0u);
  EXPECT_EQ(alone.back_ns, std::nullopt);
  EXPECT_EQ(alone.all_ns, std::nullopt);
  // It would have been as much.
  EXPECT_EQ(alone.pages, called.pages);
}

TEST(LatencyTest, AVictimFrozenByV1DoesNotDie) {
  Scene s;
  s.options.victim.state = StateAtKill::kFrozenV1;
  s.options.deadline_ns = 100 * kMs;
  s.Has("anon=64MiB");
  const LatencyResult called = s.Run();
  EXPECT_EQ(called.gone_ns, std::nullopt);
  EXPECT_EQ(called.all_ns, (16384 + 3) * 100);
  EXPECT_EQ(called.bill(Role::kVictim).run_ns, 0u);
  EXPECT_EQ(called.bill(Role::kVictim).frozen_ns, 100 * kMs);
  s.Does("kill");
  const LatencyResult alone = s.Run();
  EXPECT_EQ(alone.gone_ns, std::nullopt);
  EXPECT_EQ(alone.back_ns, std::nullopt);
  EXPECT_EQ(alone.pages, called.pages);
}

TEST(LatencyTest, ACallThatComesTooLateFindsNobody) {
  Scene s;
  s.options.victim.pinned = true;
  s.options.victim.count = 2;
  // The second victim is gone when the first one's memory is back.
  const LatencyResult r = s.Run();
  EXPECT_EQ(r.calls[0].result, 0);
  EXPECT_EQ(r.calls[1].result, -ESRCH);
  EXPECT_EQ(r.back_ns, std::nullopt);
  EXPECT_EQ(r.memory.back().pages, kPages);
}

TEST(LatencyTest, AVictimFrozenByV2Dies) {
  Scene s;
  s.options.victim.state = StateAtKill::kFrozenV2;
  s.Does("kill");
  const LatencyResult r = s.Run();
  EXPECT_EQ(r.gone_ns, kPagesNs);
  EXPECT_EQ(r.bill(Role::kVictim).run_ns, kPagesNs);
}

TEST(LatencyTest, ARunningVictimDiesWhereItRuns) {
  Scene s;
  s.options.victim.state = StateAtKill::kRunning;
  s.Does("kill");
  const LatencyResult r = s.Run();
  EXPECT_EQ(r.gone_ns, kPagesNs);
  // It was on a CPU all the time.
  EXPECT_EQ(r.bill(Role::kVictim).runqueue_ns, 0u);
}

TEST(LatencyTest, TheWorkTakesLongerOnASlowerCpu) {
  Scene s;
  s.machine.config.cpus[0].capacity = 512;
  // Asleep: it does not help.
  s.options.victim.state = StateAtKill::kUninterruptible;
  s.options.victim.uninterruptible_ns = 50 * kMs;
  s.options.caller.affinity = 1 << 1;
  EXPECT_EQ(s.Run().call_ns, kPagesNs);
  s.options.caller.affinity = 1 << 0;
  EXPECT_EQ(s.Run().call_ns, 2 * kPagesNs);
  s.machine.config.cpus[0].mhz = {250, 1000};
  s.machine.config.cpus[0].opp = 0;
  EXPECT_EQ(s.Run().call_ns, 8 * kPagesNs);
  // A victim by itself, likewise.
  s.options.victim.state = StateAtKill::kSleeping;
  s.options.victim.standing.affinity = 1 << 0;
  s.options.caller.affinity = 1 << 1;
  s.Does("kill");
  EXPECT_EQ(s.Run().gone_ns, 8 * kPagesNs);
}

TEST(LatencyTest, AVictimAtNice19WaitsForItsCpu) {
  Scene s;
  s.machine.background.push_back(
      {.name = "load", .count = 4, .busy_ns = 50 * kMs});
  s.options.victim.standing.nice = 19;
  s.options.caller.fifo = 1;
  s.Does("kill");
  const LatencyResult alone = s.Run();
  EXPECT_GT(alone.bill(Role::kVictim).runqueue_ns, 500 * kUs);
  EXPECT_GT(*alone.back_ns, 500 * kUs);
  // The caller goes before everybody: the first to unmap the pages.
  s.Does("mrelease");
  const LatencyResult called = s.Run();
  EXPECT_EQ(called.call_ns, kPagesNs);
  EXPECT_LE(*called.back_ns, kPagesNs);
  EXPECT_EQ(called.bill(Role::kCaller).runqueue_ns, 0u);
  EXPECT_EQ(called.bill(Role::kVictim).class_ns(WorkClass::kZap), 0u);
}

TEST(LatencyTest, ACgroupsLimitHoldsItsVictimUp) {
  Scene s;
  s.Has("anon=128MiB");  // 3.3 ms
  s.machine.cgroups = {{.name = "slow", .quota_ns = 1 * kMs}};
  s.machine.config.bandwidth = {
      {.cgroup = 1, .quota_ns = 1 * kMs, .period_ns = 100 * kMs}};
  s.machine.throttle_in_kernel = true;
  s.options.victim.standing.cgroup = 1;
  s.Does("kill");
  const LatencyResult r = s.Run();
  // A millisecond in each 100: the fourth one is in the fourth period.
  EXPECT_GT(*r.gone_ns, 200 * kMs);
  EXPECT_LT(*r.gone_ns, 400 * kMs);
  EXPECT_GT(r.bill(Role::kVictim).throttled_ns, 200 * kMs);
  s.machine.throttle_in_kernel = false;
  EXPECT_EQ(s.Run().gone_ns, (32768 + 3) * 100);
}

TEST(LatencyTest, SeveralReapersShareOneVictim) {
  Scene s;
  s.machine.config.cpus.resize(4);
  s.options.victim.state = StateAtKill::kUninterruptible;
  s.options.victim.uninterruptible_ns = 50 * kMs;
  s.Does("reapers:3");
  const LatencyResult r = s.Run();
  EXPECT_THAT(r.calls, SizeIs(3));
  EXPECT_THAT(r.calls, Each(Field(&ReapCall::result, 0)));
  // The page-table lock lets one of them in at a time: no page is unmapped
  // twice, and nothing is won in a single table.
  EXPECT_EQ(r.bill(Role::kCaller).class_ns(WorkClass::kZap), kPagesNs);
  EXPECT_GT(r.bill(Role::kCaller).spin_ps, 0u);
}

TEST(LatencyTest, APoolReapsVictimsSideBySide) {
  Scene s;
  s.machine.config.cpus.resize(3);
  s.options.victim.count = 4;
  s.options.victim.state = StateAtKill::kUninterruptible;
  s.options.victim.uninterruptible_ns = 50 * kMs;
  s.Does("pool:2");
  const LatencyResult r = s.Run();
  EXPECT_THAT(r.calls, SizeIs(4));
  EXPECT_THAT(r.calls, Each(Field(&ReapCall::result, 0)));
  // Two threads, two victims each.
  EXPECT_EQ(r.call_ns, 2 * kPagesNs);
  s.Does("mrelease");
  EXPECT_EQ(s.Run().call_ns, 4 * kPagesNs);
}

TEST(LatencyTest, WhoSharesTheMemoryIsKilledFirst) {
  Scene s;
  s.Has("anon=1MiB,sharers=2,threads=2");
  const LatencyResult r = s.Run();
  // Else the answer were EINVAL.
  EXPECT_EQ(r.calls[0].result, 0);
  EXPECT_TRUE(r.gone_ns.has_value());
}

TEST(LatencyTest, TakesVictimsFromSmaps) {
  const absl::StatusOr<SmapsFile> smaps = ParseSmaps(
      "10000000-10100000 rw-p 00000000 00:00 0 \n"
      "Size:               1024 kB\n"
      "Rss:                1024 kB\n"
      "Anonymous:          1024 kB\n"
      "VmFlags: rd wr mr mw me ac \n",
      "smaps");
  ASSERT_TRUE(smaps.ok()) << smaps.status();
  const absl::StatusOr<ImportPlan> plan = ImportPlan::Make(*smaps, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  Scene s;
  s.options.victim.shape = VictimShape{};
  s.options.victim.import = &*plan;
  s.Does("kill");
  // Its memory is what the text says, without an image.
  EXPECT_EQ(s.Run().gone_ns, 256 * 100);
}

TEST(LatencyTest, MoreThanTheMachineHasMakesItLarger) {
  Scene s;
  s.machine.memory = uint64_t{16} << 20;
  s.Has("anon=64MiB");
  s.options.victim.count = 2;
  s.Does("kill");
  EXPECT_TRUE(s.Run().all_ns.has_value());
}

TEST(LatencyTest, ASeedIsAlwaysTheSameRun) {
  Scene s;
  s.machine.background.push_back(
      {.name = "load", .count = 4, .busy_ns = 5 * kMs, .sleep_ns = 3 * kMs});
  s.options.victim.state = StateAtKill::kRunning;
  std::vector<uint64_t> ends;
  for (uint64_t seed : {1, 2, 1, 2}) {
    s.options.seed = seed;
    ends.push_back(s.Run().end_ns);
  }
  EXPECT_EQ(ends[0], ends[2]);
  EXPECT_EQ(ends[1], ends[3]);
  EXPECT_NE(ends[0], ends[1]);
}

TEST(LatencyTest, TheTimelineHasMarksForWhatHappened) {
  Scene s;
  s.options.keep_timeline = true;
  s.options.victim.state = StateAtKill::kUninterruptible;
  s.options.victim.uninterruptible_ns = 1 * kMs;
  const LatencyResult r = s.Run();
  std::vector<std::string> texts;
  for (const TimelineMark& mark : r.timeline.marks) {
    texts.push_back(absl::StrCat(mark.at_ns - r.kill_ns, " ",
                                 r.tasks[mark.task].comm, ": ", mark.text));
  }
  const pid_t victim = r.calls[0].target;
  EXPECT_THAT(
      texts,
      ::testing::ElementsAre(
          "0 caller: kill",
          // The anonymous mapping's; the image's three come later.
          "25700 caller: 99 % is back",
          absl::StrCat(kPagesNs, " caller: process_mrelease(", victim, ") = 0"),
          "1000000 victim: gone"));
  EXPECT_FALSE(r.timeline.slices.empty());
  EXPECT_FALSE(r.timeline.free_pages.empty());
  EXPECT_EQ(r.roles.size(), r.tasks.size());
  s.options.keep_timeline = false;
  EXPECT_THAT(s.Run().timeline.slices, IsEmpty());
}

TEST(LatencyTest, MemoryComesBackPointByPoint) {
  Scene s;
  s.Has("anon=64MiB");
  const LatencyResult r = s.Run();
  ASSERT_GE(r.memory.size(), 3u);
  EXPECT_EQ(r.memory.front().pages, 0u);
  EXPECT_EQ(r.memory.back().pages, r.pages);
  for (size_t i = 1; i < r.memory.size(); ++i) {
    EXPECT_GT(r.memory[i].at_ns, r.memory[i - 1].at_ns);
    EXPECT_GT(r.memory[i].pages, r.memory[i - 1].pages);
  }
}

// ---- Several runs ----------------------------------------------------------

TEST(SpreadTest, TakesTheNearestRank) {
  std::vector<std::optional<uint64_t>> times;
  for (uint64_t i = 200; i > 0; --i) times.push_back(i);
  const Spread spread = SpreadOf(times);
  EXPECT_EQ(spread.runs, 200u);
  EXPECT_EQ(spread.p1, 2u);
  EXPECT_EQ(spread.p50, 100u);
  EXPECT_EQ(spread.p90, 180u);
  EXPECT_EQ(spread.p99, 198u);
  EXPECT_EQ(spread.max, 200u);
  EXPECT_EQ(spread.spread(), 196u);
  EXPECT_EQ(spread.missing, 0u);
}

TEST(SpreadTest, PutsWhatIsMissingLast) {
  const Spread spread = SpreadOf({std::nullopt, 3, 1, 2});
  EXPECT_EQ(spread.p1, 1u);
  EXPECT_EQ(spread.p50, 2u);
  EXPECT_EQ(spread.p90, std::nullopt);
  EXPECT_EQ(spread.max, std::nullopt);
  EXPECT_EQ(spread.spread(), std::nullopt);
  EXPECT_EQ(spread.missing, 1u);
}

TEST(SpreadTest, OfOneRunIsThatRun) {
  const Spread spread = SpreadOf({7});
  EXPECT_EQ(spread.p1, 7u);
  EXPECT_EQ(spread.p99, 7u);
  EXPECT_EQ(spread.spread(), 0u);
  EXPECT_EQ(SpreadOf({}).p50, std::nullopt);
}

// ---- Strategies ------------------------------------------------------------

TEST(StrategyTest, ReadsWhatItPrints) {
  for (const char* text :
       {"kill", "mrelease", "reapers:1", "reapers:64", "pool:2"}) {
    const absl::StatusOr<StrategyChoice> choice = ParseStrategy(text, "test");
    ASSERT_TRUE(choice.ok()) << choice.status();
    EXPECT_EQ(PrintStrategy(*choice), text);
  }
}

TEST(StrategyTest, SaysWhatIsWrong) {
  struct Case {
    const char* text;
    const char* message;
  };
  constexpr Case kCases[] = {
      {"",
       "--strategy: unknown strategy \"\"; expected kill, mrelease, reapers:N "
       "or pool:N"},
      {"mreleas",
       "--strategy: unknown strategy \"mreleas\"; did you mean mrelease?"},
      {"kill:2", "--strategy: kill takes no number"},
      {"pool", "--strategy: expected pool:N, N from 1 to 64, got \"pool\""},
      {"pool:0", "--strategy: expected pool:N, N from 1 to 64, got \"pool:0\""},
      {"reapers:65",
       "--strategy: expected reapers:N, N from 1 to 64, got \"reapers:65\""},
      {"reapers:x",
       "--strategy: expected reapers:N, N from 1 to 64, got \"reapers:x\""},
  };
  for (const Case& each : kCases) {
    const absl::StatusOr<StrategyChoice> choice =
        ParseStrategy(each.text, "--strategy");
    ASSERT_FALSE(choice.ok()) << each.text;
    EXPECT_EQ(choice.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(choice.status().message()), each.message);
  }
}

}  // namespace
}  // namespace reapsim
