// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim reap: what process_mrelease() would do to a real process.
#ifndef REAPSIM_CMD_REAP_H_
#define REAPSIM_CMD_REAP_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

CommandResult RunReap(absl::Span<const std::string> args,
                      const Environment& environment);

}  // namespace reapsim

#endif  // REAPSIM_CMD_REAP_H_
