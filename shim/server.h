// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Real life, modelled death: runs a program natively, and answers for the model
// once a process of it has been sent SIGKILL. The program's own calls ask, by
// way of interpose.c; this process, its parent, holds the models.
#ifndef REAPSIM_SHIM_SERVER_H_
#define REAPSIM_SHIM_SERVER_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shim/death.h"

namespace reapsim {

struct ShimOptions {
  ShimModel model;
  // To preload: libreapsim_shim.so. Empty: it is linked into the program.
  std::string preload;
  // Told, line by line, what the shim does, and what it refuses.
  std::function<void(absl::string_view)> trace = nullptr;
  std::function<void(absl::string_view)> complain = nullptr;
};

struct ShimEnd {
  // The program's: what it exited with, or 128 and the signal that ended it. 2
  // if it was refused, 1 if the modelled kernel broke.
  int exit_code = 0;
  // Whether it ever asked.
  bool loaded = false;
};

// Runs `argv`, which is looked for as a shell does, to its end. Errors, each a
// sentence for the user: it can't be run, or not under the shim.
absl::StatusOr<ShimEnd> RunUnderShim(const ShimOptions& options,
                                     const std::vector<std::string>& argv);

// The same for the program that calls this: returns twice, as fork() does. In
// the child, which is the program from then on, with nothing; in this process,
// when the program has ended.
absl::StatusOr<std::optional<ShimEnd>> ForkUnderShim(
    const ShimOptions& options);

}  // namespace reapsim

#endif  // REAPSIM_SHIM_SERVER_H_
