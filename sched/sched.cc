// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/sched.h"

#include <new>

namespace reapsim {
namespace {

template <class T>
T* NewHistory(Arena* arena) {
  Extent* extent = arena->Reserve(Part::kHistory, sizeof(T));
  extent->used = sizeof(T);
  // Zero as it is: writing zeros would only make the pages real.
  return new (extent->base) T;
}

}  // namespace

SchedState* InitSched(Arena* arena) {
  auto* sched = arena->NewRoot<SchedState>();
  sched->task_slab.Init(arena, "task_struct", Engine::kMaxFibers);
  sched->signal_slab.Init(arena, "signal_struct", Engine::kMaxFibers);
  sched->sighand_slab.Init(arena, "sighand_struct", Engine::kMaxFibers);
  sched->pid_slab.Init(arena, "pid", SchedState::kMaxPids);
  sched->pid_ns_slab.Init(arena, "pid_namespace", 64);
  sched->file_slab.Init(arena, "file", 32768);
  sched->files_slab.Init(arena, "files_struct", Engine::kMaxFibers);
  RootOf<EngineState>(sched).locks = NewHistory<LockHistory>(arena);
  sched->pid_extent =
      arena->Reserve(Part::kState, SchedState::kMaxPids * sizeof(pid*));
  sched->timers.armed =
      arena->Reserve(Part::kState, kMaxTimers * sizeof(timer_list*));
  sched->timer_history =
      arena->Reserve(Part::kHistory, (kMaxTimers + 1) * sizeof(TimerHistory));
  sched->timer_history->used = sizeof(TimerHistory);
  return sched;
}

void SchedState::SetPid(pid_t nr, pid* pid) {
  const size_t end = (static_cast<size_t>(nr) + 1) * sizeof(pid);
  REAP_CHECK(end <= pid_extent->capacity, "sched: pid");
  if (end > pid_extent->used) pid_extent->used = end;
  reinterpret_cast<struct pid**>(pid_extent->base)[nr] = pid;
}

}  // namespace reapsim
