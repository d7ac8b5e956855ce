// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the commands that play .reap files have in common: their arguments and
// files.
#ifndef REAPSIM_CMD_SCENARIO_INPUT_H_
#define REAPSIM_CMD_SCENARIO_INPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cmd/arguments.h"
#include "litmus/checker.h"

namespace reapsim {

// Arguments without dashes, and the rest.
struct FilesAndFlags {
  std::vector<std::string> files;
  Arguments flags;
};
absl::StatusOr<FilesAndFlags> SplitFilesAndFlags(
    absl::Span<const std::string> args, absl::Span<const FlagSpec> specs);

// The file, read and checked. Errors begin with its name.
absl::StatusOr<Scenario> LoadScenario(const std::string& path);

// "a,b": a and b; none without the flag.
std::vector<std::string> ListOf(const Arguments& flags, absl::string_view name);

// The flag's number from `least` to `most`; `otherwise` without the flag.
absl::StatusOr<int64_t> NumberOf(const Arguments& flags, absl::string_view name,
                                 int64_t least, int64_t most,
                                 int64_t otherwise);

}  // namespace reapsim

#endif  // REAPSIM_CMD_SCENARIO_INPUT_H_
