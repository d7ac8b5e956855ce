// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/turns.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace reapsim {
namespace {

// "P0 lmkd": 0. -1: no program of the file's.
int ProgramOf(absl::string_view name) {
  int number = -1;
  const size_t space = name.find(' ');
  if (!absl::StartsWith(name, "P") || space == absl::string_view::npos ||
      !absl::SimpleAtoi(name.substr(1, space - 1), &number)) {
    return -1;
  }
  return number;
}

// The statements that enter the kernel, in order.
std::vector<const Statement*> CallsOf(const TaskProgram& program) {
  std::vector<const Statement*> calls;
  for (const Statement& each : program.statements) {
    if (each.kind != Statement::Kind::kDeclare &&
        each.kind != Statement::Kind::kCompute) {
      calls.push_back(&each);
    }
  }
  return calls;
}

Telling TellingOf(Point point) {
  switch (point) {
    case Point::kSyscallEntry:
    case Point::kCondResched:
    case Point::kUserMode:
    case Point::kRcuReadLock:
    case Point::kRcuReadUnlock:
      return Telling::kNothing;
    case Point::kSpinLock:
    case Point::kSpinUnlock:
    case Point::kMutexLock:
    case Point::kMutexUnlock:
    case Point::kRefInc:
    case Point::kRefDec:
    case Point::kFlagRead:
    case Point::kFlagSet:
    case Point::kRacyRead:
    case Point::kWake:
      return Telling::kPlace;
    default:
      return Telling::kWorth;
  }
}

// Steps that leave no entry in the trace: of a task that stands before no
// operation yet, and of an event.
constexpr absl::string_view kGoesOn = "goes on to its next operation";
constexpr absl::string_view kFires = "kernel/time/timer.c: a timer expires";

Row RowOf(size_t choice, const TraceEntry& entry) {
  absl::string_view file =
      entry.source.file == nullptr ? "?" : entry.source.file;
  (void)absl::ConsumePrefix(&file, "./");
  return {.choice = choice,
          .telling = TellingOf(entry.point),
          .point = entry.point,
          .model = absl::StrCat(file, ":", entry.source.line),
          .place = PointWhere(entry.point)};
}

// Programs have no branches: the n-th entry into the kernel is the n-th call.
class StatementFinder {
 public:
  StatementFinder(const Scenario& scenario,
                  const std::vector<std::string>& names)
      : scenario_(scenario),
        names_(names),
        entered_(scenario.file.programs.size()) {}

  // The statement that the entry is the beginning of, or "".
  std::string Next(const TraceEntry& entry) {
    if (entry.point != Point::kSyscallEntry) return "";
    const int number =
        entry.fiber < names_.size() ? ProgramOf(names_[entry.fiber]) : -1;
    if (number < 0) return "";
    const auto program = static_cast<size_t>(number);
    const std::vector<const Statement*> calls =
        CallsOf(scenario_.file.programs[program]);
    const size_t nth = entered_[program]++;
    if (nth >= calls.size()) return "";
    return absl::StrCat(calls[nth]->ToString(), "  (line ",
                        calls[nth]->place.line, ")");
  }

 private:
  const Scenario& scenario_;
  const std::vector<std::string>& names_;
  std::vector<size_t> entered_;  // by program: calls that have begun
};

// The choice and its neighbours say why there was no way back.
bool IsAbout(int64_t point_of_no_return, size_t choice) {
  constexpr int64_t kNeighbours = 2;
  const auto number = static_cast<int64_t>(choice);
  return point_of_no_return >= 0 &&
         number >= point_of_no_return - kNeighbours &&
         number <= point_of_no_return + kNeighbours;
}

}  // namespace

std::vector<Turn> TurnsOf(const Scenario& scenario,
                          const std::vector<std::string>& names,
                          const Execution& execution) {
  std::vector<Turn> turns;
  StatementFinder statements(scenario, names);
  const std::vector<size_t>& before = execution.entries_before;
  for (size_t choice = 0; choice < execution.schedule.size(); ++choice) {
    const Choice who = execution.schedule[choice];
    if (turns.empty() || turns.back().who != who) turns.push_back({who, {}});
    Turn& turn = turns.back();
    const size_t end = choice + 1 < before.size() ? before[choice + 1]
                                                  : execution.trace.size();
    if (IsEvent(who) || before[choice] == end) {
      turn.rows.push_back(
          {.choice = choice,
           .telling = IsEvent(who) ? Telling::kWorth : Telling::kNothing,
           .point = Point::kNone,
           .place = std::string(IsEvent(who) ? kFires : kGoesOn)});
    }
    for (size_t i = before[choice]; i < end; ++i) {
      turn.rows.push_back(RowOf(choice, execution.trace[i]));
      turn.rows.back().statement = statements.Next(execution.trace[i]);
    }
  }
  return turns;
}

void ChooseRows(int64_t point_of_no_return, Turn* turn) {
  constexpr size_t kLast = 3;
  constexpr size_t kHead = 16;
  constexpr size_t kTail = 24;
  std::vector<Row>& rows = turn->rows;
  std::vector<Row*> shown;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Telling telling = rows[i].telling;
    const bool again = !shown.empty() && shown.back()->point == rows[i].point;
    const bool late = i + kLast >= rows.size() && telling != Telling::kNothing;
    if (late || (telling == Telling::kWorth && !again)) {
      shown.push_back(&rows[i]);
    }
  }
  for (size_t i = 0; i < shown.size(); ++i) {
    shown[i]->shown = i < kHead || i + kTail >= shown.size();
  }
  for (Row& row : rows) {
    if (IsAbout(point_of_no_return, row.choice)) row.shown = true;
  }
  const auto is_shown = [](const Row& row) { return row.shown; };
  if (std::any_of(rows.begin(), rows.end(), is_shown)) return;
  const auto operation =
      std::find_if(rows.begin(), rows.end(),
                   [](const Row& row) { return row.point != Point::kNone; });
  if (operation != rows.end()) operation->shown = true;
}

std::string WhoText(const std::vector<std::string>& names, Choice who) {
  if (IsEvent(who)) {
    return absl::StrCat("timer [e", who - kEventBase, "]");
  }
  const bool known = who < names.size() && !names[who].empty();
  return absl::StrCat(known ? names[who] : "task", " [", who, "]");
}

}  // namespace reapsim
