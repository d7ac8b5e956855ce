// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/lane_bins.h"

#include <algorithm>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"

namespace reapsim {
namespace {

// a * b / c without overflow.
uint64_t MulDiv(uint64_t a, uint64_t b, uint64_t c) {
  return absl::Uint128Low64(absl::uint128(a) * b / c);
}

}  // namespace

uint64_t PixelScale::TimeAt(uint32_t pixel) const {
  return begin_ns + MulDiv(end_ns - begin_ns, pixel, pixels);
}

uint32_t PixelScale::PixelAt(uint64_t ns) const {
  if (ns <= begin_ns || end_ns <= begin_ns) return 0;
  if (ns >= end_ns) return pixels - 1;
  auto pixel =
      static_cast<uint32_t>(MulDiv(ns - begin_ns, pixels, end_ns - begin_ns));
  // Where pixels begin is rounded, too.
  while (pixel + 1 < pixels && TimeAt(pixel + 1) <= ns) ++pixel;
  while (pixel > 0 && TimeAt(pixel) > ns) --pixel;
  return pixel;
}

void LaneBins::Add(size_t kind, uint64_t start_ns, uint64_t end_ns) {
  uint64_t at = std::max(start_ns, scale_.begin_ns);
  const uint64_t end = std::min(end_ns, scale_.end_ns);
  if (at >= end) return;
  totals_[kind] += end - at;
  for (uint32_t pixel = scale_.PixelAt(at); at < end; ++pixel) {
    const uint64_t next = std::min(end, scale_.TimeAt(pixel + 1));
    bins_[pixel][kind] += next - at;
    at = next;
  }
}

std::vector<LaneBins::Run> LaneBins::Runs(size_t first, size_t last) const {
  std::vector<Run> runs;
  for (uint32_t pixel = 0; pixel < scale_.pixels; ++pixel) {
    const Bin& bin = bins_[pixel];
    uint64_t sum = 0;
    size_t most = first;
    for (size_t kind = first; kind < last; ++kind) {
      sum += bin[kind];
      if (bin[kind] > bin[most]) most = kind;
    }
    if (sum == 0) continue;
    const uint64_t width = scale_.TimeAt(pixel + 1) - scale_.TimeAt(pixel);
    const auto quarters = static_cast<uint32_t>(
        std::min<uint64_t>(4, (4 * sum + width - 1) / width));
    const bool goes_on = !runs.empty() && runs.back().end == pixel &&
                         runs.back().kind == most &&
                         runs.back().quarters == quarters;
    if (goes_on) {
      runs.back().end++;
    } else {
      runs.push_back({pixel, pixel + 1, most, quarters});
    }
  }
  return runs;
}

std::string PathOf(const std::vector<LaneBins::Run>& runs, size_t kind,
                   uint32_t x, uint32_t y, uint32_t height) {
  std::string path;
  for (const LaneBins::Run& run : runs) {
    if (run.kind != kind) continue;
    const uint32_t high = std::max(1u, height * run.quarters / 4);
    absl::StrAppend(&path, "M", x + run.begin, " ", y, "v-", high, "h",
                    run.end - run.begin, "v", high, "z");
  }
  return path;
}

}  // namespace reapsim
