// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Axes of pictures: round numbers, units, and where on so many pixels a value
// lies. Whole numbers only, so that pictures are the same everywhere.
#ifndef REAPSIM_REPORT_AXIS_H_
#define REAPSIM_REPORT_AXIS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace reapsim {

// "12.3 ms", "1.25 s", "850 us": three digits.
std::string DurationText(uint64_t ns);
// "1.25 GiB", "96 MiB", "512 KiB": three digits.
std::string BytesText(uint64_t bytes);

struct AxisTick {
  uint64_t value = 0;
  std::string label;
};

// From low to high; both are where the outermost ticks are.
struct LinearAxis {
  uint64_t low = 0;
  uint64_t high = 1;
  bool logarithmic = false;
  std::vector<AxisTick> ticks;

  // 0 at the low end, `length` at the high one; values beyond are moved there.
  uint32_t PixelOf(uint64_t value, uint32_t length) const;
};

// Covers both with about so many ticks; begins at 0 if `low` is nearer to it
// than to `high`.
LinearAxis BytesAxis(uint64_t low, uint64_t high, uint32_t ticks);
// Begins at 0; or is logarithmic, if `most` is more than 50 times `least`,
// which is not 0.
LinearAxis DurationAxis(uint64_t least, uint64_t most);

struct TimeTick {
  uint64_t at_ns = 0;
  std::string label;
};
struct TimeAxis {
  std::string unit;  // "ms"
  std::vector<TimeTick> ticks;
};
// Ticks from begin to end, at most so many, at round distances from zero.
TimeAxis TimeAxisOf(uint64_t begin_ns, uint64_t end_ns, uint64_t zero_ns,
                    uint32_t most);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_AXIS_H_
