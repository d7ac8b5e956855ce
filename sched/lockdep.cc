// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/lockdep.h"

#include <cstdio>

#include "sched/sched.h"

namespace reapsim {
namespace {

constexpr int kClasses = static_cast<int>(LockClass::kCount);
static_assert(kClasses <= 32);

// All classes that the recorded order puts inside `from`, at any distance.
uint32_t InsideOf(const LockHistory& history, int from) {
  uint32_t seen = history.inside[from];
  uint32_t todo = seen;
  while (todo != 0) {
    const int c = __builtin_ctz(todo);
    todo &= todo - 1;
    const uint32_t fresh = history.inside[c] & ~seen;
    seen |= fresh;
    todo |= fresh;
  }
  return seen;
}

[[noreturn]] void ReportInversion(int outer, int inner, SourceLine source) {
  char text[160];
  std::snprintf(text, sizeof(text),
                "%s is taken inside %s, but elsewhere %s was taken inside %s",
                LockClassName(static_cast<LockClass>(inner)),
                LockClassName(static_cast<LockClass>(outer)),
                LockClassName(static_cast<LockClass>(outer)),
                LockClassName(static_cast<LockClass>(inner)));
  Fail(VerdictKind::kLockOrder, text, source);
}

}  // namespace

const char* LockClassName(LockClass lock_class) {
  static constexpr const char* kNames[] = {
#define X(name, text) text,
      REAPSIM_LOCK_CLASSES(X)
#undef X
  };
  return kNames[static_cast<int>(lock_class)];
}

void LockAcquired(LockClass lock_class, SourceLine source) {
  SchedState& sched = Here<SchedState>();
  LockHistory& history = *sched.lock_history;
  const int inner = static_cast<int>(lock_class);
  uint8_t* held = history.held[Here<EngineState>().current->id];
  for (int outer = 0; outer < kClasses; ++outer) {
    if (held[outer] == 0 || (history.inside[outer] >> inner & 1) != 0) continue;
    if (outer == inner || (InsideOf(history, inner) >> outer & 1) != 0) {
      ReportInversion(outer, inner, source);
    }
    history.inside[outer] |= 1u << inner;
  }
  held[inner]++;
}

void LockAcquiredByTrying(LockClass lock_class) {
  Here<SchedState>().lock_history->held[Here<EngineState>().current->id]
                                       [static_cast<int>(lock_class)]++;
}

void LockReleased(LockClass lock_class, SourceLine source) {
  LockHistory& history = *Here<SchedState>().lock_history;
  uint8_t& held =
      history
          .held[Here<EngineState>().current->id][static_cast<int>(lock_class)];
  Invariant(held > 0, "a lock is released by a task that does not hold it",
            source);
  held--;
}

uint32_t LocksHeld() {
  const LockHistory& history = *Here<SchedState>().lock_history;
  const uint8_t* held = history.held[Here<EngineState>().current->id];
  uint32_t set = 0;
  for (int c = 0; c < kClasses; ++c) set |= (held[c] != 0 ? 1u : 0u) << c;
  return set;
}

}  // namespace reapsim
