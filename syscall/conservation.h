// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What must be true of a world at rest, and of one in which every process has
// ended: nothing lost, nothing held, nothing counted twice.
#ifndef REAPSIM_SYSCALL_CONSERVATION_H_
#define REAPSIM_SYSCALL_CONSERVATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "mm/mm_types.h"
#include "mm/oom_kill.h"
#include "sched/sched.h"

namespace reapsim {

// How many objects of each kind are alive.
struct Population {
  uint32_t tasks, signals, sighands, pids, namespaces;
  uint32_t mms, vmas, mappings, page_tables;
  uint64_t free_frames, swap_used;
};
Population CountPopulation(SchedState& sched, MmState& mm);

// Host side. Adds a sentence for each thing that is not as it must be when no
// task is in the middle of a system call: frames' reference and map counts
// against page tables and page caches, mm counters, locks held, mm_users
// against tasks, OOM victims against marked threads, nesting depths.
void CheckConservation(SchedState& sched, MmState& mm, OomState& oom,
                       std::vector<std::string>* problems);
// The same for two populations that should be equal.
void ComparePopulations(const Population& before, const Population& after,
                        std::vector<std::string>* problems);

// On init's fiber, to end a world: SIGKILL for all, and everybody is let out
// of the freezers.
int64_t KillEverybody();
// On init's fiber: waits for all zombies. Always 0.
int64_t ReapAllChildren();

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_CONSERVATION_H_
