// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/shard.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace reapsim {
namespace {

// The variable, which is gone afterwards; "" if there is none.
std::string Take(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return "";
  std::string taken = value;
  unsetenv(name);
  return taken;
}

}  // namespace

absl::StatusOr<Shard> TakeShardFromEnvironment() {
  const std::string count = Take("TEST_TOTAL_SHARDS");
  const std::string index = Take("TEST_SHARD_INDEX");
  if (count.empty() && index.empty()) return Shard{};
  Shard shard;
  if (!absl::SimpleAtoi(count, &shard.count) ||
      !absl::SimpleAtoi(index, &shard.index) || shard.index < 0 ||
      shard.index >= shard.count) {
    return absl::InvalidArgumentError(absl::StrCat(
        "TEST_SHARD_INDEX=", index, " of TEST_TOTAL_SHARDS=", count,
        " is no shard; expected two numbers, the first the smaller"));
  }
  // That it is there says that this test knows of shards.
  const std::string status = Take("TEST_SHARD_STATUS_FILE");
  if (!status.empty()) std::ofstream{status};
  return shard;
}

}  // namespace reapsim
