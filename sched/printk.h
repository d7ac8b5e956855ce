// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel log and the oom:* trace events. Lines are kept on the host's
// side, each with the step at which it was written, for Kernel::Dmesg() and
// Kernel::TraceEvents().
#ifndef REAPSIM_SCHED_PRINTK_H_
#define REAPSIM_SCHED_PRINTK_H_

namespace reapsim {

// One line of the kernel log, printf-style, without a newline.
[[gnu::format(printf, 1, 2)]] void pr_info(const char* format, ...);

// One trace event of the system `oom`: "mark_victim", then its fields as the
// kernel's TP_printk writes them.
[[gnu::format(printf, 2, 3)]] void trace_oom(const char* event,
                                             const char* format, ...);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_PRINTK_H_
