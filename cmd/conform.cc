// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/conform.h"

#include <fnmatch.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/kernel_version.h"
#include "cmd/arguments.h"
#include "cmd/conform_random.h"
#include "conform/conform.h"
#include "conform/host_machine.h"
#include "conform/random_run.h"
#include "report/conform_report.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {
    {"rows", "GLOB,..."}, {"kernel", "VERSION"}, {"json", ""},  {"random", "N"},
    {"seed", "S"},        {"only", "I"},         {"out", "DIR"}};

// The rows whose ids match any of the globs, in the order of all rows. Each
// glob has to match something.
absl::StatusOr<std::vector<ConformRow>> ChooseRows(
    const std::optional<std::string>& globs) {
  const std::vector<ConformRow>& all = ConformRows();
  if (!globs.has_value()) return all;
  std::vector<bool> chosen(all.size());
  const std::vector<std::string> each = absl::StrSplit(*globs, ',');
  for (const std::string& glob : each) {
    bool matches = false;
    for (size_t i = 0; i < all.size(); ++i) {
      if (fnmatch(glob.c_str(), all[i].id.c_str(), 0) != 0) continue;
      chosen[i] = true;
      matches = true;
    }
    if (matches) continue;
    std::vector<absl::string_view> ids;
    for (const ConformRow& row : all) ids.push_back(row.id);
    return absl::InvalidArgumentError(
        absl::StrCat("--rows: no row is called \"", Tail(Printable(glob), 60),
                     "\"", DidYouMean(glob, ids)));
  }
  std::vector<ConformRow> rows;
  for (size_t i = 0; i < all.size(); ++i) {
    if (chosen[i]) rows.push_back(all[i]);
  }
  return rows;
}

absl::StatusOr<ConformReport> Conform(const Arguments& args) {
  ConformReport report;
  report.host_kernel = HostRelease();
  const absl::StatusOr<ResolvedVersion> version =
      Resolve(args.Value("kernel").value_or(report.host_kernel));
  if (!version.ok()) return version.status();
  report.kernel_note = std::string(absl::StripPrefix(version->note, "kernel "));
  const absl::StatusOr<std::vector<ConformRow>> rows =
      ChooseRows(args.Value("rows"));
  if (!rows.ok()) return rows.status();
  const absl::Status can = HostCanConform();
  if (!can.ok()) {
    report.skipped = std::string(can.message());
    return report;
  }
  for (const ConformRow& row : *rows) {
    report.lines.push_back(Judge(row, PlayOnHost(row), version->requested));
  }
  return report;
}

CommandResult ConformAtRandom(const Arguments& args,
                              const Environment& environment) {
  if (args.Has("rows")) {
    return CommandResult::Fails(
        "--rows: the rows are not what --random and --only play");
  }
  const std::string host = HostRelease();
  const absl::StatusOr<ResolvedVersion> version =
      Resolve(args.Value("kernel").value_or(host));
  if (!version.ok()) return CommandResult::Fails(version.status().message());
  const absl::Status can = HostCanConform();
  return RunConformRandom(args, environment,
                          {.host = host,
                           .version = version->requested,
                           .skipped = std::string(can.message())},
                          RealSides(version->requested));
}

}  // namespace

CommandResult RunConform(absl::Span<const std::string> args,
                         const Environment& environment) {
  const absl::StatusOr<Arguments> parsed = Arguments::Parse(args, kFlags);
  if (!parsed.ok()) return CommandResult::Fails(parsed.status().message());
  if (parsed->Has("random") || parsed->Has("only")) {
    return ConformAtRandom(*parsed, environment);
  }
  for (const char* flag : {"seed", "out"}) {
    if (!parsed->Has(flag)) continue;
    return CommandResult::Fails(
        absl::StrCat("--", flag, " goes with --random or --only"));
  }
  const absl::StatusOr<ConformReport> report = Conform(*parsed);
  if (!report.ok()) return CommandResult::Fails(report.status().message());
  CommandResult result = CommandResult::Ok(
      parsed->Has("json") ? ConformJson(*report) : ConformText(*report));
  if (report->Count(ConformLine::Agree::kNo) > 0) {
    result.exit_code = kExitFinding;
  }
  return result;
}

}  // namespace reapsim
