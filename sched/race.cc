// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/race.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <utility>

namespace reapsim {

namespace {

using Clock = std::array<uint32_t, kMaxRaceFibers>;

// An access, by the time on its fiber's own clock; `time` 0: there was none.
struct PastAccess {
  uint32_t fiber;
  uint32_t time;
  SourceLine source;
};

struct Location {
  const void* address;
  const char* name;
  PastAccess write;                   // the last one
  PastAccess reads[kMaxRaceReaders];  // since then: of each fiber, the last
};

// What somebody can acquire.
struct Object {
  const void* address;
  Clock exclusive;
  Clock shared;
};

// Maps an address to the place of its entry in a dense table: open addressing,
// half empty. Places are in the order of first use, so that they, and all that
// is printed, are the same in every run.
template <uint32_t kEntries>
struct Index {
  static constexpr uint32_t kSlots = 2 * kEntries;
  static_assert((kSlots & (kSlots - 1)) == 0);
  uint16_t places[kSlots];  // plus 1; 0: free

  template <class Entry>
  uint16_t& SlotOf(const void* address, const Entry* entries) {
    const auto key = reinterpret_cast<uintptr_t>(address);
    auto i = static_cast<uint32_t>((key * 0x9e3779b97f4a7c15) >> 32) % kSlots;
    while (places[i] != 0 && entries[places[i] - 1].address != address) {
      i = (i + 1) % kSlots;
    }
    return places[i];
  }
};

}  // namespace

// Messages below say them in figures.
static_assert(kMaxRaceFibers == 32 && kMaxRaceLocations == 512 &&
              kMaxRaceReaders == 8 && kMaxRaceObjects == 512);

// Three extents in a row: this, the locations, the objects.
struct RaceState {
  uint32_t location_count;
  uint32_t object_count;
  Clock clocks[kMaxRaceFibers];  // of the fibers
  Index<kMaxRaceLocations> location_index;
  Index<kMaxRaceObjects> object_index;
};

namespace {

Location* LocationsOf(const EngineState& state) {
  return reinterpret_cast<Location*>(state.race_room[1].base);
}
Object* ObjectsOf(const EngineState& state) {
  return reinterpret_cast<Object*>(state.race_room[2].base);
}

// Null: the running fiber is not watched.
RaceState* WatchedState(EngineState& state) {
  if (state.current->id < kMaxRaceFibers) return state.races;
  state.engine->SetRacesMissed(
      "races of tasks of numbers beyond 31 are not watched");
  return nullptr;
}

// Null when the table is full.
Location* LocationAt(EngineState& state, RaceState* races, const void* address,
                     const char* name) {
  Location* locations = LocationsOf(state);
  uint16_t& place = races->location_index.SlotOf(address, locations);
  if (place == 0) {
    if (races->location_count == kMaxRaceLocations) {
      state.engine->SetRacesMissed(
          "races at more than 512 locations are not watched");
      return nullptr;
    }
    place = static_cast<uint16_t>(++races->location_count);
    state.race_room[1].used = size_t{place} * sizeof(Location);
    locations[place - 1].address = address;
  }
  Location* location = &locations[place - 1];
  location->name = name;
  return location;
}

// Null when the table is full.
Object* ObjectAt(EngineState& state, RaceState* races, const void* address) {
  Object* objects = ObjectsOf(state);
  uint16_t& place = races->object_index.SlotOf(address, objects);
  if (place == 0) {
    if (races->object_count == kMaxRaceObjects) {
      state.engine->SetRacesMissed(
          "races are not watched beside more than 512 locks and counters");
      return nullptr;
    }
    place = static_cast<uint16_t>(++races->object_count);
    state.race_room[2].used = size_t{place} * sizeof(Object);
    objects[place - 1].address = address;
  }
  return &objects[place - 1];
}

void Join(Clock& to, const Clock& from) {
  for (uint32_t i = 0; i < kMaxRaceFibers; ++i) {
    to[i] = std::max(to[i], from[i]);
  }
}

bool IsUnordered(const PastAccess& past, const Clock& now) {
  return past.time > now[past.fiber];
}

// The paths that the compiler gives may begin with "./".
const char* FileOf(const SourceLine& source) {
  return std::strncmp(source.file, "./", 2) == 0 ? source.file + 2
                                                 : source.file;
}

enum class Kind : uint8_t { kRead, kWrite, kFree };

const char* VerbOf(Kind kind) {
  switch (kind) {
    case Kind::kRead:
      return "reads";
    case Kind::kWrite:
      return "writes";
    case Kind::kFree:
      return "frees";
  }
  return "?";
}

struct Side {
  uint32_t fiber;
  Kind kind;
  SourceLine source;

  // Which one is told first: the same, whichever came first.
  bool Before(const Side& other) const {
    if (kind != other.kind) return kind > other.kind;
    const int files = std::strcmp(FileOf(source), FileOf(other.source));
    if (files != 0) return files < 0;
    if (source.line != other.source.line) {
      return source.line < other.source.line;
    }
    return fiber < other.fiber;
  }
};

[[noreturn]] void Report(const char* name, Side a, Side b) {
  if (!a.Before(b)) std::swap(a, b);
  char text[400];
  std::snprintf(text, sizeof(text),
                "%s: task %u %s it at %s:%d, task %u %s it at %s:%d, and "
                "nothing orders the two",
                name, a.fiber, VerbOf(a.kind), FileOf(a.source), a.source.line,
                b.fiber, VerbOf(b.kind), FileOf(b.source), b.source.line);
  Fail(VerdictKind::kDataRace, text, b.source);
}

// Where the next read of `fiber` is noted; null if there is no room.
PastAccess* ReadSlot(Location* location, uint32_t fiber, const Clock& now) {
  PastAccess* free = nullptr;
  for (PastAccess& read : location->reads) {
    if (read.time == 0) {
      if (free == nullptr) free = &read;
    } else if (read.fiber == fiber) {
      return &read;
    }
  }
  if (free != nullptr) return free;
  // What is not ordered after a read that this one is ordered after, is not
  // ordered after this one either.
  for (PastAccess& read : location->reads) {
    if (!IsUnordered(read, now)) return &read;
  }
  return nullptr;
}

}  // namespace

void PrepareForRaces(Engine& engine) {
  engine.SetRacesMissed(nullptr);
  EngineState* state = engine.state();
  if (state->race_room != nullptr) return;
  Arena* arena = engine.arena();
  Extent* room = arena->Reserve(Part::kHistory, sizeof(RaceState));
  arena->Reserve(Part::kHistory, kMaxRaceLocations * sizeof(Location));
  arena->Reserve(Part::kHistory, kMaxRaceObjects * sizeof(Object));
  state->race_room = room;
}

void WatchRaces(Engine& engine) {
  EngineState* state = engine.state();
  REAP_CHECK(state->race_room != nullptr && state->races == nullptr,
             "race: no room, or watched already");
  state->race_room->used = sizeof(RaceState);
  state->races = reinterpret_cast<RaceState*>(state->race_room->base);
  for (uint32_t i = 0; i < kMaxRaceFibers; ++i) state->races->clocks[i][i] = 1;
}

namespace {

void CheckLastWrite(const Location& location, const Clock& now, Side side) {
  if (!IsUnordered(location.write, now)) return;
  Report(location.name, side,
         {.fiber = location.write.fiber,
          .kind = Kind::kWrite,
          .source = location.write.source});
}

// Of several the first task's, so that every run tells the same.
void CheckReads(const Location& location, const Clock& now, Side side) {
  const PastAccess* racing = nullptr;
  for (const PastAccess& read : location.reads) {
    if (IsUnordered(read, now) &&
        (racing == nullptr || read.fiber < racing->fiber)) {
      racing = &read;
    }
  }
  if (racing == nullptr) return;
  Report(
      location.name, side,
      {.fiber = racing->fiber, .kind = Kind::kRead, .source = racing->source});
}

void NoteRead(EngineState& state, Location* location, const PastAccess& read,
              const Clock& now) {
  PastAccess* slot = ReadSlot(location, read.fiber, now);
  if (slot == nullptr) {
    state.engine->SetRacesMissed(
        "races of more than 8 unordered readers are not watched");
  } else {
    *slot = read;
  }
}

}  // namespace

namespace race_internal {

void Access(const void* address, const char* name, bool write,
            SourceLine source) {
  EngineState& state = Here<EngineState>();
  RaceState* races = WatchedState(state);
  if (races == nullptr) return;
  const uint32_t self = state.current->id;
  const Clock& now = races->clocks[self];
  Location* location = LocationAt(state, races, address, name);
  if (location == nullptr) return;
  const Side side{.fiber = self,
                  .kind = write ? Kind::kWrite : Kind::kRead,
                  .source = source};
  const PastAccess access{.fiber = self, .time = now[self], .source = source};
  CheckLastWrite(*location, now, side);
  if (!write) {
    NoteRead(state, location, access, now);
    return;
  }
  CheckReads(*location, now, side);
  location->write = access;
  std::memset(location->reads, 0, sizeof(location->reads));
}

void Acquire(const void* address, Hold hold) {
  EngineState& state = Here<EngineState>();
  RaceState* races = WatchedState(state);
  if (races == nullptr) return;
  const Object* object = ObjectAt(state, races, address);
  if (object == nullptr) return;
  Clock& now = races->clocks[state.current->id];
  Join(now, object->exclusive);
  if (hold == Hold::kExclusive) Join(now, object->shared);
}

void Release(const void* address, Hold hold) {
  EngineState& state = Here<EngineState>();
  RaceState* races = WatchedState(state);
  if (races == nullptr) return;
  Object* object = ObjectAt(state, races, address);
  if (object == nullptr) return;
  const uint32_t self = state.current->id;
  Clock& now = races->clocks[self];
  Join(hold == Hold::kExclusive ? object->exclusive : object->shared, now);
  now[self]++;
}

void Store(const void* address, bool release) {
  EngineState& state = Here<EngineState>();
  RaceState* races = WatchedState(state);
  if (races == nullptr) return;
  Object* object = ObjectAt(state, races, address);
  if (object == nullptr) return;
  object->exclusive = Clock{};
  if (release) Release(address, Hold::kExclusive);
}

void Free(const void* object, size_t size, SourceLine source) {
  EngineState& state = Here<EngineState>();
  RaceState* races = WatchedState(state);
  if (races == nullptr) return;
  const auto begin = reinterpret_cast<uintptr_t>(object);
  const auto inside = [begin, size](const void* address) {
    return reinterpret_cast<uintptr_t>(address) - begin < size;
  };
  const uint32_t self = state.current->id;
  const Clock& now = races->clocks[self];
  const Side side{.fiber = self, .kind = Kind::kFree, .source = source};
  Location* locations = LocationsOf(state);
  for (uint32_t i = 0; i < races->location_count; ++i) {
    Location& location = locations[i];
    if (!inside(location.address)) continue;
    CheckLastWrite(location, now, side);
    CheckReads(location, now, side);
    location.write = PastAccess{};
    std::memset(location.reads, 0, sizeof(location.reads));
  }
  Object* objects = ObjectsOf(state);
  for (uint32_t i = 0; i < races->object_count; ++i) {
    if (!inside(objects[i].address)) continue;
    objects[i].exclusive = Clock{};
    objects[i].shared = Clock{};
  }
}

}  // namespace race_internal

void RaceFork(EngineState& state, const Fiber* child) {
  RaceState* races = WatchedState(state);
  if (races == nullptr || child->id >= kMaxRaceFibers) return;
  const uint32_t self = state.current->id;
  Join(races->clocks[child->id], races->clocks[self]);
  races->clocks[child->id][child->id]++;
  races->clocks[self][self]++;
}

}  // namespace reapsim
