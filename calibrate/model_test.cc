// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate/model.h"

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "latency/shape.h"

namespace reapsim {
namespace {

VictimShape Shape(absl::string_view spec) {
  const absl::StatusOr<VictimShape> shape = ParseShape(spec, "test");
  EXPECT_TRUE(shape.ok()) << shape.status();
  return shape.ok() ? *shape : VictimShape{};
}

uint64_t Of(const Counts& counts, Cost cost) {
  return counts[static_cast<size_t>(cost)];
}

// 256 pages more than a victim with one; so for each part.
TEST(CountWorkTest, CountsWhatTheCallUnmapsAndFrees) {
  const absl::StatusOr<ShapeCounts> small =
      CountWork(Shape("anon=4KiB"), "v6.18");
  const absl::StatusOr<ShapeCounts> large =
      CountWork(Shape("anon=1028KiB"), "v6.18");
  ASSERT_TRUE(small.ok() && large.ok());
  for (const Cost cost : {Cost::kAnonPage, Cost::kPageFreed}) {
    EXPECT_EQ(Of(large->call, cost) - Of(small->call, cost), 256u);
    EXPECT_EQ(Of(large->exit_alone, cost) - Of(small->exit_alone, cost), 256u);
    EXPECT_EQ(Of(large->again, cost), 0u);
    EXPECT_EQ(Of(large->exit_after, cost), 0u);
  }
  EXPECT_EQ(Of(large->call, Cost::kReapWalk), 1u);
  EXPECT_EQ(Of(large->exit_after, Cost::kMmExit), 1u);
  EXPECT_EQ(Of(large->exit_alone, Cost::kExit), 1u);
}

TEST(CountWorkTest, CountsTheEndsOfAllThreads) {
  const absl::StatusOr<ShapeCounts> counts =
      CountWork(Shape("anon=4KiB,threads=3"), "v6.18");
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(Of(counts->exit_after, Cost::kExit), 4u);
  EXPECT_EQ(Of(counts->exit_alone, Cost::kExit), 4u);
}

// A VMA with one page has a line of a table to be read, a page on its own in
// 2 MiB all 64 of them.
TEST(CountWorkTest, CountsTheEntriesThatAreReadByTheLine) {
  const absl::StatusOr<ShapeCounts> vmas =
      CountWork(Shape("vmas=100"), "v6.18");
  const absl::StatusOr<ShapeCounts> sparse =
      CountWork(Shape("sparse=100"), "v6.18");
  const absl::StatusOr<ShapeCounts> none =
      CountWork(Shape("anon=4KiB"), "v6.18");
  ASSERT_TRUE(vmas.ok() && sparse.ok() && none.ok());
  const auto more = [&none](const absl::StatusOr<ShapeCounts>& counts) {
    return Of(counts->call, Cost::kPteLine) - Of(none->call, Cost::kPteLine);
  };
  EXPECT_EQ(more(vmas), 99u);
  EXPECT_EQ(more(sparse), 100u * 64 - 1);
}

TEST(CountWorkTest, SaysWhichVersionsHaveNoCall) {
  EXPECT_EQ(CountWork(Shape("anon=4KiB"), "v5.14").status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(CountWork(Shape("anon=4KiB"), "no version").status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Every page 200 ns to unmap and 100 ns of memory time to free: 256 pages more
// take 76,800 ns more.
TEST(TimeCallTest, TakesAsLongAsThePricesSay) {
  Prices prices;
  prices.of[static_cast<int>(Cost::kAnonPage)].cpu_ps = 200'000;
  prices.of[static_cast<int>(Cost::kPageFreed)].stall_ps = 100'000;
  const absl::StatusOr<uint64_t> small =
      TimeCall(Shape("anon=4KiB"), "v6.18", prices);
  const absl::StatusOr<uint64_t> large =
      TimeCall(Shape("anon=1028KiB"), "v6.18", prices);
  ASSERT_TRUE(small.ok() && large.ok());
  EXPECT_EQ(*large - *small, 256u * 300);
}

TEST(TimeCallTest, SaysWhichVersionsHaveNoCall) {
  EXPECT_EQ(TimeCall(Shape("anon=4KiB"), "v5.14", Prices()).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace reapsim
