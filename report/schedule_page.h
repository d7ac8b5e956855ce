// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A schedule as a page to step through: a column for each task, a row for each
// step, who holds and who awaits which lock, and what each step changed.
#ifndef REAPSIM_REPORT_SCHEDULE_PAGE_H_
#define REAPSIM_REPORT_SCHEDULE_PAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace reapsim {

// Something that can be seen of the machine and may change: "mm_users" of "mm
// of victim". Facts of one group and subject follow each other.
struct ScheduleFact {
  std::string group;    // "Tasks", "Memory", "Locks"
  std::string subject;  // "victim"
  std::string name;     // "flags"
  std::string start;    // its value before the first step; empty: there is none
  // It is told beside the steps, too: who holds a lock, who waits.
  bool is_lock = false;
};

struct ScheduleChange {
  size_t fact = 0;  // index
  std::string from, to;
};

// A place of the model that a step passed.
struct ScheduleOperation {
  std::string place;           // in the kernel
  std::string model = "";      // in the model's source; empty: none
  std::string statement = "";  // of the scenario, that begins here
};

struct ScheduleStep {
  uint64_t number = 0;    // of the choice, as schedules name it
  size_t column = 0;      // whose it is
  bool preempts = false;  // another one could have gone on
  bool small = false;     // is left out unless all steps are asked for
  bool decides = false;   // from here on, every schedule ends alike
  std::vector<ScheduleOperation> operations;
  std::vector<ScheduleChange> changes;
};

// A lock that a column's task holds, or waits for, from after one step to after
// another (indices into steps, both included). first is -1 if it did before the
// first step.
struct ScheduleSpan {
  enum class Kind : uint8_t { kShared, kExclusive, kWaits };
  Kind kind = Kind::kExclusive;
  std::string lock;
  size_t column = 0;
  int64_t first = 0, last = 0;
};

struct SchedulePlay {
  std::vector<std::string> columns;  // names of tasks, timers
  std::vector<ScheduleFact> facts;
  std::vector<ScheduleStep> steps;
  std::vector<ScheduleSpan> spans;
  std::string heading;  // "Schedule to S3, with 1 preemption, …"
  std::string end;      // how it ends
  std::string replay;   // the command that plays it again
  // Steps left out after the first half of `steps`, of a very long schedule.
  uint64_t omitted = 0;
};

// One case, and its schedule if there is one to show.
struct ScheduleCase {
  std::string title;               // "exit-versus-call, v5.15-rc1"
  std::vector<std::string> lines;  // what is known of it
  std::string no_schedule;         // why there is none
  std::optional<SchedulePlay> play;
};

struct SchedulePage {
  std::string title;
  std::vector<ScheduleCase> cases;
};

// A self-contained page. Without scripts it shows all of it at once.
std::string SchedulePageHtml(const SchedulePage& page);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_SCHEDULE_PAGE_H_
