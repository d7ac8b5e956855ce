// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim latency: how long until a killed process's memory is back.
#ifndef REAPSIM_CMD_LATENCY_H_
#define REAPSIM_CMD_LATENCY_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

CommandResult RunLatencyCommand(absl::Span<const std::string> args,
                                const Environment& environment);

}  // namespace reapsim

#endif  // REAPSIM_CMD_LATENCY_H_
