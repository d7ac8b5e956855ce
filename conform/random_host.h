// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// A random victim on the host.
#ifndef REAPSIM_CONFORM_RANDOM_HOST_H_
#define REAPSIM_CONFORM_RANDOM_HOST_H_

#include <string>

#include "absl/container/btree_map.h"
#include "conform/random_group.h"
#include "conform/random_model.h"
#include "conform/random_victim.h"

namespace reapsim {

// What the host lacks, such as a kind of memory, and the error that says so.
// The steps that would need it change nothing.
using HostLacks = absl::btree_map<std::string, std::string>;

// Plays the victim with real processes, all of which are gone afterwards.
// `memories` is what was read before the first call.
RandomRun PlayVictimOnHost(const RandomVictim& victim, RandomMemories* memories,
                           HostLacks* lacks);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_RANDOM_HOST_H_
