// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// execve: a process becomes another program.
//
// Source: fs/exec.c, v5.15 to v7.2. Difference: exec_defers_old_mm (v7.1: the
// old mm is dropped after exec's locks are, not inside exec_mmap()).
// Modelled: de_thread() with the switch of the leader's identity, exec_mmap(),
// reset of handlers, close-on-exec. Simplified: the program is a list of
// mappings. Stubbed: files, credentials, interpreters.
#ifndef REAPSIM_SYSCALL_EXEC_H_
#define REAPSIM_SYSCALL_EXEC_H_

#include <cstdint>

#include "mm/mmap.h"
#include "sched/task.h"

namespace reapsim {

// What to run. The pointers are read during the call; on the caller's stack or
// elsewhere in the arena.
struct ExecArgs {
  const char* comm = nullptr;       // the new name
  const MmapArgs* image = nullptr;  // the new image's mappings, in order
  uint32_t image_count = 0;
};

// Replaces the running program: 0 in the new image, the group's only thread
// and its leader. Errors leave the old one running, but those marked * are met
// past the point of no return: the task then has a fatal signal, too.
//   -ERESTARTNOINTR  a signal ended the wait for cred_guard_mutex
//   -ENOMEM     no room for an mm; * none for the image
//   -EAGAIN   * another thread ends the group, or execs, or killed this one
//   -EINTR    * killed while waiting for exec_update_lock or the old mmap_lock
// Stops at kDeThread, kDeThreadWait, kExecMmap. No locks held.
// Source: fs/exec.c:do_execveat_common(), begin_new_exec().
int64_t do_execve(const ExecArgs& args);

// Sets a task's name, as exec and prctl do. Takes task_lock.
void set_task_comm(task_struct* tsk, const char* comm);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_EXEC_H_
