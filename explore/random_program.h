// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Random small programs, rich in what a search must find: deadlocks, lost
// updates, lock misuse, broken invariants, loops that never get anywhere.
#ifndef REAPSIM_EXPLORE_RANDOM_PROGRAM_H_
#define REAPSIM_EXPLORE_RANDOM_PROGRAM_H_

#include <cstdint>

#include "explore/toy_program.h"

namespace reapsim {

// The program of that number: two or three tasks of two to six visible
// instructions each (a few more where the last piece needs them). Its states
// are finitely many: nothing counts in a loop.
ToyProgram RandomProgram(uint64_t seed);

// Another kind: two or three tasks that read and write cells, most of them
// ordered by locks or by release and acquire. No loops and no waits but for
// locks.
ToyProgram RandomPlainProgram(uint64_t seed);

// Whether a run of it can take for ever: some instruction jumps backwards.
bool HasLoop(const ToyProgram& program);

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_RANDOM_PROGRAM_H_
