// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/shard.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;

void Set(const char* index, const char* count) {
  setenv("TEST_SHARD_INDEX", index, 1);
  setenv("TEST_TOTAL_SHARDS", count, 1);
}

TEST(ShardTest, IsAllOfTheWorkIfNobodySharesItOut) {
  unsetenv("TEST_SHARD_INDEX");
  unsetenv("TEST_TOTAL_SHARDS");
  const absl::StatusOr<Shard> shard = TakeShardFromEnvironment();
  ASSERT_TRUE(shard.ok());
  for (size_t item = 0; item < 5; ++item) EXPECT_TRUE(shard->Has(item));
}

TEST(ShardTest, IsItsPartAndIsAskedForOnce) {
  const std::string status = absl::StrCat(testing::TempDir(), "/shard_status");
  setenv("TEST_SHARD_STATUS_FILE", status.c_str(), 1);
  Set("1", "3");
  const absl::StatusOr<Shard> shard = TakeShardFromEnvironment();
  ASSERT_TRUE(shard.ok());
  EXPECT_FALSE(shard->Has(0));
  EXPECT_TRUE(shard->Has(1));
  EXPECT_FALSE(shard->Has(2));
  EXPECT_TRUE(shard->Has(4));
  EXPECT_TRUE(std::ifstream(status).is_open());
  EXPECT_EQ(std::getenv("TEST_SHARD_INDEX"), nullptr);
  EXPECT_EQ(TakeShardFromEnvironment()->count, 1);
}

TEST(ShardTest, RefusesWhatIsNoShard) {
  const struct {
    const char* index;
    const char* count;
  } kCases[] = {{"3", "3"}, {"-1", "3"}, {"0", "0"}, {"0", "x"}, {"", "3"}};
  for (const auto& c : kCases) {
    Set(c.index, c.count);
    const absl::StatusOr<Shard> shard = TakeShardFromEnvironment();
    EXPECT_FALSE(shard.ok()) << c.index << " of " << c.count;
    EXPECT_THAT(std::string(shard.status().message()),
                HasSubstr("is no shard; expected two numbers"));
  }
}

}  // namespace
}  // namespace reapsim
