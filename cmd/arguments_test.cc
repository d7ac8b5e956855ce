// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/arguments.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

constexpr FlagSpec kSpecs[] = {
    {"smaps", "FILE"}, {"state", "ID"}, {"json", ""}};

absl::StatusOr<Arguments> Parse(std::vector<std::string> args) {
  return Arguments::Parse(args, kSpecs);
}

TEST(ArgumentsTest, TakesFlagsInAnyOrder) {
  const auto args = Parse({"--json", "--smaps=-", "--state=a=b"});
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_TRUE(args->Has("json"));
  EXPECT_EQ(args->Value("smaps"), "-");
  EXPECT_EQ(args->Value("state"), "a=b");
}

TEST(ArgumentsTest, KnowsWhatIsMissing) {
  const auto args = Parse({});
  ASSERT_TRUE(args.ok());
  EXPECT_FALSE(args->Has("json"));
  EXPECT_EQ(args->Value("smaps"), std::nullopt);
}

struct BadCase {
  const char* test;
  std::vector<std::string> args;
  const char* message;
};

class BadArgumentsTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadArgumentsTest, AreToldInOneLine) {
  const auto args = Parse(GetParam().args);
  ASSERT_EQ(args.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(args.status().message(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    , BadArgumentsTest,
    ::testing::Values(
        BadCase{"NoFlag",
                {"file"},
                "unexpected argument \"file\"; expected flags such as --smaps"},
        BadCase{"OneDash",
                {"-json"},
                "unexpected argument \"-json\"; expected flags such as "
                "--smaps"},
        BadCase{"OnlyDashes",
                {"--"},
                "unexpected argument \"--\"; expected flags such as --smaps"},
        BadCase{"ControlBytes",
                {"a\x1b\n"},
                "unexpected argument \"a\\x1b\\n\"; expected flags such as "
                "--smaps"},
        BadCase{"NearMiss",
                {"--smap=x"},
                "unknown flag \"--smap\"; did you mean --smaps?"},
        BadCase{
            "NothingNear", {"--frobnicate"}, "unknown flag \"--frobnicate\""},
        BadCase{"Value", {"--json=yes"}, "--json takes no value"},
        BadCase{"NoValue", {"--smaps"}, "--smaps needs a value: --smaps=FILE"},
        BadCase{
            "EmptyValue", {"--smaps="}, "--smaps needs a value: --smaps=FILE"},
        BadCase{"Twice", {"--json", "--json"}, "--json is given twice"}),
    [](const ::testing::TestParamInfo<BadCase>& info) {
      return info.param.test;
    });

}  // namespace
}  // namespace reapsim
