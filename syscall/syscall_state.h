// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The root of the syscall room: the outside world on which tasks may wait, and
// which the host plays.
#ifndef REAPSIM_SYSCALL_SYSCALL_STATE_H_
#define REAPSIM_SYSCALL_SYSCALL_STATE_H_

#include <cstdint>

#include "base/arena.h"
#include "mm/mm_types.h"
#include "sched/spinlock.h"
#include "syscall/aio.h"
#include "syscall/futex.h"
#include "syscall/pipe.h"

namespace reapsim {

struct SyscallState {
  static constexpr RootId kRoot = RootId::kSyscall;
  // A device does not answer: driver_wait() sleeps uninterruptibly, and so does
  // who maps its memory.
  bool driver_blocked = false;

  // Sleepers on futexes, in the order in which they began.
  spinlock_t futex_lock{.lock_class = LockClass::kFutexLock};
  FutexQueue futex_queue;

  Slab<pipe_inode_info> pipe_slab;
  Slab<kiocb> kiocb_slab;

  // The file system: regular files by the number that the host gave them.
  // Each holds a reference, as an inode in the kernel's cache would.
  static constexpr int kMaxFiles = 64;
  struct {
    uint64_t number = 0;
    address_space* mapping = nullptr;
  } files[kMaxFiles];
};

SyscallState* InitSyscallState(Arena* arena);

// A system call into a driver whose device does not answer while
// driver_blocked is set: state D, deaf to every signal. Then 0.
int64_t driver_wait();
// The same for a device that answers after `ns` nanoseconds.
int64_t driver_sleep(uint64_t ns);

// The contents of a regular file, made with `pages` pages when it is first
// asked for. Null: no room for another file.
address_space* FileByNumber(uint64_t number, uint64_t pages);
// Forgets all files.
void DropFiles();

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_SYSCALL_STATE_H_
