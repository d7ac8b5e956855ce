// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/verdict.h"

namespace reapsim {

const char* VerdictName(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kNone:
      return "none";
    case VerdictKind::kInvariantBroken:
      return "invariant broken";
    case VerdictKind::kDataRace:
      return "data race";
    case VerdictKind::kUseAfterFree:
      return "use after free";
    case VerdictKind::kDoubleFree:
      return "double free";
    case VerdictKind::kDeadlock:
      return "deadlock";
    case VerdictKind::kLockOrder:
      return "lock-order inversion";
    case VerdictKind::kLivelock:
      return "livelock";
    case VerdictKind::kLeak:
      return "leak";
    case VerdictKind::kWrongResult:
      return "wrong result";
  }
  return "?";
}

std::string Verdict::ToString() const {
  return std::string(VerdictName(kind)) + ": " + what + " (task " +
         std::to_string(task) + ", step " + std::to_string(step) + ", " +
         where + ")";
}

}  // namespace reapsim
