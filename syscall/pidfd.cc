// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/pid.c, kernel/fork.c, kernel/signal.c, fs/open.c, fs/file.c.

#include "syscall/pidfd.h"

#include <cerrno>

#include "mm/filemap.h"
#include "sched/pid.h"
#include "sched/signal.h"

namespace reapsim {
namespace {

uint32_t ModeOf(int flags) {
  if ((flags & O_PATH) != 0) return FMODE_PATH;
  switch (flags & O_ACCMODE) {
    case O_RDONLY:
      return FMODE_READ;
    case O_WRONLY:
      return FMODE_WRITE;
    default:
      return FMODE_READ | FMODE_WRITE;
  }
}

void ReleaseMapping(file* file) {
  mapping_put(static_cast<address_space*>(file->mapping));
}

// A file of the running task that holds `pid` and `mapping` (either may be
// null), each with a reference of its own, and a descriptor for it; or an
// errno.
int64_t OpenAs(FileKind kind, uint32_t f_mode, uint32_t f_flags, pid* pid,
               address_space* mapping) {
  const int fd = get_unused_fd_flags(f_flags);
  if (fd < 0) return fd;
  file* made = alloc_file(kind, f_mode, f_flags);
  if (made == nullptr) {
    put_unused_fd(fd);
    return -ENFILE;
  }
  made->pid = get_pid(pid);
  if (mapping != nullptr) {
    mapping_get(mapping);
    made->mapping = mapping;
    made->release = ReleaseMapping;
  }
  fd_install(fd, made);
  return fd;
}

// Whether the pid names something that a pidfd with these flags may stand for.
int CheckPidfdTarget(const pid* pid, unsigned int flags) {
  const bool thread = (flags & PIDFD_THREAD) != 0;
  if (!differences().pidfd_open_nonleader_enoent) {
    return pid_task(pid, thread ? PIDTYPE_PID : PIDTYPE_TGID) == nullptr
               ? -EINVAL
               : 0;
  }
  if (pid_task(pid, PIDTYPE_PID) == nullptr) return -ESRCH;
  return !thread && pid_task(pid, PIDTYPE_TGID) == nullptr ? -ENOENT : 0;
}

unsigned int KnownOpenFlags() {
  return differences().has_pidfd_thread ? PIDFD_NONBLOCK | PIDFD_THREAD
                                        : PIDFD_NONBLOCK;
}

// The scope of a signal; PIDTYPE_MAX: the flags are not valid.
pid_type SignalScope(unsigned int flags, unsigned int f_flags) {
  if (flags == 0) {
    return (f_flags & PIDFD_THREAD) != 0 ? PIDTYPE_PID : PIDTYPE_TGID;
  }
  if (!differences().has_pidfd_thread) return PIDTYPE_MAX;
  switch (flags) {
    case PIDFD_SIGNAL_THREAD:
      return PIDTYPE_PID;
    case PIDFD_SIGNAL_THREAD_GROUP:
    case PIDFD_SIGNAL_PROCESS_GROUP:  // a process is a group of its own
      return PIDTYPE_TGID;
    default:
      return PIDTYPE_MAX;
  }
}

// The pid behind a descriptor that is a pidfd or a directory /proc/PID, or a
// number that means the caller; with a reference. Null: -EBADF.
pid* pidfd_to_pid(int pidfd, unsigned int* f_flags) {
  pid_type type = PIDTYPE_TGID;
  *f_flags = 0;
  if (pid* self = pidfd_self_pid(pidfd, &type); self != nullptr) {
    if (type == PIDTYPE_PID) *f_flags = PIDFD_THREAD;
    return self;
  }
  file* from = fget(pidfd);
  if (from == nullptr) return nullptr;
  pid* pid = get_pid(from->pid);
  if (from->kind == FileKind::kPidfd) *f_flags = from->f_flags;
  fput(from);
  return pid;
}

}  // namespace

int pidfd_prepare(pid* pid, unsigned int flags, file** ret) {
  if (const int error = CheckPidfdTarget(pid, flags); error != 0) return error;
  const int fd = get_unused_fd_flags(O_CLOEXEC);
  if (fd < 0) return fd;
  file* made =
      alloc_file(FileKind::kPidfd, FMODE_READ | FMODE_WRITE, O_RDWR | flags);
  if (made == nullptr) {
    put_unused_fd(fd);
    return -ENFILE;
  }
  made->pid = get_pid(pid);
  *ret = made;
  return fd;
}

int64_t sys_pidfd_open(pid_t pid, unsigned int flags) {
  if ((flags & ~KnownOpenFlags()) != 0) return -EINVAL;
  if (pid <= 0) return -EINVAL;
  struct pid* p = find_get_pid(pid);
  if (p == nullptr) return -ESRCH;
  file* file = nullptr;
  const int fd = pidfd_prepare(p, flags, &file);
  if (fd >= 0) fd_install(fd, file);
  put_pid(p);
  return fd;
}

int64_t sys_pidfd_send_signal(int pidfd, int sig, unsigned int flags) {
  if (SignalScope(flags, 0) == PIDTYPE_MAX) return -EINVAL;
  unsigned int f_flags = 0;
  pid* pid = pidfd_to_pid(pidfd, &f_flags);
  if (pid == nullptr) return -EBADF;
  const int64_t ret = access_pidfd_pidns(pid)
                          ? kill_pid_info(sig, SEND_SIG_NOINFO, pid,
                                          SignalScope(flags, f_flags))
                          : -EINVAL;
  put_pid(pid);
  return ret;
}

int64_t sys_open_proc_pid(pid_t pid, int flags) {
  struct pid* p = find_get_pid(pid);
  if (p == nullptr) return -ENOENT;
  const int64_t fd = pid_task(p, PIDTYPE_TGID) == nullptr
                         ? -ENOENT
                         : OpenAs(FileKind::kProcPid, ModeOf(flags),
                                  static_cast<uint32_t>(flags), p, nullptr);
  put_pid(p);
  return fd;
}

int64_t sys_reopen_fd(int fd, int flags) {
  file* from = fget_raw(fd);
  if (from == nullptr) return -ENOENT;
  int64_t ret = -ENXIO;
  // With PIDFD_THREAD came a file system of pidfds, which can be opened anew.
  const bool no_inode =
      from->kind == FileKind::kPidfd && !differences().has_pidfd_thread;
  if (!no_inode || (flags & O_PATH) != 0) {
    const uint32_t kept = from->f_flags & PIDFD_THREAD;
    ret = OpenAs(from->kind, ModeOf(flags), static_cast<uint32_t>(flags) | kept,
                 from->pid, static_cast<address_space*>(from->mapping));
  }
  fput(from);
  return ret;
}

int64_t sys_open_mapping(address_space* mapping, FileKind kind, int flags) {
  return OpenAs(kind, ModeOf(flags), static_cast<uint32_t>(flags), nullptr,
                mapping);
}

int64_t sys_dup(int fd) {
  file* from = fget_raw(fd);
  if (from == nullptr) return -EBADF;
  const int made = get_unused_fd_flags(0);
  if (made < 0) {
    fput(from);
    return made;
  }
  fd_install(made, from);
  return made;
}

int64_t sys_close(int fd) { return close_fd(fd); }

int64_t pass_fd(int fd, task_struct* to) {
  file* from = fget_raw(fd);
  if (from == nullptr) return -EBADF;
  const int made = receive_fd(to, from);
  if (made < 0) fput(from);
  return made;
}

}  // namespace reapsim
