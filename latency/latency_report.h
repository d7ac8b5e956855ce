// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What `reapsim latency` tells: times and their spread over the seeds, with the
// strategy and with a kill alone; who paid, and what for.
#ifndef REAPSIM_LATENCY_LATENCY_REPORT_H_
#define REAPSIM_LATENCY_LATENCY_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "latency/latency.h"

namespace reapsim {

// Several runs that differ in their seeds only.
struct LatencyRuns {
  LatencyOptions options;              // of the first
  std::vector<LatencyResult> results;  // by seed, ascending by one
  // The run whose memory_back is the median: an index. Timelines are kept of
  // that one only, if at all.
  size_t median = 0;

  // Over the runs: LatencyResult::back_ns and so on.
  Spread SpreadOfTimes(std::optional<uint64_t> LatencyResult::*time) const;
};

// Makes the runs; `seeds` is at least 1. With options.keep_timeline the median
// run has a timeline.
LatencyRuns RunLatencies(const LatencyOptions& options, uint32_t seeds);

struct LatencyReport {
  std::string subject;  // whose memory
  std::string kernel;
  LatencyRuns with;
  // With a kill alone; without results if that is the strategy.
  LatencyRuns kill_only;
};

std::string LatencyText(const LatencyReport& report);
// An object; docs/latency-files.md lists its fields. Times are nanoseconds;
// null: it has not come about by the deadline.
std::string LatencyJson(const LatencyReport& report);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_LATENCY_REPORT_H_
