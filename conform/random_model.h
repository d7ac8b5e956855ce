// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// A random victim in the model.
#ifndef REAPSIM_CONFORM_RANDOM_MODEL_H_
#define REAPSIM_CONFORM_RANDOM_MODEL_H_

#include <string>

#include "absl/container/btree_map.h"
#include "conform/random_group.h"
#include "conform/random_victim.h"
#include "import/proc_source.h"

namespace reapsim {

// What was read before the first call, by RandomGroup::memory().
using RandomMemories = absl::btree_map<int, ProcProcess>;

// Plays the victim on a modelled machine of that version. Each process has the
// memory that is given for it, or, if there is none, what it has from birth.
RandomRun PlayVictimOnModel(const RandomVictim& victim,
                            const RandomMemories& memories,
                            const std::string& version);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_RANDOM_MODEL_H_
