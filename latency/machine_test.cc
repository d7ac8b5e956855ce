// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/machine.h"

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;

// Everything that can be said.
constexpr char kPhone[] =
    R"({
  "name": "phone",
  "origin": "made up",
  "kernel": "v6.1",
  "memory": "64MiB",
  "swap": "32MiB",
  "watermarks": {"min": "1MiB", "low": "2MiB", "high": "3MiB"},
  "cpus": [
    {"kind": "little", "count": 2, "capacity": 400, )"
    R"("mhz": [300, 600, 1800], "start_mhz": 600, "governor": "stepped"},
    {"kind": "big", "count": 1, "capacity": 1024, )"
    R"("mhz": [800, 2800], "start_mhz": 2800, "governor": "fixed"}
  ],
  "slice": "4ms",
  "wakeup_granularity": "500us",
  "contention_permille": 250,
  "stall_permille": 1500,
  "throttle_in_kernel": false,
  "cgroups": [
    {"name": "apps", "period": "100ms"},
    {"name": "background", "quota": "20ms", "period": "50ms"}
  ],
  "background": [
    {"name": "render", "count": 1, "nice": -4, "fifo": 2, )"
    R"("cpus": [2], "busy": "8ms", "sleep": "8.6ms"},
    {"name": "sync", "count": 3, "nice": 10, "busy": "1s", )"
    R"("sleep": "0", "cgroup": "background"}
  ]
}
)";

Machine Parsed(const std::string& text) {
  const absl::StatusOr<Machine> machine = ParseMachine(text, "m.json");
  EXPECT_TRUE(machine.ok()) << machine.status();
  return machine.value_or(Machine{});
}

TEST(MachineTest, ReadsEverything) {
  const Machine m = Parsed(kPhone);
  EXPECT_EQ(m.name, "phone");
  EXPECT_EQ(m.origin, "made up");
  EXPECT_EQ(m.kernel, "v6.1");
  EXPECT_EQ(m.memory, uint64_t{64} << 20);
  EXPECT_EQ(m.swap, uint64_t{32} << 20);
  EXPECT_EQ(m.watermarks.min, uint64_t{1} << 20);
  EXPECT_EQ(m.watermarks.low, uint64_t{2} << 20);
  EXPECT_EQ(m.watermarks.high, uint64_t{3} << 20);
  ASSERT_EQ(m.config.cpus.size(), 3u);
  const CpuConfig& little = m.config.cpus[1];
  EXPECT_EQ(little.kind, "little");
  EXPECT_EQ(little.capacity, 400u);
  EXPECT_THAT(little.mhz, ElementsAre(300, 600, 1800));
  EXPECT_EQ(little.opp, 1u);
  EXPECT_EQ(little.governor, Governor::kStepped);
  EXPECT_EQ(m.config.cpus[2].kind, "big");
  EXPECT_EQ(m.config.cpus[2].opp, 1u);
  EXPECT_EQ(m.config.slice_ns, 4'000'000u);
  EXPECT_EQ(m.config.wakeup_granularity_ns, 500'000u);
  EXPECT_EQ(m.contention_permille, 250u);
  EXPECT_EQ(m.config.stall_permille, 1500u);
  EXPECT_EQ(m.throttle_in_kernel, false);
  ASSERT_EQ(m.cgroups.size(), 2u);
  EXPECT_EQ(m.cgroups[0].quota_ns, 0u);
  // Only who has a quota is limited; cgroups have numbers from 1.
  ASSERT_EQ(m.config.bandwidth.size(), 1u);
  EXPECT_EQ(m.config.bandwidth[0].cgroup, 2u);
  EXPECT_EQ(m.config.bandwidth[0].quota_ns, 20'000'000u);
  EXPECT_EQ(m.config.bandwidth[0].period_ns, 50'000'000u);
  ASSERT_EQ(m.background.size(), 2u);
  EXPECT_EQ(m.background[0], (BackgroundLoad{.name = "render",
                                             .count = 1,
                                             .nice = -4,
                                             .fifo = 2,
                                             .affinity = 1 << 2,
                                             .busy_ns = 8'000'000,
                                             .sleep_ns = 8'600'000,
                                             .cgroup = 0}));
  EXPECT_EQ(m.background[1], (BackgroundLoad{.name = "sync",
                                             .count = 3,
                                             .nice = 10,
                                             .fifo = 0,
                                             .affinity = 0,
                                             .busy_ns = 1'000'000'000,
                                             .sleep_ns = 0,
                                             .cgroup = 2}));
}

TEST(MachineTest, ReadsWhatItPrints) {
  EXPECT_EQ(PrintMachine(Parsed(kPhone)), kPhone);
}

TEST(MachineTest, NeedsLittle) {
  const Machine m =
      Parsed(R"({"name": "a", "origin": "b", "memory": "1GiB", "cpus": [{}]})");
  // What CpuConfig and MachineConfig have by themselves.
  ASSERT_EQ(m.config.cpus.size(), 1u);
  EXPECT_EQ(m.config.cpus[0].capacity, 1024u);
  EXPECT_EQ(m.config.slice_ns, MachineConfig{}.slice_ns);
  EXPECT_EQ(m.swap, 0u);
  EXPECT_EQ(m.watermarks, Watermarks{});
  EXPECT_EQ(m.contention_permille, std::nullopt);
  EXPECT_EQ(m.throttle_in_kernel, std::nullopt);
  EXPECT_EQ(PrintMachine(Parsed(PrintMachine(m))), PrintMachine(m));
}

TEST(MachineTest, BeginsAtTheHighestFrequency) {
  const Machine m = Parsed(R"({"name": "a", "origin": "b", "memory": "1GiB",
                               "cpus": [{"mhz": [5, 6, 7]}]})");
  EXPECT_EQ(m.config.cpus[0].opp, 2u);
}

TEST(MachineTest, KnowsCpusAndCgroupsByName) {
  const Machine m = Parsed(kPhone);
  EXPECT_EQ(m.CpusOfKind("little"), 0b011u);
  EXPECT_EQ(m.CpusOfKind("big"), 0b100u);
  EXPECT_EQ(m.CpusOfKind("middle"), 0u);
  EXPECT_EQ(m.CgroupOf("background"), 2u);
  EXPECT_EQ(m.CgroupOf("root"), std::nullopt);
}

// A machine with these members beside the ones it needs.
std::string With(const std::string& members) {
  return absl::StrCat(
      "{\"name\": \"a\", \"origin\": \"b\", \"memory\": \"1GiB\",\n", members,
      members.find("\"cpus\": [{") != std::string::npos ||
              members.find("\"cpus\": []") == 0 ||
              members.find("\"cpus\": [1]") == 0
          ? ""
          : ", \"cpus\": [{}, {}]",
      "}");
}

TEST(MachineTest, SaysWhichFieldIsWrong) {
  struct Case {
    std::string text;
    const char* message;
  };
  const Case kCases[] = {
      {"[", "m.json:1:2: expected a value, got the end of the file"},
      {"7", "m.json:1:1: expected an object, got 7"},
      {"{}", "m.json:1:1: name: is missing"},
      {R"({"name": "a"})", "m.json:1:1: origin: is missing"},
      {R"({"name": "a", "origin": "b"})", "m.json:1:1: memory: is missing"},
      {R"({"name": "a", "origin": "b", "memory": "1GiB"})",
       "m.json:1:1: cpus: is missing"},
      {With("\"cpu\": 1"),
       "m.json:2:1: unknown field \"cpu\"; did you mean cpus?"},
      {With("\"kernel\": \"v99\""),
       "m.json:2:11: kernel: unknown kernel version \"v99\": its minor number "
       "cannot be read; expected a version such as v6.18, 5.15-rc1 or "
       "6.18.44, or what uname -r prints"},
      {R"({"name": "a", "origin": "b", "memory": "1MiB"})",
       "m.json:1:40: memory: expected a size from 16MiB to 1TiB, got "
       "\"1MiB\""},
      {With("\"swap\": \"257GiB\""),
       "m.json:2:9: swap: expected a size from 0 to 256GiB, got \"257GiB\""},
      {With("\"watermarks\": 1"),
       "m.json:2:15: watermarks: expected an object, got 1"},
      {With("\"watermarks\": {\"min\": \"1MiB\"}"),
       "m.json:2:15: watermarks.low: is missing"},
      {With("\"watermarks\": {\"min\": \"2MiB\", \"low\": \"1MiB\"}"),
       "m.json:2:38: watermarks.low: expected a size from 2MiB to 1GiB, got "
       "\"1MiB\""},
      {With("\"watermarks\": {\"min\": \"0\", \"low\": \"0\", \"high\": "
            "\"2GiB\"}"),
       "m.json:2:48: watermarks.high: expected a size from 0 to 1GiB, got "
       "\"2GiB\""},
      {With("\"cpus\": []"),
       "m.json:2:9: cpus: has 0 elements; expected 1 to 8"},
      {With("\"cpus\": [1]"),
       "m.json:2:10: cpus[0]: expected an object, got 1"},
      {With("\"cpus\": [{}, {\"kin\": 1}]"),
       "m.json:2:15: cpus[1]: unknown field \"kin\"; did you mean kind?"},
      {With("\"cpus\": [{\"count\": 9}]"),
       "m.json:2:20: cpus[0].count: expected a whole number from 1 to 8, got "
       "9"},
      {With("\"cpus\": [{\"count\": 5}, {\"count\": 4}]"),
       "m.json:2:9: cpus: has 9 CPUs; expected at most 8"},
      {With("\"cpus\": [{\"capacity\": 0}]"),
       "m.json:2:23: cpus[0].capacity: expected a whole number from 1 to "
       "16384, got 0"},
      {With("\"cpus\": [{\"mhz\": [1, \"x\"]}]"),
       "m.json:2:22: cpus[0].mhz[1]: expected a whole number from 1 to "
       "100000, got \"x\""},
      {With("\"cpus\": [{\"mhz\": [2, 2]}]"),
       "m.json:2:22: cpus[0].mhz[1]: expected more than the 2 MHz before it, "
       "got 2"},
      {With("\"cpus\": [{\"mhz\": [2, 4], \"start_mhz\": 3}]"),
       "m.json:2:39: cpus[0].start_mhz: expected one of 2, 4, got 3"},
      {With("\"cpus\": [{\"governor\": \"schedutil\"}]"),
       "m.json:2:23: cpus[0].governor: expected \"fixed\" or \"stepped\", got "
       "\"schedutil\""},
      {With("\"slice\": \"2s\""),
       "m.json:2:10: slice: expected a time from 100us to 1s, got \"2s\""},
      {With("\"contention_permille\": -1"),
       "m.json:2:24: contention_permille: expected a whole number from 0 to "
       "100000, got -1"},
      {With("\"throttle_in_kernel\": 1"),
       "m.json:2:23: throttle_in_kernel: expected true or false, got 1"},
      {With("\"cgroups\": [{\"quota\": \"5ms\"}]"),
       "m.json:2:13: cgroups[0].name: is missing"},
      {With("\"cgroups\": [{\"name\": \"a\"}, {\"name\": \"a\"}]"),
       "m.json:2:28: cgroups[1].name: another cgroup has that name"},
      {With("\"cgroups\": [{\"name\": \"a\", \"quota\": \"10us\"}]"),
       "m.json:2:36: cgroups[0].quota: expected a time from 1ms to 3600s, got "
       "\"10us\""},
      {With("\"cgroups\": [{\"name\": \"a\", \"period\": \"2s\"}]"),
       "m.json:2:37: cgroups[0].period: expected a time from 1ms to 1s, got "
       "\"2s\""},
      {With("\"background\": [{\"name\": \"a\"}]"),
       "m.json:2:16: background[0].busy: is missing"},
      {With("\"background\": [{\"name\": \"a\", \"busy\": \"1ms\", \"nice\": "
            "20}]"),
       "m.json:2:53: background[0].nice: expected a whole number from -20 to "
       "19, got 20"},
      {With("\"background\": [{\"name\": \"a\", \"busy\": \"1ms\", \"cpus\": "
            "[2]}], \"cpus\": [{}, {}]"),
       "m.json:2:54: background[0].cpus[0]: expected a CPU's number, from 0 to "
       "1, got 2"},
      {With("\"background\": [{\"name\": \"a\", \"busy\": \"1ms\", \"cgroup\": "
            "\"aps\"}], \"cgroups\": [{\"name\": \"apps\"}]"),
       "m.json:2:55: background[0].cgroup: there is no cgroup \"aps\"; did you "
       "mean apps?"},
  };
  for (const Case& each : kCases) {
    const absl::StatusOr<Machine> machine = ParseMachine(each.text, "m.json");
    ASSERT_FALSE(machine.ok()) << each.text;
    EXPECT_EQ(machine.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(machine.status().message()), each.message)
        << each.text;
  }
}

TEST(MachineTest, TakesTheProfilesContentionUnlessItSaysItself) {
  Machine m = Parsed(kPhone);
  EXPECT_EQ(ConfigOf(m, 7, "v6.18").contention_permille, 250u);
  m.contention_permille.reset();
  EXPECT_EQ(ConfigOf(m, 7, "v6.18").contention_permille, 7u);
}

TEST(MachineTest, ThrottlesInTheKernelUpTo617UnlessItSaysItself) {
  Machine m = Parsed(kPhone);
  EXPECT_FALSE(ConfigOf(m, 0, "v6.1").throttle_in_kernel);
  m.throttle_in_kernel.reset();
  EXPECT_TRUE(ConfigOf(m, 0, "v5.15").throttle_in_kernel);
  EXPECT_TRUE(ConfigOf(m, 0, "v6.17").throttle_in_kernel);
  EXPECT_FALSE(ConfigOf(m, 0, "v6.18-rc1").throttle_in_kernel);
  EXPECT_FALSE(ConfigOf(m, 0, "v7.0").throttle_in_kernel);
}

TEST(MachineTest, SizesTheKernel) {
  KernelOptions options{.version = "v6.1"};
  SetMachine(Parsed(kPhone), &options);
  EXPECT_EQ(options.version, "v6.1");
  EXPECT_EQ(options.memory, uint64_t{64} << 20);
  EXPECT_EQ(options.swap, uint64_t{32} << 20);
  EXPECT_EQ(options.cpus, 3);
}

TEST(MachineTest, ComesWithMachinesInTheFormThatItPrints) {
  ASSERT_FALSE(BuiltinMachines().empty());
  for (absl::string_view name : BuiltinMachines()) {
    const absl::StatusOr<Machine> machine = LoadMachine(std::string(name));
    ASSERT_TRUE(machine.ok()) << machine.status();
    EXPECT_EQ(machine->name, name);
    EXPECT_EQ(PrintMachine(*machine), std::string(BuiltinMachineText(name)));
  }
  EXPECT_FALSE(BuiltinMachineText("default").empty());
}

TEST(MachineTest, LoadsFiles) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/machine.json");
  std::ofstream(path) << kPhone;
  const absl::StatusOr<Machine> read = LoadMachine(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, "phone");
  std::ofstream(path) << "{}";
  EXPECT_EQ(LoadMachine(path).status().message(),
            absl::StrCat(path, ":1:1: name: is missing"));
  EXPECT_EQ(LoadMachine("nobody's").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace reapsim
