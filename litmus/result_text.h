// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a judgement looks like to people: herd7's block of states and
// observation, and the schedule task by task.
#ifndef REAPSIM_LITMUS_RESULT_TEXT_H_
#define REAPSIM_LITMUS_RESULT_TEXT_H_

#include <string>
#include <vector>

#include "explore/explore.h"
#include "litmus/judge.h"

namespace reapsim {

// Test NAME Allowed|Forbidden|Required, States, Witnesses, Condition,
// Observation, as herd7 prints them; then on which kernel, how many executions,
// and whether the promise is kept.
std::string ResultBlock(const Scenario& scenario, const Judgement& made);

// A schedule, turn by turn: who ran, which statement of the file it was in, and
// before which operations of the model it stood, with their lines.
std::string ScheduleText(const Scenario& scenario,
                         const std::vector<std::string>& names,
                         const std::vector<TraceEntry>& trace);

// The schedule of the judgement's witness with what it shows and how to replay
// it; "" if there is none.
std::string WitnessText(const Scenario& scenario, const Judgement& made);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_RESULT_TEXT_H_
