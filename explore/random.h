// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Executions by chance: random walks, and PCT (Burckhardt et al., "A randomized
// scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
#ifndef REAPSIM_EXPLORE_RANDOM_H_
#define REAPSIM_EXPLORE_RANDOM_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/prng.h"
#include "explore/explore.h"
#include "explore/stepper.h"

namespace reapsim {

// Makes executions from the state in which the world is when it is made. The
// choice is made on the fiber's own stack, so that a fiber that is chosen again
// costs no switch.
class RandomExecutions : private Chooser {
 public:
  RandomExecutions(World* world, const ExploreOptions& options);
  ~RandomExecutions() override;
  RandomExecutions(const RandomExecutions&) = delete;
  RandomExecutions& operator=(const RandomExecutions&) = delete;

  // All executions of this shard, or up to the first failure.
  Exploration Run();
  // Of the last execution.
  Schedule schedule() const {
    return Schedule(schedule_.get(), schedule_.get() + steps_);
  }

 private:
  Fiber* Next(Fiber* running) override;
  // One execution, to its end or verdict.
  void Execute(uint64_t seed);
  void ListFibers();
  // Of what was found: fibers first, then events.
  size_t EnabledCount() const { return enabled_count_ + events_.size(); }
  Choice EnabledAt(size_t i) const;
  size_t PickByPriority();
  size_t HighestPriority();
  void SetPriorities();
  uint32_t& PriorityOf(Choice choice);
  void NoteFailure();

  World* world_;
  Engine& engine_;
  const ExploreOptions& options_;
  const bool by_priority_;
  Snapshot start_;
  Prng prng_{0};
  Exploration found_;
  std::vector<Fiber*> fibers_;   // that have not ended, by number
  uint64_t fiber_changes_ = 0;   // of the engine, when they were listed
  std::vector<Fiber*> enabled_;  // the first enabled_count_ of it
  size_t enabled_count_ = 0;
  std::vector<Choice> events_;
  std::unique_ptr<Choice[]> schedule_;  // the first steps_ of it
  uint64_t steps_ = 0;
  Choice event_ = kNoChoice;  // that was picked: the host lets it happen
  bool too_long_ = false;

  // PCT: of each choice, by index; the largest goes first.
  static constexpr uint32_t kUnset = 0;
  std::vector<uint32_t> priority_;
  std::vector<uint64_t> change_at_;  // steps, ascending
  size_t changes_ = 0;
  uint64_t longest_ = 1;  // steps of an execution, so far
};

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_RANDOM_H_
