// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim states: what the call answers and does in each state of a target.
#ifndef REAPSIM_CMD_STATES_H_
#define REAPSIM_CMD_STATES_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

CommandResult RunStates(absl::Span<const std::string> args,
                        const Environment& environment);

}  // namespace reapsim

#endif  // REAPSIM_CMD_STATES_H_
