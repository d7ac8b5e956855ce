// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/arguments.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace reapsim {
namespace {

// How many bytes must be put in, left out or changed to turn a into b.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

// Smaller is nearer; nothing is nearer than a part of the name.
size_t Distance(absl::string_view word, absl::string_view candidate) {
  constexpr size_t kShortest = 3;
  if (word.size() >= kShortest && absl::StrContains(candidate, word)) return 0;
  return EditDistance(word, candidate);
}

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

std::string Shown(absl::string_view argument) {
  constexpr size_t kMost = 60;
  return absl::StrCat("\"", absl::CHexEscape(argument.substr(0, kMost)),
                      argument.size() > kMost ? "..." : "", "\"");
}

}  // namespace

std::vector<std::string> NearestNames(
    absl::string_view word, absl::Span<const absl::string_view> candidates) {
  constexpr size_t kLongest = 64;
  if (word.size() > kLongest) return {};
  std::vector<std::pair<size_t, absl::string_view>> near;
  for (absl::string_view candidate : candidates) {
    const size_t distance = Distance(word, candidate);
    if (distance <= std::max<size_t>(1, candidate.size() / 3)) {
      near.emplace_back(distance, candidate);
    }
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) {
    return a.first < b.first;
  });
  constexpr size_t kMost = 3;
  std::vector<std::string> names;
  for (size_t i = 0; i < near.size() && i < kMost; ++i) {
    names.emplace_back(near[i].second);
  }
  return names;
}

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
