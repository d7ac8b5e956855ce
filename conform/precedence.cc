// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/precedence.h"

namespace reapsim {

void PinToCpu(HostMachine& m, pid_t tid, int cpu) {
  if (!m.ok()) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(cpu), &one);
  (void)m.Must(KernelResult(sched_setaffinity(tid, sizeof one, &one)),
               "sched_setaffinity");
}

void SetFifo(HostMachine& m, pid_t tid) {
  if (!m.ok()) return;
  const sched_param first = {.sched_priority =
                                 sched_get_priority_min(SCHED_FIFO)};
  (void)m.Must(KernelResult(sched_setscheduler(tid, SCHED_FIFO, &first)),
               "sched_setscheduler");
}

Precedence::Precedence(HostMachine& m)
    : policy_(sched_getscheduler(0)), cpu_(sched_getcpu()) {
  (void)sched_getparam(0, &parameters_);
  (void)m.Must(KernelResult(sched_getaffinity(0, sizeof cpus_, &cpus_)),
               "sched_getaffinity");
  PinToCpu(m, 0, cpu_);
  SetFifo(m, 0);
}

Precedence::~Precedence() {
  (void)sched_setscheduler(0, policy_, &parameters_);
  (void)sched_setaffinity(0, sizeof cpus_, &cpus_);
}

int Precedence::OtherCpu() const {
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (cpu != cpu_ && CPU_ISSET(static_cast<size_t>(cpu), &cpus_)) return cpu;
  }
  return -1;
}

}  // namespace reapsim
