// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The root of the syscall room: the outside world on which tasks may wait, and
// which the host plays.
#ifndef REAPSIM_SYSCALL_SYSCALL_STATE_H_
#define REAPSIM_SYSCALL_SYSCALL_STATE_H_

#include "base/arena.h"

namespace reapsim {

struct SyscallState {
  static constexpr RootId kRoot = RootId::kSyscall;
  // The reader of core dumps does not read: a dump's write waits, killably.
  bool dump_blocked = false;
  // A device does not answer: driver_wait() sleeps uninterruptibly.
  bool driver_blocked = false;
};

SyscallState* InitSyscallState(Arena* arena);

// A system call into a driver whose device does not answer while
// driver_blocked is set: state D, deaf to every signal. Then 0.
int64_t driver_wait();

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_SYSCALL_STATE_H_
