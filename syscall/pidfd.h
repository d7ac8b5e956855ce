// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// pidfds, and the other kinds of descriptor that get mistaken for one.
//
// Source: kernel/pid.c, kernel/fork.c:pidfd_prepare(), kernel/signal.c:
// pidfd_send_signal(), fs/pidfs.c, fs/open.c, v5.15 to v7.2. Differences:
// has_pidfd_thread (v6.9), pidfd_open_nonleader_enoent (v6.15), pidfd_self.
// Stubbed: pidfd_getfd, polling, siginfo.
#ifndef REAPSIM_SYSCALL_PIDFD_H_
#define REAPSIM_SYSCALL_PIDFD_H_

#include <fcntl.h>
#include <sys/types.h>

#include <cstdint>

#include "mm/mm_types.h"
#include "sched/file.h"
#include "sched/task.h"

namespace reapsim {

inline constexpr unsigned int PIDFD_NONBLOCK = O_NONBLOCK;
inline constexpr unsigned int PIDFD_THREAD = O_EXCL;
inline constexpr unsigned int PIDFD_SIGNAL_THREAD = 1u << 0;
inline constexpr unsigned int PIDFD_SIGNAL_THREAD_GROUP = 1u << 1;
inline constexpr unsigned int PIDFD_SIGNAL_PROCESS_GROUP = 1u << 2;

// A descriptor number, taken, and in *ret a file for `pid` that the caller
// installs with fd_install(), or gives back with fput() and put_unused_fd().
// Errors as sys_pidfd_open(). For CLONE_PIDFD; the pid must name a task.
// Source: kernel/fork.c:pidfd_prepare().
int pidfd_prepare(pid* pid, unsigned int flags, file** ret);

// pidfd_open(2): a descriptor, or
//   -EINVAL  flags (PIDFD_NONBLOCK; PIDFD_THREAD from v6.9 on), pid <= 0, or
//            a thread that leads no group (up to v6.14; then -ENOENT)
//   -ESRCH   no such process in the caller's namespace
//   -EMFILE  no descriptor left
int64_t sys_pidfd_open(pid_t pid, unsigned int flags);

// pidfd_send_signal(2) without siginfo: 0, or -EINVAL (flags; signal; the
// target is not in or below the caller's pid namespace), -EBADF (neither a
// pidfd nor a /proc/PID directory), -ESRCH, -EPERM.
int64_t sys_pidfd_send_signal(int pidfd, int sig, unsigned int flags);

// open("/proc/PID", flags): a descriptor, -ENOENT, -EMFILE.
int64_t sys_open_proc_pid(pid_t pid, int flags);
// open("/proc/self/fd/FD", flags): the same file opened anew, a descriptor of
// its own. -ENOENT (no such descriptor), -EMFILE, -ENXIO (a pidfd before v6.9,
// unless with O_PATH: it was no file of a real file system).
int64_t sys_reopen_fd(int fd, int flags);
// A descriptor for a file whose pages `mapping` holds, which gets a reference;
// flags: O_RDONLY, O_RDWR, O_PATH, O_CLOEXEC. `kind` kRegular or kMemfd.
int64_t sys_open_mapping(address_space* mapping, FileKind kind, int flags);
int64_t sys_dup(int fd);    // a descriptor, -EBADF, -EMFILE
int64_t sys_close(int fd);  // 0, -EBADF

// Gives `to` a descriptor for the file of the running task's `fd`, as a
// message with SCM_RIGHTS would. A descriptor of `to`, -EBADF, -EMFILE,
// -ESRCH (`to` has no table any more). `to` must be protected by the caller.
int64_t pass_fd(int fd, task_struct* to);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_PIDFD_H_
