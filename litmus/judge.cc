// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/judge.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/kernel_version.h"
#include "base/switches.h"
#include "litmus/condition.h"
#include "litmus/promise.h"
#include "litmus/return_if_error.h"

namespace reapsim {
namespace {

// How WrongEnd() says that the search has found what it looked for.
constexpr absl::string_view kFound = "the condition's proposition ";

// The version that is meant where none is named.
constexpr absl::string_view kUsual = "v6.18";

// Every version at which something changes that decides what the call does,
// from the first that has it to the last, and the usual one.
std::vector<std::string> VersionsThatDiffer() {
  absl::btree_set<KernelVersion> versions;
  const KernelVersion first = *ParseKernelVersion("v5.15-rc1");
  versions.insert(first);
  versions.insert(*ParseKernelVersion(kUsual));
  for (const DifferenceRow& row : DifferenceRows()) {
    for (const DifferenceField& field : DifferenceFields()) {
      if (field.name != row.field || !field.decides_call) continue;
      for (const KernelVersion& version : {row.since, row.until}) {
        if (first < version) versions.insert(version);
      }
    }
  }
  std::vector<std::string> names;
  for (const KernelVersion& version : versions) {
    names.push_back(ToString(version));
  }
  return names;
}

// The same switches, in whatever order.
bool SameSwitches(std::vector<std::string> a, std::vector<std::string> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return a == b;
}

class CaseMaker {
 public:
  CaseMaker(const Scenario& scenario, const std::vector<std::string>& with)
      : scenario_(scenario), with_(with), versions_(VersionsThatDiffer()) {}

  std::vector<Case> ForVersions(const std::vector<std::string>& versions) {
    for (const std::string& version : versions) {
      const size_t before = cases_.size();
      for (const Promise& promise : scenario_.file.promises) {
        const bool asked =
            with_.empty() || SameSwitches(promise.switches, with_);
        if (asked && Covers(promise, version)) Add(version, promise);
      }
      if (cases_.size() == before) {
        cases_.push_back({{version, with_}, nullptr});
      }
    }
    return std::move(cases_);
  }

  // The first and the last version of each promise.
  std::vector<Case> ForEnds() {
    for (const Promise& promise : scenario_.file.promises) {
      if (!with_.empty() && !SameSwitches(promise.switches, with_)) continue;
      std::vector<Promise::Range> ranges = promise.versions;
      if (ranges.empty()) ranges.emplace_back();
      for (const Promise::Range& range : ranges) {
        Add(range.first.empty() ? versions_.front() : range.first, promise);
        Add(range.last.empty() ? versions_.back() : range.last, promise);
      }
    }
    return std::move(cases_);
  }

  // All such versions that a promise speaks of, and its own ends.
  std::vector<Case> ForAll() {
    std::vector<Case> ends = ForEnds();
    cases_.clear();
    for (const std::string& version : versions_) {
      for (const Promise& promise : scenario_.file.promises) {
        if (Covers(promise, version)) Add(version, promise);
      }
    }
    for (const Case& each : ends) Add(each.variant.version, *each.promise);
    return std::move(cases_);
  }

 private:
  // What an earlier promise covers, a later one does not.
  void Add(const std::string& version, const Promise& promise) {
    for (const Case& known : cases_) {
      if (known.variant.version == version &&
          SameSwitches(known.variant.switches, promise.switches)) {
        return;
      }
    }
    for (const Promise& earlier : scenario_.file.promises) {
      if (&earlier == &promise) break;
      if (SameSwitches(earlier.switches, promise.switches) &&
          Covers(earlier, version)) {
        return;
      }
    }
    cases_.push_back({{version, promise.switches}, &promise});
  }

  const Scenario& scenario_;
  const std::vector<std::string>& with_;
  std::vector<std::string> versions_;
  std::vector<Case> cases_;
};

// Whether the condition compares the verdict with that word.
bool SpeaksOf(const Prop& prop, absl::string_view word) {
  return (prop.term.function == "verdict" && prop.word == word) ||
         std::any_of(prop.parts.begin(), prop.parts.end(),
                     [word](const Prop& part) { return SpeaksOf(part, word); });
}

// What real kernels break, and what a world therefore looks at only where a
// file speaks of it.
Checks ChecksOf(const Scenario& scenario) {
  const std::vector<Promise>& promises = scenario.file.promises;
  Checks checks;
  for (const CheckInfo& check : AllChecks()) {
    const bool promised = std::any_of(
        promises.begin(), promises.end(),
        [&](const Promise& promise) { return promise.breaks == check.name; });
    if (promised || SpeaksOf(scenario.file.condition.prop, check.name)) {
      checks.Add(check.id);
    }
  }
  return checks;
}

void AddEnd(const Scenario& scenario, const std::string& text,
            const FinalState& state, uint64_t count, Judgement* made) {
  const bool holds = Holds(scenario, state);
  made->ends.push_back({text, count, holds});
  (holds ? made->positive : made->negative) += 1;
}

// All ends that the search has seen.
void CollectEnds(const Scenario& scenario, Judgement* made) {
  for (const auto& [outcome, count] : made->found.outcomes) {
    if (IsVerdict(outcome)) continue;
    AddEnd(scenario, outcome, ParseOutcome(scenario, outcome), count, made);
  }
  if (!made->found.failure.has_value()) return;
  const Verdict& verdict = made->found.failure->verdict;
  FinalState state;
  state.verdict = verdict.kind;
  state.what = verdict.what;
  made->broken = VerdictWord(verdict.kind, verdict.what);
  AddEnd(scenario, absl::StrCat("verdict=", made->broken, ";"), state, 1, made);
}

// What was promised did not come: how it is said.
std::string Contradiction(const Judgement& made, const Promise& promise) {
  return absl::StrCat("promised ", FrequencyName(promise.frequency), ", found ",
                      FrequencyName(made.observation()));
}

std::string HowSurely(const Exploration& found, const ExploreOptions& options) {
  if (found.failure.has_value()) return "the search stopped there";
  if (!found.exhausted) return absl::StrCat("not proved: ", found.unexplored);
  if (options.max_preemptions < 0) return "every schedule was tried";
  return absl::StrCat(
      "every schedule with at most ", options.max_preemptions,
      options.max_preemptions == 1 ? " preemption" : " preemptions",
      " was tried");
}

// What the ends that were seen say of the promise. Within a bound on
// preemptions, all there are is what "never" and "always" are asked of; what
// happens sometimes may do so beyond it.
Standing StandingOf(const Promise& promise, const ExploreOptions& options,
                    const Judgement& made) {
  const bool all_seen = made.found.exhausted && !made.found.failure.has_value();
  switch (promise.frequency) {
    case Frequency::kNever:
      if (made.positive > 0) return Standing::kBroken;
      break;
    case Frequency::kAlways:
      if (made.negative > 0) return Standing::kBroken;
      break;
    case Frequency::kSometimes:
      if (made.observation() == Frequency::kSometimes) return Standing::kKept;
      return all_seen && options.max_preemptions < 0 ? Standing::kBroken
                                                     : Standing::kUndecided;
  }
  return all_seen ? Standing::kKept : Standing::kUndecided;
}

// What was promised to break, and did not; "" if all is as promised.
std::string NotBroken(const Promise& promise, const Judgement& made) {
  const bool told = !promise.breaks.empty() && made.positive > 0;
  if (!told || made.broken == promise.breaks) return "";
  return absl::StrCat("promised to break ", promise.breaks, ", but ",
                      made.broken.empty() ? "nothing" : made.broken,
                      " is broken");
}

// What comes of the promise, and why.
void Decide(const Scenario& scenario, const ExploreOptions& options,
            Judgement* made) {
  const Promise* promise = made->tried.promise;
  const Exploration& found = made->found;
  const std::string surely = HowSurely(found, options);
  made->proved = found.exhausted && options.max_preemptions < 0;
  made->standing = Standing::kBroken;
  const bool asked = AsksForVerdict(scenario.file.condition.prop);
  if (found.failure.has_value() && (!asked || promise == nullptr)) {
    made->why = absl::StrCat(
        "the kernel breaks, which ",
        asked ? "no promise speaks" : "the condition does not speak",
        " of: ", found.failure->verdict.what);
    return;
  }
  made->standing = promise == nullptr ? Standing::kKept
                                      : StandingOf(*promise, options, *made);
  made->why = surely;
  if (made->standing == Standing::kBroken) {
    made->why = absl::StrCat(Contradiction(*made, *promise), "; ", surely);
  } else if (made->kept() && promise != nullptr) {
    const std::string not_broken = NotBroken(*promise, *made);
    if (!not_broken.empty()) {
      made->standing = Standing::kBroken;
      made->why = not_broken;
    }
  }
  // That there are no races was to be shown, too.
  if (options.races == Races::kProve && !found.exhausted && made->kept()) {
    made->standing = Standing::kUndecided;
  }
}

// Whether a reader wants to see how the condition comes to hold (true), or not
// to hold (false); absent: nothing to see.
std::optional<bool> WantedWitness(const Scenario& scenario,
                                  const Judgement& made) {
  bool wanted = scenario.file.condition.kind != Condition::Kind::kForall;
  const Promise* promise = made.tried.promise;
  if (promise != nullptr && !made.kept()) {
    wanted = promise->frequency == Frequency::kNever;
  }
  if ((wanted ? made.positive : made.negative) == 0) return std::nullopt;
  return wanted;
}

}  // namespace

// ---- Variants --------------------------------------------------------------

std::string Variant::ToString() const {
  return absl::StrCat(version, switches.empty() ? "" : "+",
                      absl::StrJoin(switches, "+"));
}

absl::StatusOr<Variant> ParseVariant(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '+');
  Variant variant{.version = parts.front()};
  if (const auto version = ParseKnownVersion(parts.front()); !version.ok()) {
    return version.status();
  }
  for (size_t i = 1; i < parts.size(); ++i) {
    variant.switches.push_back(parts[i]);
  }
  if (const auto known = VariationOf(variant.switches); !known.ok()) {
    return known.status();
  }
  return variant;
}

absl::StatusOr<std::vector<Case>> CasesOf(
    const Scenario& scenario, absl::string_view kernel,
    const std::vector<std::string>& with) {
  if (const auto known = VariationOf(with); !known.ok()) return known.status();
  CaseMaker maker(scenario, with);
  if (kernel.empty() && with.empty()) return maker.ForEnds();
  if (kernel == "all") return maker.ForAll();
  const std::string version(kernel.empty() ? kUsual : kernel);
  if (const auto known = ParseKnownVersion(version); !known.ok()) {
    return known.status();
  }
  return maker.ForVersions({version});
}

absl::StatusOr<std::unique_ptr<ScenarioMachine>> MachineOf(
    const Scenario& scenario, const Variant& variant) {
  const absl::StatusOr<Variation> variation = VariationOf(variant.switches);
  if (!variation.ok()) return variation.status();
  KernelOptions options{.version = variant.version,
                        .switches = variation->switches,
                        .proposals = variation->proposals};
  options.checks = ChecksOf(scenario);
  return ScenarioMachine::Build(scenario, options);
}

Races RacesOf(const Scenario& scenario, Races asked) {
  const bool names_them = SpeaksOf(scenario.file.condition.prop, "data_race");
  return asked == Races::kIgnore && names_them ? Races::kReport : asked;
}

// ---- The world -------------------------------------------------------------

ScenarioWorld::ScenarioWorld(ScenarioMachine* machine)
    : KernelWorld(&machine->kernel(), [machine] { return machine->Outcome(); }),
      machine_(machine),
      asks_l4_(SpeaksOf(machine->scenario().file.condition.prop, "L4")),
      asks_l6_(SpeaksOf(machine->scenario().file.condition.prop, "L6")) {}

std::string ScenarioWorld::NameOf(Choice choice) const {
  if (IsEvent(choice)) return KernelWorld::NameOf(choice);
  const std::string name = machine_->NameOf(choice);
  return name.empty() ? KernelWorld::NameOf(choice) : name;
}

bool ScenarioWorld::MayIdle(const Fiber& fiber) const {
  return machine_->MayWait(fiber.id) || KernelWorld::MayIdle(fiber);
}

const char* ScenarioWorld::BrokenInvariant() const {
  const char* broken = KernelWorld::BrokenInvariant();
  if (broken != nullptr || !asks_l6_) return broken;
  return machine_->TwoVictimsHaveMemory()
             ? "L6: a second victim is chosen while the first has memory"
             : nullptr;
}

void ScenarioWorld::UnmetGoals(std::vector<std::string>* goals) const {
  KernelWorld::UnmetGoals(goals);
  if (asks_l4_) machine_->UnreleasedMemory(goals);
}

std::string ScenarioWorld::WrongEnd() const {
  if (!wanted_.has_value()) return KernelWorld::WrongEnd();
  FinalState state;
  state.values = machine_->Values();
  if (Holds(machine_->scenario(), state) != *wanted_) return "";
  return absl::StrCat(kFound, *wanted_ ? "holds" : "does not hold");
}

// ---- Judging ---------------------------------------------------------------

std::string ReplayName(const Scenario& scenario, const Variant& variant,
                       const std::vector<Deviation>& deviations) {
  return absl::StrCat(scenario.file.file_name, "@", variant.ToString(), "/",
                      FormatDeviations(deviations));
}

const char* StandingName(Standing standing) {
  switch (standing) {
    case Standing::kKept:
      return "kept";
    case Standing::kUndecided:
      return "undecided";
    case Standing::kBroken:
      break;
  }
  return "BROKEN";
}

Frequency Judgement::observation() const {
  if (positive == 0) return Frequency::kNever;
  // A search that stopped at a verdict has not seen what else there is.
  return negative == 0 && !found.failure.has_value() ? Frequency::kAlways
                                                     : Frequency::kSometimes;
}

absl::StatusOr<Judgement> Judge(const Scenario& scenario, const Case& tried,
                                const JudgeOptions& asked) {
  JudgeOptions options = asked;
  options.explore.races = RacesOf(scenario, asked.explore.races);
  auto machine = MachineOf(scenario, tried.variant);
  if (!machine.ok()) return machine.status();
  ScenarioWorld world(machine->get());
  Judgement made;
  made.tried = tried;
  made.found = Explore(world, options.explore);
  CollectEnds(scenario, &made);
  Decide(scenario, options.explore, &made);
  made.witness = made.found.failure;
  const std::optional<bool> wanted = WantedWitness(scenario, made);
  const bool look =
      made.standing == Standing::kBroken || options.always_witness;
  if (look && !made.witness.has_value() && wanted.has_value()) {
    world.LookFor(*wanted);
    made.witness_holds = *wanted;
    made.witness = Explore(world, options.explore).failure;
  }
  if (made.witness.has_value()) {
    made.replay = absl::StrCat(
        asked.explore.races == Races::kIgnore ? "" : "--races ",
        ReplayName(scenario, tried.variant, made.witness->deviations));
    made.names = NamesOf(world, made.witness->trace);
  }
  return made;
}

}  // namespace reapsim
