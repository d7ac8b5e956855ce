// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/source.h"

#include "absl/strings/str_cat.h"
#include "report/text.h"

namespace reapsim {

absl::Status ErrorAt(absl::string_view file_name, Place place,
                     absl::string_view what, absl::string_view advice) {
  return absl::InvalidArgumentError(absl::StrCat(file_name, ":", place.line,
                                                 ":", place.column, ": ", what,
                                                 "; expected ", advice));
}

std::string Quoted(absl::string_view text) {
  constexpr size_t kMost = 40;
  return absl::StrCat("\"", Printable(text.substr(0, kMost)),
                      text.size() > kMost ? "...\"" : "\"");
}

}  // namespace reapsim
