// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a search has found, for people.
#ifndef REAPSIM_EXPLORE_EXPLAIN_H_
#define REAPSIM_EXPLORE_EXPLAIN_H_

#include <ostream>
#include <string>

#include "explore/explore.h"

namespace reapsim {

// The verdict, then the schedule turn by turn: who runs, and the lines of the
// model at which each of its steps begins; then how few preemptions it takes,
// from where on it is too late, and its short form. Ends with a newline.
std::string DescribeFailure(const Failure& failure);

// "holds in every schedule (365 states)", or why not: the first failure, or
// what was left out.
std::ostream& operator<<(std::ostream& out, const Exploration& exploration);

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_EXPLAIN_H_
