// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim versions: what differs between versions of Linux, and how we know.
#ifndef REAPSIM_CMD_VERSIONS_H_
#define REAPSIM_CMD_VERSIONS_H_

#include <string>

#include "absl/types/span.h"
#include "cmd/command.h"

namespace reapsim {

CommandResult RunVersions(absl::Span<const std::string> args,
                          const Environment& environment);

}  // namespace reapsim

#endif  // REAPSIM_CMD_VERSIONS_H_
