// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// From a victim on which host and model disagree to a small one.
#ifndef REAPSIM_CONFORM_RANDOM_SHRINK_H_
#define REAPSIM_CONFORM_RANDOM_SHRINK_H_

#include <functional>

#include "conform/random_victim.h"

namespace reapsim {

// Leaves out steps, halves of them first, then fewer, and makes numbers
// smaller, as long as `fails` says that what is left still does. `fails` is
// asked at most `tries` times: if that is enough, no step of the result can be
// left out. REQUIRES: fails(victim).
RandomVictim ShrinkVictim(
    const RandomVictim& victim, int tries,
    const std::function<bool(const RandomVictim&)>& fails);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_RANDOM_SHRINK_H_
