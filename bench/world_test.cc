// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/world.h"

#include <gtest/gtest.h>

namespace reapsim {
namespace {

struct ShapeCase {
  Shape shape;
  Bytes span;
  uint64_t pages;  // that the victim has
};

class WorldTest : public testing::TestWithParam<ShapeCase> {};

INSTANTIATE_TEST_SUITE_P(
    Shapes, WorldTest,
    testing::Values(ShapeCase{Shape::kInOrder, 8_MiB, 2048},
                    // 1536 is no power of two: the permutation must cope.
                    ShapeCase{Shape::kScattered, 6_MiB, 1536},
                    ShapeCase{Shape::kHuge, 8_MiB, 2048},
                    ShapeCase{Shape::kSparse, 8_MiB, 4},
                    ShapeCase{Shape::kVmas, 2_MiB, 256},
                    ShapeCase{Shape::kSwapped, 8_MiB, 2048}),
    [](const auto& info) { return ShapeName(info.param.shape); });

TEST_P(WorldTest, IsReapedToTheLastEntry) {
  VictimWorld world({.shape = GetParam().shape, .span = GetParam().span});
  EXPECT_EQ(world.pages(), GetParam().pages);
  world.Reap();
  EXPECT_EQ(world.Problem(/*thorough=*/true), "");
}

TEST_P(WorldTest, SaysWhenNothingWasReaped) {
  VictimWorld world({.shape = GetParam().shape, .span = GetParam().span});
  EXPECT_NE(world.Problem(/*thorough=*/false), "");
}

TEST_P(WorldTest, BareLoopMeetsEachPageOnce) {
  VictimWorld world({.shape = GetParam().shape, .span = GetParam().span});
  EXPECT_EQ(world.BareLoop(), GetParam().pages);
  EXPECT_EQ(world.BareLoop(), 0u);
}

TEST(World, MemsetFillsTablesAndFrameRecords) {
  VictimWorld world({.shape = Shape::kInOrder, .span = 8_MiB});
  EXPECT_EQ(world.Memset(), 2048 * (sizeof(uint64_t) + sizeof(page)));
}

TEST(World, ScatteredFramesAreNotInOrder) {
  VictimWorld world({.shape = Shape::kScattered, .span = 2_MiB});
  world.Reap();
  ASSERT_EQ(world.Problem(/*thorough=*/true), "");
  // The free list holds the frames as they were met, last first.
  const MmState& mm = world.kernel().mm();
  uint64_t neighbours = 0;
  uint64_t frames = 0;
  for (uint32_t at = mm.free_pages; at != 0; ++frames) {
    const uint32_t next = pfn_to_page(mm, at)->_mapcount;
    neighbours += next + 1 == at ? 1 : 0;
    at = next;
  }
  EXPECT_EQ(frames, 512u);
  // In order all 511 pairs were neighbours; by chance one is.
  EXPECT_LT(neighbours, 16u);
}

}  // namespace
}  // namespace reapsim
