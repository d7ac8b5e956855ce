// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What must be true between any two steps, whoever runs: the invariants that
// one can see in a state alone. A search asks after every step; a test may ask
// whenever its world stands still (Kernel::BrokenInvariant()).
#ifndef REAPSIM_SYSCALL_INVARIANTS_H_
#define REAPSIM_SYSCALL_INVARIANTS_H_

#include <string>
#include <vector>

#include "mm/mm_types.h"
#include "mm/oom_kill.h"
#include "sched/sched.h"

namespace reapsim {

// Host side. A literal that opens with the number of the first one that is
// broken, or null: S8, S12, S14, S17, S25 and, if the world asks for them, S10
// and S16. Notes the flags that it sees, for S14, so it must be asked often to
// be of use there.
const char* BrokenInvariant(SchedState& sched, MmState& mm, OomState& oom);

// Host side. What must come about some time after this state and has not yet,
// each a sentence that opens with the number of its liveness property:
//   L1  an OOM victim's mm is hidden, so that the OOM killer may go on
//   L2  an mm is freed whose users are all to die, and can
//   L3  the OOM reaper is done with what it was given
//   L5  who waits for a robust lock hears that its owner died
//   L8  process_mrelease() ends its wait for mmap_lock if nobody holds that for
//       writing, and if its caller is killed
//   L9  exit_mmap() gets mmap_lock
// Where a search finds that nothing more can happen, or goes round in circles,
// these never do.
std::vector<std::string> UnmetGoals(SchedState& sched, MmState& mm,
                                    OomState& oom);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_INVARIANTS_H_
