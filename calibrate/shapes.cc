// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate/shapes.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/prng.h"

namespace reapsim {
namespace {

constexpr const char* kFitShapes[] = {
    "anon=1MiB",
    "anon=4MiB",
    "anon=16MiB",
    "anon=64MiB",
    "anon=256MiB",
    "anon=1GiB",
    "forked=32MiB",
    "forked=256MiB",
    "mlock=16MiB",
    "mlock=128MiB",
    "thp=64MiB",
    "thp=256MiB",
    "thp=640MiB",
    "file=64MiB",
    "file=256MiB",
    "file=1GiB",
    "cow=32MiB",
    "cow=192MiB",
    "memfd=32MiB",
    "memfd=160MiB",
    "shmem=64MiB",
    "swap=64MiB",
    "vmas=1000",
    "vmas=4000",
    "vmas=10000",
    "untouched=2000",
    "untouched=10000",
    "shared=3000",
    "shared=8000",
    "sparse=512",
    "sparse=2048",
    "sparse=6000",
    "scattered=64",
    "scattered=400",
    "anon=48MiB,threads=8",
    "anon=32MiB,threads=48",
    "anon=96MiB,file=64MiB,cow=8MiB,shmem=32MiB,vmas=600",
};

constexpr uint64_t kMiB = uint64_t{1} << 20;

// What a victim may have of each kind. The least of it takes about a
// millisecond if it is `large`, and less otherwise.
struct Range {
  uint64_t VictimShape::*field;
  uint64_t unit;
  uint64_t least;        // units
  uint64_t large_least;  // 0: never large by itself
  uint64_t most;
};
constexpr Range kRanges[] = {
    {&VictimShape::anon, kMiB, 1, 10, 384},
    {&VictimShape::thp, 2 * kMiB, 2, 220, 400},
    {&VictimShape::mlock, kMiB, 1, 8, 192},
    {&VictimShape::forked, kMiB, 1, 48, 320},
    {&VictimShape::file, kMiB, 4, 280, 800},
    {&VictimShape::cow, kMiB, 1, 10, 256},
    {&VictimShape::memfd, kMiB, 1, 16, 192},
    {&VictimShape::shmem, kMiB, 1, 0, 64},
    {&VictimShape::vmas, 1, 50, 2000, 9000},
    {&VictimShape::untouched, 1, 100, 9000, 14000},
    {&VictimShape::shared, 1, 100, 0, 8000},
    {&VictimShape::sparse, 1, 20, 1500, 6000},
    {&VictimShape::scattered, 1, 2, 0, 400},
    {&VictimShape::threads, 1, 1, 0, 48},
};
constexpr size_t kRangeCount = std::size(kRanges);

// As likely to be between 1 and 2 times as between 2 and 4 times the least.
uint64_t DrawAmount(Prng* prng, uint64_t least, uint64_t most) {
  uint64_t doublings = 0;
  while (least << (doublings + 1) <= most) ++doublings;
  const uint64_t from = least << prng->Below(doublings + 1);
  return prng->Between(from, std::min(2 * from, most));
}

VictimShape DrawShape(Prng* prng) {
  VictimShape shape;
  const Range* main = nullptr;
  do {
    main = &kRanges[prng->Below(kRangeCount)];
  } while (main->large_least == 0);
  shape.*main->field =
      DrawAmount(prng, main->large_least, main->most) * main->unit;
  for (uint64_t more = prng->Below(5); more > 0; --more) {
    const Range& range = kRanges[prng->Below(kRangeCount)];
    if (shape.*range.field != 0) continue;
    shape.*range.field = DrawAmount(prng, range.least, range.most) * range.unit;
  }
  return shape;
}

}  // namespace

std::vector<VictimShape> FitShapes() {
  std::vector<VictimShape> shapes;
  for (const char* spec : kFitShapes) {
    absl::StatusOr<VictimShape> shape = ParseShape(spec, "fit");
    REAP_CHECK(shape.ok(), "calibrate: a shape that is none");
    shapes.push_back(*shape);
  }
  return shapes;
}

std::vector<VictimShape> DrawShapes(uint64_t seed, size_t count) {
  const std::vector<VictimShape> fitted = FitShapes();
  Prng prng(seed);
  std::vector<VictimShape> shapes;
  while (shapes.size() < count) {
    const VictimShape shape = DrawShape(&prng);
    const auto is_shape = [&shape](const VictimShape& other) {
      return other == shape;
    };
    if (std::any_of(fitted.begin(), fitted.end(), is_shape)) continue;
    if (std::any_of(shapes.begin(), shapes.end(), is_shape)) continue;
    shapes.push_back(shape);
  }
  return shapes;
}

}  // namespace reapsim
