// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The lives of mm_struct and of what a task's last reference frees. They are
// in this room because a signal_struct holds an mm (oom_mm).
// Source: kernel/fork.c, include/linux/sched/mm.h, include/linux/sched/task.h.
// The functions on an mm are declared in mm/mmap.h.
#ifndef REAPSIM_MM_FORK_H_
#define REAPSIM_MM_FORK_H_

#include "mm/mm_types.h"
#include "mm/mmap.h"
#include "sched/task.h"

namespace reapsim {

// task->usage: +1. The task must be alive.
void get_task_struct(task_struct* t);
// task->usage: -1; the last one frees the task, and with the last thread the
// signal_struct. Never by the task itself.
void put_task_struct(task_struct* t);

// signal->sigcnt: -1; the last one drops signal->oom_mm and frees it.
void put_signal_struct(signal_struct* sig);

// Frees a task that nobody refers to: its fiber, too, which must have ended
// or never have run.
void free_task(task_struct* tsk);

}  // namespace reapsim

#endif  // REAPSIM_MM_FORK_H_
