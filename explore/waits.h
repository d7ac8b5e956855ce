// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who waits for whom, when nobody can go on.
#ifndef REAPSIM_EXPLORE_WAITS_H_
#define REAPSIM_EXPLORE_WAITS_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "explore/world.h"

namespace reapsim {

// Empty if every fiber that can't go on may stay so (World::MayIdle()). Else a
// sentence that says of each of the others where it stands, for which lock it
// waits, who holds that and since which line; and whether they wait for each
// other in a circle.
std::string DescribeDeadlock(World& world);

// Who of those that `among` says yes to waits with a lock held, where, and what
// kinds of locks; empty if nobody does.
std::string DescribeHolders(World& world,
                            absl::FunctionRef<bool(const Fiber&)> among);

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_WAITS_H_
