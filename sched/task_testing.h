// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// TestWorld: a machine with tasks but without memory or system calls, for the
// tests of this room. Tasks are made by hand and do what the test tells them.
#ifndef REAPSIM_SCHED_TASK_TESTING_H_
#define REAPSIM_SCHED_TASK_TESTING_H_

#include <new>
#include <string>
#include <type_traits>

#include "base/arena.h"
#include "base/kernel_version.h"
#include "sched/engine.h"
#include "sched/pid.h"
#include "sched/sched.h"

namespace reapsim {

class TestWorld {
 public:
  explicit TestWorld(const std::string& version = "v6.18")
      : engine_(&arena_, Resolve(version).value().differences),
        sched_(InitSched(&arena_)) {
    sched_->init_pid_ns = MakePidNamespace(sched_, nullptr);
    sched_->init_task = NewProcess();
  }

  // A process of one thread, child of pid 1; in `ns` or the initial namespace.
  // It sleeps, as in pause(2).
  task_struct* NewProcess(pid_namespace* ns = nullptr) {
    task_struct* task = NewTask(ns);
    task->signal = sched_->signal_slab.New();
    task->sighand = sched_->sighand_slab.New();
    task->sighand->count = 1;
    task->signal->curr_target = task;
    task->signal->leader_pid = task->thread_pid;
    task->thread_pid->tasks[PIDTYPE_TGID] = task;
    task->group_leader = task;
    task->tgid = task->pid;
    task->exit_signal = SIGCHLD;
    task->real_parent = task->parent =
        sched_->init_task == nullptr ? task : sched_->init_task;
    sched_->tasks.push_back(*task);
    Join(task);
    return task;
  }

  // One more thread of a process.
  task_struct* NewThread(task_struct* leader) {
    task_struct* task = NewTask(task_active_pid_ns(leader));
    task->signal = leader->signal;
    task->sighand = leader->sighand;
    task->group_leader = leader;
    task->tgid = leader->tgid;
    task->exit_signal = -1;
    task->real_parent = task->parent = leader->real_parent;
    Join(task);
    return task;
  }

  // Has the task run fn() on its own fiber, to the end. Returns its result; a
  // void fn gives 0.
  template <class Fn>
  int64_t As(task_struct* task, Fn fn) {
    Begin(task, fn);
    const Stop why = engine_.Resume(task->thread);
    REAP_CHECK(task->program.done || why == Stop::kVerdict,
               "testing: the task has to wait");
    return task->program.result;
  }

  // Gives the task fn() to do without running it: see engine().Resume().
  template <class Fn>
  void Begin(task_struct* task, Fn fn) {
    static_assert(std::is_trivially_copyable_v<Fn> &&
                  sizeof(Fn) <= UserProgram::kMaxBytes);
    UserProgram& program = task->program;
    new (program.closure) Fn(fn);
    program.done = false;
    program.run = [](void* closure) {
      Fn& call = *static_cast<Fn*>(closure);
      if constexpr (std::is_void_v<decltype(call())>) {
        call();
        current()->program.result = 0;
      } else {
        current()->program.result = call();
      }
    };
  }

  Engine& engine() { return engine_; }
  SchedState& sched() { return *sched_; }

 private:
  task_struct* NewTask(pid_namespace* ns) {
    task_struct* task = sched_->task_slab.New();
    task->usage = 1;
    task->__state = TASK_INTERRUPTIBLE;
    task->pid_ns = ns == nullptr ? sched_->init_pid_ns : ns;
    int error = 0;
    task->thread_pid = MakePid(sched_, task->pid_ns, &error);
    REAP_CHECK(error == 0, "testing: no pid");
    task->thread_pid->tasks[PIDTYPE_PID] = task;
    task->pid = pid_nr(task->thread_pid);
    task->thread = engine_.NewFiber(task, RunPrograms);
    return task;
  }

  static void Join(task_struct* task) {
    task->signal->thread_head.push_back(*task);
    task->signal->sigcnt++;
    task->signal->live++;
    task->signal->nr_threads++;
  }

  static void RunPrograms(void* owner) {
    auto* task = static_cast<task_struct*>(owner);
    for (;;) {
      const uint32_t before = task->__state;
      task->__state = TASK_RUNNING;
      task->program.run(task->program.closure);
      task->__state = before;
      task->program.done = true;
      Here<EngineState>().engine->Yield();
    }
  }

  Arena arena_;
  Engine engine_;
  SchedState* sched_;
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_TASK_TESTING_H_
