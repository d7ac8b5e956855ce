// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/result_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "report/text.h"
#include "sched/point.h"

namespace reapsim {
namespace {

const char* KindWord(Condition::Kind kind) {
  switch (kind) {
    case Condition::Kind::kExists:
      return "Allowed";
    case Condition::Kind::kNotExists:
      return "Forbidden";
    case Condition::Kind::kForall:
      return "Required";
  }
  return "";
}

// Whether the condition, with its quantifier, holds.
bool ConditionHolds(const Condition& condition, const Judgement& made) {
  switch (condition.kind) {
    case Condition::Kind::kExists:
      return made.positive > 0;
    case Condition::Kind::kNotExists:
      return made.positive == 0;
    case Condition::Kind::kForall:
      return made.negative == 0;
  }
  return false;
}

// "1 step", "12 steps".
std::string Counted(uint64_t number, absl::string_view what) {
  return absl::StrCat(Grouped(static_cast<int64_t>(number)), " ", what,
                      number == 1 ? "" : "s");
}

// A search that knows states again comes to each end once, by whatever ways;
// others know executions only.
std::string SearchLine(const Judgement& made) {
  const Exploration& found = made.found;
  const std::string what =
      found.states > 0 ? absl::StrCat(Counted(found.states, "state"), ", ",
                                      Counted(found.executions, "end"))
                       : Counted(found.executions, "execution");
  return absl::StrCat("Searched ", what, ", ",
                      Counted(found.transitions, "step"),
                      made.proved ? ": all there are" : "");
}

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

// How much an operation tells a reader.
enum class Telling : uint8_t {
  kNothing,  // that it was passed is no news
  kPlace,    // only where a turn ends, to tell how far the task has come
  kWorth,    // always
};
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

// One line of a turn.
struct Row {
  size_t choice;
  Telling telling;
  Point point;
  std::string text;
  bool shown;
};

// One turn: the rows of choices in a row of one fiber, or of one event.
struct Turn {
  Choice who;
  std::vector<std::string> statements;  // begun in it
  std::vector<Row> rows;
};

// "mm/oom_kill.cc:190     mm/oom_kill.c:__oom_reap_task_mm, each VMA".
Row RowOf(size_t choice, const TraceEntry& entry) {
  absl::string_view file =
      entry.source.file == nullptr ? "?" : entry.source.file;
  (void)absl::ConsumePrefix(&file, "./");
  const std::string place = absl::StrCat(file, ":", entry.source.line);
  return {choice, TellingOf(entry.point), entry.point,
          absl::StrFormat("%-20s %s", place, PointWhere(entry.point)), false};
}

// Programs have no branches: the n-th entry into the kernel is the n-th call.
class StatementFinder {
 public:
  StatementFinder(const Scenario& scenario,
                  const std::vector<std::string>& names)
      : scenario_(scenario),
        names_(names),
        entered_(scenario.file.programs.size()) {}

  // Adds the statement that the entry is the beginning of, if it is one.
  void Add(const TraceEntry& entry, std::vector<std::string>* statements) {
    if (entry.point != Point::kSyscallEntry) return;
    const int number =
        entry.fiber < names_.size() ? ProgramOf(names_[entry.fiber]) : -1;
    if (number < 0) return;
    const auto program = static_cast<size_t>(number);
    const std::vector<const Statement*> calls =
        CallsOf(scenario_.file.programs[program]);
    const size_t nth = entered_[program]++;
    if (nth >= calls.size()) return;
    statements->push_back(absl::StrCat(calls[nth]->ToString(), "  (line ",
                                       calls[nth]->place.line, ")"));
  }

 private:
  const Scenario& scenario_;
  const std::vector<std::string>& names_;
  std::vector<size_t> entered_;  // by program: calls that have begun
};

std::vector<Turn> TurnsOf(const Scenario& scenario,
                          const std::vector<std::string>& names,
                          const Execution& execution) {
  std::vector<Turn> turns;
  StatementFinder statements(scenario, names);
  const std::vector<size_t>& before = execution.entries_before;
  for (size_t choice = 0; choice < execution.schedule.size(); ++choice) {
    const Choice who = execution.schedule[choice];
    if (turns.empty() || turns.back().who != who)
      turns.push_back({who, {}, {}});
    Turn& turn = turns.back();
    const size_t end = choice + 1 < before.size() ? before[choice + 1]
                                                  : execution.trace.size();
    if (IsEvent(who) || before[choice] == end) {
      turn.rows.push_back(
          {choice, IsEvent(who) ? Telling::kWorth : Telling::kNothing,
           Point::kNone, std::string(IsEvent(who) ? kFires : kGoesOn), false});
    }
    for (size_t i = before[choice]; i < end; ++i) {
      turn.rows.push_back(RowOf(choice, execution.trace[i]));
      statements.Add(execution.trace[i], &turn.statements);
    }
  }
  return turns;
}

// The choice and its neighbours say why there was no way back.
bool IsAbout(int64_t point_of_no_return, size_t choice) {
  constexpr int64_t kNeighbours = 2;
  const auto number = static_cast<int64_t>(choice);
  return point_of_no_return >= 0 &&
         number >= point_of_no_return - kNeighbours &&
         number <= point_of_no_return + kNeighbours;
}

// Decides which rows of a turn are shown: at least one operation, if it has
// one.
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

std::string RowsText(int64_t point_of_no_return, const Turn& turn) {
  std::string text;
  for (size_t i = 0; i < turn.rows.size(); ++i) {
    const Row& row = turn.rows[i];
    if (row.shown) {
      absl::StrAppendFormat(&text, "  %4d  %s\n", row.choice, row.text);
    }
    const bool last_of_choice =
        i + 1 == turn.rows.size() || turn.rows[i + 1].choice != row.choice;
    if (last_of_choice &&
        static_cast<int64_t>(row.choice) == point_of_no_return) {
      absl::StrAppend(&text,
                      "        ^ from here on, every schedule ends so\n");
    }
  }
  return text;
}

// How many choices have no row that is shown.
size_t HiddenSteps(const std::vector<Turn>& turns) {
  size_t hidden = 0;
  for (const Turn& turn : turns) {
    for (size_t i = 0; i < turn.rows.size();) {
      const size_t choice = turn.rows[i].choice;
      bool shown = false;
      for (; i < turn.rows.size() && turn.rows[i].choice == choice; ++i) {
        shown = shown || turn.rows[i].shown;
      }
      if (!shown) ++hidden;
    }
  }
  return hidden;
}

std::string WhoText(const std::vector<std::string>& names, Choice who) {
  if (IsEvent(who)) {
    return absl::StrCat("timer [e", who - kEventBase, "]");
  }
  const bool known = who < names.size() && !names[who].empty();
  return absl::StrCat(known ? names[who] : "task", " [", who, "]");
}

std::string VerdictText(const Verdict& verdict) {
  return absl::StrCat(VerdictName(verdict.kind), ": ", verdict.what,
                      verdict.where.empty() ? "" : " (", verdict.where,
                      verdict.where.empty() ? "" : ")");
}

}  // namespace

std::string ResultBlock(const Scenario& scenario, const Judgement& made) {
  const Condition& condition = scenario.file.condition;
  std::string text =
      absl::StrCat("Test ", scenario.file.name, " ", KindWord(condition.kind),
                   "\nStates ", made.ends.size(), "\n");
  for (const EndState& end : made.ends) {
    absl::StrAppend(&text, EndStateText(end.text), "\n");
  }
  absl::StrAppend(&text, ConditionHolds(condition, made) ? "Ok" : "No",
                  "\nWitnesses\nPositive: ", made.positive,
                  " Negative: ", made.negative, "\nCondition ",
                  condition.ToString(), "\nObservation ", scenario.file.name,
                  " ", FrequencyName(made.observation()), " ", made.positive,
                  " ", made.negative, "\nKernel ",
                  made.tried.variant.ToString(), "\n", SearchLine(made), "\n");
  if (!made.found.races.empty()) {
    absl::StrAppend(&text, Wrapped("Races ", made.found.races));
  }
  const std::string promised =
      made.tried.promise == nullptr
          ? "Promised nothing"
          : absl::StrCat("Promised ",
                         FrequencyName(made.tried.promise->frequency), ": ",
                         StandingName(made.standing));
  absl::StrAppend(&text, Wrapped("", absl::StrCat(promised, "; ", made.why)));
  return text;
}

std::string EndStateText(const std::string& outcome) {
  return outcome.empty() ? "verdict=none;" : outcome;
}

std::string EndLine(const Verdict& verdict, const std::string& outcome) {
  return verdict ? Wrapped("End: ", VerdictText(verdict))
                 : absl::StrCat("End: ", EndStateText(outcome), "\n");
}

std::string ScheduleText(const Scenario& scenario,
                         const std::vector<std::string>& names,
                         const Execution& execution, bool full) {
  std::string text;
  std::vector<Turn> turns = TurnsOf(scenario, names, execution);
  for (Turn& turn : turns) {
    if (full) {
      for (Row& row : turn.rows) row.shown = true;
    } else {
      ChooseRows(execution.point_of_no_return, &turn);
    }
    const std::string rows = RowsText(execution.point_of_no_return, turn);
    if (rows.empty()) continue;
    absl::StrAppend(&text, "  ", WhoText(names, turn.who), "\n");
    for (const std::string& statement : turn.statements) {
      absl::StrAppend(&text, "    ", statement, "\n");
    }
    absl::StrAppend(&text, rows);
  }
  if (const size_t hidden = HiddenSteps(turns); hidden > 0) {
    absl::StrAppend(&text, "  Not shown: ", Counted(hidden, "small step"),
                    " of ", execution.schedule.size(), "; see --full.\n");
  }
  return text;
}

std::string WitnessText(const Scenario& scenario, const Judgement& made,
                        bool full) {
  if (!made.witness.has_value()) return "";
  const Failure& witness = *made.witness;
  const bool breaks = made.found.failure.has_value();
  const Execution execution{witness.schedule, witness.trace,
                            witness.entries_before,
                            witness.always ? -1 : witness.point_of_no_return};
  return absl::StrCat(
      "Schedule to ",
      breaks ? made.broken
             : std::string(made.witness_holds
                               ? "where the condition holds"
                               : "where the condition does not hold"),
      ", with ",
      Counted(static_cast<uint64_t>(witness.preemptions), "preemption"),
      witness.fewest_preemptions ? ", the fewest there are" : "", ":\n",
      ScheduleText(scenario, made.names, execution, full),
      EndLine(breaks ? witness.verdict : Verdict{}, witness.outcome),
      witness.always ? "Every schedule ends so.\n" : "",
      "Replay: reapsim replay ", made.replay, "\n");
}

}  // namespace reapsim
