// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Stepper: makes a world go on by one choice at a time, and judges it after
// each. A step of a fiber is the operation before which it stands and all that
// it does up to its next one.
#ifndef REAPSIM_EXPLORE_STEPPER_H_
#define REAPSIM_EXPLORE_STEPPER_H_

#include <vector>

#include "explore/world.h"

namespace reapsim {

class Stepper : private Chooser {
 public:
  // Puts the world, which is at rest, into explored mode for its own lifetime.
  explicit Stepper(World* world);
  // Takes the world back from another chooser.
  void TakeOver() { engine_.SetChooser(this); }
  ~Stepper() override;
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;

  // Takes each fiber that has not begun, or has done what the host asked of it,
  // to its next operation: what a task does before it, no other can see, so
  // that no step need be made of it.
  // Changes nothing if that meets a verdict.
  void Settle();

  // What may happen now, ascending: fibers, then events.
  void Enabled(std::vector<Choice>* out) const;
  // Makes one of them happen. False if the world has stopped at a verdict.
  bool Step(Choice choice);
  World& world() const { return *world_; }
  Engine& engine() const { return engine_; }

 private:
  Fiber* Next(Fiber* running) override;

  World* world_;
  Engine& engine_;
};

// The world has a broken invariant.
void ReportBroken(const char* invariant, Engine& engine);

// True iff a broken invariant of the world has been reported.
inline bool ReportBrokenInvariant(const World& world, Engine& engine) {
  const char* broken = world.BrokenInvariant();
  if (broken == nullptr) [[likely]]
    return false;
  ReportBroken(broken, engine);
  return true;
}

// Nobody can go on: reports a deadlock, or what the world says should not be so
// in the end. False if there is such a verdict.
bool JudgeEnd(World& world);

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_STEPPER_H_
