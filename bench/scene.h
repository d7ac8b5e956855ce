// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A kill in virtual time, with everything around it that one of the claims
// about process_mrelease() is about: what the victim is doing, who else wants
// its CPU, who reaps it from where, who else holds its memory.
#ifndef REAPSIM_BENCH_SCENE_H_
#define REAPSIM_BENCH_SCENE_H_

#include <cstdint>
#include <string>

#include "latency/machine.h"
#include "latency/profile.h"
#include "latency/shape.h"
#include "sched/engine.h"

namespace reapsim {

// What the victim is at when it is killed.
enum class SceneState : uint8_t {
  kSleeps,   // interruptibly
  kRuns,     // in user mode, or waits for its turn to
  kDriver,   // sleeps uninterruptibly, for Scene::state_ns more
  kFrozen1,  // by a v1 freezer, which thaws it after Scene::state_ns more
  kFrozen2,  // the same, cgroup.freeze of v2
};

// What becomes of the victims.
enum class Reaping : uint8_t {
  kKill,  // they are killed
  kCall,  // and each reaper calls process_mrelease() for each of them
  // There are two threads, each of which takes a victim, kills it and calls.
  kPool,
  // The same; as long as both are busy, the main thread kills alone (lmkd).
  kPoolOrKill,
};

struct Scene {
  std::string kernel = "v6.18";
  const Machine* machine = nullptr;
  const CostProfile* profile = nullptr;
  VictimShape shape;
  uint32_t regions = 0;  // more mappings, 1 MiB each, a gap as large between
  uint32_t victims = 1;
  SceneState state = SceneState::kSleeps;
  uint64_t state_ns = 0;
  uint64_t before_ns = 100'000'000;  // that it has been so, and hogs ran
  SchedAttr victim;
  uint32_t hogs = 0;  // nice 0, where the victim may run; they never sleep
  uint32_t reaper_hogs = 0;  // the same, where reapers may run
  Reaping reaping = Reaping::kKill;
  uint32_t reapers = 1;  // processes, of which the first kills
  SchedAttr reaper;
  uint64_t reaper_cpus[8] = {};  // affinity of each; 0: that of `reaper`
  // Somebody else holds the victim's memory until so long after the kill.
  uint64_t pinned_ns = 0;
};

// Times since kill() was called, in nanoseconds; CPU time from then on.
struct SceneResult {
  uint64_t back_ns = 0;  // 99 % of all that comes back is back
  uint64_t call_ns = 0;  // the last call returned; 0: there was none
  uint64_t gone_ns = 0;  // the last victim is a zombie, or less
  uint64_t victim_cpu_ns = 0;
  uint64_t reaper_cpu_ns = 0;
  uint64_t other_cpu_ns = 0;    // of who held the victim's memory
  uint64_t victim_spin_ns = 0;  // of it, at spinlocks and for contended memory
  uint64_t reaper_spin_ns = 0;
  uint64_t pages = 0;    // that came back
  uint32_t reaped = 0;   // calls that returned 0
  uint32_t refused = 0;  // and those that did not
  // The accounts do not add up, or the world came to a verdict. Empty: neither.
  std::string problem;
};

SceneResult Play(const Scene& scene);

}  // namespace reapsim

#endif  // REAPSIM_BENCH_SCENE_H_
