// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How much is left of a search, and how surely that can be said.
//
// A depth-first search knows what share of its tree is behind it, if each
// choice in a state counts the same (Knuth, 1975; Kilby et al., 2006). How many
// steps are left follows from that, if the rest is like what was. It is not:
// the more states have been seen, the sooner a branch ends in one of them. So
// there are two answers, by the pace since the beginning and by that of late,
// and the truth is more often between them than outside of them.
#ifndef REAPSIM_EXPLORE_ESTIMATE_H_
#define REAPSIM_EXPLORE_ESTIMATE_H_

#include <cstdint>
#include <deque>
#include <optional>

namespace reapsim {

// A number of steps, at least and at most.
struct StepsLeft {
  uint64_t low = 0;
  uint64_t high = 0;
};

class Estimate {
 public:
  // After `steps` steps, a share of `explored` (0 to 1) is behind the search.
  // Neither ever falls.
  void Note(uint64_t steps, double explored);
  // Absent as long as too little is known.
  std::optional<StepsLeft> left() const;

 private:
  struct Sample {
    uint64_t steps;
    double explored;
  };
  // The first of them is where "of late" begins: at about half of the steps.
  std::deque<Sample> samples_;
};

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_ESTIMATE_H_
