// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/nearest.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/match.h"

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

}  // namespace reapsim
