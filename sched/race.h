// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Data races: two plain accesses to one location, at least one of them a write,
// that nothing orders. Found by vector clocks, in the manner of FastTrack
// (Flanagan and Freund, PLDI 2009), in searches that ask for it
// (ExploreOptions::races); at other times each call here is one look at a flag.
//
// Modelled code says two things:
//   PlainRead(), PlainWrite()    where the kernel reads or writes a field
//                                without READ_ONCE(), an atomic or data_race()
//   RaceAcquire(), RaceRelease() what orders: locks say it themselves
//                                (sched/lockdep.h), other objects where they do
//                                what Linux's memory model calls so
// docs/races.md has the table of what orders what.
//
// Clocks lie in the history part: they are restored, and never hashed. So two
// histories that lead to one state are one to a stateful search, although only
// one of them may have the race.
#ifndef REAPSIM_SCHED_RACE_H_
#define REAPSIM_SCHED_RACE_H_

#include <cstddef>
#include <cstdint>

#include "sched/engine.h"

namespace reapsim {

// How a lock is held, and so what its release orders: what readers release,
// later writers see, but no other readers.
enum class Hold : uint8_t { kExclusive, kShared };

// Host side. Makes room for the clocks, once, in a world at rest that is not
// watched; what is copied before can't be restored after.
void PrepareForRaces(Engine& engine);
// Host side. From now on plain accesses are watched, until the world is
// restored to what it was before. What was done until now is ordered before
// all that comes. PrepareForRaces() comes first.
void WatchRaces(Engine& engine);

// Limits; what lies beyond is not watched, and Engine::races_missed() says so.
inline constexpr uint32_t kMaxRaceFibers = 32;
inline constexpr uint32_t kMaxRaceLocations = 512;
inline constexpr uint32_t kMaxRaceReaders = 8;  // of a location at a time
inline constexpr uint32_t kMaxRaceObjects = 512;

namespace race_internal {
void Access(const void* location, const char* name, bool write,
            SourceLine source);
void Acquire(const void* object, Hold hold);
void Release(const void* object, Hold hold);
void Store(const void* object, bool release);
void Free(const void* object, size_t size, SourceLine source);
}  // namespace race_internal

// A plain access by the running task. `name` is how people call the location, a
// literal: "mm->mmap".
inline void PlainRead(const void* location, const char* name,
                      SourceLine source = SourceLine::Current()) {
  if (Here<EngineState>().races != nullptr) [[unlikely]]
    race_internal::Access(location, name, /*write=*/false, source);
}
inline void PlainWrite(const void* location, const char* name,
                       SourceLine source = SourceLine::Current()) {
  if (Here<EngineState>().races != nullptr) [[unlikely]]
    race_internal::Access(location, name, /*write=*/true, source);
}

// The running task sees what was done before the releases of `object`; with
// Hold::kShared, before the exclusive ones.
inline void RaceAcquire(const void* object, Hold hold = Hold::kExclusive) {
  if (Here<EngineState>().races != nullptr) [[unlikely]]
    race_internal::Acquire(object, hold);
}
// Who acquires `object` later sees what the running task has done.
inline void RaceRelease(const void* object, Hold hold = Hold::kExclusive) {
  if (Here<EngineState>().races != nullptr) [[unlikely]]
    race_internal::Release(object, hold);
}
// A store to an atomic word: who acquires it from now on sees what was done
// before this store, if it is a release, and of earlier releases nothing.
inline void RaceStore(const void* object, bool release) {
  if (Here<EngineState>().races != nullptr) [[unlikely]]
    race_internal::Store(object, release);
}
// The running task frees an object, which counts as a write to each location in
// it that was ever looked at, as under KCSAN. What comes to lie there is
// another one.
inline void RaceFree(const void* object, size_t size,
                     SourceLine source = SourceLine::Current()) {
  if (Here<EngineState>().races != nullptr) [[unlikely]]
    race_internal::Free(object, size, source);
}
// The running task has made a fiber, which sees all that it has done.
void RaceFork(EngineState& state, const Fiber* child);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_RACE_H_
