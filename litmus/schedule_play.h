// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// From a schedule of a scenario to what a page shows of it
// (report/schedule_page.h).
#ifndef REAPSIM_LITMUS_SCHEDULE_PLAY_H_
#define REAPSIM_LITMUS_SCHEDULE_PLAY_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "explore/explore.h"
#include "litmus/judge.h"
#include "report/schedule_page.h"

namespace reapsim {

struct PlayOptions {
  std::vector<Deviation> deviations;
  Races races = Races::kIgnore;
  uint64_t max_steps = 100'000;
  int64_t point_of_no_return = -1;  // see Failure
};

// Plays it once more, and looks at the machine after each step. Of more than
// 2,000 steps those in the middle are one. kInvalidArgument: the initial state
// can't be reached, or the schedule is of another world.
absl::StatusOr<SchedulePlay> PlayToShow(const Scenario& scenario,
                                        const Variant& variant,
                                        const PlayOptions& options);

// What a page shows of a judgement: its block, and its witness or why there is
// none. `races`: as the search was asked.
absl::StatusOr<ScheduleCase> CaseToShow(const Scenario& scenario,
                                        const Judgement& made, Races races);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_SCHEDULE_PLAY_H_
