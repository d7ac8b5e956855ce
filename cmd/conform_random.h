// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reapsim conform --random: random victims, on the host and in the model.
#ifndef REAPSIM_CMD_CONFORM_RANDOM_H_
#define REAPSIM_CMD_CONFORM_RANDOM_H_

#include <string>

#include "cmd/arguments.h"
#include "cmd/command.h"
#include "conform/random_run.h"

namespace reapsim {

// Who is compared.
struct RandomContest {
  std::string host;     // as uname -r says
  std::string version;  // the model's
  std::string skipped;  // why the host can't play at all; empty: it can
};

// `args` has --random or --only, and perhaps --seed, --out and --json.
CommandResult RunConformRandom(const Arguments& args,
                               const Environment& environment,
                               const RandomContest& contest,
                               const RandomSides& sides);

}  // namespace reapsim

#endif  // REAPSIM_CMD_CONFORM_RANDOM_H_
