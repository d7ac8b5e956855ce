// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A world of bare tasks for tests of the sched room: fibers that run lambdas,
// stepped by the test.
#ifndef REAPSIM_SCHED_TESTING_H_
#define REAPSIM_SCHED_TESTING_H_

#include <type_traits>

#include "base/arena.h"
#include "base/kernel_version.h"
#include "sched/engine.h"
#include "sched/sched.h"

namespace reapsim {

class BareWorld {
 public:
  BareWorld() : engine_(&arena_, Differences{}), sched_(InitSched(&arena_)) {}

  // A task that runs fn() when it is stepped. `fn` may capture plain values
  // and pointers only.
  template <class Fn>
  task_struct* Add(Fn fn) {
    static_assert(std::is_trivially_copyable_v<Fn>);
    static_assert(sizeof(Fn) <= UserProgram::kMaxBytes);
    task_struct* task = sched_->task_slab.New();
    new (task->program.closure) Fn(fn);
    task->program.run = [](void* p) { (*static_cast<Fn*>(p))(); };
    task->thread = engine_.NewFiber(task, [](void* owner) {
      UserProgram& program = static_cast<task_struct*>(owner)->program;
      program.run(program.closure);
    });
    return task;
  }

  Stop Step(task_struct* task) { return engine_.Resume(task->thread); }
  Stop StepTo(task_struct* task, Point point) {
    task->thread->stop_at = point;
    return Step(task);
  }
  bool CanRun(task_struct* task) { return Engine::CanRun(task->thread); }

  Engine& engine() { return engine_; }
  SchedState& sched() { return *sched_; }
  Arena& arena() { return arena_; }

  // An object of type T in the arena.
  template <class T>
  T* New() {
    Extent* extent = arena_.Reserve(Part::kState, sizeof(T));
    extent->used = sizeof(T);
    return new (extent->base) T{};
  }

 private:
  Arena arena_;
  Engine engine_;
  SchedState* sched_;
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_TESTING_H_
