// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the model does when a victim of a shape is reaped and ends: how many
// units of each kind of work; and, with prices, how long that takes.
#ifndef REAPSIM_CALIBRATE_MODEL_H_
#define REAPSIM_CALIBRATE_MODEL_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "latency/shape.h"
#include "sched/cost.h"

namespace reapsim {

using Counts = std::array<uint64_t, kCostKinds>;

struct ShapeCounts {
  Counts call = {};        // process_mrelease() of the victim, killed and held
  Counts again = {};       // the same again
  Counts exit_after = {};  // all of the victim's threads, to their end
  Counts exit_alone = {};  // the same without the call
};

// `version` is as in KernelOptions. Errors are kInvalidArgument: there is no
// such version; or kUnimplemented: it has no process_mrelease().
absl::StatusOr<ShapeCounts> CountWork(const VictimShape& shape,
                                      const std::string& version);

// How long process_mrelease() of that victim takes in timed mode, in ns, on a
// machine of two CPUs for which the prices hold. Errors as above.
absl::StatusOr<uint64_t> TimeCall(const VictimShape& shape,
                                  const std::string& version,
                                  const Prices& prices);

}  // namespace reapsim

#endif  // REAPSIM_CALIBRATE_MODEL_H_
