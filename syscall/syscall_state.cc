// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/syscall_state.h"

#include "mm/filemap.h"
#include "mm/mmap.h"
#include "sched/task.h"
#include "sched/timer.h"

namespace reapsim {

SyscallState* InitSyscallState(Arena* arena) {
  constexpr uint32_t kMaxPipes = 256;
  constexpr uint32_t kMaxKiocbs = 256;
  auto* state = arena->NewRoot<SyscallState>();
  state->pipe_slab.Init(arena, "pipe_inode_info", kMaxPipes);
  state->kiocb_slab.Init(arena, "kiocb", kMaxKiocbs);
  return state;
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

int64_t driver_sleep(uint64_t ns) {
  schedule_hrtimeout_uninterruptible(ns);
  return 0;
}

address_space* FileByNumber(uint64_t number, uint64_t pages) {
  for (auto& file : Here<SyscallState>().files) {
    if (file.mapping != nullptr && file.number == number) return file.mapping;
    if (file.mapping == nullptr) {
      file.number = number;
      file.mapping = NewMapping(mm_state(), address_space::kFile, pages);
      return file.mapping;
    }
  }
  return nullptr;
}

void DropFiles() {
  for (auto& file : Here<SyscallState>().files) {
    if (file.mapping != nullptr) mapping_put(file.mapping);
    file = {};
  }
}

}  // namespace reapsim
