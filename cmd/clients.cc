// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/clients.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/units.h"
#include "cmd/arguments.h"
#include "cmd/picture_files.h"
#include "cmd/scenario_input.h"
#include "cmd/timed_input.h"
#include "latency/clients.h"
#include "latency/clients_report.h"
#include "latency/pressure.h"
#include "report/run_picture.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {{"scenario", "NAME|FILE"},
                               {"client", "NAME,..."},
                               {"kernel", "VERSION"},
                               {"profile", "NAME|FILE"},
                               {"machine", "NAME|FILE"},
                               {"seeds", "N"},
                               {"seed", "S"},
                               {"svg", "FILE"},
                               {"html", "FILE"},
                               {"json", ""}};

constexpr int64_t kDefaultSeeds = 5;
constexpr int64_t kMostSeeds = 1000;

// All that runs are made of.
struct Stage {
  PressureScenario scenario;
  TimedInput on;
  std::vector<ClientVariant> variants;
  int64_t seed = 1;
  int64_t seeds = kDefaultSeeds;
};

absl::StatusOr<std::vector<ClientVariant>> VariantsAsked(
    const Arguments& args) {
  std::vector<std::string> names = ListOf(args, "client");
  if (!args.Has("client")) {
    for (int i = 0; i < kClients; ++i) {
      names.emplace_back(ClientName(static_cast<Client>(i)));
    }
  }
  std::vector<ClientVariant> variants;
  for (const std::string& name : names) {
    const std::optional<Client> client = ClientOf(name);
    if (!client.has_value()) {
      std::vector<absl::string_view> known;
      for (int i = 0; i < kClients; ++i) {
        known.push_back(ClientName(static_cast<Client>(i)));
      }
      return absl::InvalidArgumentError(absl::StrCat(
          "--client: \"", Tail(Printable(name), 60), "\"; expected ",
          absl::StrJoin(known, ", "), DidYouMean(name, known)));
    }
    const std::vector<ClientVariant> of = VariantsOf(*client);
    variants.insert(variants.end(), of.begin(), of.end());
  }
  return variants;
}

absl::StatusOr<Stage> StageAsked(const Arguments& args) {
  Stage stage;
  if (!args.Has("scenario")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--scenario is missing; expected a file, or one of ",
                     absl::StrJoin(BuiltinScenarios(), ", ")));
  }
  absl::StatusOr<PressureScenario> scenario =
      LoadPressure(*args.Value("scenario"));
  if (!scenario.ok()) return scenario.status();
  stage.scenario = *std::move(scenario);
  absl::StatusOr<TimedInput> on =
      ReadTimedInput(args, stage.scenario.profile, stage.scenario.machine);
  if (!on.ok()) return on.status();
  stage.on = *std::move(on);
  absl::StatusOr<std::vector<ClientVariant>> variants = VariantsAsked(args);
  if (!variants.ok()) return variants.status();
  stage.variants = *std::move(variants);
  const absl::StatusOr<int64_t> seed =
      NumberOf(args, "seed", 0, INT64_MAX - kMostSeeds, 1);
  if (!seed.ok()) return seed.status();
  const absl::StatusOr<int64_t> seeds =
      NumberOf(args, "seeds", 1, kMostSeeds, kDefaultSeeds);
  if (!seeds.ok()) return seeds.status();
  stage.seed = *seed;
  stage.seeds = *seeds;
  return stage;
}

// Of the first seed, a run of each client as it is is drawn.
bool IsDrawn(const ClientVariant& variant, int64_t run) {
  return variant.change == Change::kNone && run == 0;
}

absl::StatusOr<ClientsReport> PlayAll(const Stage& stage, bool draws,
                                      const Environment& environment) {
  ClientsReport report{.scenario = stage.scenario.name,
                       .about = stage.scenario.about,
                       .machine = stage.on.machine.name,
                       .profile = stage.on.profile.name,
                       .kernel_note = std::string(
                           absl::StripPrefix(stage.on.version.note, "kernel ")),
                       .first_seed = static_cast<uint64_t>(stage.seed)};
  for (const ClientVariant& variant : stage.variants) {
    ClientRuns runs{.variant = variant};
    for (int64_t i = 0; i < stage.seeds; ++i) {
      if (environment.progress != nullptr) {
        environment.progress(absl::StrCat(ClientName(variant.client), ", ",
                                          ChangeName(variant.change), ": ",
                                          i + 1, " of ", stage.seeds));
      }
      absl::StatusOr<ClientRun> run =
          RunClient(stage.scenario, stage.on.machine, stage.on.profile, variant,
                    {.kernel = stage.on.version.requested,
                     .seed = static_cast<uint64_t>(stage.seed + i),
                     .keep_timeline = draws && IsDrawn(variant, i)});
      if (!run.ok()) return run.status();
      if (!run->verdict.empty() || !run->accounts.empty()) {
        return absl::InternalError(absl::StrCat(
            ClientName(variant.client), ", ", ChangeName(variant.change),
            ", seed ", stage.seed + i, ": ", run->verdict, run->accounts));
      }
      runs.runs.push_back(*std::move(run));
    }
    report.variants.push_back(std::move(runs));
  }
  return report;
}

// ---- Pictures

std::optional<uint64_t> Between(const std::optional<uint64_t>& from,
                                const std::optional<uint64_t>& to) {
  if (!from.has_value() || !to.has_value() || *to < *from) return std::nullopt;
  return *to - *from;
}

RunPicture PictureOfRun(const Stage& stage, const ClientRuns& runs) {
  const ClientRun& run = runs.runs.front();
  // A little of what was before.
  constexpr uint64_t kBefore = 20'000'000;
  const uint64_t zero = run.first_kill_ns.value_or(run.pressure_ns.value_or(0));
  RunPicture picture = PictureOf(
      run.timeline, run.tasks, stage.on.machine.config.cpus,
      zero > kBefore ? zero - kBefore : 0, run.end_ns, run.first_tasks);
  picture.title = std::string(ClientName(runs.variant.client));
  picture.about = absl::StrCat("machine ", stage.on.machine.name, ", profile ",
                               stage.on.profile.name, ", seed ", stage.seed);
  picture.zero_ns = zero;
  if (run.first_kill_ns.has_value()) {
    picture.moments.push_back({*run.first_kill_ns, "first kill"});
  }
  if (run.target_ns.has_value()) {
    picture.moments.push_back({*run.target_ns, "target free"});
  }
  picture.levels = {{"target", stage.scenario.target / kPageSize},
                    {"min", stage.on.machine.watermarks.min / kPageSize}};
  return picture;
}

PictureSheet SheetOf(const Stage& stage, const ClientsReport& report) {
  PictureSheet sheet{.title = absl::StrCat("Daemons: ", report.scenario),
                     .about = report.about,
                     .text = ClientsText(report)};
  SpreadPicture back{.title = "From the first kill until the target is free"};
  SpreadPicture stall{.title = "The foreground stands still"};
  for (const ClientRuns& runs : report.variants) {
    const std::string label = absl::StrCat(
        ClientName(runs.variant.client), ", ", ChangeName(runs.variant.change));
    SpreadRow back_row{.label = label};
    SpreadRow stall_row{.label = label};
    for (const ClientRun& run : runs.runs) {
      back_row.times.push_back(Between(run.first_kill_ns, run.target_ns));
      stall_row.times.push_back(run.stall_ns);
    }
    back.rows.push_back(std::move(back_row));
    stall.rows.push_back(std::move(stall_row));
    if (IsDrawn(runs.variant, 0)) {
      sheet.runs.push_back(PictureOfRun(stage, runs));
    }
  }
  sheet.spreads = {std::move(back), std::move(stall)};
  return sheet;
}

}  // namespace

CommandResult RunClients(absl::Span<const std::string> args,
                         const Environment& environment) {
  const absl::StatusOr<Arguments> parsed = Arguments::Parse(args, kFlags);
  if (!parsed.ok()) return CommandResult::Fails(parsed.status().message());
  const absl::StatusOr<Stage> stage = StageAsked(*parsed);
  if (!stage.ok()) return CommandResult::Fails(stage.status().message());
  const bool draws = AsksForPictures(*parsed);
  const absl::StatusOr<ClientsReport> report =
      PlayAll(*stage, draws, environment);
  if (environment.progress != nullptr) environment.progress("");
  if (!report.ok()) {
    CommandResult result = CommandResult::Fails(report.status().message());
    // The modelled kernel broke: no mistake of the user's.
    if (absl::IsInternal(report.status())) result.exit_code = kExitFinding;
    return result;
  }
  if (draws) {
    const absl::Status written =
        WritePictures(*parsed, SheetOf(*stage, *report));
    if (!written.ok()) return CommandResult::Fails(written.message());
  }
  return CommandResult::Ok(parsed->Has("json") ? ClientsJson(*report)
                                               : ClientsText(*report));
}

}  // namespace reapsim
