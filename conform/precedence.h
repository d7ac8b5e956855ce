// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Keeps tasks from running, or makes them run, by CPUs and real-time priority:
// who is pinned to the CPU that the harness does not leave can't run.
#ifndef REAPSIM_CONFORM_PRECEDENCE_H_
#define REAPSIM_CONFORM_PRECEDENCE_H_

#include <sched.h>
#include <sys/types.h>

#include "conform/host_machine.h"

namespace reapsim {

// As long as it lives, the calling thread runs on one CPU, before all that has
// no real-time priority. It must not sleep. What the host does not allow is
// noted in the machine's status.
class Precedence {
 public:
  explicit Precedence(HostMachine& m);
  ~Precedence();
  Precedence(const Precedence&) = delete;
  Precedence& operator=(const Precedence&) = delete;

  int cpu() const { return cpu_; }
  // Another one that the harness may use; -1 if there is none.
  int OtherCpu() const;

 private:
  int policy_;
  sched_param parameters_ = {};
  cpu_set_t cpus_;
  int cpu_;
};

// Lets the thread run on that CPU only; `tid` 0 is the calling one.
void PinToCpu(HostMachine& m, pid_t tid, int cpu);
// Lets it run before all that has no real-time priority.
void SetFifo(HostMachine& m, pid_t tid);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_PRECEDENCE_H_
