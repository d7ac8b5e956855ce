// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/states.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/errno_names.h"
#include "base/kernel_version.h"
#include "base/switches.h"
#include "cmd/arguments.h"
#include "cmd/scenario_input.h"
#include "report/states_report.h"
#include "states/evidence.h"
#include "states/states.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {{"kernel", "VERSION"},
                               {"with", "NAME,..."},
                               {"flags", "N"},
                               {"changed", ""},
                               {"json", ""}};

// How the rows are played.
struct Played {
  KernelOptions machine;
  unsigned int flags = 0;
  bool varies = false;  // from what a kernel of that version is asked
};

// Plays the row: what is printed has happened, it is not read off a table.
absl::StatusOr<StateLine> PlayLine(const State& state, const Played& played,
                                   const ResolvedVersion& version) {
  const absl::StatusOr<Outcome> outcome =
      Play(state, played.machine, {}, played.flags);
  if (!outcome.ok()) return outcome.status();
  const AnswerEvidence evidence =
      played.varies ? AnswerEvidence{.rests_on = "no kernel was made to do it"}
                    : EvidenceOfRow(state.id, version);
  StateLine line{.state = state.id,
                 .row = state.row,
                 .title = state.title,
                 .evidence = std::string(ToString(evidence.kind)),
                 .rests_on = evidence.rests_on};
  if (!outcome->called) {
    line.effect = "unreachable";
    return line;
  }
  if (!outcome->ret.never()) line.ret = outcome->ret.kernel();
  if (outcome->ret.error() != 0) {
    line.errno_name = ErrnoName(outcome->ret.error());
  }
  line.effect = EffectName(EffectOf(*outcome));
  // A kernel that breaks decides nothing.
  if (!outcome->verdict) {
    line.decided_by = DecidedBy(outcome->decision, outcome->why);
  }
  return line;
}

absl::StatusOr<Played> PlayedAs(const Arguments& args,
                                const std::string& version) {
  const absl::StatusOr<Variation> variation = VariationOf(ListOf(args, "with"));
  if (!variation.ok()) return variation.status();
  const absl::StatusOr<int64_t> flags =
      NumberOf(args, "flags", 0, UINT32_MAX, 0);
  if (!flags.ok()) return flags.status();
  return Played{.machine = {.version = version,
                            .switches = variation->switches,
                            .proposals = variation->proposals},
                .flags = static_cast<unsigned int>(*flags),
                .varies = args.Has("with") || args.Has("flags")};
}

// "--with=proposal-reap-kill --flags=1"
std::string VariationText(const Arguments& args) {
  std::string text;
  for (const char* name : {"with", "flags"}) {
    if (!args.Has(name)) continue;
    absl::StrAppend(&text, text.empty() ? "" : " ", "--", name, "=",
                    *args.Value(name));
  }
  return text;
}

bool SameAnswer(const StateLine& a, const StateLine& b) {
  return a.ret == b.ret && a.effect == b.effect && a.decided_by == b.decided_by;
}

absl::StatusOr<std::string> PlayAll(const Arguments& args) {
  const absl::StatusOr<ResolvedVersion> version =
      Resolve(args.Value("kernel").value_or("v6.18"));
  if (!version.ok()) return version.status();
  const absl::StatusOr<Played> played = PlayedAs(args, version->requested);
  if (!played.ok()) return played.status();
  StatesReport report{
      .kernel_note = std::string(absl::StripPrefix(version->note, "kernel "))};
  const bool compares = args.Has("changed");
  if (compares) report.variation = VariationText(args);
  if (compares && !report.compares()) {
    return absl::InvalidArgumentError(
        "--changed shows what --with or --flags changes; expected one of them");
  }
  for (const State& state : States()) {
    absl::StatusOr<StateLine> line = PlayLine(state, *played, *version);
    if (!line.ok()) return line.status();
    report.rows++;
    if (compares) {
      absl::StatusOr<StateLine> without = PlayLine(
          state, {.machine = {.version = version->requested}}, *version);
      if (!without.ok()) return without.status();
      if (SameAnswer(*line, *without)) continue;
      report.without.push_back(*std::move(without));
    }
    report.lines.push_back(*std::move(line));
  }
  return args.Has("json") ? StatesJson(report) : StatesText(report);
}

}  // namespace

CommandResult RunStates(absl::Span<const std::string> args,
                        const Environment& /*environment*/) {
  const absl::StatusOr<Arguments> parsed = Arguments::Parse(args, kFlags);
  if (!parsed.ok()) return CommandResult::Fails(parsed.status().message());
  const absl::StatusOr<std::string> out = PlayAll(*parsed);
  if (!out.ok()) return CommandResult::Fails(out.status().message());
  return CommandResult::Ok(*out);
}

}  // namespace reapsim
