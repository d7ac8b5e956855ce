// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A world for the tests of this room: tasks with address spaces, but without
// system calls, processes or signals. Tests of whole processes use Kernel
// (syscall/kernel.h).
//
//   MmWorld w("v6.18");
//   task_struct* task = w.Spawn();
//   w.Run(task, [&] { addr = vm_mmap({.length = 4096, …}); });
//   w.Start(task, [=] { vm_munmap(addr, 4096); });
//   w.RunUntil(task, Point::kZapVma);
//
// The closures run as modelled code: no heap, no EXPECT_*; results leave by
// reference.
#ifndef REAPSIM_MM_TESTING_H_
#define REAPSIM_MM_TESTING_H_

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/check.h"
#include "base/kernel_version.h"
#include "base/switches.h"
#include "mm/debug.h"
#include "mm/fork.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "sched/engine.h"
#include "sched/sched.h"

namespace reapsim {

class MmWorld {
 public:
  // A version of the table of differences, supported or not.
  explicit MmWorld(const std::string& version, const MmOptions& options = {},
                   Switches switches = {}, Checks checks = {})
      : engine_(&arena_, DifferencesAt(ParseKernelVersion(version).value()),
                switches, checks),
        sched_(InitSched(&arena_)),
        mm_(InitMm(&arena_, options)) {}

  // A process of one thread with an empty address space.
  task_struct* Spawn() {
    task_struct* task = SpawnWithoutMm();
    Run(task, [task] { task->mm = task->active_mm = mm_alloc(); });
    return task;
  }
  // Another process with the address space of `of`.
  task_struct* SpawnSharing(task_struct* of) {
    task_struct* task = SpawnWithoutMm();
    mm_struct* mm = of->mm;
    Run(of, [mm] { mmget(mm); });
    task->mm = task->active_mm = mm;
    return task;
  }
  task_struct* SpawnWithoutMm() {
    task_struct* task = sched_->task_slab.New();
    task->signal = sched_->signal_slab.New();
    task->signal->sigcnt = 1;
    task->signal->thread_head.push_back(*task);
    task->group_leader = task;
    task->usage = 1;
    task->thread = engine_.NewFiber(task, Main);
    return task;
  }

  // Gives a task something to do, without running it.
  template <class Fn>
  void Start(task_struct* task, Fn fn) {
    static_assert(std::is_trivially_copyable_v<Fn>);
    static_assert(sizeof(Fn) <= UserProgram::kMaxBytes);
    REAP_CHECK(task->program.run == nullptr, "test: the task is busy");
    new (task->program.closure) Fn(std::move(fn));
    task->program.run = [](void* closure) { (*static_cast<Fn*>(closure))(); };
  }
  // Runs a task until it has done what it was given, or can't go on. True if
  // it is done.
  bool Go(task_struct* task) {
    while (task->program.run != nullptr && !engine_.stopped() &&
           Engine::CanRun(task->thread)) {
      engine_.Resume(task->thread);
    }
    return task->program.run == nullptr;
  }
  // Runs a task until it stands before a point. False if it never does.
  bool RunUntil(task_struct* task, Point point) {
    task->thread->stop_at = point;
    while (task->program.run != nullptr && !engine_.stopped() &&
           Engine::CanRun(task->thread)) {
      if (engine_.Resume(task->thread) == Stop::kAtPoint) return true;
    }
    task->thread->stop_at = Point::kNone;
    return false;
  }
  // Start() and Go() to the end.
  template <class Fn>
  void Run(task_struct* task, Fn fn) {
    Start(task, fn);
    REAP_CHECK(Go(task) || engine_.stopped(), "test: the task is blocked");
  }

  // Lets everything that waits for a grace period happen.
  void EndGracePeriods() {
    Run(SpawnWithoutMm(), [] { (void)rcu_process_callbacks(); });
  }

  // A fatal signal is pending for the task.
  void Kill(task_struct* task) {
    task->pending |= SigBit(SIGKILL);
    task->thread_flags |= TIF_SIGPENDING;
  }
  // What do_exit() and exit_mm() do: the task gives its cached counters and its
  // address space up, and drops it.
  void StartExitMm(task_struct* task) {
    Start(task, [task] {
      sync_mm_rss(task->mm);
      mm_struct* mm = std::exchange(task->mm, nullptr);
      task->active_mm = nullptr;
      mmput(mm);
    });
  }

  // What does not add up: frames, references, map counts. Empty: all does.
  std::string Problems() {
    std::vector<std::string> problems;
    CheckMmConservation(*mm_, &problems);
    std::string text;
    for (const std::string& problem : problems) text += problem + "\n";
    return text;
  }

  Engine& engine() { return engine_; }
  SchedState& sched() { return *sched_; }
  MmState& mm() { return *mm_; }

 private:
  static void Main(void* owner) {
    auto* task = static_cast<task_struct*>(owner);
    for (;;) {
      if (task->program.run != nullptr) {
        task->program.run(task->program.closure);
        task->program.run = nullptr;
      }
      Here<EngineState>().engine->Yield();
    }
  }

  Arena arena_;
  Engine engine_;
  SchedState* sched_;
  MmState* mm_;
};

}  // namespace reapsim

#endif  // REAPSIM_MM_TESTING_H_
