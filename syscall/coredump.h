// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Core dumps: all threads stop, one writes, then all exit.
//
// Source: fs/coredump.c, v5.15 to v7.2. Differences:
// coredump_kills_mm_sharers (up to v5.15 the dump is the mm's: other processes
// die with it, mm->core_state), coredump_sets_group_exit (v5.17: the dumping
// group has SIGNAL_GROUP_EXIT), coredump_waits_in_exit_mm (v5.15: where the
// others wait; the caller's affair).
// Modelled: who is killed, who waits for whom, what interrupts. Simplified:
//   writing is one wait, which SchedState::dump_blocked makes last; with
//   RLIMIT_CORE 0, too, the group is stopped, for the moment between two marks.
#ifndef REAPSIM_SYSCALL_COREDUMP_H_
#define REAPSIM_SYSCALL_COREDUMP_H_

#include "sched/signal.h"
#include "sched/task.h"

namespace reapsim {

// Dumps the running task's process because of signal `sig`, if nobody else is
// ending it. Returns in any case; the caller goes on to do_group_exit(). No
// locks held. Stops at kCoredumpStart, kCoredumpWaitThreads, kCoredumpWrite,
// kCoredumpFinish.
void do_coredump(int sig);

// Called by a thread that met a dump on its way out: reports it to the dumper
// and, if a signal is what ends it, waits for the end of the dump. No locks
// held, not even mmap_lock. Waits at kCoredumpPark.
void coredump_task_exit(task_struct* tsk, core_state* core_state);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_COREDUMP_H_
