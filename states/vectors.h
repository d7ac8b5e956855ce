// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// docs/vectors/process_mrelease.tsv: what each state of the table answers, from
// which version to which, for other kernels and emulators to check themselves
// against.
#ifndef REAPSIM_STATES_VECTORS_H_
#define REAPSIM_STATES_VECTORS_H_

#include <string>
#include <vector>

namespace reapsim {

// Every release from v5.10 to the newest that is known, and every candidate at
// which a difference begins or ends; the oldest first.
std::vector<std::string> VectorVersions();

// The file. Every row is played in every version.
std::string Vectors();

}  // namespace reapsim

#endif  // REAPSIM_STATES_VECTORS_H_
