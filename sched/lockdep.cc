// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/lockdep.h"

#include <cstdio>

namespace reapsim {
namespace {

static_assert(kLockClasses <= 32);

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

void RecordLockOrder(LockHistory* history, uint32_t held, LockClass inner,
                     SourceLine source) {
  const int in = static_cast<int>(inner);
  uint32_t todo = held & ~history->outside[in];
  for (; todo != 0; todo &= todo - 1) {
    const int outer = __builtin_ctz(todo);
    if (outer == in || (InsideOf(*history, in) >> outer & 1) != 0) {
      ReportInversion(outer, in, source);
    }
    history->inside[outer] |= 1u << in;
    history->outside[in] |= 1u << outer;
  }
}

void LockAcquiredByTrying(LockClass lock_class) {
  const EngineState& state = Here<EngineState>();
  LockHistory& history = *state.locks;
  const uint32_t id = state.current->id;
  const int i = static_cast<int>(lock_class);
  if ((history.held[id] >> i & 1) != 0) {
    history.more[id][i]++;
  } else {
    history.held[id] |= 1u << i;
  }
}

}  // namespace reapsim
