// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// An execution in the formats of other tools.
#ifndef REAPSIM_LITMUS_TRACE_TEXT_H_
#define REAPSIM_LITMUS_TRACE_TEXT_H_

#include <string>
#include <vector>

#include "litmus/machine.h"
#include "sched/engine.h"

namespace reapsim {

// JSON of the Chrome trace event format, which Perfetto opens: a thread for
// each task, a slice for each step. A step takes one microsecond there; the
// model's order has no other time.
std::string ChromeTrace(const std::vector<std::string>& names,
                        const std::vector<TraceEntry>& trace);

// The oom:* trace events of what the machine has run, as the kernel's trace
// file has them: task-pid, CPU, flags, seconds, event. The engine must have
// kept its trace. Times are the machine's own clock.
std::string FtraceText(ScenarioMachine& machine);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_TRACE_TEXT_H_
