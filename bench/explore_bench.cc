// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How fast schedules are searched: executions by chance per second, and the
// time to exhaust a program. All checks are on, as users get them.

#include <benchmark/benchmark.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "base/units.h"
#include "bench/run.h"
#include "explore/explore.h"
#include "explore/survey_programs.h"
#include "explore/toy.h"
#include "syscall/kernel.h"
#include "syscall/kernel_world.h"

namespace reapsim {
namespace {

// ---- Worlds ----------------------------------------------------------------

// Tasks of 6 + `own` steps: additions to a word of their own, before and after
// a lock under which they count a shared word twice, by load and store.
class NativeLockProgram {
 public:
  NativeLockProgram(int tasks, int own) {
    ToyWord* shared = world_.NewWord(0);
    ToyLock* lock = world_.NewLock();
    for (int i = 0; i < tasks; ++i) {
      ToyWord* mine = world_.NewWord(0);
      world_.AddTask([=] {
        for (int n = 0; n < (own + 1) / 2; ++n) mine->Add(1);
        lock->Lock();
        for (int n = 0; n < 2; ++n) shared->Store(shared->Load() + 1);
        lock->Unlock();
        for (int n = 0; n < own / 2; ++n) mine->Add(1);
      });
    }
  }

  World& world() { return world_; }

 private:
  ToyWorld world_;
};

// The reap race in small (explore/survey_programs.h), written as one would.
struct Mm {
  ToyWord* users;
  ToyWord* count;
  ToyWord* flags;
  ToyWord* mapped;
  ToyWord* page[2];
  ToyWord* freed[2];
  ToyWord* mm_freed;
  ToyRwLock* mmap_lock;
};

void ZapPages(const Mm* mm) {
  for (int i = 0; i < 2; ++i) {
    if (mm->page[i]->Exchange(0) != 0) mm->freed[i]->Add(1);
  }
}

void Mmdrop(const Mm* mm) {
  if (mm->count->Add(-1) == 1) mm->mm_freed->Add(1);
}

constexpr int kOomSkip = 1;
constexpr int kUnstable = 2;

void ExitMmap(const Mm* mm) {
  mm->mmap_lock->DownRead();
  if (mm->mapped->Load() != 0) ZapPages(mm);
  mm->mmap_lock->UpRead();
  mm->flags->Or(kOomSkip);
  mm->mmap_lock->DownWrite();
  mm->mapped->Store(0);
  mm->mmap_lock->UpWrite();
}

void Mmput(const Mm* mm) {
  if (mm->users->Add(-1) != 1) return;
  ExitMmap(mm);
  Mmdrop(mm);
}

void Reap(const Mm* mm) {
  mm->mmap_lock->DownRead();
  if ((mm->flags->Load() & kOomSkip) == 0) {
    mm->flags->Or(kUnstable);
    if (mm->mapped->Load() != 0) ZapPages(mm);
  }
  mm->mmap_lock->UpRead();
  Mmdrop(mm);
}

void Unmap(const Mm* mm) {
  mm->mmap_lock->DownWrite();
  if (mm->mapped->Load() != 0) {
    mm->mapped->Store(0);
    ZapPages(mm);
  }
  mm->mmap_lock->UpWrite();
  Mmput(mm);
}

class NativeReapRace {
 public:
  NativeReapRace(int reapers, int unmappers, bool with_invariants) {
    mm_ = {.users = world_.NewWord(1 + unmappers),
           .count = world_.NewWord(1 + reapers),
           .flags = world_.NewWord(0),
           .mapped = world_.NewWord(1),
           .page = {world_.NewWord(1), world_.NewWord(1)},
           .freed = {world_.NewWord(0), world_.NewWord(0)},
           .mm_freed = world_.NewWord(0),
           .mmap_lock = world_.NewRwLock()};
    const Mm* mm = &mm_;  // never changes: it need not be in the arena
    world_.AddTask([mm] { Mmput(mm); });
    for (int i = 0; i < reapers; ++i) world_.AddTask([mm] { Reap(mm); });
    for (int i = 0; i < unmappers; ++i) world_.AddTask([mm] { Unmap(mm); });
    if (!with_invariants) return;
    // No page is mapped and freed, or freed twice; nor is the mm.
    world_.AddInvariant({.left = 4, .right = 6, .limit = 1});
    world_.AddInvariant({.left = 5, .right = 7, .limit = 1});
    world_.AddInvariant({.left = 6, .right = 8, .limit = 2});
    world_.AddInvariant({.left = 7, .right = 8, .limit = 2});
  }

  World& world() { return world_; }

 private:
  ToyWorld world_;
  Mm mm_;
};

// process_mrelease() against do_exit(): two tasks, two VMAs of two pages each,
// page tables of eight entries.
class MreleaseRace {
 public:
  MreleaseRace()
      : kernel_({.version = "v6.18",
                 .cpus = 2,
                 .memory = 1 << 20,
                 .swap = 1 << 16,
                 .page_table_bits = 3}),
        victim_(kernel_.Spawn("victim")),
        lmkd_(kernel_.Spawn("lmkd")),
        result_(kernel_.NewOut<int64_t>()),
        world_(&kernel_,
               [this] { return "r=" + std::to_string(result_.Get()); }) {
    User victim = kernel_.As(victim_);
    constexpr uint64_t kPage = 4096;
    const auto heap = static_cast<uint64_t>(
        victim.mmap(Bytes{5 * kPage}, Anonymous()).kernel());
    victim.munmap(heap + 2 * kPage, Bytes{kPage});
    victim.touch(heap, Bytes{2 * kPage});
    victim.touch(heap + 3 * kPage, Bytes{2 * kPage});
    const int fd = static_cast<int>(
        kernel_.As(lmkd_).pidfd_open(victim_.pid(), 0).kernel());
    kernel_.As(lmkd_).kill(victim_.pid(), SIGKILL);
    const Out<int64_t> result = result_;
    kernel_.Begin(lmkd_, [=](User user) {
      result.Set(user.process_mrelease(fd, 0).kernel());
    });
  }

  World& world() { return world_; }

 private:
  Kernel kernel_;
  Task& victim_;
  Task& lmkd_;
  Out<int64_t> result_;
  KernelWorld world_;
};

// ---- Measurements ----------------------------------------------------------

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

// Executions by chance, none of which may fail.
void Random(benchmark::State& state, World& world, Strategy strategy) {
  constexpr uint64_t kExecutions = 2'000;
  uint64_t executions = 0;
  uint64_t steps = 0;
  uint64_t seed = 0;
  for (auto _ : state) {
    const Exploration found = Explore(
        world,
        {.strategy = strategy, .seed = ++seed, .executions = kExecutions});
    if (found.failure) {
      state.SkipWithError(found.failure->verdict.ToString().c_str());
      return;
    }
    executions += found.executions;
    steps += found.transitions;
  }
  state.counters["executions_per_second"] = benchmark::Counter(
      static_cast<double>(executions), benchmark::Counter::kIsRate);
  state.counters["steps"] =
      static_cast<double>(steps) / static_cast<double>(executions);
}

// As many executions on each of so many cores; the time is that of the clock.
void RandomOnCores(benchmark::State& state, int cores) {
  constexpr uint64_t kExecutions = 40'000;
  const auto walk = [](uint64_t seed) {
    NativeLockProgram program(2, 4);
    (void)Explore(program.world(), {.strategy = Strategy::kRandom,
                                    .seed = seed,
                                    .executions = kExecutions});
  };
  uint64_t executions = 0;
  uint64_t seed = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (int i = 0; i < cores; ++i) threads.emplace_back(walk, ++seed);
    for (std::thread& thread : threads) thread.join();
    state.SetIterationTime(SecondsSince(start));
    executions += kExecutions * static_cast<uint64_t>(cores);
  }
  state.counters["executions_per_second"] = benchmark::Counter(
      static_cast<double>(executions), benchmark::Counter::kIsRate);
}

// Every reachable state, in which nothing may be wrong.
void Exhaust(benchmark::State& state, World& world) {
  Exploration found;
  for (auto _ : state) {
    found = Explore(world, {.strategy = Strategy::kStateful});
    if (found.failure) {
      state.SkipWithError(found.failure->verdict.ToString().c_str());
      return;
    }
    if (!found.exhausted) {
      state.SkipWithError(found.unexplored.c_str());
      return;
    }
  }
  state.counters["states"] = static_cast<double>(found.states);
  state.counters["transitions"] = static_cast<double>(found.transitions);
}

// The programs on which searches are compared. Some end in a deadlock.
const struct {
  const char* name;
  ToyProgram program;
  bool every_schedule;  // few enough to try one by one
} kPrograms[] = {
    {"store_buffering", StoreBuffering(), true},
    {"lost_update", LostUpdate(), true},
    {"lock_2x10", LockProgram(2, 2, 2), true},
    {"lock_3x13", LockProgram(3, 4, 3), false},
    {"philosophers_3", Philosophers(3, false), true},
    {"philosophers_3_ordered", Philosophers(3, true), true},
    {"reap_race_1_1", ReapRace(1, 1), true},
    {"reap_race_1_2", ReapRace(1, 2), false},
    {"reap_race_2_1", ReapRace(2, 1), false},
    {"reap_race_2_2", ReapRace(2, 2), false},
    {"reap_race_2_3", ReapRace(2, 3), false},
    {"reap_race_3_2", ReapRace(3, 2), false},
    {"reap_race_3_3", ReapRace(3, 3), false},
};

// All of a program, by one strategy.
void SearchProgram(benchmark::State& state, const ToyProgram& program,
                   Strategy strategy) {
  ToyWorld world(program);
  Exploration found;
  for (auto _ : state) {
    found = Explore(world, {.strategy = strategy, .stop_at_failure = false});
    if (!found.exhausted) {
      state.SkipWithError(found.unexplored.c_str());
      return;
    }
  }
  state.counters["states"] = static_cast<double>(found.states);
  state.counters["transitions"] = static_cast<double>(found.transitions);
  state.counters["executions"] = static_cast<double>(found.executions);
  state.counters["ends"] = static_cast<double>(found.outcomes.size());
}

using Measure = void (*)(benchmark::State&);

constexpr struct {
  const char* name;
  Measure measure;
} kWalks[] = {
    {"random/lock_2x10",
     [](benchmark::State& state) {
       NativeLockProgram program(2, 4);
       Random(state, program.world(), Strategy::kRandom);
     }},
    {"random/lock_3x13",
     [](benchmark::State& state) {
       NativeLockProgram program(3, 7);
       Random(state, program.world(), Strategy::kRandom);
     }},
    {"random/reap_race_2_2",
     [](benchmark::State& state) {
       NativeReapRace program(2, 2, false);
       Random(state, program.world(), Strategy::kRandom);
     }},
    {"random/reap_race_2_2_invariants",
     [](benchmark::State& state) {
       NativeReapRace program(2, 2, true);
       Random(state, program.world(), Strategy::kRandom);
     }},
    {"random/mrelease_race",
     [](benchmark::State& state) {
       MreleaseRace program;
       Random(state, program.world(), Strategy::kRandom);
     }},
    {"pct/lock_2x10",
     [](benchmark::State& state) {
       NativeLockProgram program(2, 4);
       Random(state, program.world(), Strategy::kPct);
     }},
    {"pct/mrelease_race",
     [](benchmark::State& state) {
       MreleaseRace program;
       Random(state, program.world(), Strategy::kPct);
     }},
};

constexpr struct {
  const char* name;
  Measure measure;
} kSearches[] = {
    {"exhaust/reap_race_2_2",
     [](benchmark::State& state) {
       NativeReapRace program(2, 2, false);
       Exhaust(state, program.world());
     }},
    {"exhaust/reap_race_3_2",
     [](benchmark::State& state) {
       NativeReapRace program(3, 2, false);
       Exhaust(state, program.world());
     }},
    {"exhaust/reap_race_3_2_invariants",
     [](benchmark::State& state) {
       NativeReapRace program(3, 2, true);
       Exhaust(state, program.world());
     }},
    {"exhaust/mrelease_race",
     [](benchmark::State& state) {
       MreleaseRace program;
       Exhaust(state, program.world());
     }},
};

void RegisterProgram(const char* kind, const char* name,
                     const ToyProgram& program, Strategy strategy) {
  benchmark::RegisterBenchmark((std::string(kind) + name).c_str(),
                               [&program, strategy](benchmark::State& state) {
                                 SearchProgram(state, program, strategy);
                               })
      ->Unit(benchmark::kMillisecond);
}

void Register() {
  for (const auto& walk : kWalks) {
    benchmark::RegisterBenchmark(walk.name, walk.measure)
        ->Unit(benchmark::kMillisecond);
  }
  for (const int cores : {1, 2}) {
    const std::string name = "cores_" + std::to_string(cores) + "/lock_2x10";
    benchmark::RegisterBenchmark(
        name.c_str(),
        [cores](benchmark::State& state) { RandomOnCores(state, cores); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  for (const auto& search : kSearches) {
    benchmark::RegisterBenchmark(search.name, search.measure)
        ->Unit(benchmark::kMillisecond);
  }
  for (const auto& each : kPrograms) {
    RegisterProgram("states/", each.name, each.program, Strategy::kStateful);
    if (!each.every_schedule) continue;
    RegisterProgram("schedules/", each.name, each.program,
                    Strategy::kBruteForce);
  }
}

}  // namespace
}  // namespace reapsim

int main(int argc, char** argv) {
  reapsim::Register();
  return reapsim::RunBenchmarks(argc, argv);
}
