// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/schedule_play.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "litmus/observer.h"
#include "litmus/result_text.h"
#include "litmus/turns.h"
#include "report/text.h"

namespace reapsim {
namespace {

// Steps that a page shows one by one: so many at the beginning, so many at the
// end of a longer schedule.
constexpr size_t kShownAtAnEnd = 1000;

// Facts in the order in which a reader asks.
constexpr absl::string_view kGroups[] = {kTermFacts, kTaskFacts, kLockFacts,
                                         kMemoryFacts, kMachineFacts};

// The choices from `first` to `last` are one step of the page.
struct Slice {
  size_t first, last;
};

std::vector<Slice> SlicesOf(size_t choices) {
  std::vector<Slice> slices;
  for (size_t i = 0; i < choices; ++i) {
    size_t last = i;
    if (choices > 2 * kShownAtAnEnd && i == kShownAtAnEnd) {
      last = choices - kShownAtAnEnd - 1;
    }
    slices.push_back({i, last});
    i = last;
  }
  return slices;
}

// What was seen while a schedule was played: before the first step, and after
// each slice.
struct Seen {
  std::vector<Observation> looks;
  // By choice: whether whoever ran last could have gone on.
  std::vector<bool> preempts;
};

class PlayMaker {
 public:
  PlayMaker(const Scenario& scenario, ScenarioMachine* machine,
            const PlayOptions& options)
      : scenario_(scenario),
        machine_(machine),
        world_(machine),
        options_(options) {}

  absl::StatusOr<SchedulePlay> Make() {
    replayed_ =
        Replay(world_, options_.deviations, options_.races, options_.max_steps);
    if (!replayed_.mismatch.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          scenario_.file.file_name,
          ": the schedule is of another world: ", replayed_.mismatch));
    }
    slices_ = SlicesOf(replayed_.schedule.size());
    Observer observer(machine_, &world_, FibersOfSchedule());
    Watch(&observer);
    NameColumns(&observer);
    AddFacts(observer.facts());
    AddSteps();
    AddSpans();
    play_.end = EndText(replayed_.verdict, replayed_.outcome);
    return std::move(play_);
  }

 private:
  absl::btree_set<uint32_t> FibersOfSchedule() const {
    absl::btree_set<uint32_t> fibers;
    for (const Choice choice : replayed_.schedule) {
      if (!IsEvent(choice)) fibers.insert(choice);
    }
    return fibers;
  }

  // Plays it again, looking.
  void Watch(Observer* observer) {
    size_t made = 0;
    size_t slice = 0;
    Choice last = kNoChoice;
    const size_t steps = replayed_.schedule.size();
    (void)Replay(world_, options_.deviations, options_.races, steps, [&] {
      if (made == 0) {
        seen_.looks.push_back(observer->Look());
      } else if (slices_[slice].last + 1 == made) {
        seen_.looks.push_back(observer->Look());
        slice++;
      }
      if (made > 0 && !IsEvent(replayed_.schedule[made - 1])) {
        last = replayed_.schedule[made - 1];
      }
      if (made < steps) {
        const Fiber* fiber =
            last == kNoChoice ? nullptr : world_.engine().FiberAt(last);
        seen_.preempts.push_back(replayed_.schedule[made] != last &&
                                 fiber != nullptr && Engine::CanRun(fiber));
      }
      made++;
    });
  }

  void NameColumns(Observer* observer) {
    for (const uint32_t fiber : FibersOfSchedule()) {
      columns_.emplace(static_cast<Choice>(fiber), play_.columns.size());
      play_.columns.push_back(observer->NameOf(fiber));
    }
    if (std::any_of(replayed_.schedule.begin(), replayed_.schedule.end(),
                    IsEvent)) {
      columns_.emplace(kEventBase, play_.columns.size());
      play_.columns.emplace_back("timers");
    }
  }

  size_t ColumnOf(Choice choice) const {
    return columns_.at(IsEvent(choice) ? kEventBase : choice);
  }

  // Facts by group, and by subject in the order of first sight.
  void AddFacts(const std::vector<ScheduleFact>& facts) {
    std::vector<std::string> order(std::begin(kGroups), std::end(kGroups));
    const auto place = [&](const std::string& key) {
      const auto at = std::find(order.begin(), order.end(), key);
      const auto index = static_cast<size_t>(at - order.begin());
      if (at == order.end()) order.push_back(key);
      return index;
    };
    std::vector<std::pair<std::pair<size_t, size_t>, size_t>> keyed;
    for (size_t i = 0; i < facts.size(); ++i) {
      const size_t group = place(facts[i].group);
      const size_t subject =
          place(absl::StrCat(facts[i].group, "\n", facts[i].subject));
      keyed.push_back({{group, subject}, i});
    }
    std::sort(keyed.begin(), keyed.end());
    new_index_.resize(facts.size());
    for (const auto& [key, i] : keyed) {
      new_index_[i] = play_.facts.size();
      play_.facts.push_back(facts[i]);
      play_.facts.back().start = ValueOf(seen_.looks.front(), i);
      play_.facts.back().is_lock =
          facts[i].group == kLockFacts || facts[i].name == kWaitsFor;
    }
  }

  static std::string ValueOf(const Observation& look, size_t fact) {
    return fact < look.values.size() ? look.values[fact] : "";
  }

  std::vector<ScheduleChange> ChangesBetween(const Observation& before,
                                             const Observation& after) const {
    std::vector<ScheduleChange> changes;
    for (size_t i = 0; i < new_index_.size(); ++i) {
      std::string from = ValueOf(before, i);
      std::string to = ValueOf(after, i);
      if (from == to) continue;
      changes.push_back({new_index_[i], std::move(from), std::move(to)});
    }
    std::sort(changes.begin(), changes.end(),
              [](const auto& a, const auto& b) { return a.fact < b.fact; });
    return changes;
  }

  void AddSteps() {
    std::vector<Turn> turns =
        TurnsOf(scenario_, NamesOf(world_, replayed_.trace),
                {replayed_.schedule, replayed_.trace, replayed_.entries_before,
                 options_.point_of_no_return});
    std::vector<std::vector<const Row*>> rows(replayed_.schedule.size());
    for (Turn& turn : turns) {
      ChooseRows(options_.point_of_no_return, &turn);
      for (const Row& row : turn.rows) rows[row.choice].push_back(&row);
    }
    for (size_t i = 0; i + 1 < seen_.looks.size(); ++i) {
      play_.steps.push_back(StepOf(i, rows));
    }
  }

  ScheduleStep StepOf(size_t i,
                      const std::vector<std::vector<const Row*>>& rows) const {
    const auto [first, last] = slices_[i];
    ScheduleStep step;
    step.number = first;
    step.column = ColumnOf(replayed_.schedule[first]);
    step.changes = ChangesBetween(seen_.looks[i], seen_.looks[i + 1]);
    step.preempts = seen_.preempts[first];
    step.decides = options_.point_of_no_return >= static_cast<int64_t>(first) &&
                   options_.point_of_no_return <= static_cast<int64_t>(last);
    if (first != last) {
      step.operations.push_back(
          {.place = absl::StrCat("steps ", first, " to ", last,
                                 " of all tasks: too many to show")});
      return step;
    }
    step.small = !step.decides && !Tells(step);
    for (const Row* row : rows[first]) {
      if (row->shown || !row->statement.empty()) step.small = false;
    }
    for (const Row* row : rows[first]) {
      const bool says = row->telling != Telling::kNothing ||
                        !row->statement.empty() || rows[first].size() == 1;
      if (says) {
        step.operations.push_back({row->place, row->model, row->statement});
      }
    }
    return step;
  }

  // Whether it changes more than who holds a lock.
  bool Tells(const ScheduleStep& step) const {
    return std::any_of(step.changes.begin(), step.changes.end(),
                       [this](const ScheduleChange& change) {
                         return !play_.facts[change.fact].is_lock;
                       });
  }

  void AddSpans() {
    using Key = std::pair<uint32_t, std::pair<std::string, int>>;
    absl::btree_map<Key, size_t> open;
    for (size_t look = 0; look < seen_.looks.size(); ++look) {
      absl::btree_map<Key, size_t> still;
      const auto after = static_cast<int64_t>(look) - 1;
      for (const LockUse& use : seen_.looks[look].locks) {
        const auto column = columns_.find(static_cast<Choice>(use.fiber));
        if (column == columns_.end()) continue;
        const Key key{use.fiber, {use.lock, static_cast<int>(use.kind)}};
        auto found = open.find(key);
        if (found == open.end()) {
          found = open.emplace(key, play_.spans.size()).first;
          play_.spans.push_back(
              {use.kind, use.lock, column->second, after, after});
        }
        play_.spans[found->second].last = after;
        still.insert(*found);
      }
      open = std::move(still);
    }
  }

  const Scenario& scenario_;
  ScenarioMachine* machine_;
  ScenarioWorld world_;
  const PlayOptions& options_;
  Replayed replayed_;
  std::vector<Slice> slices_;
  Seen seen_;
  absl::btree_map<Choice, size_t> columns_;
  std::vector<size_t> new_index_;  // of facts, in play_
  SchedulePlay play_;
};

}  // namespace

absl::StatusOr<SchedulePlay> PlayToShow(const Scenario& scenario,
                                        const Variant& variant,
                                        const PlayOptions& options) {
  const auto machine = MachineOf(scenario, variant);
  if (!machine.ok()) return machine.status();
  absl::StatusOr<SchedulePlay> play =
      PlayMaker(scenario, machine->get(), options).Make();
  if (!play.ok()) return play.status();
  play->heading = "A schedule";
  play->replay = absl::StrCat(
      "reapsim replay ", ReplayName(scenario, variant, options.deviations));
  return play;
}

absl::StatusOr<ScheduleCase> CaseToShow(const Scenario& scenario,
                                        const Judgement& made, Races races) {
  ScheduleCase shown;
  shown.title =
      absl::StrCat(scenario.file.name, ", ", made.tried.variant.ToString());
  shown.lines =
      absl::StrSplit(ResultBlock(scenario, made), '\n', absl::SkipWhitespace());
  if (!made.witness.has_value()) {
    shown.no_schedule =
        "No schedule to show: the search has met none that the condition or "
        "the promise would make a witness.";
    return shown;
  }
  const Failure& witness = *made.witness;
  absl::StatusOr<SchedulePlay> play = PlayToShow(
      scenario, made.tried.variant,
      {.deviations = witness.deviations,
       .races = RacesOf(scenario, races),
       .max_steps = witness.schedule.size(),
       .point_of_no_return = witness.always ? -1 : witness.point_of_no_return});
  if (!play.ok()) return play.status();
  play->heading = WitnessHeading(made);
  // A livelock is the search's verdict: one execution can't tell.
  play->end =
      EndText(made.found.failure.has_value() ? witness.verdict : Verdict{},
              witness.outcome);
  if (witness.always) {
    absl::StrAppend(&play->end, " Every schedule ends so.");
  }
  shown.play = *std::move(play);
  return shown;
}

}  // namespace reapsim
