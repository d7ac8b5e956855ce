// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/lockdep.h"

#include <algorithm>
#include <cstdio>

#include "sched/race.h"

namespace reapsim {
namespace {

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

void NoteHeld(LockClass lock_class, const void* lock, SourceLine source,
              Hold hold) {
  RaceAcquire(lock, hold);
  FiberHistory& past = *Here<EngineState>().past;
  if (past.lock_count == kMaxHeldLocks) return;
  past.locks[past.lock_count++] = {
      .object = NumberOf(lock),
      .lock_class = static_cast<uint8_t>(lock_class),
      .source = source};
}

void NoteReleased(const void* lock, Hold hold) {
  RaceRelease(lock, hold);
  FiberHistory& past = *Here<EngineState>().past;
  HeldLock* end = past.locks + past.lock_count;
  // It may have been taken before anybody looked.
  HeldLock* found = std::find_if(past.locks, end, [lock](const HeldLock& held) {
    return held.object == NumberOf(lock);
  });
  if (found == end) return;
  std::move(found + 1, end, found);
  past.locks[--past.lock_count] = HeldLock{};
}

void LockAcquiredByTrying(LockClass lock_class, const void* lock,
                          SourceLine source, Hold hold) {
  const EngineState& state = Here<EngineState>();
  FiberHistory& past = *state.past;
  if (state.watched) NoteHeld(lock_class, lock, source, hold);
  const int i = static_cast<int>(lock_class);
  if ((past.held >> i & 1) != 0) {
    past.more[i]++;
  } else {
    past.held |= 1u << i;
  }
}

}  // namespace reapsim
