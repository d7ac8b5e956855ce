// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim clients: what a daemon's way to call process_mrelease() comes to.
#ifndef REAPSIM_CMD_CLIENTS_H_
#define REAPSIM_CMD_CLIENTS_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

CommandResult RunClients(absl::Span<const std::string> args,
                         const Environment& environment);

}  // namespace reapsim

#endif  // REAPSIM_CMD_CLIENTS_H_
