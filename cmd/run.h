// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The reapsim command line without its process: arguments in, output out.
#ifndef REAPSIM_CMD_RUN_H_
#define REAPSIM_CMD_RUN_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

// `args` begins with the command, such as "reap".
CommandResult RunCommand(absl::Span<const std::string> args,
                         const Environment& environment = {});

}  // namespace reapsim

#endif  // REAPSIM_CMD_RUN_H_
