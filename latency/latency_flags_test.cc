// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/latency_flags.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

Machine Phone() {
  return ParseMachine(
             R"({"name": "phone", "origin": "made up", "memory": "1GiB",
                 "cpus": [{"kind": "little", "count": 2}, {"kind": "big"}],
                 "cgroups": [{"name": "apps"}, {"name": "background"}]})",
             "test")
      .value();
}

struct Case {
  const char* text;
  const char* message;
};

TEST(LatencyFlagsTest, ReadsStatesThatItPrints) {
  for (const char* text : {"sleeping", "running", "uninterruptible:2.5s",
                           "uninterruptible:0", "frozen-v1", "frozen-v2"}) {
    LatencyVictim victim;
    const absl::Status status = ParseStateAtKill(text, "test", &victim);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(PrintStateAtKill(victim), text);
  }
}

TEST(LatencyFlagsTest, SaysWhatIsWrongWithAState) {
  constexpr Case kCases[] = {
      {"runing", "--state: unknown state \"runing\"; did you mean running?"},
      {"dead",
       "--state: unknown state \"dead\"; expected sleeping, running, "
       "uninterruptible, frozen-v1, frozen-v2"},
      {"sleeping:2s", "--state: sleeping takes no time"},
      {"uninterruptible",
       "--state: expected uninterruptible:TIME, such as uninterruptible:2s and "
       "at most an hour, got \"uninterruptible\""},
      {"uninterruptible:2",
       "--state: expected uninterruptible:TIME, such as uninterruptible:2s and "
       "at most an hour, got \"uninterruptible:2\""},
      {"uninterruptible:3601s",
       "--state: expected uninterruptible:TIME, such as uninterruptible:2s and "
       "at most an hour, got \"uninterruptible:3601s\""},
  };
  for (const Case& each : kCases) {
    LatencyVictim victim;
    const absl::Status status = ParseStateAtKill(each.text, "--state", &victim);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(status.message()), each.message);
  }
}

TEST(LatencyFlagsTest, ReadsStandings) {
  const Machine machine = Phone();
  const Standing all =
      ParseStanding("nice=-20,fifo=99,cpus=little,cgroup=background", "test",
                    machine)
          .value();
  EXPECT_EQ(all.nice, -20);
  EXPECT_EQ(all.fifo, 99);
  EXPECT_EQ(all.affinity, 0b011u);
  EXPECT_EQ(all.cgroup, 2u);
  const Standing some = ParseStanding("cpus=0+2", "test", machine).value();
  EXPECT_EQ(some.nice, 0);
  EXPECT_EQ(some.affinity, 0b101u);
  EXPECT_EQ(some.cgroup, 0u);
}

TEST(LatencyFlagsTest, SaysWhatIsWrongWithAStanding) {
  constexpr Case kCases[] = {
      {"", "--victim: expected FIELD=VALUE, got \"\""},
      {"nice", "--victim: expected FIELD=VALUE, got \"nice\""},
      {"nise=1", "--victim: unknown field \"nise\"; did you mean nice?"},
      {"prio=1",
       "--victim: unknown field \"prio\"; expected nice, fifo, cpus, cgroup"},
      {"nice=1,nice=2", "--victim: nice: is given twice"},
      {"nice=20",
       "--victim: nice: expected a number from -20 to 19, got \"20\""},
      {"nice=x", "--victim: nice: expected a number from -20 to 19, got \"x\""},
      {"fifo=0", "--victim: fifo: expected a priority from 1 to 99, got \"0\""},
      {"fifo=100",
       "--victim: fifo: expected a priority from 1 to 99, got \"100\""},
      {"cpus=middle",
       "--victim: cpus: expected a kind (little, big) or numbers from 0 to 2, "
       "such as 0+1, got \"middle\""},
      {"cpus=0+3",
       "--victim: cpus: expected a kind (little, big) or numbers from 0 to 2, "
       "such as 0+1, got \"0+3\""},
      {"cgroup=backgroun",
       "--victim: cgroup: the machine has no \"backgroun\"; did you mean "
       "background?"},
  };
  for (const Case& each : kCases) {
    const absl::StatusOr<Standing> standing =
        ParseStanding(each.text, "--victim", Phone());
    ASSERT_FALSE(standing.ok()) << each.text;
    EXPECT_EQ(standing.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(standing.status().message()), each.message);
  }
}

TEST(LatencyFlagsTest, DescribesStandings) {
  const Machine machine = Phone();
  EXPECT_EQ(DescribeStanding({}, machine), "");
  EXPECT_EQ(DescribeStanding({.nice = 19}, machine), "nice 19");
  EXPECT_EQ(
      DescribeStanding({.nice = 5, .fifo = 2, .affinity = 0b011, .cgroup = 1},
                       machine),
      "SCHED_FIFO priority 2, on CPU 0, 1 (little), in cgroup apps");
}

}  // namespace
}  // namespace reapsim
