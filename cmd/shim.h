// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim shim -- PROGRAM: the program lives natively, and those that it kills
// die in the model.
#ifndef REAPSIM_CMD_SHIM_H_
#define REAPSIM_CMD_SHIM_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

// The program has this process's standard streams; the exit code is its own.
CommandResult RunShim(absl::Span<const std::string> args,
                      const Environment& environment);

}  // namespace reapsim

#endif  // REAPSIM_CMD_SHIM_H_
