// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/result_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "report/text.h"

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

// "    21  mm/oom_kill.cc:190   mm/oom_kill.c:__oom_reap_task_mm, each VMA".
std::string RowText(const Row& row) {
  return row.model.empty()
             ? absl::StrFormat("  %4d  %s\n", row.choice, row.place)
             : absl::StrFormat("  %4d  %-20s %s\n", row.choice, row.model,
                               row.place);
}

std::string RowsText(int64_t point_of_no_return, const Turn& turn) {
  std::string text;
  for (size_t i = 0; i < turn.rows.size(); ++i) {
    const Row& row = turn.rows[i];
    if (row.shown) {
      absl::StrAppend(&text, RowText(row));
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

std::string EndText(const Verdict& verdict, const std::string& outcome) {
  if (!verdict) return EndStateText(outcome);
  return absl::StrCat(VerdictName(verdict.kind), ": ", verdict.what,
                      verdict.where.empty() ? "" : " (", verdict.where,
                      verdict.where.empty() ? "" : ")");
}

std::string EndLine(const Verdict& verdict, const std::string& outcome) {
  const std::string text = EndText(verdict, outcome);
  return verdict ? Wrapped("End: ", text) : absl::StrCat("End: ", text, "\n");
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
    for (const Row& row : turn.rows) {
      if (row.statement.empty()) continue;
      absl::StrAppend(&text, "    ", row.statement, "\n");
    }
    absl::StrAppend(&text, rows);
  }
  if (const size_t hidden = HiddenSteps(turns); hidden > 0) {
    absl::StrAppend(&text, "  Not shown: ", Counted(hidden, "small step"),
                    " of ", execution.schedule.size(), "; see --full.\n");
  }
  return text;
}

std::string WitnessHeading(const Judgement& made) {
  const Failure& witness = *made.witness;
  return absl::StrCat(
      "Schedule to ",
      made.found.failure.has_value()
          ? made.broken
          : std::string(made.witness_holds
                            ? "where the condition holds"
                            : "where the condition does not hold"),
      ", with ",
      Counted(static_cast<uint64_t>(witness.preemptions), "preemption"),
      witness.fewest_preemptions ? ", the fewest there are" : "");
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
      WitnessHeading(made), ":\n",
      ScheduleText(scenario, made.names, execution, full),
      EndLine(breaks ? witness.verdict : Verdict{}, witness.outcome),
      witness.always ? "Every schedule ends so.\n" : "",
      "Replay: reapsim replay ", made.replay, "\n");
}

}  // namespace reapsim
