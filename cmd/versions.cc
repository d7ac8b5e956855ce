// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/versions.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "base/kernel_version.h"
#include "cmd/arguments.h"
#include "report/versions_report.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {{"json", ""}};

// Takes "--diff A B" out of the arguments: what was A and B, or nothing.
absl::StatusOr<std::vector<std::string>> TakeDiff(
    std::vector<std::string>* args) {
  const auto flag =
      std::find_if(args->begin(), args->end(), [](const std::string& arg) {
        return arg == "--diff" || absl::StartsWith(arg, "--diff=");
      });
  if (flag == args->end()) return std::vector<std::string>();
  const auto first = std::next(flag);
  const auto is_flag = [](const std::string& arg) {
    return absl::StartsWith(arg, "-");
  };
  if (*flag != "--diff" || std::distance(first, args->end()) < 2 ||
      std::any_of(first, first + 2, is_flag)) {
    return absl::InvalidArgumentError(
        "--diff needs two versions after it, as in --diff v5.15 v6.18");
  }
  std::vector<std::string> versions(first, first + 2);
  args->erase(flag, first + 2);
  return versions;
}

// All of the field's rows, or those of the values that are compared.
std::vector<DifferenceRow> RowsOf(
    const DifferenceField& field,
    const std::vector<ResolvedVersion>& compared) {
  std::vector<DifferenceRow> rows;
  for (const DifferenceRow& row : DifferenceRows()) {
    const bool told =
        compared.empty() ||
        std::any_of(compared.begin(), compared.end(),
                    [&](const ResolvedVersion& version) {
                      return field.value(version.differences) == row.value;
                    });
    if (row.field == field.name && told) rows.push_back(row);
  }
  return rows;
}

absl::StatusOr<VersionsReport> ReportOf(const std::vector<std::string>& diff) {
  VersionsReport report;
  for (const std::string& text : diff) {
    absl::StatusOr<ResolvedVersion> version = Resolve(text);
    if (!version.ok()) return version.status();
    report.compared.push_back(*std::move(version));
  }
  for (const DifferenceField& field : DifferenceFields()) {
    const bool told = report.compared.empty() ||
                      field.value(report.compared[0].differences) !=
                          field.value(report.compared[1].differences);
    if (told) {
      report.differences.push_back({field, RowsOf(field, report.compared)});
    }
  }
  return report;
}

absl::StatusOr<std::string> Versions(std::vector<std::string> args) {
  const absl::StatusOr<std::vector<std::string>> diff = TakeDiff(&args);
  if (!diff.ok()) return diff.status();
  const absl::StatusOr<Arguments> parsed = Arguments::Parse(args, kFlags);
  if (!parsed.ok()) return parsed.status();
  const absl::StatusOr<VersionsReport> report = ReportOf(*diff);
  if (!report.ok()) return report.status();
  return parsed->Has("json") ? VersionsJson(*report) : VersionsText(*report);
}

}  // namespace

CommandResult RunVersions(absl::Span<const std::string> args,
                          const Environment& /*environment*/) {
  const absl::StatusOr<std::string> out =
      Versions(std::vector<std::string>(args.begin(), args.end()));
  if (!out.ok()) return CommandResult::Fails(out.status().message());
  return CommandResult::Ok(*out);
}

}  // namespace reapsim
