// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which part of the work this process does, where Bazel runs one test as
// several processes (`shard_count` of the test's rule).
#ifndef REAPSIM_EXPLORE_SHARD_H_
#define REAPSIM_EXPLORE_SHARD_H_

#include <cstddef>

#include "absl/status/statusor.h"

namespace reapsim {

struct Shard {
  int index = 0;  // from 0
  int count = 1;

  bool Has(size_t item) const {
    return item % static_cast<size_t>(count) == static_cast<size_t>(index);
  }
};

// What TEST_TOTAL_SHARDS and TEST_SHARD_INDEX say; all the work without them.
// Tells Bazel by TEST_SHARD_STATUS_FILE that the work is shared out, and takes
// the variables away: GoogleTest, if asked later, runs every test case in every
// shard. kInvalidArgument: they name no shard.
absl::StatusOr<Shard> TakeShardFromEnvironment();

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_SHARD_H_
