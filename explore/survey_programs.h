// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The programs on which schedule searches are compared, as data: each atomic
// or lock operation is one visible instruction.
#ifndef REAPSIM_EXPLORE_SURVEY_PROGRAMS_H_
#define REAPSIM_EXPLORE_SURVEY_PROGRAMS_H_

#include "explore/toy_program.h"

namespace reapsim {

// Each of two tasks stores to its own word, then loads the other's: r0.
ToyProgram StoreBuffering();

// Two tasks, each: x0 = x0 + 1, as a load and a store.
ToyProgram LostUpdate();

// `tasks` tasks of 6 + `before` + `after` steps: atomic additions to a word of
// their own, and between them, under one lock, twice a load and a store that
// count the shared word x0. With 2 tasks, 2 and 2: twenty steps.
ToyProgram LockProgram(int tasks, int before, int after);

// `n` philosophers and as many forks; each eats once. `ordered`: each takes the
// fork of the lower number first.
ToyProgram Philosophers(int n, bool ordered);

// The race that reapsim is about, in small: one task exits, and the last user
// tears down the memory; `reapers` zap its two pages; `unmappers` remove them
// and hold a reference of their own until then. Words: x0 users of the memory,
// x1 references to its mm, x2 flags (1: nothing left to reap, 2: reaped), x3
// whether it is mapped, x4 and x5 its pages, x6 and x7 how often each was
// freed, x8 how often the mm was. r0 and r1 are what the task last saw in x0
// and x1.
ToyProgram ReapRace(int reapers, int unmappers);

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_SURVEY_PROGRAMS_H_
