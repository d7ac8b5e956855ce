// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What must be true between any two steps, whoever runs: the invariants that
// one can see in a state alone. A search asks after every step; a test may ask
// whenever its world stands still (Kernel::BrokenInvariant()).
#ifndef REAPSIM_SYSCALL_INVARIANTS_H_
#define REAPSIM_SYSCALL_INVARIANTS_H_

#include "mm/mm_types.h"
#include "mm/oom_kill.h"
#include "sched/sched.h"

namespace reapsim {

// Host side. A literal that opens with the number of the first one that is
// broken, or null: S8, S12, S14, S17, S25 and, if the world asks for them, S10
// and S16. Notes the flags that it sees, for S14, so it must be asked often to
// be of use there.
const char* BrokenInvariant(SchedState& sched, MmState& mm, OomState& oom);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_INVARIANTS_H_
