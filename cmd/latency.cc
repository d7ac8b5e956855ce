// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/latency.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cmd/arguments.h"
#include "cmd/picture_files.h"
#include "cmd/timed_input.h"
#include "import/import_mm.h"
#include "import/smaps.h"
#include "latency/amount.h"
#include "latency/latency.h"
#include "latency/latency_flags.h"
#include "latency/latency_pictures.h"
#include "latency/latency_report.h"
#include "latency/machine.h"
#include "latency/shape.h"
#include "latency/strategy.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {
    {"shape", "SPEC"},     {"smaps", "FILE"},     {"profile", "NAME|FILE"},
    {"machine", "FILE"},   {"kernel", "VERSION"}, {"strategy", "STRATEGY"},
    {"state", "STATE"},    {"victims", "N"},      {"pinned", ""},
    {"victim", "nice=N,"}, {"caller", "nice=N,"}, {"seeds", "N"},
    {"seed", "N"},         {"json", ""},          {"svg", "FILE"},
    {"html", "FILE"},
};

constexpr uint64_t kDefaultSeeds = 20;
constexpr uint64_t kMaxSeeds = 10'000;
constexpr uint64_t kMaxSeed = uint64_t{1} << 32;

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

// All that a run refers to.
struct Input {
  TimedInput on;
  std::optional<ImportPlan> import;
  std::string subject;
  LatencyOptions options;
  uint32_t seeds = 1;
};

absl::StatusOr<uint64_t> Count(const Arguments& args, absl::string_view name,
                               uint64_t least, uint64_t most,
                               uint64_t by_default) {
  const std::optional<std::string> text = args.Value(name);
  if (!text.has_value()) return by_default;
  uint64_t count = 0;
  if (!ParseCount(*text, &count) || count < least || count > most) {
    return Bad(absl::StrCat("--", name, ": expected a number from ", least,
                            " to ", most, ", got \"",
                            Tail(Printable(*text), 40), "\""));
  }
  return count;
}

absl::Status ReadMemory(const Arguments& args, Input* input) {
  const std::optional<std::string> spec = args.Value("shape");
  const std::optional<std::string> file = args.Value("smaps");
  if (spec.has_value() == file.has_value()) {
    return Bad(spec.has_value()
                   ? "--shape and --smaps are both given; expected one of them"
                   : "whose memory? expected --shape=SPEC, such as "
                     "anon=1GiB,vmas=600, or --smaps=FILE");
  }
  if (spec.has_value()) {
    const absl::StatusOr<VictimShape> shape = ParseShape(*spec, "--shape");
    if (!shape.ok()) return shape.status();
    input->options.victim.shape = *shape;
    input->subject = PrintShape(*shape);
    return absl::OkStatus();
  }
  const absl::StatusOr<SmapsFile> smaps = ReadSmaps(*file);
  if (!smaps.ok()) return smaps.status();
  const std::string name = *file == "-" ? "standard input" : *file;
  absl::StatusOr<ImportPlan> plan =
      ImportPlan::Make(*smaps, {.file_name = name});
  if (!plan.ok()) return plan.status();
  input->subject =
      absl::StrCat(smaps->vmas.size(), " mappings from ", Printable(name));
  input->import = *std::move(plan);
  return absl::OkStatus();
}

absl::Status ReadVictims(const Arguments& args, Input* input) {
  LatencyVictim& victim = input->options.victim;
  const absl::StatusOr<uint64_t> count =
      Count(args, "victims", 1, kMaxVictims, 1);
  if (!count.ok()) return count.status();
  if (*count > 1 && input->import.has_value()) {
    return Bad("--victims: more than one of them needs --shape");
  }
  if (*count * ShapePages(victim.shape) > kMaxShapeBytes / kPageSize) {
    return Bad(absl::StrCat("--victims: more than ", PrintSize(kMaxShapeBytes),
                            " in all"));
  }
  victim.count = static_cast<uint32_t>(*count);
  victim.pinned = args.Has("pinned");
  return ParseStateAtKill(args.Value("state").value_or("sleeping"), "--state",
                          &victim);
}

absl::Status ReadStanding(const Arguments& args, absl::string_view flag,
                          const Machine& machine, Standing* out) {
  const std::optional<std::string> text = args.Value(flag);
  if (!text.has_value()) return absl::OkStatus();
  const absl::StatusOr<Standing> standing =
      ParseStanding(*text, absl::StrCat("--", flag), machine);
  if (!standing.ok()) return standing.status();
  *out = *standing;
  return absl::OkStatus();
}

absl::Status ReadMachine(const Arguments& args, Input* input) {
  absl::StatusOr<TimedInput> on = ReadTimedInput(args, "host", "default");
  if (!on.ok()) return on.status();
  input->on = *std::move(on);
  input->options.kernel = input->on.version.requested;
  return absl::OkStatus();
}

absl::Status ReadRuns(const Arguments& args, Input* input) {
  const absl::StatusOr<StrategyChoice> strategy =
      ParseStrategy(args.Value("strategy").value_or("mrelease"), "--strategy");
  if (!strategy.ok()) return strategy.status();
  input->options.strategy = *strategy;
  const absl::StatusOr<uint64_t> seeds =
      Count(args, "seeds", 1, kMaxSeeds, kDefaultSeeds);
  if (!seeds.ok()) return seeds.status();
  input->seeds = static_cast<uint32_t>(*seeds);
  const absl::StatusOr<uint64_t> seed = Count(args, "seed", 0, kMaxSeed, 1);
  if (!seed.ok()) return seed.status();
  input->options.seed = *seed;
  return absl::OkStatus();
}

absl::Status ReadInput(const Arguments& args, Input* input) {
  for (absl::Status (*read)(const Arguments&, Input*) :
       {ReadMemory, ReadVictims, ReadMachine, ReadRuns}) {
    const absl::Status status = read(args, input);
    if (!status.ok()) return status;
  }
  absl::Status status = ReadStanding(args, "victim", input->on.machine,
                                     &input->options.victim.standing);
  status.Update(
      ReadStanding(args, "caller", input->on.machine, &input->options.caller));
  input->options.profile = &input->on.profile;
  input->options.machine = &input->on.machine;
  if (input->import.has_value()) {
    input->options.victim.import = &*input->import;
  }
  return status;
}

absl::StatusOr<std::string> Latency(const Arguments& args) {
  Input input;
  const absl::Status status = ReadInput(args, &input);
  if (!status.ok()) return status;
  input.options.keep_timeline = AsksForPictures(args);
  LatencyReport report;
  report.subject = input.subject;
  report.kernel =
      std::string(absl::StripPrefix(input.on.version.note, "kernel "));
  report.with = RunLatencies(input.options, input.seeds);
  if (input.options.strategy.kind != KillStrategy::kKill) {
    LatencyOptions alone = input.options;
    alone.strategy = {.kind = KillStrategy::kKill};
    report.kill_only = RunLatencies(alone, input.seeds);
  }
  if (AsksForPictures(args)) {
    const absl::Status written = WritePictures(args, LatencySheet(report));
    if (!written.ok()) return written;
  }
  return args.Has("json") ? LatencyJson(report) : LatencyText(report);
}

}  // namespace

CommandResult RunLatencyCommand(absl::Span<const std::string> args,
                                const Environment& /*environment*/) {
  const absl::StatusOr<Arguments> parsed = Arguments::Parse(args, kFlags);
  if (!parsed.ok()) return CommandResult::Fails(parsed.status().message());
  const absl::StatusOr<std::string> out = Latency(*parsed);
  if (!out.ok()) return CommandResult::Fails(out.status().message());
  return CommandResult::Ok(*out);
}

}  // namespace reapsim
