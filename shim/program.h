// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Can a program run under the shim? Found out before it is started.
#ifndef REAPSIM_SHIM_PROGRAM_H_
#define REAPSIM_SHIM_PROGRAM_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reapsim {

// The file that a shell would run for that word: as it is if it has a slash,
// else the first in PATH. kNotFound.
absl::StatusOr<std::string> FindProgram(const std::string& word);

// kFailedPrecondition, a sentence for the user: the dynamic loader would not
// load a library into it. A script is judged by its interpreter.
absl::Status CheckProgram(const std::string& path);

}  // namespace reapsim

#endif  // REAPSIM_SHIM_PROGRAM_H_
