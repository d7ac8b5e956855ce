// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How long the model takes for calls that end early, and for what they look
// through: threads and processes. In nanoseconds of this machine; the model
// does nothing of what makes a kernel's entry and its locks cost time.
//
//   calls/VERSION/BRANCH        process_mrelease(), in a loop of the calling
//                               task's own program
//   host_call/VERSION/BRANCH    the same, one call at a time from the host:
//                               k.As(task).process_mrelease()
//   primitive/NAME              what calls are made of
//   yardstick/NAME              an addition that waits for the one before
//   find_lock_task_mm/SHAPE/N   in a process of N threads
//   task_will_free_mem/SHAPE/N  on a machine with N more processes
//
// Only the calls are timed. One that returns something else than it should,
// takes another branch, or leaves something behind is an error.

#include <benchmark/benchmark.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "bench/error_branches.h"
#include "bench/run.h"
#include "bench/time_calls.h"
#include "mm/oom_kill.h"
#include "states/scene.h"
#include "syscall/fork.h"
#include "syscall/kernel.h"

namespace reapsim {
namespace {

constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};
constexpr const char* kNewest = "v6.18";

// ---- Branches --------------------------------------------------------------

void TimeHostCall(benchmark::State& state, const char* version,
                  const ErrorBranch& branch) {
  std::unique_ptr<Scene> s = *Scene::Create({.version = version});
  const CallArgs args = branch.prepare(*s);
  User caller = s->k().As(s->caller());
  int64_t wrong = 0;
  for (auto _ : state) {
    const SysResult ret = caller.process_mrelease(args.fd, args.flags);
    wrong += ret.kernel() == -branch.ret ? 0 : 1;
  }
  std::string error = wrong == 0 ? WrongBranch(*s, branch) : "a wrong result";
  Settle(state, EndOf(s->k(), *s, error));
}

// EINTR: a writer has mmap_lock, and the caller has been killed. It does not
// live to make another call, so each batch has a caller of its own.
void TimeInterrupted(benchmark::State& state, const char* version) {
  std::unique_ptr<Scene> s = *Scene::Create({.version = version});
  Kernel& k = s->k();
  Task& writer = k.TaskOf(
      static_cast<pid_t>(s->Must(k.As(s->victim()).clone_thread(), "clone")));
  k.Begin(writer, [](User user) { (void)user.fork(); });
  (void)s->Reach(writer, Point::kDupMmap);
  k.Hold(writer);
  s->Kill(s->victim());
  int64_t wrong = 0;
  while (state.KeepRunningBatch(kBatch)) {
    state.PauseTiming();
    const int64_t pid = k.As(s->caller()).fork();
    Task& caller = k.TaskOf(static_cast<pid_t>(pid));
    const int fd = s->fd();
    // Signals are seen to when the whole lambda, one call, is over.
    k.BeginCall(caller, [fd]() -> int64_t {
      int64_t bad = 0;
      for (int64_t i = 0; i < kBatch; ++i) {
        bad += sys_process_mrelease(fd, 0) == -EINTR ? 0 : 1;
      }
      return bad;
    });
    (void)s->Reach(caller, Point::kSyscallEntry);
    s->Kill(caller);
    state.ResumeTiming();
    const Stepped end = k.Finish(caller);
    state.PauseTiming();
    wrong += end == Stepped::kDone ? k.Result(caller).kernel() : 1;
    (void)k.RunUntilBlocked(caller);
    (void)k.As(s->caller()).waitpid(caller.pid());
    state.ResumeTiming();
  }
  std::string error = wrong == 0 ? s->outcome().unreachable : "a wrong result";
  if (!k.stopped()) k.Release(writer);
  Settle(state, EndOf(k, *s, error));
}

void RegisterBranches() {
  for (const char* version : kVersions) {
    const Differences differences = Resolve(version)->differences;
    for (const ErrorBranch& branch : ErrorBranches()) {
      if (branch.exists != nullptr && !branch.exists(differences)) continue;
      const std::string name = std::string(version) + "/" + branch.name;
      benchmark::RegisterBenchmark(
          ("calls/" + name).c_str(),
          [=](benchmark::State& state) { TimeBranch(state, version, branch); });
      // What the host adds is the same for all.
      if (branch.decision != MreleaseDecision::kFlags) continue;
      benchmark::RegisterBenchmark(("host_call/" + name).c_str(),
                                   [=](benchmark::State& state) {
                                     TimeHostCall(state, version, branch);
                                   });
    }
    benchmark::RegisterBenchmark(
        (std::string("calls/") + version + "/EINTR_killed").c_str(),
        [=](benchmark::State& state) { TimeInterrupted(state, version); });
  }
}

// ---- What calls are made of ------------------------------------------------

struct Primitive {
  const char* name;
  void (*once)(task_struct* self);
};

// One or two steps that others could see; nobody looks.
constexpr Primitive kPrimitives[] = {
    {"schedule_point", [](task_struct*) { Mark(Point::kMreleaseChecked); }},
    {"READ_ONCE", [](task_struct* self) { (void)READ_ONCE(self->flags); }},
    {"atomic_inc_dec",
     [](task_struct* self) {
       atomic_inc(&self->usage);
       (void)atomic_dec_return(&self->usage);
     }},
    {"rcu_read_lock_unlock",
     [](task_struct*) {
       rcu_read_lock();
       rcu_read_unlock();
     }},
    {"task_lock_unlock",
     [](task_struct* self) {
       task_lock(self);
       task_unlock(self);
     }},
};

void TimePrimitive(benchmark::State& state, const Primitive& primitive) {
  Kernel k({.version = kNewest});
  Task& task = k.Spawn("task");
  const std::string error =
      TimeInTask(state, k, task, [once = primitive.once](User user) {
        once(user.task());
        return true;
      });
  Settle(state, EndOf(k, k, error));
}

// How fast the machine is just now: in a register an addition takes one cycle;
// in memory it takes as long as a schedule point, which counts, must.
void TimeAddInRegister(benchmark::State& state) {
  uint64_t sum = 0;
  while (state.KeepRunningBatch(kBatch)) {
    for (int64_t i = 0; i < kBatch; ++i) {
      sum++;
      asm volatile("" : "+r"(sum));
    }
  }
}

void TimeAddInMemory(benchmark::State& state) {
  volatile uint64_t sum = 0;
  while (state.KeepRunningBatch(kBatch)) {
    for (int64_t i = 0; i < kBatch; ++i) sum = sum + 1;
  }
}

// ---- Threads ---------------------------------------------------------------

// Which thread of N the kernel finds.
enum class Threads { kFirstHasMm, kLeaderGone, kLastHasMm };

Task& WithThreads(Kernel& k, int n) {
  Task& victim = k.Spawn("victim");
  k.Begin(victim, [n](User user) {
    for (int i = 1; i < n; ++i) (void)user.clone_thread();
  });
  (void)k.Finish(victim);
  return victim;
}

// The threads of a process in the order of its list.
std::vector<task_struct*> ThreadsOf(Task& task) {
  std::vector<task_struct*> threads;
  for (task_struct& t : task.raw()->signal->thread_head) threads.push_back(&t);
  return threads;
}

// Brings the victim into that shape: which of its threads is to be found. The
// others stand in exit, their mm given up, or are zombies.
task_struct* Shape(Kernel& k, Task& victim, Threads shape) {
  const std::vector<task_struct*> threads = ThreadsOf(victim);
  switch (shape) {
    case Threads::kFirstHasMm:
      return threads.front();
    case Threads::kLeaderGone:
      k.Begin(victim, [](User user) { (void)user.exit(0); });
      (void)k.RunUntilBlocked(victim);
      return threads[1];
    case Threads::kLastHasMm:
      (void)k.As(k.init()).kill(victim.pid(), SIGKILL);
      for (size_t i = 0; i + 1 < threads.size(); ++i) {
        (void)k.RunUntil(k.TaskOf(threads[i]->pid), Point::kExitMmCleared);
      }
      return threads.back();
  }
  return nullptr;
}

void TimeFindThread(benchmark::State& state, Threads shape) {
  Kernel k({.version = kNewest});
  Task& victim = WithThreads(k, static_cast<int>(state.range(0)));
  task_struct* const want = Shape(k, victim, shape);
  task_struct* const leader = victim.raw();
  const std::string error =
      TimeInTask(state, k, k.init(), [=](User) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        task_struct* found = find_lock_task_mm(leader);
        if (found != nullptr) task_unlock(found);
        return found == want;
      });
  Settle(state, EndOf(k, k, error));
}

// ---- Processes -------------------------------------------------------------

enum class Processes { kStrangers, kSharers };

// The time of one call, divided by the processes that it looks at.
void CountPerProcess(benchmark::State& state) {
  state.counters["per_process"] =
      benchmark::Counter(static_cast<double>(state.range(0)),
                         benchmark::Counter::kIsIterationInvariantRate |
                             benchmark::Counter::kInvert);
}

void TimeScan(benchmark::State& state, Processes others) {
  Kernel k({.version = kNewest});
  Task& victim = k.Spawn("victim", {.bare = true});
  const auto n = static_cast<int>(state.range(0));
  const bool share = others == Processes::kSharers;
  // A second thread, so that there is more than one user of its memory.
  (void)k.As(victim).clone_thread();
  Task& parent = share ? victim : k.Spawn("parent", {.bare = true});
  k.Begin(parent, [=](User user) {
    for (int i = 0; i < n; ++i) (void)(share ? user.clone_vm() : user.fork());
  });
  (void)k.Finish(parent);
  const pid_t killed = victim.pid();
  k.Begin(k.init(), [=](User user) {
    (void)user.kill(killed, SIGKILL);
    for (int i = 1; share && i <= n; ++i) {
      // Clones are born one after the other; the thread came before them.
      (void)user.kill(killed + 1 + i, SIGKILL);
    }
  });
  (void)k.Finish(k.init());
  task_struct* const task = victim.raw();
  const std::string error =
      TimeInTask(state, k, k.init(), [=](User) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        task_lock(task);
        const bool will = task_will_free_mem(task);
        task_unlock(task);
        return will;
      });
  CountPerProcess(state);
  Settle(state, EndOf(k, k, error));
}

void RegisterScans() {
  benchmark::RegisterBenchmark("yardstick/add_in_register", TimeAddInRegister);
  benchmark::RegisterBenchmark("yardstick/add_in_memory", TimeAddInMemory);
  for (const Primitive& primitive : kPrimitives) {
    benchmark::RegisterBenchmark(
        (std::string("primitive/") + primitive.name).c_str(),
        [=](benchmark::State& state) { TimePrimitive(state, primitive); });
  }
  static constexpr struct {
    const char* name;
    Threads shape;
  } kThreads[] = {{"first_has_mm", Threads::kFirstHasMm},
                  {"leader_gone", Threads::kLeaderGone},
                  {"last_has_mm", Threads::kLastHasMm}};
  for (const auto& row : kThreads) {
    benchmark::RegisterBenchmark(
        (std::string("find_lock_task_mm/") + row.name).c_str(),
        [=](benchmark::State& state) { TimeFindThread(state, row.shape); })
        ->ArgsProduct({{2, 8, 64, 1024}});
  }
  static constexpr struct {
    const char* name;
    Processes others;
  } kProcesses[] = {{"strangers", Processes::kStrangers},
                    {"sharers_killed", Processes::kSharers}};
  for (const auto& row : kProcesses) {
    benchmark::RegisterBenchmark(
        (std::string("task_will_free_mem/") + row.name).c_str(),
        [=](benchmark::State& state) { TimeScan(state, row.others); })
        ->ArgsProduct({{80, 580, 2080, 10000}});
  }
}

}  // namespace
}  // namespace reapsim

int main(int argc, char** argv) {
  reapsim::RegisterBranches();
  reapsim::RegisterScans();
  return reapsim::RunBenchmarks(argc, argv);
}
