// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef REAPSIM_TESTS_SEEDED_RUNS_H_
#define REAPSIM_TESTS_SEEDED_RUNS_H_

#include <string>

namespace reapsim {

// A line for each scenario of litmus/examples and tests/bugs, version and seed:
// how the execution by that seed ends, its preemptions and steps, and the hash
// of its trace. The scenarios are found in the working directory.
std::string SeededRuns();

}  // namespace reapsim

#endif  // REAPSIM_TESTS_SEEDED_RUNS_H_
