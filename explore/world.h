// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// World: what a search needs to know of a machine. Its whole state is the
// contents of its arena, so that a copy brings it back; who can go on is asked
// of the engine; what else may happen, and what must hold, is asked here.
#ifndef REAPSIM_EXPLORE_WORLD_H_
#define REAPSIM_EXPLORE_WORLD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sched/engine.h"

namespace reapsim {

// What may happen next in a world: the fiber of that number makes its next
// step, or, from kEventBase on, an event of the environment happens, such as a
// timer that fires.
using Choice = uint16_t;
inline constexpr Choice kEventBase = 0x8000;
inline constexpr Choice kNoChoice = 0xffff;
inline constexpr bool IsEvent(Choice choice) { return choice >= kEventBase; }

class World {
 public:
  virtual ~World() = default;

  virtual Engine& engine() = 0;

  // Adds the events that may happen now, ascending. They must not depend on
  // anything that is not in the world's state.
  virtual void Events(std::vector<Choice>* /*out*/) const {}
  // Lets one of them happen.
  virtual void Fire(Choice /*event*/) {}

  // How people call a fiber or an event: "P0", "timer 3".
  virtual std::string NameOf(Choice choice) const;
  // Whether `fiber`, which can't go on, may stay so for ever: a kernel thread
  // without work, a task in user mode. Others that do are a deadlock.
  virtual bool MayIdle(const Fiber& /*fiber*/) const { return false; }

  // Asked once after each step, and may answer once: null, or what is broken, a
  // literal that opens with the invariant's number ("S17: ...").
  virtual const char* BrokenInvariant() const { return nullptr; }
  // Asked when nobody can go on and nobody must, and in a state that comes back
  // for ever: adds what must come about some time after this state and has not.
  // What has come about must stay so.
  virtual void UnmetGoals(std::vector<std::string>* /*goals*/) const {}
  // Asked when nobody can go on and nobody must: adds what should not be, a
  // leaked reference for instance.
  virtual void AtEnd(std::vector<std::string>* /*problems*/) {}
  // Asked after that, if nothing was: how the end is not what it should be,
  // one sentence, or "" if it is. For what a test says of results.
  virtual std::string WrongEnd() const { return ""; }
  // What an end state looks like from outside, the same text for what counts as
  // the same: "P0:r0=0; P1:r0=-EINVAL;".
  virtual std::string Outcome() const { return ""; }
};

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_WORLD_H_
