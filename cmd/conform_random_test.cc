// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/conform_random.h"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "import/read_file.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr FlagSpec kFlags[] = {{"random", "N"},
                               {"seed", "S"},
                               {"only", "I"},
                               {"out", "DIR"},
                               {"json", ""}};

// A machine in which nothing ever happens, and calls return `ret`.
RandomRun Answer(const RandomVictim& victim, int64_t ret) {
  class Nothing : public RandomMachine {
   public:
    explicit Nothing(int64_t ret) : ret_(ret) {}
    absl::Status Do(const RandomStep&, const RandomGroup&) override {
      return absl::OkStatus();
    }
    Standing Look(int, const RandomGroup&) override { return {Stand::kParked}; }
    absl::StatusOr<SeenCall> Call(const RandomStep&,
                                  const RandomGroup&) override {
      SeenCall call;
      call.ret = ret_;
      return call;
    }

   private:
    const int64_t ret_;
  };
  Nothing machine(ret);
  return PlayVictim(victim, machine);
}

RandomSides Sides(int64_t host, int64_t model) {
  RandomSides sides;
  sides.host = [=](const RandomVictim& victim, RandomMemories* /*memories*/,
                   HostLacks* lacks) {
    (*lacks)["memfd_secret"] = "ENOSYS";
    return Answer(victim, host);
  };
  sides.model = [=](const RandomVictim& victim, const RandomMemories&) {
    return Answer(victim, model);
  };
  return sides;
}

CommandResult RunIt(std::vector<std::string> args, const RandomSides& sides,
                    const std::string& skipped = "",
                    const Environment& environment = {}) {
  const auto parsed = Arguments::Parse(args, kFlags);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return RunConformRandom(
      *parsed, environment,
      {.host = "6.18.44", .version = "v6.18", .skipped = skipped}, sides);
}

TEST(ConformRandomTest, AgreementIsSummedUp) {
  const CommandResult result =
      RunIt({"--random=40", "--seed=3"}, Sides(-EINVAL, -EINVAL));
  EXPECT_EQ(result.exit_code, kExitOk);
  EXPECT_THAT(result.out,
              HasSubstr("Random victims of seed 3 from number 0 on.\n"
                        "Host 6.18.44, model v6.18.\n\n"
                        "victims          40\n"
                        "agree            40\n"
                        "disagree         0\n"
                        "other than 0     40 (100 %)\n"
                        "returns          EINVAL: "));
  EXPECT_THAT(result.out, HasSubstr("without          memfd_secret: ENOSYS\n"));
}

TEST(ConformRandomTest, TheSameForPrograms) {
  const CommandResult result =
      RunIt({"--random=40", "--seed=3", "--json"}, Sides(0, 0));
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["seed"], 3);
  EXPECT_EQ(json["host"], "6.18.44");
  EXPECT_EQ(json["kernel"], "v6.18");
  EXPECT_EQ(json["victims"], 40);
  EXPECT_EQ(json["agree"], 40);
  EXPECT_EQ(json["other_than_0"], 0);
  EXPECT_GE(json["returns"]["0"], 40);
  EXPECT_EQ(json["without"]["memfd_secret"], "ENOSYS");
  EXPECT_TRUE(json["findings"].empty());
}

TEST(ConformRandomTest, ADisagreementIsWrittenDown) {
  const std::string out = ::testing::TempDir();
  const CommandResult result =
      RunIt({"--random=1", "--seed=8", "--out=" + out}, Sides(0, -EINVAL));
  EXPECT_EQ(result.exit_code, kExitFinding);
  EXPECT_THAT(result.out,
              HasSubstr("Victim 0: host and model disagree. The smallest that "
                        "still does:\n  the harness calls "));
  EXPECT_THAT(result.out, HasSubstr("  ! call 1: host 0, model EINVAL\n"));
  const std::string path = absl::StrCat(out, "/victim-8-0_test.cc");
  EXPECT_THAT(result.out, HasSubstr("  written to " + path));
  const auto test = ReadFile(path);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_THAT(*test, HasSubstr("TEST(RandomVictimTest, Victim0OfSeed8)"));
  EXPECT_THAT(result.out, HasSubstr(*test));
}

TEST(ConformRandomTest, ADisagreementForPrograms) {
  const CommandResult result = RunIt(
      {"--random=1", "--json", absl::StrCat("--out=", ::testing::TempDir())},
      Sides(0, -EINVAL));
  EXPECT_EQ(result.exit_code, kExitFinding);
  const auto json = nlohmann::json::parse(result.out);
  ASSERT_EQ(json["findings"].size(), 1u);
  const auto& finding = json["findings"][0];
  EXPECT_EQ(finding["victim"], 0);
  EXPECT_EQ(finding["once_only"], false);
  EXPECT_EQ(finding["steps"].size(), 1u);
  EXPECT_EQ(finding["differences"][0], "call 1: host 0, model EINVAL");
  EXPECT_EQ(finding["files"].size(), 1u);
}

TEST(ConformRandomTest, AFileThatCannotBeWrittenIsAnError) {
  const CommandResult result =
      RunIt({"--random=1", "--out=/nowhere"}, Sides(0, -EINVAL));
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.err,
            "reapsim: /nowhere/victim-0-0_test.cc: cannot be written\n");
  EXPECT_EQ(result.out, "");
}

TEST(ConformRandomTest, OneVictimAloneIsToldInFull) {
  const CommandResult result = RunIt({"--only=12", "--seed=1"}, Sides(0, 0));
  EXPECT_EQ(result.exit_code, kExitOk);
  EXPECT_THAT(result.out, HasSubstr("of seed 1 from number 12 on.\n"));
  EXPECT_THAT(result.out, HasSubstr("victims          1\n"));
  EXPECT_THAT(result.out, HasSubstr("    host 0, model 0\n"));
  EXPECT_THAT(RunIt({"--only=12", "--json"}, Sides(0, 0)).out,
              Not(HasSubstr("host 0, model 0")));
}

TEST(ConformRandomTest, AHostThatCannotIsSkipped) {
  const CommandResult result =
      RunIt({"--random=7"}, Sides(0, 0), "no process_mrelease(2)");
  EXPECT_EQ(result.exit_code, kExitOk);
  EXPECT_THAT(result.out,
              HasSubstr("skipped          7: no process_mrelease(2)\n"));
  EXPECT_THAT(result.out, HasSubstr("victims          0\n"));
}

TEST(ConformRandomTest, AHostThatFailsIsAnError) {
  RandomSides sides = Sides(0, 0);
  sides.host = [](const RandomVictim&, RandomMemories*, HostLacks*) {
    RandomRun run;
    run.status = absl::InternalError("no answer");
    return run;
  };
  const CommandResult result = RunIt({"--random=7"}, sides);
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.err,
            "reapsim: victim 0 of seed 0 can't be played on the host: no "
            "answer\n");
}

TEST(ConformRandomTest, WhatHadToBePlayedAgainIsCounted) {
  RandomSides sides = Sides(0, 0);
  sides.host = [](const RandomVictim& victim, RandomMemories*, HostLacks*) {
    RandomRun run = Answer(victim, 0);
    run.played_again = 1;
    return run;
  };
  EXPECT_THAT(RunIt({"--random=7"}, sides).out,
              HasSubstr("played again     7\n"));
}

TEST(ConformRandomTest, ProgressIsShownAndTakenAway) {
  std::vector<std::string> shown;
  Environment environment;
  environment.progress = [&](absl::string_view line) {
    shown.emplace_back(line);
  };
  (void)RunIt({"--random=45"}, Sides(0, 0), "", environment);
  EXPECT_THAT(shown, ElementsAre("20 of 45 victims", "40 of 45 victims", ""));
}

struct BadFlags {
  std::vector<std::string> args;
  std::string error;
};

class BadFlagsTest : public ::testing::TestWithParam<BadFlags> {};

TEST_P(BadFlagsTest, AreAnErrorOfOneLine) {
  const CommandResult result = RunIt(GetParam().args, Sides(0, 0));
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.err, "reapsim: " + GetParam().error + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Flags, BadFlagsTest,
    ::testing::Values(
        BadFlags{{"--random=x"},
                 "--random=x: expected a number from 0 to 10000000"},
        BadFlags{{"--random=10000001"},
                 "--random=10000001: expected a number from 0 to 10000000"},
        BadFlags{{"--random=1", "--seed=-1"},
                 "--seed=-1: expected a number from 0 to "
                 "18446744073709551615"},
        BadFlags{{"--only=y"},
                 "--only=y: expected a number from 0 to "
                 "18446744073709551615"},
        BadFlags{{"--random=1", "--only=1"},
                 "--random and --only: expected one of them"}));

}  // namespace
}  // namespace reapsim
