// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A schedule turn by turn: who ran, which statements of the file began, and the
// operations that were made. What text and pictures of a schedule are made of.
#ifndef REAPSIM_LITMUS_TURNS_H_
#define REAPSIM_LITMUS_TURNS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "explore/explore.h"
#include "explore/schedule.h"
#include "litmus/checker.h"
#include "sched/engine.h"
#include "sched/point.h"

namespace reapsim {

// What there is to show of an execution.
struct Execution {
  const Schedule& schedule;
  const std::vector<TraceEntry>& trace;
  const std::vector<size_t>& entries_before;  // see Failure
  int64_t point_of_no_return = -1;            // likewise
};

// How much an operation tells a reader.
enum class Telling : uint8_t {
  kNothing,  // that it was passed is no news
  kPlace,    // only where a turn ends, to tell how far the task has come
  kWorth,    // always
};

// One line of a turn: an operation.
struct Row {
  size_t choice;
  Telling telling;
  Point point;             // kNone: no entry in the trace, see TurnsOf()
  std::string model = "";  // "mm/oom_kill.cc:190"; empty: none
  std::string place = "";  // "mm/oom_kill.c:__oom_reap_task_mm, each VMA"
  // A statement of the file that begins with it; empty: none does.
  std::string statement = "";
  bool shown = false;
};

// One turn: the rows of choices in a row of one fiber, or of one event.
struct Turn {
  Choice who;
  std::vector<Row> rows;
};

// Two kinds of step leave no entry in the trace, and get a row of their own: of
// a task that stands before no operation yet, and of an event.
std::vector<Turn> TurnsOf(const Scenario& scenario,
                          const std::vector<std::string>& names,
                          const Execution& execution);

// Decides which rows of a turn are shown: what is worth it, its end, and what
// is about the point of no return; at least one operation, if it has one.
void ChooseRows(int64_t point_of_no_return, Turn* turn);

// "P0 lmkd [4]", "timer [e3]".
std::string WhoText(const std::vector<std::string>& names, Choice who);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_TURNS_H_
