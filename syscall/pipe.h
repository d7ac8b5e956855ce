// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pipes, and read(2) and write(2) of them and of files: the kernel's copies
// from and to user memory, which go on in a dying task until they notice.
//
// Source: fs/pipe.c, mm/filemap.c:generic_perform_write(), v5.15 to v7.2
// without a difference in what is modelled here. Modelled: a ring of pages
// under a mutex that is held over faults; partial
//   results; SIGPIPE. Files: a write gives up once its task is killed, a pipe's
//   does not.
// Simplified: whole pages only, one word each; files don't grow.
#ifndef REAPSIM_SYSCALL_PIPE_H_
#define REAPSIM_SYSCALL_PIPE_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "sched/file.h"
#include "sched/mutex.h"

namespace reapsim {

// Pages that a pipe holds.
inline constexpr uint32_t PIPE_DEF_BUFFERS = 16;

struct pipe_inode_info {
  struct mutex mutex {
    .lock_class = LockClass::kPipeMutex
  };
  uint64_t bufs[PIPE_DEF_BUFFERS] ABSL_GUARDED_BY(mutex) = {};
  // Free-running; read by sleepers without the mutex.
  uint32_t head = 0;     // mutex: the next to write
  uint32_t tail = 0;     // mutex: the next to read
  uint32_t readers = 1;  // mutex: open descriptions of each end
  uint32_t writers = 1;
};

// pipe2(2): fds[0] reads, fds[1] writes. 0, -ENFILE, -EMFILE.
int64_t do_pipe2(int fds[2]);

// write(2) of `pages` pages at `addr`, and read(2) into them: the bytes done;
// if that is none: -EBADF; -EFAULT (user memory); -EPIPE (nobody reads; with
// SIGPIPE); -ERESTARTSYS (a pipe, a signal while it waits for room or data);
// -EINTR (a file, killed); -EINVAL (a descriptor of another kind); -ENOSPC
// (beyond a file's end).
int64_t sys_write(int fd, uint64_t addr, uint64_t pages);
int64_t sys_read(int fd, uint64_t addr, uint64_t pages);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_PIPE_H_
