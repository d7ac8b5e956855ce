// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// A random victim as something to keep: a test of the model that expects what
// the host did, and the memory that it had.
#ifndef REAPSIM_CONFORM_RANDOM_PRINT_H_
#define REAPSIM_CONFORM_RANDOM_PRINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "conform/random_group.h"
#include "conform/random_model.h"
#include "conform/random_victim.h"
#include "import/smaps.h"

namespace reapsim {

struct PrintedVictim {
  uint64_t seed = 0;
  uint64_t index = 0;
  std::string host;     // "6.18.44", as uname -r says
  std::string version;  // of the model
  std::vector<std::string> differences;
};

// A C++ file with a test that plays the victim in the model and expects what
// `host` saw. It needs //import:import_mm, //syscall and GoogleTest.
// REQUIRES: host.status is OK, and host is of this victim.
std::string TestText(const PrintedVictim& about, const RandomVictim& victim,
                     const RandomRun& host, const RandomMemories& memories);

// As /proc/PID/smaps says it; ParseSmaps() makes the same of it.
std::string SmapsText(const SmapsFile& smaps);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_RANDOM_PRINT_H_
