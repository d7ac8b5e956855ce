// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef REAPSIM_STATES_TRACE_HASHES_H_
#define REAPSIM_STATES_TRACE_HASHES_H_

#include <string>

namespace reapsim {

// A line for each row of the table of states: its id, and the hash of the
// trace of playing it, and of ending the world after it, under v5.15-rc1 and
// under v6.18.
std::string TraceHashes();

}  // namespace reapsim

#endif  // REAPSIM_STATES_TRACE_HASHES_H_
