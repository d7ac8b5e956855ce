// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Every kind of memory that a process can have on the host, as what a task is
// told to do to get it.
#ifndef REAPSIM_CONFORM_VICTIM_MEMORY_H_
#define REAPSIM_CONFORM_VICTIM_MEMORY_H_

#include <string>
#include <vector>

#include "conform/host_machine.h"

namespace reapsim {

struct VictimKind {
  const char* id;     // "thp_split"
  const char* title;  // "a huge page of which a part is unmapped"
  // Has the task, the only one of its process, make this memory. What the host
  // lacks becomes the machine's status.
  void (*make)(HostTask&);
  bool alone = false;  // it leaves no other memory, or changes it
};

// In a fixed order. Ids are stable.
const std::vector<VictimKind>& VictimKinds();

// A little of what the walk treats differently, for the rows whose point is
// something else; what the host lacks is left out.
void MakeMixedMemory(HostTask& task);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_VICTIM_MEMORY_H_
