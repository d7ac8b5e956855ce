// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Command line flags: --name and --name=value, and nothing else. Whatever is
// wrong is said in one line that names what was meant, if that can be guessed.
#ifndef REAPSIM_CMD_ARGUMENTS_H_
#define REAPSIM_CMD_ARGUMENTS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace reapsim {

// "; did you mean X, or Y?", or "".
std::string DidYouMean(absl::string_view word,
                       absl::Span<const absl::string_view> candidates);

struct FlagSpec {
  absl::string_view name;   // without dashes
  absl::string_view value;  // "FILE": takes a value; empty: takes none
};

class Arguments {
 public:
  // Errors are kInvalidArgument: an argument that is no flag, an unknown flag,
  // one given twice, one with a value too few or too many.
  static absl::StatusOr<Arguments> Parse(absl::Span<const std::string> args,
                                         absl::Span<const FlagSpec> specs);

  bool Has(absl::string_view name) const;
  std::optional<std::string> Value(absl::string_view name) const;

 private:
  absl::btree_map<std::string, std::string> values_;
};

}  // namespace reapsim

#endif  // REAPSIM_CMD_ARGUMENTS_H_
