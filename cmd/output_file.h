// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Files that a command writes because a flag names them.
#ifndef REAPSIM_CMD_OUTPUT_FILE_H_
#define REAPSIM_CMD_OUTPUT_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace reapsim {

// The file of that name, with `text` and nothing else. Errors are those of
// FileError().
absl::Status WriteFile(const std::string& path, absl::string_view text);

}  // namespace reapsim

#endif  // REAPSIM_CMD_OUTPUT_FILE_H_
