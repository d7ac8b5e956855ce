// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// reapsim calibrate: what reaping costs on this host, and whether that predicts
// what it costs to reap others.
#ifndef REAPSIM_CMD_CALIBRATE_H_
#define REAPSIM_CMD_CALIBRATE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "calibrate/calibrate.h"
#include "cmd/command.h"

namespace reapsim {

// A host to be calibrated; tests have another.
struct CalibrateHost {
  absl::Status can;  // or why nothing can be timed there
  TimingSide side;
  HostDescription description;  // `version`: to be resolved
  // What is less exact than it should be.
  std::vector<std::string> notes;
};

CommandResult RunCalibrate(absl::Span<const std::string> args,
                           const Environment& environment);
// The same with a host, which is asked for when the arguments are right.
CommandResult RunCalibrateOn(absl::Span<const std::string> args,
                             const Environment& environment,
                             const std::function<CalibrateHost()>& host);

}  // namespace reapsim

#endif  // REAPSIM_CMD_CALIBRATE_H_
