// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a judgement looks like to people: herd7's block of states and
// observation, and the schedule task by task.
#ifndef REAPSIM_LITMUS_RESULT_TEXT_H_
#define REAPSIM_LITMUS_RESULT_TEXT_H_

#include <string>
#include <vector>

#include "litmus/judge.h"
#include "litmus/turns.h"
#include "sched/verdict.h"

namespace reapsim {

// Test NAME Allowed|Forbidden|Required, States, Witnesses, Condition,
// Observation, as herd7 prints them; then on which kernel, how much was
// searched, and whether the promise is kept.
std::string ResultBlock(const Scenario& scenario, const Judgement& made);

// An end as the model tells it, for people: never empty.
std::string EndStateText(const std::string& outcome);

// The verdict, or else the end.
std::string EndText(const Verdict& verdict, const std::string& outcome);

// "End: ", and the verdict or else the end. A verdict's step is left out: it
// counts marks, too, and the rows of a schedule don't.
std::string EndLine(const Verdict& verdict, const std::string& outcome);

// A schedule, turn by turn: who ran, which statement of the file it was in, and
// its operations: the number of the choice that made it, as in the schedule's
// short form; the line of the model; the place in the kernel. Small operations
// are left out unless `full`, but for those about the point of no return.
std::string ScheduleText(const Scenario& scenario,
                         const std::vector<std::string>& names,
                         const Execution& execution, bool full);

// What the judgement's witness, which it has, is a schedule to: no full stop.
std::string WitnessHeading(const Judgement& made);

// The schedule of the judgement's witness with what it shows, how it ends and
// how to replay it; "" if there is none.
std::string WitnessText(const Scenario& scenario, const Judgement& made,
                        bool full);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_RESULT_TEXT_H_
