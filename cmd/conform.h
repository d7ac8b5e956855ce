// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim conform: whether the kernel that runs here does what the model says.
#ifndef REAPSIM_CMD_CONFORM_H_
#define REAPSIM_CMD_CONFORM_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

CommandResult RunConform(absl::Span<const std::string> args,
                         const Environment& environment);

}  // namespace reapsim

#endif  // REAPSIM_CMD_CONFORM_H_
