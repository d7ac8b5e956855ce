// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a command line says about a run: the victim's state, and how somebody is
// scheduled.
#ifndef REAPSIM_LATENCY_LATENCY_FLAGS_H_
#define REAPSIM_LATENCY_LATENCY_FLAGS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "latency/latency.h"
#include "latency/machine.h"

namespace reapsim {

// "sleeping", "running", "uninterruptible:2s", "frozen-v1" or "frozen-v2", into
// state and uninterruptible_ns. Errors are kInvalidArgument and begin with
// "WHERE: ", as below.
absl::Status ParseStateAtKill(absl::string_view text, absl::string_view where,
                              LatencyVictim* victim);
// The same text again.
std::string PrintStateAtKill(const LatencyVictim& victim);

// "nice=19,cpus=little,fifo=1,cgroup=background", each at most once. `cpus` is
// a kind of the machine's CPUs, or numbers: "0+3". Errors: "WHERE: FIELD: …".
absl::StatusOr<Standing> ParseStanding(absl::string_view text,
                                       absl::string_view where,
                                       const Machine& machine);
// In words, such as "nice 19, on CPUs 0 and 1"; empty: as everybody.
std::string DescribeStanding(const Standing& standing, const Machine& machine);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_LATENCY_FLAGS_H_
