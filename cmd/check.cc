// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/check.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "cmd/scenario_input.h"
#include "explore/explore.h"
#include "litmus/judge.h"
#include "litmus/result_text.h"
#include "report/json.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {
    {"kernel", "VERSION"},    {"with", "SWITCH,..."}, {"strategy", "NAME"},
    {"max-preemptions", "N"}, {"seed", "S"},          {"executions", "N"},
    {"schedule", ""},         {"json", ""},
};

constexpr struct {
  absl::string_view name;
  Strategy strategy;
} kStrategies[] = {
    {"auto", Strategy::kAuto},
    {"stateful", Strategy::kStateful},
    {"random", Strategy::kRandom},
    {"pct", Strategy::kPct},
};

absl::StatusOr<Strategy> StrategyOf(const Arguments& flags) {
  const std::string name = flags.Value("strategy").value_or("auto");
  for (const auto& each : kStrategies) {
    if (each.name == name) return each.strategy;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--strategy is auto, stateful, random or pct, not \"",
                   Printable(name), "\""));
}

absl::StatusOr<ExploreOptions> SearchOf(const Arguments& flags) {
  ExploreOptions options;
  const absl::StatusOr<Strategy> strategy = StrategyOf(flags);
  if (!strategy.ok()) return strategy.status();
  options.strategy = *strategy;
  const auto preemptions = NumberOf(flags, "max-preemptions", 0, 1000, -1);
  if (!preemptions.ok()) return preemptions.status();
  options.max_preemptions = static_cast<int>(*preemptions);
  const auto seed = NumberOf(flags, "seed", 0, INT64_MAX, 1);
  if (!seed.ok()) return seed.status();
  options.seed = static_cast<uint64_t>(*seed);
  const auto executions =
      NumberOf(flags, "executions", 1, int64_t{1} << 40, 10'000);
  if (!executions.ok()) return executions.status();
  options.executions = static_cast<uint64_t>(*executions);
  return options;
}

// Tells how fast a search goes and how far it has come.
class Ticker {
 public:
  Ticker(const Environment& environment, std::string what)
      : environment_(environment),
        what_(std::move(what)),
        begin_(std::chrono::steady_clock::now()) {}
  ~Ticker() {
    if (environment_.progress != nullptr) environment_.progress("");
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  void Attach(ExploreOptions* options) {
    if (environment_.progress == nullptr) return;
    options->on_progress = [this](const Progress& progress) { Tell(progress); };
  }

 private:
  void Tell(const Progress& progress) {
    const std::chrono::duration<double> past =
        std::chrono::steady_clock::now() - begin_;
    const double rate =
        static_cast<double>(progress.transitions) / std::max(past.count(), .01);
    environment_.progress(absl::StrFormat(
        "%s: %s, %s states, depth %d, %.0f steps/s", what_, progress.phase,
        Grouped(static_cast<int64_t>(progress.states)), progress.depth, rate));
  }

  const Environment& environment_;
  std::string what_;
  std::chrono::steady_clock::time_point begin_;
};

Json JsonOf(const Scenario& scenario, const Judgement& made) {
  Json object;
  object["file"] = scenario.file.file_name;
  object["name"] = scenario.file.name;
  object["kernel"] = made.tried.variant.version;
  object["switches"] = made.tried.variant.switches;
  object["states"] = Json::array();
  for (const EndState& end : made.ends) {
    object["states"].push_back(
        {{"state", end.text}, {"count", end.count}, {"holds", end.holds}});
  }
  object["condition"] = scenario.file.condition.ToString();
  object["positive"] = made.positive;
  object["negative"] = made.negative;
  object["observation"] = FrequencyName(made.observation());
  object["promised"] = made.tried.promise == nullptr
                           ? Json()
                           : Json(FrequencyName(made.tried.promise->frequency));
  object["kept"] = made.kept;
  object["why"] = made.why;
  object["broken"] = made.broken.empty() ? Json() : Json(made.broken);
  object["exhausted"] = made.found.exhausted;
  object["executions"] = made.found.executions;
  object["explored_states"] = made.found.states;
  object["steps"] = made.found.transitions;
  object["preemptions"] =
      made.witness.has_value() ? Json(made.witness->preemptions) : Json();
  object["replay"] = made.replay.empty() ? Json() : Json(made.replay);
  return object;
}

struct Tried {
  const Scenario* scenario;
  Judgement judgement;
};

absl::StatusOr<std::vector<Tried>> CheckAll(
    const std::vector<Scenario>& scenarios, const Arguments& flags,
    const Environment& environment) {
  const absl::StatusOr<ExploreOptions> search = SearchOf(flags);
  if (!search.ok()) return search.status();
  const std::string kernel = flags.Value("kernel").value_or("");
  const std::vector<std::string> with = ListOf(flags, "with");
  std::vector<Tried> all;
  for (const Scenario& scenario : scenarios) {
    const absl::StatusOr<std::vector<Case>> cases =
        CasesOf(scenario, kernel, with);
    if (!cases.ok()) return cases.status();
    for (const Case& each : *cases) {
      JudgeOptions options{.explore = *search,
                           .always_witness = flags.Has("schedule")};
      Ticker ticker(environment, absl::StrCat(scenario.file.name, " ",
                                              each.variant.ToString()));
      ticker.Attach(&options.explore);
      absl::StatusOr<Judgement> made = Judge(scenario, each, options);
      if (!made.ok()) return made.status();
      all.push_back({&scenario, *std::move(made)});
    }
  }
  return all;
}

std::string TextOf(const std::vector<Tried>& all, bool with_schedules) {
  std::string text;
  int64_t broken = 0;
  for (const auto& [scenario, made] : all) {
    absl::StrAppend(&text, ResultBlock(*scenario, made));
    if (with_schedules || !made.kept) {
      absl::StrAppend(&text, WitnessText(*scenario, made));
    }
    absl::StrAppend(&text, "\n");
    if (!made.kept) broken++;
  }
  absl::StrAppend(
      &text, Grouped(static_cast<int64_t>(all.size())),
      all.size() == 1 ? " case" : " cases", ", ",
      broken == 0 ? "every promise kept" : absl::StrCat(broken, " broken"),
      "\n");
  return text;
}

}  // namespace

CommandResult RunCheck(absl::Span<const std::string> args,
                       const Environment& environment) {
  const absl::StatusOr<FilesAndFlags> split = SplitFilesAndFlags(args, kFlags);
  if (!split.ok()) return CommandResult::Fails(split.status().message());
  if (split->files.empty()) {
    return CommandResult::Fails("check needs files: reapsim check FILE.reap");
  }
  std::vector<Scenario> scenarios;
  for (const std::string& path : split->files) {
    absl::StatusOr<Scenario> scenario = LoadScenario(path);
    if (!scenario.ok()) {
      return CommandResult::Fails(scenario.status().message());
    }
    scenarios.push_back(*std::move(scenario));
  }
  const absl::StatusOr<std::vector<Tried>> all =
      CheckAll(scenarios, split->flags, environment);
  if (!all.ok()) return CommandResult::Fails(all.status().message());
  CommandResult result;
  if (split->flags.Has("json")) {
    Json array = Json::array();
    for (const auto& [scenario, made] : *all) {
      array.push_back(JsonOf(*scenario, made));
    }
    result.out = Dump(array);
  } else {
    result.out = TextOf(*all, split->flags.Has("schedule"));
  }
  if (std::any_of(all->begin(), all->end(),
                  [](const Tried& each) { return !each.judgement.kept; })) {
    result.exit_code = kExitFinding;
  }
  return result;
}

}  // namespace reapsim
