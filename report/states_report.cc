// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/states_report.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "report/json.h"
#include "report/text.h"

namespace reapsim {
namespace {

std::string AnswerOf(const StateLine& line) {
  if (!line.ret.has_value()) return "-";
  return line.errno_name.empty() ? absl::StrCat(*line.ret) : line.errno_name;
}

// "ESRCH, gone, no_mm".
std::string InShort(const StateLine& line) {
  return absl::StrCat(AnswerOf(line), ", ", line.effect,
                      line.decided_by.empty() ? "" : ", ", line.decided_by);
}

// What a row tells, as it is printed.
std::vector<std::string> CellsOf(const StateLine& line) {
  return {line.state, AnswerOf(line), line.effect, line.decided_by};
}

Json OrNull(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

// What the rows rest on: most of them on the same.
std::string EvidenceText(const StatesReport& report) {
  using States = std::vector<std::string>;
  absl::btree_map<std::string, States> by_evidence;
  for (const StateLine& line : report.lines) {
    by_evidence[absl::StrCat(line.evidence, " (", line.rests_on, ")")]
        .push_back(line.state);
  }
  const auto most = std::max_element(by_evidence.begin(), by_evidence.end(),
                                     [](const auto& a, const auto& b) {
                                       return a.second.size() < b.second.size();
                                     });
  if (most == by_evidence.end()) return "";
  const bool all = by_evidence.size() == 1;
  std::string text = Wrapped(
      "", absl::StrCat("Evidence: ", most->first, all ? "." : ", but for"));
  for (auto it = by_evidence.begin(); it != by_evidence.end(); ++it) {
    if (it == most) continue;
    absl::StrAppend(
        &text, Wrapped("", absl::StrCat(it->first, ": ",
                                        absl::StrJoin(it->second, ", "), ".")));
  }
  return text;
}

std::string ChangesText(const StatesReport& report) {
  constexpr Table::Align kLeft = Table::Align::kLeft;
  Table table({kLeft, kLeft, kLeft, kLeft, kLeft});
  table.Add({"state", "answer", "effect", "decided by", "without"});
  for (size_t i = 0; i < report.lines.size(); ++i) {
    std::vector<std::string> cells = CellsOf(report.lines[i]);
    cells.push_back(InShort(report.without[i]));
    table.Add(std::move(cells));
  }
  return absl::StrCat(
      Wrapped("", absl::StrCat("What ", report.variation, " changes, kernel ",
                               report.kernel_note, ".")),
      "\n", table.ToString(), "\n", report.lines.size(), " of ", report.rows,
      " rows change\n\n", EvidenceText(report));
}

void AddAnswer(const StateLine& line, Json* object) {
  (*object)["return"] = reapsim::OrNull(line.ret);
  (*object)["errno"] = OrNull(line.errno_name);
  (*object)["effect"] = line.effect;
  (*object)["decided_by"] = OrNull(line.decided_by);
}

}  // namespace

std::string StatesText(const StatesReport& report) {
  if (report.compares()) return ChangesText(report);
  constexpr Table::Align kLeft = Table::Align::kLeft;
  Table table({kLeft, kLeft, kLeft, kLeft});
  table.Add({"state", "answer", "effect", "decided by"});
  for (const StateLine& line : report.lines) {
    table.Add(CellsOf(line));
  }
  return absl::StrCat(
      Wrapped("",
              absl::StrCat("What process_mrelease() answers and does, kernel ",
                           report.kernel_note, ".")),
      "\n", table.ToString(), "\n", EvidenceText(report));
}

std::string StatesJson(const StatesReport& report) {
  Json array = Json::array();
  for (size_t i = 0; i < report.lines.size(); ++i) {
    const StateLine& line = report.lines[i];
    Json object;
    object["state"] = line.state;
    object["row"] = line.row;
    object["title"] = line.title;
    AddAnswer(line, &object);
    object["evidence"] = line.evidence;
    object["rests_on"] = line.rests_on;
    if (report.compares()) AddAnswer(report.without[i], &object["without"]);
    array.push_back(std::move(object));
  }
  return Dump(array);
}

}  // namespace reapsim
