// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/states_report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "report/json.h"
#include "report/text.h"

namespace reapsim {
namespace {

std::string AnswerOf(const StateLine& line) {
  if (!line.ret.has_value()) return "-";
  return line.errno_name.empty() ? absl::StrCat(*line.ret) : line.errno_name;
}

Json OrNull(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

}  // namespace

std::string StatesText(const StatesReport& report) {
  constexpr Table::Align kLeft = Table::Align::kLeft;
  Table table({kLeft, kLeft, kLeft, kLeft});
  table.Add({"state", "answer", "effect", "decided by"});
  for (const StateLine& line : report.lines) {
    table.Add({line.state, AnswerOf(line), line.effect, line.decided_by});
  }
  return absl::StrCat(
      Wrapped("",
              absl::StrCat("What process_mrelease() answers and does, kernel ",
                           report.kernel_note, ".")),
      "\n", table.ToString());
}

std::string StatesJson(const StatesReport& report) {
  Json array = Json::array();
  for (const StateLine& line : report.lines) {
    Json object;
    object["state"] = line.state;
    object["row"] = line.row;
    object["title"] = line.title;
    object["return"] = reapsim::OrNull(line.ret);
    object["errno"] = OrNull(line.errno_name);
    object["effect"] = line.effect;
    object["decided_by"] = OrNull(line.decided_by);
    array.push_back(std::move(object));
  }
  return Dump(array);
}

}  // namespace reapsim
