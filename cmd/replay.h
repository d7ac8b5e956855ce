// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim replay SCHEDULE: the execution that `reapsim check` found, again.
// reapsim run FILE.reap: the plainest execution, for traces.
#ifndef REAPSIM_CMD_REPLAY_H_
#define REAPSIM_CMD_REPLAY_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

CommandResult RunReplay(absl::Span<const std::string> args,
                        const Environment& environment);
CommandResult RunScenario(absl::Span<const std::string> args,
                          const Environment& environment);

}  // namespace reapsim

#endif  // REAPSIM_CMD_REPLAY_H_
