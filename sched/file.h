// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Open files and tables of descriptors: just enough to tell a pidfd from
// everything that is not one, and to hold a mapping's backing.
//
// Source: fs/file.c, fs/file_table.c; no difference between versions.
// Simplified: a file is released at once, not from task work; a table has a
// fixed size, which is also RLIMIT_NOFILE.
#ifndef REAPSIM_SCHED_FILE_H_
#define REAPSIM_SCHED_FILE_H_

#include <cstdint>

#include "sched/spinlock.h"
#include "sched/task.h"

namespace reapsim {

// What an open file is (the kernel's f_op).
enum class FileKind : uint8_t {
  kPidfd,
  kRegular,
  kMemfd,
  kProcPid,  // the directory /proc/PID
  kPipe,
  kUserfaultfd,
};

// file::f_mode.
inline constexpr uint32_t FMODE_READ = 1u << 0;
inline constexpr uint32_t FMODE_WRITE = 1u << 1;
inline constexpr uint32_t FMODE_PATH = 1u << 14;

struct file {
  uint32_t count = 0;  // atomic
  // Constant.
  FileKind kind = FileKind::kRegular;
  uint32_t f_mode = 0;
  uint32_t f_flags = 0;              // O_* as given to open; PIDFD_THREAD
  struct pid* pid = nullptr;         // kPidfd, kProcPid; holds a reference
  void* mapping = nullptr;           // an address_space; holds a reference
  void* private_data = nullptr;      // kPipe, kUserfaultfd: what it stands for
  void (*release)(file*) = nullptr;  // drops those two, null if there are none
  uint64_t f_pos = 0;  // in bytes; no lock, as for the kernel's readers
};

inline constexpr int kMaxFds = 256;

// A table of descriptors, shared by tasks that were cloned with CLONE_FILES.
struct files_struct {
  uint32_t count = 0;  // atomic: tasks that use it
  spinlock_t file_lock{.lock_class = LockClass::kFilesLock};
  // file_lock to change; read without it.
  file* fd[kMaxFds] = {};
  uint64_t open_fds[kMaxFds / 64] = {};       // taken, installed or not
  uint64_t close_on_exec[kMaxFds / 64] = {};  // by descriptor
};

// A file with one reference, or null (-ENFILE).
file* alloc_file(FileKind kind, uint32_t f_mode, uint32_t f_flags);
// The file of the running task's descriptor, with a reference. Null: closed,
// out of range, negative, or opened with O_PATH, which fget_raw() lets pass.
file* fget(int fd);
file* fget_raw(int fd);
// The same for another task's table (as fget_raw()). Takes task_lock.
file* fget_task(task_struct* task, int fd);
// One more reference.
file* get_file(file* file);
// Drops a reference; the last releases what the file holds. No locks held.
void fput(file* file);

// The lowest free descriptor of the running task, taken but not yet visible,
// or -EMFILE. `flags`: O_CLOEXEC or 0.
int get_unused_fd_flags(uint32_t flags);
void put_unused_fd(int fd);
// Makes `file` visible at `fd`; takes the caller's reference.
void fd_install(int fd, file* file);
// Makes `file` visible in another task's table, which takes the caller's
// reference: the descriptor there, -EMFILE, or -ESRCH (it has no table any
// more); then the reference stays the caller's. Takes task_lock.
int receive_fd(task_struct* to, file* file);
// close(2): 0 or -EBADF.
int close_fd(int fd);

// An empty table with one reference, or null.
files_struct* alloc_files();
// A copy of a table for a new process: all files get a reference. Null: no
// room. Takes file_lock of `old`.
files_struct* dup_fd(files_struct* old);
// Drops a reference; the last closes all files. No locks held.
void put_files_struct(files_struct* files);
// Takes the table away from an exiting task. Takes task_lock.
void exit_files(task_struct* tsk);
// Closes what exec must not pass on; gives the running task a table of its own
// first if it shares one (0, or -ENOMEM).
int unshare_files();
void do_close_on_exec(files_struct* files);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_FILE_H_
