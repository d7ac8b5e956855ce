// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Time on a row of pixels: how long which kind of thing lasted in each.
#ifndef REAPSIM_REPORT_LANE_BINS_H_
#define REAPSIM_REPORT_LANE_BINS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace reapsim {

// From begin_ns (the left end) to end_ns on so many pixels.
struct PixelScale {
  uint64_t begin_ns = 0;
  uint64_t end_ns = 0;
  uint32_t pixels = 1;

  // Where a pixel begins; `pixel` may be `pixels`.
  uint64_t TimeAt(uint32_t pixel) const;
  // The pixel in which a time lies; times outside are moved to the nearest.
  uint32_t PixelAt(uint64_t ns) const;
};

class LaneBins {
 public:
  static constexpr size_t kKinds = 8;
  explicit LaneBins(const PixelScale& scale)
      : scale_(scale), bins_(scale.pixels) {}

  // What lies outside the scale is left out.
  void Add(size_t kind, uint64_t start_ns, uint64_t end_ns);

  uint64_t TotalOf(size_t kind) const { return totals_[kind]; }

  // Pixels in a row in which kinds first to last (excluded) are alike: the
  // commonest of them, and how many quarters of the time any of them has, 1 to
  // 4, rounded up. What has none is in no run.
  struct Run {
    uint32_t begin, end;
    size_t kind;
    uint32_t quarters;
    bool operator==(const Run&) const = default;
  };
  std::vector<Run> Runs(size_t first, size_t last) const;

 private:
  using Bin = std::array<uint64_t, kKinds>;
  PixelScale scale_;
  std::vector<Bin> bins_;
  Bin totals_{};
};

// Rectangles of a kind among the runs, as the data of an SVG path: from `y`
// upwards, `height` high if their time is full.
std::string PathOf(const std::vector<LaneBins::Run>& runs, size_t kind,
                   uint32_t x, uint32_t y, uint32_t height);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_LANE_BINS_H_
