// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate/shapes.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> Texts(const std::vector<VictimShape>& shapes) {
  std::vector<std::string> texts;
  for (const VictimShape& shape : shapes) texts.push_back(PrintShape(shape));
  return texts;
}

TEST(FitShapesTest, AreManyAndDifferent) {
  const std::vector<std::string> texts = Texts(FitShapes());
  EXPECT_GE(texts.size(), 30u);
  EXPECT_EQ(std::set<std::string>(texts.begin(), texts.end()).size(),
            texts.size());
}

// What nobody measures has no price.
TEST(FitShapesTest, HaveEveryKindThatIsDrawn) {
  VictimShape fitted;
  VictimShape drawn;
  const auto add = [](VictimShape* sum, const VictimShape& shape) {
#define X(field, unit, what) sum->field += shape.field;
    REAPSIM_SHAPE(X)
#undef X
  };
  for (const VictimShape& shape : FitShapes()) add(&fitted, shape);
  for (const VictimShape& shape : DrawShapes(1, 500)) add(&drawn, shape);
#define X(field, unit, what) \
  EXPECT_TRUE(drawn.field == 0 || fitted.field != 0) << #field;
  REAPSIM_SHAPE(X)
#undef X
  EXPECT_NE(drawn.anon, 0u);
  EXPECT_NE(drawn.threads, 0u);
}

// The same for ever: who publishes figures names the seed.
TEST(DrawShapesTest, AreTheSameForASeed) {
  EXPECT_THAT(Texts(DrawShapes(1, 4)),
              ElementsAre("thp=26MiB,forked=153MiB,cow=140MiB,shmem=64MiB",
                          "cow=24MiB", "shmem=3MiB,vmas=311,untouched=10237",
                          "untouched=11190,sparse=99"));
  EXPECT_EQ(DrawShapes(1, 4), DrawShapes(1, 4));
}

TEST(DrawShapesTest, BeginAlikeWhateverTheirNumber) {
  std::vector<VictimShape> many = DrawShapes(2, 30);
  many.resize(10);
  EXPECT_EQ(DrawShapes(2, 10), many);
}

TEST(DrawShapesTest, DifferBySeed) {
  EXPECT_NE(DrawShapes(1, 5), DrawShapes(2, 5));
}

TEST(DrawShapesTest, AreNotFittedAndNotDrawnTwice) {
  const std::vector<std::string> fitted = Texts(FitShapes());
  const std::vector<std::string> drawn = Texts(DrawShapes(3, 300));
  EXPECT_EQ(std::set<std::string>(drawn.begin(), drawn.end()).size(),
            drawn.size());
  for (const std::string& text : drawn) {
    EXPECT_THAT(fitted, Not(::testing::Contains(text)));
  }
}

TEST(DrawShapesTest, CanBePrintedAndRead) {
  for (const VictimShape& shape : DrawShapes(4, 100)) {
    const std::string text = PrintShape(shape);
    EXPECT_THAT(text, Not(IsEmpty()));
    const absl::StatusOr<VictimShape> read = ParseShape(text, "test");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, shape);
  }
}

TEST(DrawShapesTest, FitIntoTheFileAndASmallHost) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  for (const VictimShape& shape : DrawShapes(5, 300)) {
    EXPECT_LE(shape.file, kMostFileBytes);
    EXPECT_LE(shape.cow, kMostFileBytes);
    EXPECT_LE(shape.anon + shape.thp + shape.mlock + shape.forked + shape.cow +
                  shape.memfd + shape.shmem,
              3 * kGiB);
    EXPECT_EQ(shape.swap, 0u);
  }
}

}  // namespace
}  // namespace reapsim
