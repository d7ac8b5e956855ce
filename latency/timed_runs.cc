// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/timed_runs.h"

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "latency/latency.h"
#include "latency/latency_flags.h"
#include "latency/machine.h"
#include "latency/profile.h"
#include "latency/shape.h"

namespace reapsim {
namespace {

// FNV-1a.
uint64_t HashOf(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

// Prices that no two kinds have in common, some stalling and some contended.
// They are those of no machine, and follow from the kinds' names.
CostProfile OddProfile() {
  CostProfile profile;
  profile.name = "odd";
  profile.origin = "made up";
  profile.machine = "none";
  profile.contention_permille = 300;
  profile.contention_origin = "made up";
  for (int kind = 0; kind < kCostKinds; ++kind) {
    CostProfile::Entry& entry = profile.costs[kind];
    const uint64_t hash = HashOf(CostName(static_cast<Cost>(kind)));
    entry.price.cpu_ps = 20'011 + hash % 200'003;
    entry.price.stall_ps = hash % 4 == 1 ? 3'007 + hash % 101 : 0;
    entry.price.contended = hash % 3 == 0;
    entry.origin = "made up";
  }
  return profile;
}

constexpr char kBusyPhone[] = R"({
  "name": "busy phone", "origin": "made up", "memory": "256MiB",
  "cpus": [
    {"kind": "little", "count": 2, "capacity": 400, "mhz": [300, 900, 1800],
     "start_mhz": 300, "governor": "stepped"},
    {"kind": "big", "mhz": [800, 2800]}
  ],
  "contention_permille": 450, "stall_permille": 1700,
  "cgroups": [{"name": "slow", "quota": "5ms", "period": "20ms"}],
  "background": [
    {"name": "ui", "nice": -10, "busy": "3ms", "sleep": "13.6ms"},
    {"name": "sync", "count": 3, "nice": 5, "busy": "7ms", "sleep": "2ms"},
    {"name": "audio", "fifo": 3, "busy": "500us", "sleep": "9.5ms"}
  ]
})";

constexpr char kTwoCpus[] = R"({
  "name": "two", "origin": "made up", "memory": "256MiB",
  "cpus": [{"count": 2}]
})";

struct Row {
  const char* machine;
  const char* kernel;
  const char* shape;
  const char* state;
  const char* strategy;
  const char* victim;  // its standing
  const char* caller;
  uint32_t count = 1;
  bool pinned = false;
};

constexpr char kMixed[] =
    "anon=2MiB,thp=4MiB,mlock=1MiB,forked=1MiB,swap=1MiB,file=1MiB,cow=1MiB,"
    "dirty=1MiB,memfd=1MiB,shmem=1MiB,vmas=40,untouched=9,shared=7,sparse=6,"
    "scattered=3,threads=2,sharers=1";

constexpr Row kRows[] = {
    {kTwoCpus, "v6.18", "anon=8MiB", "sleeping", "kill", "", ""},
    {kTwoCpus, "v6.18", "anon=8MiB", "sleeping", "mrelease", "", ""},
    {kTwoCpus, "v5.15", "anon=8MiB", "running", "mrelease", "", ""},
    {kTwoCpus, "v6.1", "anon=8MiB", "running", "reapers:3", "", ""},
    {kTwoCpus, "v7.0", kMixed, "sleeping", "kill", "", ""},
    {kTwoCpus, "v7.0", kMixed, "sleeping", "mrelease", "", ""},
    {kTwoCpus, "v6.18", "anon=4MiB", "uninterruptible:30ms", "kill", "", ""},
    {kTwoCpus, "v6.18", "anon=4MiB", "uninterruptible:30ms", "mrelease", "",
     ""},
    {kTwoCpus, "v6.18", "anon=4MiB", "frozen-v1", "mrelease", "", ""},
    {kTwoCpus, "v6.18", "anon=4MiB", "frozen-v2", "kill", "", ""},
    {kTwoCpus, "v6.18", "anon=2MiB", "sleeping", "pool:2", "", "", 5},
    {kTwoCpus, "v6.18", "anon=4MiB", "sleeping", "mrelease", "", "", 1, true},
    {kBusyPhone, "v6.1", "anon=8MiB", "sleeping", "kill", "nice=19,cpus=little",
     "cpus=big"},
    {kBusyPhone, "v6.1", "anon=8MiB", "sleeping", "mrelease",
     "nice=19,cpus=little", "cpus=big"},
    {kBusyPhone, "v6.1", "anon=8MiB", "running", "mrelease", "cgroup=slow",
     "nice=19,cgroup=slow"},
    {kBusyPhone, "v6.18", "anon=8MiB", "running", "mrelease", "cgroup=slow",
     "nice=19,cgroup=slow"},
    {kBusyPhone, "v6.18", kMixed, "running", "reapers:2", "", "fifo=2"},
    {kBusyPhone, "v6.18", "anon=2MiB,file=2MiB", "running", "pool:2", "nice=10",
     "nice=-20", 6},
    {kBusyPhone, "v6.18", "swap=16MiB", "sleeping", "mrelease", "cpus=little",
     "cpus=0+2"},
};

Standing StandingOf(const char* text, const Machine& machine) {
  if (*text == '\0') return {};
  const absl::StatusOr<Standing> standing =
      ParseStanding(text, "timed runs", machine);
  REAP_CHECK(standing.ok(), "timed runs: standing");
  return *standing;
}

std::string TimeText(const std::optional<uint64_t>& time) {
  return time.has_value() ? absl::StrCat(*time) : "-";
}

std::string BillText(const Bill& bill) {
  std::string text = absl::StrCat(bill.run_ns);
  for (uint64_t ps : bill.by_class_ps) absl::StrAppend(&text, ",", ps);
  absl::StrAppend(&text, ",", bill.spin_ps, ",", bill.runqueue_ns, ",",
                  bill.lock_wait_ns, ",", bill.throttled_ns, ",");
  absl::StrAppend(&text, bill.frozen_ns, ",", bill.sleep_ns, ",",
                  bill.switches);
  return text;
}

std::string RunRow(const Row& row, const CostProfile& profile, uint64_t seed) {
  const absl::StatusOr<Machine> machine = ParseMachine(row.machine, "machine");
  REAP_CHECK(machine.ok(), "timed runs: machine");
  const absl::StatusOr<VictimShape> shape = ParseShape(row.shape, "shape");
  REAP_CHECK(shape.ok(), "timed runs: shape");
  const absl::StatusOr<StrategyChoice> strategy =
      ParseStrategy(row.strategy, "strategy");
  REAP_CHECK(strategy.ok(), "timed runs: strategy");
  LatencyOptions options;
  options.profile = &profile;
  options.machine = &*machine;
  options.kernel = row.kernel;
  options.victim.shape = *shape;
  options.victim.count = row.count;
  options.victim.pinned = row.pinned;
  REAP_CHECK(ParseStateAtKill(row.state, "state", &options.victim).ok(),
             "timed runs: state");
  options.victim.standing = StandingOf(row.victim, *machine);
  options.caller = StandingOf(row.caller, *machine);
  options.strategy = *strategy;
  options.seed = seed;
  options.deadline_ns = 2'000'000'000;
  const LatencyResult result = RunLatency(options);
  std::string line = absl::StrCat(
      machine->name, " ", row.kernel, " ", row.state, " ", row.strategy,
      row.pinned ? " pinned" : "", " ", row.shape, "\t", seed, "\t",
      result.pages, "\t", TimeText(result.back_ns), "\t",
      TimeText(result.all_ns), "\t");
  absl::StrAppend(&line, TimeText(result.call_ns), "\t",
                  TimeText(result.gone_ns));
  for (const Bill& bill : result.bills) {
    absl::StrAppend(&line, "\t", BillText(bill));
  }
  return absl::StrCat(line, "\t", result.account_problem, "\n");
}

}  // namespace

std::string TimedRuns() {
  const CostProfile profile = OddProfile();
  std::string out;
  for (const Row& row : kRows) {
    for (uint64_t seed : {1, 2}) out += RunRow(row, profile, seed);
  }
  return out;
}

}  // namespace reapsim
