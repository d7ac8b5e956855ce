// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A modelled task must own nothing outside the arena, or a snapshot would not
// hold it. So operator new is watched: while a fiber runs, it refuses with a
// message that says what to use instead.
#ifndef REAPSIM_SCHED_HEAP_GUARD_H_
#define REAPSIM_SCHED_HEAP_GUARD_H_

namespace reapsim {

// True while a fiber runs modelled code on this host thread.
extern constinit thread_local bool in_modelled_task;

// Lifts the guard for the engine's own bookkeeping on the host's side.
class HostSection {
 public:
  HostSection() : saved_(in_modelled_task) { in_modelled_task = false; }
  ~HostSection() { in_modelled_task = saved_; }
  HostSection(const HostSection&) = delete;
  HostSection& operator=(const HostSection&) = delete;

 private:
  bool saved_;
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_HEAP_GUARD_H_
