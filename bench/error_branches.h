// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The ends of process_mrelease() that can be reached again and again: machines
// on which the next call, and every call after it, takes one known branch.
#ifndef REAPSIM_BENCH_ERROR_BRANCHES_H_
#define REAPSIM_BENCH_ERROR_BRANCHES_H_

#include <cstdint>
#include <vector>

#include "base/kernel_version.h"
#include "mm/oom_kill.h"
#include "states/scene.h"

namespace reapsim {

// What the caller of a scene passes to process_mrelease().
struct CallArgs {
  int fd = -1;
  unsigned int flags = 0;
};

struct ErrorBranch {
  const char* name;
  int ret;  // 0 or a positive errno
  MreleaseDecision decision;
  WillFreeReason why;  // of the victim test, if it decided
  // Brings the scene's target into the state; says what to call with.
  CallArgs (*prepare)(Scene&);
  // Whether the goal for error branches is meant for it: it neither walks the
  // memory nor waits.
  bool has_goal = true;
  // False: no such thing in this version. Null: everywhere.
  bool (*exists)(const Differences&) = nullptr;
};

const std::vector<ErrorBranch>& ErrorBranches();

}  // namespace reapsim

#endif  // REAPSIM_BENCH_ERROR_BRANCHES_H_
