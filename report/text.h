// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pieces of text for a terminal of 80 columns.
#ifndef REAPSIM_REPORT_TEXT_H_
#define REAPSIM_REPORT_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace reapsim {

inline constexpr size_t kColumns = 80;

// "1,234,567".
std::string Grouped(int64_t number);

// The text with every byte that is not printable ASCII as '?': names come from
// other people's processes, and must not talk to the terminal.
std::string Printable(absl::string_view text);

// The text's last `most` bytes, the first three of them "..." if it is longer.
std::string Tail(absl::string_view text, size_t most);

// `text` in lines of at most kColumns, broken at spaces. The first begins with
// `lead`, the others with as many spaces. Ends with a newline.
std::string Wrapped(absl::string_view lead, absl::string_view text);

// A table: columns as wide as their widest cell, two spaces apart, numbers to
// the right.
class Table {
 public:
  enum class Align : uint8_t { kLeft, kRight };
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}

  // REQUIRES: no more cells than columns.
  void Add(std::vector<std::string> cells);
  // Each row on a line of its own, indented, without trailing spaces.
  std::string ToString(size_t indent = 0) const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace reapsim

#endif  // REAPSIM_REPORT_TEXT_H_
