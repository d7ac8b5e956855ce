// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/check.h"

namespace reapsim {

std::string Grouped(int64_t number) {
  std::string digits = absl::StrCat(number);
  const size_t sign = number < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > sign + 3; at -= 3) {
    digits.insert(at - 3, ",");
  }
  return digits;
}

std::string Printable(absl::string_view text) {
  std::string shown(text);
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return shown;
}

std::string Tail(absl::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  return absl::StrCat("...", text.substr(text.size() - most + 3));
}

std::string Wrapped(absl::string_view lead, absl::string_view text) {
  const std::string indent(lead.size(), ' ');
  std::string out;
  std::string line(lead);
  bool empty = true;
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!empty && line.size() + 1 + word.size() > kColumns) {
      absl::StrAppend(&out, line, "\n");
      line = indent;
      empty = true;
    }
    absl::StrAppend(&line, empty ? "" : " ", word);
    empty = false;
  }
  return absl::StrCat(out, absl::StripTrailingAsciiWhitespace(line), "\n");
}

void Table::Add(std::vector<std::string> cells) {
  REAP_CHECK(cells.size() <= columns_.size(), "table: too many cells");
  rows_.push_back(std::move(cells));
}

std::string Table::ToString(size_t indent) const {
  std::vector<size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line(indent, ' ');
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      const bool right = columns_[i] == Align::kRight;
      absl::StrAppend(&line, i == 0 ? "" : "  ", right ? padding : "", row[i],
                      right ? "" : padding);
    }
    absl::StrAppend(&out, absl::StripTrailingAsciiWhitespace(line), "\n");
  }
  return out;
}

}  // namespace reapsim
