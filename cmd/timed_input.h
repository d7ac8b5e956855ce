// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What commands that run in virtual time are told of the machine: --machine,
// --profile and --kernel.
#ifndef REAPSIM_CMD_TIMED_INPUT_H_
#define REAPSIM_CMD_TIMED_INPUT_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/kernel_version.h"
#include "cmd/arguments.h"
#include "latency/machine.h"
#include "latency/profile.h"

namespace reapsim {

struct TimedInput {
  CostProfile profile;
  Machine machine;
  ResolvedVersion version;  // --kernel, else the machine's, else v6.18
};

// Where a flag is not given, the profile and the machine of those names.
absl::StatusOr<TimedInput> ReadTimedInput(const Arguments& args,
                                          const std::string& profile,
                                          const std::string& machine);

}  // namespace reapsim

#endif  // REAPSIM_CMD_TIMED_INPUT_H_
