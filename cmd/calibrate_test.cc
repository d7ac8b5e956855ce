// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The command line of reapsim calibrate, on hosts that are made up.

#include "cmd/calibrate.h"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "calibrate/model.h"
#include "cmd/command.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "latency/profile.h"
#include "latency/shape.h"

namespace reapsim {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string TempPath(const std::string& name) {
  return absl::StrCat(testing::TempDir(), "/", name);
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// It can have small victims only, which is quicker, and takes `factor` times
// what the built-in profile says, with memory as fast as it was then.
CalibrateHost Simulated(double factor) {
  CalibrateHost host;
  host.side.can = [](const VictimShape& shape) {
    return ShapePages(shape) < 9000 && shape.swap == 0 && shape.scattered < 100;
  };
  // Each shape is simulated once only.
  auto known = std::make_shared<absl::btree_map<std::string, uint64_t>>();
  host.side.time = [factor, known](const VictimShape& shape,
                                   bool) -> absl::StatusOr<LiveReading> {
    const absl::StatusOr<CostProfile> profile = LoadProfile("host");
    if (!profile.ok()) return profile.status();
    uint64_t& ns = (*known)[PrintShape(shape)];
    if (ns == 0) {
      const absl::StatusOr<uint64_t> time =
          TimeCall(shape, "v6.18", profile->ToPrices());
      if (!time.ok()) return time.status();
      ns = static_cast<uint64_t>(static_cast<double>(*time) * factor);
    }
    return LiveReading{.call_ns = ns,
                       .again_ns = ns,
                       .exit_ns = ns,
                       .memory_ps = profile->memory_access_ps};
  };
  host.description = {
      .kernel = "6.18.1-test", .cpu = "a CPU", .date = "2026-01-31"};
  return host;
}

CalibrateHost NoHost() {
  CalibrateHost host;
  host.can = absl::UnimplementedError("the host has no process_mrelease(2)");
  return host;
}

struct BadCase {
  const char* name;
  std::vector<std::string> args;
  const char* says;
};

class CalibrateUsageTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(CalibrateUsageTest, IsOneLineAndNothingIsTimed) {
  const CommandResult result =
      RunCalibrateOn(GetParam().args, {}, []() -> CalibrateHost {
        ADD_FAILURE() << "the host is asked for";
        return {};
      });
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, AllOf(HasSubstr(GetParam().says), EndsWith("\n")));
}

INSTANTIATE_TEST_SUITE_P(
    , CalibrateUsageTest,
    ::testing::Values(BadCase{"Nothing", {}, "expected --out=FILE or --check"},
                      BadCase{"ProfileWithoutCheck",
                              {"--out=x", "--profile=host"},
                              "--profile goes with --check"},
                      BadCase{"SeedWithoutCheck",
                              {"--out=x", "--seed=2"},
                              "--seed goes with --check"},
                      BadCase{"ProfileAndOut",
                              {"--check", "--out=x", "--profile=host"},
                              "only one of them"},
                      BadCase{
                          "SeedThatIsNone",
                          {"--check", "--seed=one"},
                          "--seed: expected a number below 2^64, got \"one\""},
                      BadCase{"ProfileThatIsNone",
                              {"--check", "--profile=/nowhere/host.json"},
                              "/nowhere/host.json"},
                      BadCase{"FlagThatIsNone", {"--chek"}, "--check"}),
    [](const auto& info) { return std::string(info.param.name); });

// Whoever runs this in a script must not take it for a success.
TEST(CalibrateTest, FailsWhereNothingCanBeTimed) {
  for (const char* flag : {"--check", "--out=/nowhere/host.json"}) {
    const CommandResult result = RunCalibrateOn({flag}, {}, NoHost);
    EXPECT_EQ(result.exit_code, kExitUsage);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err,
              "reapsim: nothing is timed: the host has no "
              "process_mrelease(2)\n");
  }
}

TEST(CalibrateTest, FailsWhenAVictimDoes) {
  CalibrateHost host = Simulated(1);
  host.side.time = [](const VictimShape&, bool) -> absl::StatusOr<LiveReading> {
    return absl::InternalError("task 7 does not answer");
  };
  const CommandResult result =
      RunCalibrateOn({"--check"}, {}, [&host] { return host; });
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.err, "reapsim: task 7 does not answer\n");
}

TEST(CalibrateTest, SaysWhenAHostIsNotAsItsProfileSays) {
  const CommandResult result =
      RunCalibrateOn({"--check", "--profile=host", "--seed=7"}, {},
                     [] { return Simulated(2); });
  EXPECT_EQ(result.exit_code, kExitFinding);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, AllOf(HasSubstr("seed 7"), HasSubstr("-50%"),
                                EndsWith("Failed.\n")));
}

// Predictions are exact then. Too few shapes of those drawn are small enough
// for this host to be as many as must be.
TEST(CalibrateTest, PredictsAHostThatIsAsItsProfileSays) {
  const CommandResult result = RunCalibrateOn({"--check", "--profile=host"}, {},
                                              [] { return Simulated(1); });
  EXPECT_THAT(result.out, AllOf(HasSubstr("seed 1"), HasSubstr("+0%"),
                                HasSubstr("median error 0.0 %")));
  EXPECT_EQ(result.exit_code, kExitFinding);
}

TEST(CalibrateTest, WritesAProfileAndShowsResiduals) {
  const std::string path = TempPath("host.json");
  CalibrateHost host = Simulated(1);
  host.notes = {"there is one CPU only"};
  const CommandResult result = RunCalibrateOn({absl::StrCat("--out=", path)},
                                              {}, [&host] { return host; });
  EXPECT_EQ(result.exit_code, kExitOk) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("Linux 6.18.1-test on a CPU: "),
                    HasSubstr("Note: there is one CPU only"),
                    HasSubstr("residual"), HasSubstr("anon=16MiB")));
  const absl::StatusOr<CostProfile> profile =
      ParseProfile(ReadText(path), path);
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->machine, "a CPU");
}

TEST(CalibrateTest, SaysWhereItCannotWrite) {
  const CommandResult result =
      RunCalibrateOn({"--out=/nowhere/host.json"}, {}, [] {
        CalibrateHost host = Simulated(1);
        host.side.can = [](const VictimShape& shape) {
          return ShapePages(shape) < 300 && shape.swap == 0;
        };
        return host;
      });
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "reapsim: --out: cannot write /nowhere/host.json\n");
}

}  // namespace
}  // namespace reapsim
