// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/scenario_input.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "import/read_file.h"

namespace reapsim {

absl::StatusOr<FilesAndFlags> SplitFilesAndFlags(
    absl::Span<const std::string> args, absl::Span<const FlagSpec> specs) {
  FilesAndFlags split;
  std::vector<std::string> dashed;
  for (const std::string& arg : args) {
    (absl::StartsWith(arg, "--") ? dashed : split.files).push_back(arg);
  }
  absl::StatusOr<Arguments> flags = Arguments::Parse(dashed, specs);
  if (!flags.ok()) return flags.status();
  split.flags = *std::move(flags);
  return split;
}

absl::StatusOr<Scenario> LoadScenario(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  return ReadScenario(*text, path);
}

std::vector<std::string> ListOf(const Arguments& flags,
                                absl::string_view name) {
  const std::optional<std::string> value = flags.Value(name);
  if (!value.has_value()) return {};
  return absl::StrSplit(*value, ',', absl::SkipEmpty());
}

absl::StatusOr<int64_t> NumberOf(const Arguments& flags, absl::string_view name,
                                 int64_t least, int64_t most,
                                 int64_t otherwise) {
  const std::optional<std::string> value = flags.Value(name);
  if (!value.has_value()) return otherwise;
  int64_t number = 0;
  if (absl::SimpleAtoi(*value, &number) && number >= least && number <= most) {
    return number;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--", name, " needs a number from ", least, " to ", most));
}

}  // namespace reapsim
