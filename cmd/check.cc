// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/check.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/kernel_version.h"
#include "cmd/output_file.h"
#include "cmd/scenario_input.h"
#include "explore/estimate.h"
#include "explore/explore.h"
#include "explore/shard.h"
#include "litmus/judge.h"
#include "litmus/result_text.h"
#include "litmus/schedule_play.h"
#include "report/json.h"
#include "report/schedule_page.h"
#include "report/text.h"
#include "states/evidence.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {
    {"kernel", "VERSION"}, {"with", "NAME,..."},
    {"strategy", "NAME"},  {"max-preemptions", "N"},
    {"seed", "S"},         {"executions", "N"},
    {"schedule", ""},      {"json", ""},
    {"html", "FILE"},      {"races", ""},
    {"full", ""},          {"prove-race-free", ""},
};

constexpr struct {
  absl::string_view name;
  Strategy strategy;
} kStrategies[] = {
    {"auto", Strategy::kAuto},
    {"stateful", Strategy::kStateful},
    {"random", Strategy::kRandom},
    {"pct", Strategy::kPct},
    {"brute-force", Strategy::kBruteForce},
};

absl::StatusOr<Strategy> StrategyOf(const Arguments& flags) {
  const std::string name = flags.Value("strategy").value_or("auto");
  for (const auto& each : kStrategies) {
    if (each.name == name) return each.strategy;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--strategy is auto, stateful, random, pct or brute-force, "
                   "not \"",
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
  if (flags.Has("executions")) options.max_executions = options.executions;
  if (flags.Has("races")) options.races = Races::kReport;
  if (flags.Has("prove-race-free")) options.races = Races::kProve;
  const std::string refusal = RefusalOf(options);
  if (!refusal.empty()) return absl::InvalidArgumentError(refusal);
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
    const auto now = std::chrono::steady_clock::now();
    // A search has phases: each counts anew.
    if (progress.transitions < estimated_at_) {
      begin_ = now;
      estimate_ = Estimate();
    }
    estimated_at_ = progress.transitions;
    estimate_.Note(progress.transitions, progress.explored);
    const std::chrono::duration<double> past = now - begin_;
    const double rate =
        static_cast<double>(progress.transitions) / std::max(past.count(), .01);
    environment_.progress(absl::StrFormat(
        "%s: %s, %s states, depth %d, %.0f steps/s%s", what_, progress.phase,
        Grouped(static_cast<int64_t>(progress.states)), progress.depth, rate,
        LeftAt(rate)));
  }

  // ", some 3 to 12 s left".
  std::string LeftAt(double rate) const {
    const std::optional<StepsLeft> left = estimate_.left();
    if (!left.has_value()) return "";
    return absl::StrFormat(", some %.0f to %.0f s left",
                           std::floor(static_cast<double>(left->low) / rate),
                           std::ceil(static_cast<double>(left->high) / rate));
  }

  const Environment& environment_;
  std::string what_;
  std::chrono::steady_clock::time_point begin_;
  uint64_t estimated_at_ = 0;  // steps of this phase
  Estimate estimate_;
};

AnswerEvidence EvidenceOf(const Variant& variant) {
  if (!variant.switches.empty()) {
    return {Evidence::kReasoning,
            absl::StrCat("no released kernel has ",
                         absl::StrJoin(variant.switches, ", "))};
  }
  return EvidenceOfSchedules();
}

Json JsonOf(const Scenario& scenario, const Judgement& made) {
  Json object;
  object["file"] = scenario.file.file_name;
  object["name"] = scenario.file.name;
  object["kernel"] = made.tried.variant.version;
  object["switches"] = made.tried.variant.switches;
  object["evidence"] = EvidenceOf(made.tried.variant).Text();
  object["states"] = Json::array();
  for (const EndState& end : made.ends) {
    object["states"].push_back({{"state", EndStateText(end.text)},
                                {"count", end.count},
                                {"holds", end.holds}});
  }
  object["condition"] = scenario.file.condition.ToString();
  object["positive"] = made.positive;
  object["negative"] = made.negative;
  object["observation"] = FrequencyName(made.observation());
  object["promised"] = made.tried.promise == nullptr
                           ? Json()
                           : Json(FrequencyName(made.tried.promise->frequency));
  object["kept"] =
      made.standing == Standing::kUndecided ? Json() : Json(made.kept());
  object["why"] = made.why;
  object["broken"] = made.broken.empty() ? Json() : Json(made.broken);
  object["exhausted"] = made.found.exhausted;
  object["executions"] = made.found.executions;
  object["explored_states"] = made.found.states;
  object["steps"] = made.found.transitions;
  object["races"] = made.found.races.empty() ? Json() : Json(made.found.races);
  object["preemptions"] =
      made.witness.has_value() ? Json(made.witness->preemptions) : Json();
  object["replay"] = made.replay.empty() ? Json() : Json(made.replay);
  return object;
}

struct Tried {
  const Scenario* scenario;
  Judgement judgement;
};

// What was tried, and of how many cases.
struct AllTried {
  Shard shard;
  size_t cases = 0;        // of all shards
  bool tries_all = false;  // the strategy does, if it is not cut short
  std::vector<Tried> tried;
};

absl::StatusOr<AllTried> CheckAll(const std::vector<Scenario>& scenarios,
                                  const Arguments& flags,
                                  const Environment& environment) {
  const absl::StatusOr<ExploreOptions> search = SearchOf(flags);
  if (!search.ok()) return search.status();
  const absl::StatusOr<Shard> shard = TakeShardFromEnvironment();
  if (!shard.ok()) return shard.status();
  const std::string kernel = flags.Value("kernel").value_or("");
  const std::vector<std::string> with = ListOf(flags, "with");
  AllTried all{.shard = *shard,
               .tries_all = search->strategy != Strategy::kRandom &&
                            search->strategy != Strategy::kPct};
  for (const Scenario& scenario : scenarios) {
    const absl::StatusOr<std::vector<Case>> cases =
        CasesOf(scenario, kernel, with);
    if (!cases.ok()) return cases.status();
    for (const Case& each : *cases) {
      if (!all.shard.Has(all.cases++)) continue;
      JudgeOptions options{
          .explore = *search,
          .always_witness = flags.Has("schedule") || flags.Has("html")};
      Ticker ticker(environment, absl::StrCat(scenario.file.name, " ",
                                              each.variant.ToString()));
      ticker.Attach(&options.explore);
      absl::StatusOr<Judgement> made = Judge(scenario, each, options);
      if (!made.ok()) return made.status();
      all.tried.push_back({&scenario, *std::move(made)});
    }
  }
  return all;
}

int64_t Count(const AllTried& all, Standing standing) {
  return std::count_if(all.tried.begin(), all.tried.end(),
                       [standing](const Tried& each) {
                         return each.judgement.standing == standing;
                       });
}

// "every promise kept", "1 broken, 2 undecided".
std::string Summary(const AllTried& all) {
  std::vector<std::string> parts;
  if (const int64_t broken = Count(all, Standing::kBroken); broken > 0) {
    parts.push_back(absl::StrCat(broken, " broken"));
  }
  if (const int64_t left = Count(all, Standing::kUndecided); left > 0) {
    parts.push_back(absl::StrCat(left, " undecided"));
  }
  if (!parts.empty()) return absl::StrJoin(parts, ", ");
  const bool promised =
      std::any_of(all.tried.begin(), all.tried.end(), [](const Tried& each) {
        return each.judgement.tried.promise != nullptr;
      });
  return promised ? "every promise kept" : "nothing promised";
}

std::string TextOf(const AllTried& all, const Arguments& flags) {
  const bool with_schedules = flags.Has("schedule");
  std::string text;
  for (const auto& [scenario, made] : all.tried) {
    absl::StrAppend(
        &text, ResultBlock(*scenario, made),
        Wrapped("Evidence ", EvidenceOf(made.tried.variant).Text()));
    if (with_schedules || made.standing == Standing::kBroken) {
      absl::StrAppend(&text, WitnessText(*scenario, made, flags.Has("full")));
    }
    absl::StrAppend(&text, "\n");
  }
  absl::StrAppend(
      &text, Grouped(static_cast<int64_t>(all.tried.size())),
      all.tried.size() == 1 ? " case" : " cases",
      all.shard.count == 1
          ? ""
          : absl::StrCat(" of ", all.cases, " (shard ", all.shard.index + 1,
                         " of ", all.shard.count, ")"),
      ", ", Summary(all), "\n");
  return text;
}

// A page of all cases.
absl::Status WritePage(const std::string& path, const AllTried& all,
                       const Arguments& flags) {
  const absl::StatusOr<ExploreOptions> search = SearchOf(flags);
  if (!search.ok()) return search.status();
  SchedulePage page;
  for (const auto& [scenario, made] : all.tried) {
    absl::StatusOr<ScheduleCase> shown =
        CaseToShow(*scenario, made, search->races);
    if (!shown.ok()) return shown.status();
    page.cases.push_back(*std::move(shown));
    if (page.cases.size() == 1) page.title = scenario->file.name;
    if (page.title != scenario->file.name) page.title = "reapsim check";
  }
  return WriteFile(path, SchedulePageHtml(page));
}

// A promise is broken; or a search that is to decide it could not. What chance
// has not met is no finding.
bool IsFinding(const AllTried& all) {
  return Count(all, Standing::kBroken) > 0 ||
         (all.tries_all && Count(all, Standing::kUndecided) > 0);
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
  CommandResult bad;
  for (const std::string& path : split->files) {
    absl::StatusOr<Scenario> scenario = LoadScenario(path);
    if (scenario.ok()) {
      scenarios.push_back(*std::move(scenario));
      continue;
    }
    const CommandResult fails =
        CommandResult::Fails(scenario.status().message());
    bad.exit_code = fails.exit_code;
    absl::StrAppend(&bad.err, fails.err);
  }
  if (bad.exit_code != kExitOk) return bad;
  const absl::StatusOr<AllTried> all =
      CheckAll(scenarios, split->flags, environment);
  if (!all.ok()) return CommandResult::Fails(all.status().message());
  if (const auto path = split->flags.Value("html"); path.has_value()) {
    const absl::Status written = WritePage(*path, *all, split->flags);
    if (!written.ok()) return CommandResult::Fails(written.message());
  }
  CommandResult result;
  if (split->flags.Has("json")) {
    Json array = Json::array();
    for (const auto& [scenario, made] : all->tried) {
      array.push_back(JsonOf(*scenario, made));
    }
    result.out = Dump(array);
  } else {
    result.out = TextOf(*all, split->flags);
  }
  if (IsFinding(*all)) result.exit_code = kExitFinding;
  return result;
}

}  // namespace reapsim
