// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: fs/file.c, fs/file_table.c.

#include "sched/file.h"

#include <fcntl.h>

#include <bit>
#include <cerrno>

#include "sched/pid.h"
#include "sched/sched.h"

namespace reapsim {
namespace {

bool TestFd(const uint64_t* set, int fd) {
  return (set[fd / 64] >> (fd % 64) & 1) != 0;
}
void SetFd(uint64_t* set, int fd, bool on) {
  const uint64_t bit = uint64_t{1} << (fd % 64);
  set[fd / 64] = on ? set[fd / 64] | bit : set[fd / 64] & ~bit;
}

// fs/file.c:__fget_files(). The table is read without its lock, so the slot
// is read again once the reference could be taken.
file* fget_files(const files_struct* files, int fd, bool path_too) {
  if (files == nullptr || fd < 0 || fd >= kMaxFds) return nullptr;
  for (;;) {
    file* found = READ_ONCE(files->fd[fd]);
    if (found == nullptr) return nullptr;
    SchedulePoint(Point::kRefInc, Access::kWrite, NumberOf(&found->count));
    if (files->fd[fd] != found) continue;
    if ((found->f_mode & FMODE_PATH) != 0 && !path_too) return nullptr;
    found->count++;
    return found;
  }
}

// The lowest free descriptor, taken; or -EMFILE.
int TakeFd(files_struct* files, bool cloexec)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(files->file_lock) {
  int fd = 0;
  while (fd < kMaxFds && TestFd(files->open_fds, fd)) fd++;
  if (fd == kMaxFds) return -EMFILE;
  SetFd(files->open_fds, fd, true);
  SetFd(files->close_on_exec, fd, cloexec);
  return fd;
}

// The file of a descriptor that is taken out of its table, or null.
file* pick_file(files_struct* files, int fd)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(files->file_lock) {
  file* picked = files->fd[fd];
  if (picked == nullptr) return nullptr;
  files->fd[fd] = nullptr;
  SetFd(files->open_fds, fd, false);
  SetFd(files->close_on_exec, fd, false);
  return picked;
}

}  // namespace

file* alloc_file(FileKind kind, uint32_t f_mode, uint32_t f_flags) {
  file* made = Here<SchedState>().file_slab.New();
  if (made == nullptr) return nullptr;
  made->count = 1;
  made->kind = kind;
  made->f_mode = f_mode;
  made->f_flags = f_flags;
  return made;
}

file* fget(int fd) { return fget_files(current()->files, fd, false); }
file* fget_raw(int fd) { return fget_files(current()->files, fd, true); }

file* fget_task(task_struct* task, int fd) {
  task_lock(task);
  file* found = fget_files(task->files, fd, true);
  task_unlock(task);
  return found;
}

file* get_file(file* file) {
  atomic_inc(&file->count);
  return file;
}

void fput(file* file) {
  SchedState& sched = Here<SchedState>();
  if (!sched.file_slab.IsLive(file)) {
    Fail(VerdictKind::kUseAfterFree, "a file is put after its last reference");
  }
  if (atomic_dec_return(&file->count) != 0) return;
  if (file->pid != nullptr) put_pid(file->pid);
  if (file->release != nullptr) file->release(file);
  if (!sched.file_slab.Delete(file)) {
    Fail(VerdictKind::kDoubleFree, "a file is freed twice");
  }
}

int get_unused_fd_flags(uint32_t flags) {
  files_struct* files = current()->files;
  REAP_CHECK(files != nullptr, "file: a task without descriptors opens one");
  spin_lock(&files->file_lock);
  const int fd = TakeFd(files, (flags & O_CLOEXEC) != 0);
  spin_unlock(&files->file_lock);
  return fd;
}

int receive_fd(task_struct* to, file* file) {
  int fd = -ESRCH;
  task_lock(to);
  if (files_struct* files = to->files; files != nullptr) {
    spin_lock(&files->file_lock);
    fd = TakeFd(files, false);
    if (fd >= 0) files->fd[fd] = file;
    spin_unlock(&files->file_lock);
  }
  task_unlock(to);
  return fd;
}

void put_unused_fd(int fd) {
  files_struct* files = current()->files;
  spin_lock(&files->file_lock);
  SetFd(files->open_fds, fd, false);
  SetFd(files->close_on_exec, fd, false);
  spin_unlock(&files->file_lock);
}

void fd_install(int fd, file* file) {
  files_struct* files = current()->files;
  SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(&files->fd[fd]));
  REAP_CHECK(files->fd[fd] == nullptr, "file: descriptor is in use");
  files->fd[fd] = file;
}

int close_fd(int fd) {
  files_struct* files = current()->files;
  if (files == nullptr || fd < 0 || fd >= kMaxFds) return -EBADF;
  spin_lock(&files->file_lock);
  file* picked = pick_file(files, fd);
  spin_unlock(&files->file_lock);
  if (picked == nullptr) return -EBADF;
  fput(picked);
  return 0;
}

files_struct* alloc_files() {
  files_struct* files = Here<SchedState>().files_slab.New();
  if (files != nullptr) files->count = 1;
  return files;
}

files_struct* dup_fd(files_struct* old) {
  files_struct* copy = alloc_files();
  if (copy == nullptr) return nullptr;
  spin_lock(&old->file_lock);
  for (int fd = 0; fd < kMaxFds; ++fd) {
    if (old->fd[fd] == nullptr) continue;  // taken, not yet installed
    copy->fd[fd] = get_file(old->fd[fd]);
    SetFd(copy->open_fds, fd, true);
    SetFd(copy->close_on_exec, fd, TestFd(old->close_on_exec, fd));
  }
  spin_unlock(&old->file_lock);
  return copy;
}

void put_files_struct(files_struct* files) {
  if (atomic_dec_return(&files->count) != 0) return;
  for (int word = 0; word < kMaxFds / 64; ++word) {
    for (uint64_t left = files->open_fds[word]; left != 0; left &= left - 1) {
      file* open = files->fd[64 * word + std::countr_zero(left)];
      if (open != nullptr) fput(open);
    }
  }
  if (!Here<SchedState>().files_slab.Delete(files)) {
    Fail(VerdictKind::kDoubleFree, "a files_struct is freed twice");
  }
}

void exit_files(task_struct* tsk) {
  task_lock(tsk);
  files_struct* files = tsk->files;
  tsk->files = nullptr;
  task_unlock(tsk);
  if (files != nullptr) put_files_struct(files);
}

int unshare_files() {
  task_struct* self = current();
  files_struct* shared = self->files;
  if (shared == nullptr || atomic_read(shared->count) == 1) return 0;
  files_struct* own = dup_fd(shared);
  if (own == nullptr) return -ENOMEM;
  task_lock(self);
  self->files = own;
  task_unlock(self);
  put_files_struct(shared);
  return 0;
}

void do_close_on_exec(files_struct* files) {
  for (int fd = 0; fd < kMaxFds; ++fd) {
    spin_lock(&files->file_lock);
    file* picked =
        TestFd(files->close_on_exec, fd) ? pick_file(files, fd) : nullptr;
    spin_unlock(&files->file_lock);
    if (picked != nullptr) fput(picked);
  }
}

}  // namespace reapsim
