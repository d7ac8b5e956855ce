// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/arguments.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "report/nearest.h"

namespace reapsim {
namespace {

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

std::string Shown(absl::string_view argument) {
  constexpr size_t kMost = 60;
  return absl::StrCat("\"", absl::CHexEscape(argument.substr(0, kMost)),
                      argument.size() > kMost ? "..." : "", "\"");
}

}  // namespace

std::string DidYouMean(absl::string_view word,
                       absl::Span<const absl::string_view> candidates) {
  const std::vector<std::string> names = NearestNames(word, candidates);
  if (names.empty()) return "";
  return absl::StrCat("; did you mean ", absl::StrJoin(names, ", or "), "?");
}

absl::StatusOr<Arguments> Arguments::Parse(absl::Span<const std::string> args,
                                           absl::Span<const FlagSpec> specs) {
  std::vector<std::string> dashed;
  for (const FlagSpec& spec : specs) {
    dashed.push_back(absl::StrCat("--", spec.name));
  }
  const std::vector<absl::string_view> names(dashed.begin(), dashed.end());
  Arguments parsed;
  for (const std::string& arg : args) {
    absl::string_view rest = arg;
    if (!absl::ConsumePrefix(&rest, "--") || rest.empty()) {
      return Bad(absl::StrCat("unexpected argument ", Shown(arg),
                              "; expected flags such as ", names.front()));
    }
    const size_t equals = rest.find('=');
    const bool has_value = equals != absl::string_view::npos;
    const absl::string_view name = rest.substr(0, equals);
    const auto spec = std::find_if(
        specs.begin(), specs.end(),
        [name](const FlagSpec& each) { return each.name == name; });
    if (spec == specs.end()) {
      const std::string given = absl::StrCat("--", name);
      return Bad(absl::StrCat("unknown flag ", Shown(given),
                              DidYouMean(given, names)));
    }
    if (has_value && spec->value.empty()) {
      return Bad(absl::StrCat("--", name, " takes no value"));
    }
    const absl::string_view value = has_value ? rest.substr(equals + 1) : "";
    if (!spec->value.empty() && value.empty()) {
      return Bad(absl::StrCat("--", name, " needs a value: --", name, "=",
                              spec->value));
    }
    if (!parsed.values_.emplace(name, value).second) {
      return Bad(absl::StrCat("--", name, " is given twice"));
    }
  }
  return parsed;
}

bool Arguments::Has(absl::string_view name) const {
  return values_.contains(name);
}

std::optional<std::string> Arguments::Value(absl::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

}  // namespace reapsim
