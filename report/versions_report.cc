// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/versions_report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "report/json.h"
#include "report/text.h"

namespace reapsim {
namespace {

// ---- Text ------------------------------------------------------------------

std::string PeriodOf(const DifferenceRow& row) {
  const std::string since = ToString(row.since);
  const std::string until = ToString(row.until);
  if (row.since == KernelVersion{}) return absl::StrCat("before ", until);
  if (row.until == KernelVersion{}) return absl::StrCat("from ", since, " on");
  return absl::StrCat("from ", since, ", no longer in ", until);
}

std::string CommitOf(const DifferenceRow& row) {
  return row.commit.empty() ? std::string(row.title)
                            : absl::StrCat(row.commit, " ", row.title);
}

std::string EvidenceOf(const DifferenceRow& row) {
  return absl::StrCat(
      ToString(row.evidence), ": ", row.rests_on,
      row.backported ? "; in some stable releases before it, too" : "");
}

std::string RowText(const DifferenceRow& row) {
  return absl::StrCat(
      Wrapped("  ", absl::StrCat(row.value, " ", PeriodOf(row))),
      Wrapped("    changes   ", row.changes),
      Wrapped("    commit    ", CommitOf(row)),
      Wrapped("    evidence  ", EvidenceOf(row)));
}

std::string DifferenceText(const VersionsReport& report,
                           const DifferenceEntry& entry) {
  std::string text = absl::StrCat("\n", entry.field.name);
  absl::string_view separator = ": ";
  for (const ResolvedVersion& version : report.compared) {
    absl::StrAppend(&text, separator, ToString(version.version), " ",
                    entry.field.value(version.differences));
    separator = ", ";
  }
  absl::StrAppend(&text, "\n");
  for (const DifferenceRow& row : entry.rows) {
    absl::StrAppend(&text, RowText(row));
  }
  if (!entry.field.modelled()) {
    absl::StrAppend(&text,
                    Wrapped("  not modelled: ", entry.field.not_modelled));
  } else if (!entry.field.shown_by.empty()) {
    absl::StrAppend(&text, Wrapped("  shown by ", entry.field.shown_by));
  }
  return text;
}

std::string EpochsText() {
  constexpr Table::Align kLeft = Table::Align::kLeft;
  Table table({kLeft, kLeft, kLeft});
  table.Add({"epoch", "such as", "how the call and exit_mmap() go together"});
  for (const Epoch& epoch : Epochs()) {
    table.Add({std::string(epoch.name), std::string(epoch.version),
               std::string(epoch.what)});
  }
  return table.ToString();
}

std::string HeadingOf(const VersionsReport& report) {
  const size_t count = report.differences.size();
  if (report.compared.empty()) {
    return absl::StrCat(
        Wrapped("",
                absl::StrCat("What process_mrelease() meets in Linux up to ",
                             ToString(NewestKnownVersion()), ".")),
        "\n", EpochsText(), "\n", count, " differences between versions:\n");
  }
  std::string text;
  for (const ResolvedVersion& version : report.compared) {
    absl::StrAppend(&text, Wrapped("", version.note));
  }
  if (count == 0) return absl::StrCat(text, "\nNo difference is known.\n");
  return absl::StrCat(text, "\n", count,
                      count == 1 ? " difference:\n" : " differences:\n");
}

// ---- JSON ------------------------------------------------------------------

Json OrNull(absl::string_view text) {
  return text.empty() ? Json() : Json(std::string(text));
}

Json VersionOrNull(const KernelVersion& version) {
  return version == KernelVersion{} ? Json() : Json(ToString(version));
}

Json RowJson(const DifferenceRow& row) {
  Json object;
  object["value"] = std::string(row.value);
  object["since"] = VersionOrNull(row.since);
  object["until"] = VersionOrNull(row.until);
  object["commit"] = OrNull(row.commit);
  object["title"] = std::string(row.title);
  object["changes"] = std::string(row.changes);
  object["evidence"] = std::string(ToString(row.evidence));
  object["rests_on"] = std::string(row.rests_on);
  object["backported"] = row.backported;
  return object;
}

Json DifferenceJson(const VersionsReport& report,
                    const DifferenceEntry& entry) {
  Json object;
  object["name"] = std::string(entry.field.name);
  object["decides_call"] = entry.field.decides_call;
  object["not_modelled"] = OrNull(entry.field.not_modelled);
  object["shown_by"] = OrNull(entry.field.shown_by);
  if (!report.compared.empty()) {
    Json values = Json::array();
    for (const ResolvedVersion& version : report.compared) {
      values.push_back(std::string(entry.field.value(version.differences)));
    }
    object["values"] = std::move(values);
  }
  Json rows = Json::array();
  for (const DifferenceRow& row : entry.rows) rows.push_back(RowJson(row));
  object["rows"] = std::move(rows);
  return object;
}

Json EpochsJson() {
  Json array = Json::array();
  for (const Epoch& epoch : Epochs()) {
    Json object;
    object["name"] = std::string(epoch.name);
    object["version"] = std::string(epoch.version);
    object["what"] = std::string(epoch.what);
    array.push_back(std::move(object));
  }
  return array;
}

Json ComparedJson(const VersionsReport& report) {
  Json array = Json::array();
  for (const ResolvedVersion& version : report.compared) {
    Json object;
    object["requested"] = version.requested;
    object["version"] = ToString(version.version);
    object["used"] = ToString(version.used);
    object["note"] = version.note;
    array.push_back(std::move(object));
  }
  return array;
}

}  // namespace

std::string VersionsText(const VersionsReport& report) {
  std::string text = HeadingOf(report);
  for (const DifferenceEntry& entry : report.differences) {
    absl::StrAppend(&text, DifferenceText(report, entry));
  }
  return text;
}

std::string VersionsJson(const VersionsReport& report) {
  Json object;
  if (report.compared.empty()) {
    object["epochs"] = EpochsJson();
  } else {
    object["compared"] = ComparedJson(report);
  }
  Json differences = Json::array();
  for (const DifferenceEntry& entry : report.differences) {
    differences.push_back(DifferenceJson(report, entry));
  }
  object["differences"] = std::move(differences);
  return Dump(object);
}

}  // namespace reapsim
