// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim check FILE.reap...: does each scenario do what its file promises?
#ifndef REAPSIM_CMD_CHECK_H_
#define REAPSIM_CMD_CHECK_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

CommandResult RunCheck(absl::Span<const std::string> args,
                       const Environment& environment);

}  // namespace reapsim

#endif  // REAPSIM_CMD_CHECK_H_
