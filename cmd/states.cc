// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/states.h"

#include "absl/status/statusor.h"
#include "absl/strings/strip.h"
#include "base/errno_names.h"
#include "base/kernel_version.h"
#include "cmd/arguments.h"
#include "report/states_report.h"
#include "states/evidence.h"
#include "states/states.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {{"kernel", "VERSION"}, {"json", ""}};

// Plays the row: what is printed has happened, it is not read off a table.
absl::StatusOr<StateLine> PlayLine(const State& state,
                                   const ResolvedVersion& version) {
  const absl::StatusOr<Outcome> outcome =
      Play(state, {.version = version.requested});
  if (!outcome.ok()) return outcome.status();
  const AnswerEvidence evidence = EvidenceOfRow(state.id, version);
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

absl::StatusOr<std::string> PlayAll(const Arguments& args) {
  const absl::StatusOr<ResolvedVersion> version =
      Resolve(args.Value("kernel").value_or("v6.18"));
  if (!version.ok()) return version.status();
  StatesReport report{
      .kernel_note = std::string(absl::StripPrefix(version->note, "kernel ")),
      .lines = {}};
  for (const State& state : States()) {
    absl::StatusOr<StateLine> line = PlayLine(state, *version);
    if (!line.ok()) return line.status();
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
