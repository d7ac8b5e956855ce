// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// The rows of `reapsim conform`: each brings real processes into a state, calls
// the real process_mrelease(2), and compares what it did with what the model
// says.
#ifndef REAPSIM_CONFORM_CONFORM_H_
#define REAPSIM_CONFORM_CONFORM_H_

#include <string>
#include <vector>

#include "conform/host_states.h"
#include "report/conform_report.h"
#include "states/states.h"

namespace reapsim {

struct ConformRow {
  std::string id;  // of states/states.h, or "kind." and a VictimKind's
  std::string title;
};

// All rows, in a fixed order: the states of the table that a real machine can
// be brought into, each with a little of every memory; then each kind of memory
// of a victim that is killed and held, and all of them at once.
const std::vector<ConformRow>& ConformRows();

// The state of the table into which the row brings its victim.
const State& StateOf(const ConformRow& row);

// Plays one of them on the host.
HostOutcome PlayOnHost(const ConformRow& row);

// What the model says to what was seen, here or on another machine. `version`
// is the model's, as in KernelOptions.
ConformLine Judge(const ConformRow& row, const HostOutcome& host,
                  const std::string& version);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_CONFORM_H_
