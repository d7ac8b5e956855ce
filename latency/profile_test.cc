// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/profile.h"

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

// Every kind of cost, each with a price of its own.
CostProfile Example() {
  CostProfile profile;
  profile.name = "example";
  profile.origin = "made up, for a \"test\"";
  profile.machine = "none";
  profile.contention_permille = 580;
  profile.contention_origin = "made up";
  for (int kind = 0; kind < kCostKinds; ++kind) {
    CostProfile::Entry& entry = profile.costs[kind];
    entry.price.cpu_ps = static_cast<uint64_t>(kind) * 1001;
    entry.price.stall_ps = kind % 3 == 0 ? static_cast<uint64_t>(kind) : 0;
    entry.price.contended = kind % 2 == 0;
    entry.origin = absl::StrCat("guess ", kind);
  }
  return profile;
}

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<CostProfile> profile = ParseProfile(text, "p.json");
  EXPECT_FALSE(profile.ok()) << text;
  EXPECT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(profile.status().message());
}

TEST(ProfileTest, ReadsWhatItPrints) {
  const std::string text = PrintProfile(Example());
  const absl::StatusOr<CostProfile> read = ParseProfile(text, "p.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(PrintProfile(*read), text);
  EXPECT_EQ(read->name, "example");
  EXPECT_EQ(read->origin, "made up, for a \"test\"");
  EXPECT_EQ(read->contention_permille, 580u);
  // The fourth kind: 3 * 1.001 ns and 3 ps.
  EXPECT_EQ(read->costs[3].price.cpu_ps, 3003u);
  EXPECT_EQ(read->costs[3].price.stall_ps, 3u);
  EXPECT_FALSE(read->costs[3].price.contended);
  EXPECT_TRUE(read->costs[4].price.contended);
  EXPECT_EQ(read->costs[4].origin, "guess 4");
}

TEST(ProfileTest, SaysHowFastMemoryWasIfThatIsKnown) {
  CostProfile profile = Example();
  EXPECT_EQ(PrintProfile(profile).find("memory_access_ns"), std::string::npos);
  profile.memory_access_ps = 18'199;
  const std::string text = PrintProfile(profile);
  const absl::StatusOr<CostProfile> read = ParseProfile(text, "p.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->memory_access_ps, 18'199u);
  EXPECT_EQ(ErrorOf(absl::StrReplaceAll(text, {{"18.199", "-1"}})),
            "p.json:5:23: memory_access_ns: expected a number >= 0, got -1");
}

TEST(ProfileTest, GivesTheMachineItsPrices) {
  const CostProfile profile = Example();
  const Prices prices = profile.ToPrices();
  for (int kind = 0; kind < kCostKinds; ++kind) {
    EXPECT_EQ(prices.of[kind].cpu_ps, profile.costs[kind].price.cpu_ps);
    EXPECT_EQ(prices.of[kind].stall_ps, profile.costs[kind].price.stall_ps);
    EXPECT_EQ(prices.of[kind].contended, profile.costs[kind].price.contended);
  }
}

TEST(ProfileTest, FindsPricesByKind) {
  CostProfile profile = Example();
  EXPECT_EQ(CostName(Cost::kAnonPage), "anon_page");
  profile.of(Cost::kAnonPage).price.cpu_ps = 5;
  EXPECT_EQ(profile.ToPrices().of[static_cast<int>(Cost::kAnonPage)].cpu_ps,
            5u);
}

// The example with one thing changed.
std::string With(const std::string& from, const std::string& to) {
  const std::string text = PrintProfile(Example());
  EXPECT_NE(text.find(from), std::string::npos) << from;
  return absl::StrReplaceAll(text, {{from, to}});
}

TEST(ProfileTest, SaysWhichFieldIsWrong) {
  // The last kind stands by itself: its line ends without a comma.
  const std::string last(CostName(static_cast<Cost>(kCostKinds - 1)));
  struct Case {
    std::string text;
    const char* message;
  };
  const Case kCases[] = {
      {"{", "p.json:1:2: expected a name in quotes, got the end of the file"},
      {"[]", "p.json:1:1: expected an object, got a list"},
      {With("\"name\"", "\"nam\""),
       "p.json:2:3: unknown field \"nam\"; did you mean name?"},
      {With("  \"name\": \"example\",\n", ""), "p.json:1:1: name: is missing"},
      {With("  \"machine\": \"none\",\n", ""),
       "p.json:1:1: machine: is missing"},
      {With("580", "-1"),
       "p.json:5:26: contention_permille: expected a whole number from 0 to "
       "100000, got -1"},
      {With("580", "100001"),
       "p.json:5:26: contention_permille: expected a whole number from 0 to "
       "100000, got 100001"},
      {With("\"syscall\"", "\"sycall\""),
       "p.json:8:5: costs: unknown field \"sycall\"; did you mean syscall?"},
      {With("{\"ns\": 0, \"contended\": true, \"origin\": \"guess 0\"}", "7"),
       "p.json:8:16: costs.syscall: expected an object, got 7"},
      {With("{\"ns\": 0,", "{"), "p.json:8:16: costs.syscall.ns: is missing"},
      {With("{\"ns\": 0,", "{\"ns\": \"x\","),
       "p.json:8:23: costs.syscall.ns: expected a number >= 0, got \"x\""},
      {With("{\"ns\": 0,", "{\"ns\": -1,"),
       "p.json:8:23: costs.syscall.ns: expected a number >= 0, got -1"},
      {With("{\"ns\": 0,", "{\"ns\": 0.0001,"),
       "p.json:8:23: costs.syscall.ns: expected a number with at most three "
       "decimals, got 0.0001"},
      {With("{\"ns\": 0,", "{\"ns\": 10000001,"),
       "p.json:8:23: costs.syscall.ns: expected at most 10000000, got "
       "10000001"},
      {With("{\"ns\": 0,", "{\"ns\": 0, \"stall_ns\": 99999999999999999999,"),
       "p.json:8:38: costs.syscall.stall_ns: expected a number with at most "
       "three decimals, got 99999999999999999999"},
      {With("{\"ns\": 0, \"contended\": true", "{\"ns\": 0, \"contended\": 1"),
       "p.json:8:39: costs.syscall.contended: expected true or false, got 1"},
      {With(", \"origin\": \"guess 0\"", ""),
       "p.json:8:16: costs.syscall.origin: is missing"},
      {With("{\"ns\": 0,", "{\"ns\": 0, \"stal_ns\": 1,"),
       "p.json:8:26: costs.syscall: unknown field \"stal_ns\"; did you mean "
       "stall_ns?"},
      {With("\"costs\"", "\"cost\""),
       "p.json:7:3: unknown field \"cost\"; did you mean costs?"},
  };
  for (const Case& each : kCases) EXPECT_EQ(ErrorOf(each.text), each.message);
}

TEST(ProfileTest, WantsEveryKindOfCost) {
  const std::string text = PrintProfile(Example());
  for (int kind = 0; kind < kCostKinds; ++kind) {
    const std::string name(CostName(static_cast<Cost>(kind)));
    const size_t begin = text.find(absl::StrCat("    \"", name, "\": "));
    ASSERT_NE(begin, std::string::npos);
    std::string without = text;
    without.erase(begin, text.find('\n', begin) + 1 - begin);
    // The line before the last one ends with a comma then.
    without = absl::StrReplaceAll(without, {{",\n  }", "\n  }"}});
    EXPECT_EQ(ErrorOf(without),
              absl::StrCat("p.json:7:12: costs.", name, ": is missing"));
  }
}

TEST(ProfileTest, ComesWithProfilesInTheFormThatItPrints) {
  ASSERT_FALSE(BuiltinProfiles().empty());
  for (absl::string_view name : BuiltinProfiles()) {
    const absl::StatusOr<CostProfile> profile = LoadProfile(std::string(name));
    ASSERT_TRUE(profile.ok()) << profile.status();
    EXPECT_EQ(profile->name, name);
    EXPECT_EQ(PrintProfile(*profile), std::string(BuiltinProfileText(name)));
  }
  EXPECT_FALSE(BuiltinProfileText("host").empty());
  EXPECT_TRUE(BuiltinProfileText("nobody's").empty());
}

TEST(ProfileTest, LoadsFiles) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/loaded.json");
  std::ofstream(path) << PrintProfile(Example());
  const absl::StatusOr<CostProfile> read = LoadProfile(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, "example");
  std::ofstream(path) << "{}";
  EXPECT_EQ(LoadProfile(path).status().message(),
            absl::StrCat(path, ":1:1: name: is missing"));
  EXPECT_EQ(LoadProfile("nobody's").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace reapsim
