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

std::string SearchLine(const Judgement& made) {
  const Exploration& found = made.found;
  std::string text = absl::StrCat(
      "Executions ", Grouped(static_cast<int64_t>(found.executions)));
  if (found.states > 0) {
    absl::StrAppend(&text, ", states ",
                    Grouped(static_cast<int64_t>(found.states)));
  }
  absl::StrAppend(&text, ", steps ",
                  Grouped(static_cast<int64_t>(found.transitions)),
                  made.proved ? ": all there are" : "");
  return text;
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

// One turn: entries [begin, end) of one fiber.
struct Turn {
  size_t begin, end;
  std::vector<std::string> statements;  // begun in it
};

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

// Programs have no branches: the n-th entry into the kernel is the n-th call.
std::vector<Turn> TurnsOf(const Scenario& scenario,
                          const std::vector<std::string>& names,
                          const std::vector<TraceEntry>& trace) {
  std::vector<Turn> turns;
  std::vector<size_t> entered(scenario.file.programs.size());
  for (size_t i = 0; i < trace.size(); ++i) {
    const TraceEntry& entry = trace[i];
    if (turns.empty() || trace[turns.back().begin].fiber != entry.fiber) {
      turns.push_back({i, i, {}});
    }
    turns.back().end = i + 1;
    const int number =
        entry.fiber < names.size() ? ProgramOf(names[entry.fiber]) : -1;
    if (number < 0 || entry.point != Point::kSyscallEntry) continue;
    const std::vector<const Statement*> calls =
        CallsOf(scenario.file.programs[static_cast<size_t>(number)]);
    const size_t nth = entered[static_cast<size_t>(number)]++;
    if (nth >= calls.size()) continue;
    turns.back().statements.push_back(absl::StrCat(
        calls[nth]->ToString(), "  (line ", calls[nth]->place.line, ")"));
  }
  return turns;
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

// Steps count from the beginning of the trace.
std::string EntryLine(const TraceEntry& entry, uint64_t first_step) {
  absl::string_view file =
      entry.source.file == nullptr ? "?" : entry.source.file;
  (void)absl::ConsumePrefix(&file, "./");
  const std::string where = absl::StrCat(file, ":", entry.source.line);
  return absl::StrFormat("    %5d  %-26s %s\n", entry.step - first_step, where,
                         PointName(entry.point));
}

std::string TurnText(const std::vector<TraceEntry>& trace, const Turn& turn) {
  constexpr size_t kLast = 3;
  constexpr size_t kHead = 10;
  constexpr size_t kTail = 14;
  std::vector<size_t> shown;
  for (size_t i = turn.begin; i < turn.end; ++i) {
    const Telling telling = TellingOf(trace[i].point);
    const bool again =
        !shown.empty() && trace[shown.back()].point == trace[i].point;
    const bool late = i + kLast >= turn.end && telling != Telling::kNothing;
    if (late || (telling == Telling::kWorth && !again)) shown.push_back(i);
  }
  std::string text;
  for (size_t i = 0; i < shown.size(); ++i) {
    if (shown.size() > kHead + kTail + 1 && i == kHead) {
      const size_t left_out = shown.size() - kHead - kTail;
      absl::StrAppend(&text, "           ... ", left_out, " more\n");
      i += left_out;
    }
    absl::StrAppend(&text, EntryLine(trace[shown[i]], trace.front().step));
  }
  return text;
}

std::string NameAt(const std::vector<std::string>& names, uint32_t fiber) {
  const bool known = fiber < names.size() && !names[fiber].empty();
  return absl::StrCat(known ? names[fiber] : "task", " [", fiber, "]");
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
  for (const EndState& end : made.ends) absl::StrAppend(&text, end.text, "\n");
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
                         FrequencyName(made.tried.promise->frequency),
                         made.kept ? ": kept" : ": BROKEN");
  absl::StrAppend(&text, Wrapped("", absl::StrCat(promised, "; ", made.why)));
  return text;
}

std::string ScheduleText(const Scenario& scenario,
                         const std::vector<std::string>& names,
                         const std::vector<TraceEntry>& trace) {
  std::string text;
  for (const Turn& turn : TurnsOf(scenario, names, trace)) {
    const uint32_t fiber = trace[turn.begin].fiber;
    absl::StrAppend(&text, "  ", NameAt(names, fiber), "\n");
    for (const std::string& statement : turn.statements) {
      absl::StrAppend(&text, "    ", statement, "\n");
    }
    absl::StrAppend(&text, TurnText(trace, turn));
  }
  return text;
}

std::string WitnessText(const Scenario& scenario, const Judgement& made) {
  if (!made.witness.has_value()) return "";
  const Failure& witness = *made.witness;
  const bool breaks = made.found.failure.has_value();
  std::string text = absl::StrCat(
      "Schedule to ",
      breaks ? made.broken
             : std::string(made.witness_holds
                               ? "where the condition holds"
                               : "where the condition does not hold"),
      ", with ", witness.preemptions,
      witness.preemptions == 1 ? " preemption" : " preemptions",
      witness.fewest_preemptions ? ", the fewest there are" : "", ":\n",
      ScheduleText(scenario, made.names, witness.trace));
  if (breaks) {
    absl::StrAppend(&text, Wrapped("  ", VerdictText(witness.verdict)));
  }
  const auto no_return = static_cast<size_t>(witness.point_of_no_return);
  if (witness.point_of_no_return >= 0 && no_return < witness.schedule.size()) {
    const Choice choice = witness.schedule[no_return];
    absl::StrAppend(
        &text, "  Every schedule ends so",
        no_return == 0
            ? ""
            : absl::StrCat(
                  " after choice ", no_return, " of ", witness.schedule.size(),
                  IsEvent(choice)
                      ? ""
                      : absl::StrCat(", which is ", NameAt(made.names, choice),
                                     "'s")),
        ".\n");
  }
  absl::StrAppend(&text, "Replay: reapsim replay ", made.replay, "\n");
  return text;
}

}  // namespace reapsim
