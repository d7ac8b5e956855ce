// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/conform_report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "report/json.h"
#include "report/text.h"

namespace reapsim {
namespace {

using Agree = ConformLine::Agree;

const char* AgreeText(Agree agree) {
  switch (agree) {
    case Agree::kYes:
      return "yes";
    case Agree::kNo:
      return "NO";
    case Agree::kSkipped:
      return "skipped";
  }
  return "?";
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

Json OrNull(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

std::string Explanations(const ConformReport& report) {
  std::string text;
  for (const ConformLine& line : report.lines) {
    if (line.agree == Agree::kYes) continue;
    absl::StrAppend(&text, "\n", line.state, " (", line.title, ")\n");
    if (line.agree == Agree::kSkipped) {
      text += Wrapped("  skipped: ", line.skipped);
    }
    for (const std::string& each : line.differs) text += Wrapped("  ", each);
  }
  return text;
}

}  // namespace

int ConformReport::Count(Agree agree) const {
  return static_cast<int>(
      std::count_if(lines.begin(), lines.end(),
                    [agree](const auto& line) { return line.agree == agree; }));
}

std::string ConformText(const ConformReport& report) {
  std::string text = Wrapped(
      "", absl::StrCat("process_mrelease() on this host, Linux ",
                       Printable(report.host_kernel),
                       ", and in the model, kernel ", report.kernel_note, "."));
  if (!report.skipped.empty()) {
    return absl::StrCat(text, "\n", Wrapped("skipped: ", report.skipped));
  }
  constexpr Table::Align kLeft = Table::Align::kLeft;
  Table table({kLeft, kLeft, kLeft, kLeft});
  table.Add({"state", "host", "model", "agree"});
  for (const ConformLine& line : report.lines) {
    table.Add({line.state, OrDash(line.host), OrDash(line.model),
               AgreeText(line.agree)});
  }
  return absl::StrCat(text, "\n", table.ToString(), Explanations(report), "\n",
                      report.lines.size(), " rows: ", report.Count(Agree::kYes),
                      " agree, ", report.Count(Agree::kNo), " disagree, ",
                      report.Count(Agree::kSkipped), " skipped.\n");
}

std::string ConformJson(const ConformReport& report) {
  Json rows = Json::array();
  for (const ConformLine& line : report.lines) {
    Json object;
    object["state"] = line.state;
    object["title"] = line.title;
    object["host"] = OrNull(line.host);
    object["model"] = OrNull(line.model);
    object["agree"] = line.agree == Agree::kSkipped
                          ? Json()
                          : Json(line.agree == Agree::kYes);
    object["differs"] = line.differs;
    object["skipped"] = OrNull(line.skipped);
    rows.push_back(std::move(object));
  }
  Json json;
  json["host_kernel"] = report.host_kernel;
  json["model_kernel"] = report.kernel_note;
  json["skipped"] = OrNull(report.skipped);
  json["rows"] = std::move(rows);
  json["agreeing"] = report.Count(Agree::kYes);
  json["disagreeing"] = report.Count(Agree::kNo);
  json["skipped_rows"] = report.Count(Agree::kSkipped);
  return Dump(json);
}

}  // namespace reapsim
