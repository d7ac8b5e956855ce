// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who waits for whom, when nobody can go on.
#ifndef REAPSIM_EXPLORE_WAITS_H_
#define REAPSIM_EXPLORE_WAITS_H_

#include <string>

#include "explore/world.h"

namespace reapsim {

// Empty if every fiber that can't go on may stay so (World::MayIdle()). Else a
// sentence that says of each of the others where it stands, for which lock it
// waits, who holds that and since which line; and whether they wait for each
// other in a circle.
std::string DescribeDeadlock(World& world);

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_WAITS_H_
