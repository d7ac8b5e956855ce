// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/replay.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "cmd/output_file.h"
#include "cmd/scenario_input.h"
#include "explore/explore.h"
#include "litmus/judge.h"
#include "litmus/result_text.h"
#include "litmus/schedule_play.h"
#include "litmus/trace_text.h"
#include "report/schedule_page.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr FlagSpec kReplayFlags[] = {
    {"html", "FILE"}, {"trace", "FILE"}, {"races", ""}, {"full", ""}};
constexpr FlagSpec kRunFlags[] = {{"kernel", "VERSION"}, {"with", "NAME,..."},
                                  {"seed", "S"},         {"trace", "FILE"},
                                  {"ftrace", ""},        {"full", ""}};

// FILE@VARIANT/DEVIATIONS, as `reapsim check` prints it.
struct ScheduleName {
  std::string file;
  Variant variant;
  std::vector<Deviation> deviations;
};

absl::StatusOr<ScheduleName> ParseScheduleName(absl::string_view text) {
  const size_t at = text.rfind('@');
  const size_t slash = at == absl::string_view::npos ? at : text.find('/', at);
  if (slash == absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", Tail(Printable(text), 60),
                     "\" is no schedule; expected FILE.reap@VERSION/CHOICES, "
                     "as reapsim check prints it"));
  }
  const absl::StatusOr<Variant> variant =
      ParseVariant(text.substr(at + 1, slash - at - 1));
  if (!variant.ok()) return variant.status();
  absl::StatusOr<std::vector<Deviation>> deviations =
      ParseDeviations(text.substr(slash + 1));
  if (!deviations.ok()) return deviations.status();
  return ScheduleName{std::string(text.substr(0, at)), *variant,
                      *std::move(deviations)};
}

// A played scenario.
struct Played {
  Scenario scenario;
  Variant variant;
  Replayed replayed;
  std::vector<std::string> names;
};

// `play` makes an execution in the scenario's world.
template <class PlayIn>
absl::StatusOr<Played> Play(Scenario scenario, const Variant& variant,
                            const PlayIn& play) {
  Played played{std::move(scenario), variant, {}, {}};
  const auto machine = MachineOf(played.scenario, variant);
  if (!machine.ok()) return machine.status();
  ScenarioWorld world(machine->get());
  played.replayed = play(world);
  played.names = NamesOf(world, played.replayed.trace);
  return played;
}

absl::StatusOr<Played> PlaySchedule(const ScheduleName& schedule, Races asked) {
  absl::StatusOr<Scenario> scenario = LoadScenario(schedule.file);
  if (!scenario.ok()) return scenario.status();
  const Races races = RacesOf(*scenario, asked);
  absl::StatusOr<Played> played = Play(
      *std::move(scenario), schedule.variant,
      [&](World& world) { return Replay(world, schedule.deviations, races); });
  if (played.ok() && !played->replayed.mismatch.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        schedule.file,
        ": the schedule is of another world: ", played->replayed.mismatch));
  }
  return played;
}

// What a command prints of an execution, and the file that it writes.
CommandResult Show(std::string text, bool broken, const Arguments& flags,
                   const std::vector<std::string>& names,
                   const std::vector<TraceEntry>& trace) {
  if (const auto path = flags.Value("trace"); path.has_value()) {
    const absl::Status written = WriteFile(*path, ChromeTrace(names, trace));
    if (!written.ok()) return CommandResult::Fails(written.message());
  }
  CommandResult result = CommandResult::Ok(std::move(text));
  if (broken) result.exit_code = kExitFinding;
  return result;
}

// An execution turn by turn, and the line of its numbers.
CommandResult ShowPlayed(const Played& played, const Arguments& flags) {
  const Replayed& replayed = played.replayed;
  return Show(absl::StrCat("Test ", played.scenario.file.name, "\nKernel ",
                           played.variant.ToString(), "\n",
                           ScheduleText(played.scenario, played.names,
                                        {replayed.schedule, replayed.trace,
                                         replayed.entries_before},
                                        flags.Has("full")),
                           EndLine(replayed.verdict, replayed.outcome),
                           "Preemptions ", replayed.preemptions, ", steps ",
                           replayed.schedule.size(), ", trace hash ",
                           absl::StrFormat("%016x", replayed.trace_hash), "\n"),
              static_cast<bool>(replayed.verdict), flags, played.names,
              replayed.trace);
}

// The page of one schedule.
absl::Status WritePage(const std::string& path, const Played& played,
                       Races races) {
  absl::StatusOr<SchedulePlay> play =
      PlayToShow(played.scenario, played.variant,
                 {.deviations = played.replayed.deviations,
                  .races = RacesOf(played.scenario, races)});
  if (!play.ok()) return play.status();
  const std::string& name = played.scenario.file.name;
  return WriteFile(
      path,
      SchedulePageHtml({name,
                        {{absl::StrCat(name, ", ", played.variant.ToString()),
                          {},
                          "",
                          *std::move(play)}}}));
}

// Each task runs as far as it gets, lowest number first; then time passes until
// no timer is left that fires within five seconds.
CommandResult RunPlainly(const Scenario& scenario, const Variant& variant,
                         const Arguments& flags) {
  const auto machine = MachineOf(scenario, variant);
  if (!machine.ok()) return CommandResult::Fails(machine.status().message());
  Kernel& kernel = (*machine)->kernel();
  kernel.engine().KeepTrace();
  constexpr uint64_t kFiveSeconds = 5'000'000'000;
  kernel.AdvanceTime(kFiveSeconds);
  Verdict verdict;
  std::string outcome;
  if (kernel.stopped()) {
    verdict = kernel.TakeVerdict();
  } else {
    outcome = (*machine)->Outcome();
  }
  const ScenarioWorld world(machine->get());
  const std::vector<TraceEntry>& trace = kernel.engine().trace();
  return Show(
      flags.Has("ftrace")
          ? FtraceText(**machine)
          : absl::StrCat("Test ", scenario.file.name, "\nKernel ",
                         variant.ToString(), "\n", EndLine(verdict, outcome)),
      static_cast<bool>(verdict), flags, NamesOf(world, trace), trace);
}

// The first execution that a random search of that seed makes.
CommandResult RunAtRandom(Scenario scenario, const Variant& variant,
                          const Arguments& flags) {
  if (flags.Has("ftrace")) {
    return CommandResult::Fails(
        "--ftrace shows the run without --seed; expected one of the two");
  }
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  const absl::StatusOr<int64_t> seed = NumberOf(flags, "seed", 0, kLargest, 0);
  if (!seed.ok()) return CommandResult::Fails(seed.status().message());
  const absl::StatusOr<Played> played =
      Play(std::move(scenario), variant, [&](World& world) {
        return PlayAtRandom(world, static_cast<uint64_t>(*seed));
      });
  if (!played.ok()) return CommandResult::Fails(played.status().message());
  CommandResult result = ShowPlayed(*played, flags);
  if (result.exit_code == kExitUsage) return result;
  absl::StrAppend(
      &result.out, "Replay: reapsim replay ",
      ReplayName(played->scenario, variant, played->replayed.deviations), "\n");
  return result;
}

}  // namespace

CommandResult RunReplay(absl::Span<const std::string> args,
                        const Environment& /*environment*/) {
  const absl::StatusOr<FilesAndFlags> split =
      SplitFilesAndFlags(args, kReplayFlags);
  if (!split.ok()) return CommandResult::Fails(split.status().message());
  if (split->files.size() != 1) {
    return CommandResult::Fails(
        "replay needs one schedule, as reapsim check prints it");
  }
  const absl::StatusOr<ScheduleName> schedule =
      ParseScheduleName(split->files.front());
  if (!schedule.ok()) return CommandResult::Fails(schedule.status().message());
  const Races races =
      split->flags.Has("races") ? Races::kReport : Races::kIgnore;
  const absl::StatusOr<Played> played = PlaySchedule(*schedule, races);
  if (!played.ok()) return CommandResult::Fails(played.status().message());
  if (const auto path = split->flags.Value("html"); path.has_value()) {
    const absl::Status written = WritePage(*path, *played, races);
    if (!written.ok()) return CommandResult::Fails(written.message());
  }
  return ShowPlayed(*played, split->flags);
}

CommandResult RunScenario(absl::Span<const std::string> args,
                          const Environment& /*environment*/) {
  const absl::StatusOr<FilesAndFlags> split =
      SplitFilesAndFlags(args, kRunFlags);
  if (!split.ok()) return CommandResult::Fails(split.status().message());
  if (split->files.size() != 1) {
    return CommandResult::Fails("run needs one file: reapsim run FILE.reap");
  }
  std::string name = split->flags.Value("kernel").value_or("v6.18");
  for (const std::string& each : ListOf(split->flags, "with")) {
    absl::StrAppend(&name, "+", each);
  }
  const absl::StatusOr<Variant> variant = ParseVariant(name);
  if (!variant.ok()) return CommandResult::Fails(variant.status().message());
  absl::StatusOr<Scenario> scenario = LoadScenario(split->files.front());
  if (!scenario.ok()) return CommandResult::Fails(scenario.status().message());
  if (!split->flags.Has("seed")) {
    if (split->flags.Has("full")) {
      return CommandResult::Fails(
          "--full shows all of the schedule of --seed; expected both");
    }
    return RunPlainly(*scenario, *variant, split->flags);
  }
  return RunAtRandom(*std::move(scenario), *variant, split->flags);
}

}  // namespace reapsim
