// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/syscall_state.h"

#include "sched/task.h"

namespace reapsim {

SyscallState* InitSyscallState(Arena* arena) {
  return arena->NewRoot<SyscallState>();
}

int64_t driver_wait() {
  const SyscallState* state = &Here<SyscallState>();
  task_struct* self = current();
  self->__state = TASK_UNINTERRUPTIBLE;
  WaitUntil(Point::kDriverWait, Access::kRead, NumberOf(state),
            [state] { return !state->driver_blocked; });
  self->__state = TASK_RUNNING;
  return 0;
}

}  // namespace reapsim
