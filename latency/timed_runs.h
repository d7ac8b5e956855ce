// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef REAPSIM_LATENCY_TIMED_RUNS_H_
#define REAPSIM_LATENCY_TIMED_RUNS_H_

#include <string>

namespace reapsim {

// A line for each of many runs in virtual time: shapes, strategies, states of
// the victim, machines, kernels and seeds; its times, and who paid what.
std::string TimedRuns();

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_TIMED_RUNS_H_
