// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: fs/pipe.c, mm/filemap.c, fs/read_write.c; see the header.

#include "syscall/pipe.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>

#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "sched/signal.h"
#include "syscall/syscall_state.h"

namespace reapsim {
namespace {

bool pipe_full(const pipe_inode_info* pipe) {
  return pipe->head - pipe->tail == PIPE_DEF_BUFFERS;
}
bool pipe_empty(const pipe_inode_info* pipe) {
  return pipe->head == pipe->tail;
}

// fs/pipe.c:pipe_release()
void pipe_release(file* file) {
  auto* pipe = static_cast<pipe_inode_info*>(file->private_data);
  mutex_lock(&pipe->mutex);
  ((file->f_mode & FMODE_WRITE) != 0 ? pipe->writers : pipe->readers)--;
  const bool last = pipe->readers == 0 && pipe->writers == 0;
  mutex_unlock(&pipe->mutex);
  if (last) {
    REAP_CHECK(Here<SyscallState>().pipe_slab.Delete(pipe), "pipe: free");
  }
}

// Lets go of the mutex until the pipe has room, or data, or nobody is left at
// the other end, or a signal arrives.
template <class Ready>
void WaitForOtherEnd(pipe_inode_info* pipe, const Ready& ready)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(pipe->mutex) {
  task_struct* self = current();
  mutex_unlock(&pipe->mutex);
  self->__state = TASK_INTERRUPTIBLE;
  WaitUntil(Point::kPipeWait, Access::kRead, NumberOf(pipe),
            [&ready, self] { return ready() || signal_pending(self); });
  self->__state = TASK_RUNNING;
  mutex_lock(&pipe->mutex);
}

// fs/pipe.c:pipe_write(). Nothing here asks whether the task has been killed,
// as long as there is room: a victim's write goes on with what its memory
// reads as by now.
int64_t pipe_write(pipe_inode_info* pipe, uint64_t addr, uint64_t pages) {
  int64_t ret = 0;
  mutex_lock(&pipe->mutex);
  for (uint64_t done = 0; done < pages;) {
    if (pipe->readers == 0) {
      (void)do_send_sig_info(SIGPIPE, SEND_SIG_NOINFO, current(), PIDTYPE_PID);
      if (ret == 0) ret = -EPIPE;
      break;
    }
    if (!pipe_full(pipe)) {
      uint64_t word = 0;
      if (access_user_word(addr + done * PAGE_SIZE, /*write=*/false, &word,
                           /*user_mode=*/false) != AccessResult::kOk) {
        if (ret == 0) ret = -EFAULT;
        break;
      }
      pipe->bufs[pipe->head % PIPE_DEF_BUFFERS] = word;
      pipe->head++;
      ret += PAGE_SIZE;
      done++;
      continue;
    }
    if (signal_pending(current())) {
      if (ret == 0) ret = -ERESTARTSYS;
      break;
    }
    WaitForOtherEnd(pipe,
                    [pipe] { return !pipe_full(pipe) || pipe->readers == 0; });
  }
  mutex_unlock(&pipe->mutex);
  return ret;
}

// fs/pipe.c:pipe_read()
int64_t pipe_read(pipe_inode_info* pipe, uint64_t addr, uint64_t pages) {
  int64_t ret = 0;
  mutex_lock(&pipe->mutex);
  for (uint64_t done = 0; done < pages;) {
    if (!pipe_empty(pipe)) {
      uint64_t word = pipe->bufs[pipe->tail % PIPE_DEF_BUFFERS];
      if (access_user_word(addr + done * PAGE_SIZE, /*write=*/true, &word,
                           /*user_mode=*/false) != AccessResult::kOk) {
        if (ret == 0) ret = -EFAULT;
        break;
      }
      pipe->tail++;
      ret += PAGE_SIZE;
      done++;
      continue;
    }
    if (pipe->writers == 0 || ret != 0) break;
    if (signal_pending(current())) {
      ret = -ERESTARTSYS;
      break;
    }
    WaitForOtherEnd(pipe,
                    [pipe] { return !pipe_empty(pipe) || pipe->writers == 0; });
  }
  mutex_unlock(&pipe->mutex);
  return ret;
}

// One page of a file from or to user memory. 0 or a negative errno.
int CopyFilePage(address_space* mapping, uint64_t pgoff, uint64_t uaddr,
                 bool write) {
  uint64_t word = 0;
  // Reads the page in, so that the copy needs no fault.
  if (write && access_user_word(uaddr, false, &word, /*user_mode=*/false) !=
                   AccessResult::kOk) {
    return -EFAULT;
  }
  if (write && fatal_signal_pending(current())) return -EINTR;
  bool read = false;
  const pfn_t pfn = GetFilePage(mapping, pgoff, &read);
  if (pfn == kNoPfn) return -ENOMEM;
  int error = 0;
  if (write) {
    WritePageWord(mm_state(), pfn, word);
    pfn_to_page(mm_state(), pfn)->flags |= PG_dirty;
  } else {
    word = ReadPageWord(mm_state(), pfn);
    if (access_user_word(uaddr, true, &word, /*user_mode=*/false) !=
        AccessResult::kOk) {
      error = -EFAULT;
    }
  }
  put_page(pfn);
  return error;
}

// mm/filemap.c:generic_perform_write(), filemap_read()
int64_t CopyFile(file* file, uint64_t addr, uint64_t pages, bool write) {
  auto* mapping = static_cast<address_space*>(file->mapping);
  int64_t ret = 0;
  int error = 0;
  for (uint64_t done = 0; done < pages && error == 0; ++done) {
    const uint64_t pgoff = file->f_pos >> PAGE_SHIFT;
    if (pgoff >= mapping->nr_pages) {
      error = write ? -ENOSPC : 0;
      break;
    }
    error = CopyFilePage(mapping, pgoff, addr + done * PAGE_SIZE, write);
    if (error != 0) break;
    file->f_pos += PAGE_SIZE;
    ret += PAGE_SIZE;
  }
  return ret != 0 ? ret : error;
}

int64_t ReadWrite(int fd, uint64_t addr, uint64_t pages, bool write) {
  file* file = fget(fd);
  if (file == nullptr) return -EBADF;
  int64_t ret = -EINVAL;
  if ((file->f_mode & (write ? FMODE_WRITE : FMODE_READ)) == 0) {
    ret = -EBADF;
  } else if (file->kind == FileKind::kPipe && file->private_data != nullptr) {
    auto* pipe = static_cast<pipe_inode_info*>(file->private_data);
    ret = write ? pipe_write(pipe, addr, pages) : pipe_read(pipe, addr, pages);
  } else if (file->kind == FileKind::kRegular && file->mapping != nullptr) {
    ret = CopyFile(file, addr, pages, write);
  }
  fput(file);
  return ret;
}

// One end, in the caller's table. The descriptor or an errno.
int64_t OpenEnd(pipe_inode_info* pipe, uint32_t f_mode, uint32_t f_flags) {
  const int fd = get_unused_fd_flags(0);
  if (fd < 0) return fd;
  file* file = alloc_file(FileKind::kPipe, f_mode, f_flags);
  if (file == nullptr) {
    put_unused_fd(fd);
    return -ENFILE;
  }
  file->private_data = pipe;
  file->release = pipe_release;
  fd_install(fd, file);
  return fd;
}

}  // namespace

int64_t do_pipe2(int fds[2]) {
  auto& slab = Here<SyscallState>().pipe_slab;
  pipe_inode_info* pipe = slab.New();
  if (pipe == nullptr) return -ENFILE;
  const int64_t in = OpenEnd(pipe, FMODE_READ, O_RDONLY);
  if (in < 0) {
    REAP_CHECK(slab.Delete(pipe), "pipe: free");
    return in;
  }
  const int64_t out = OpenEnd(pipe, FMODE_WRITE, O_WRONLY);
  if (out < 0) {
    pipe->writers = 0;
    (void)close_fd(static_cast<int>(in));
    return out;
  }
  fds[0] = static_cast<int>(in);
  fds[1] = static_cast<int>(out);
  return 0;
}

int64_t sys_write(int fd, uint64_t addr, uint64_t pages) {
  return ReadWrite(fd, addr, pages, /*write=*/true);
}

int64_t sys_read(int fd, uint64_t addr, uint64_t pages) {
  return ReadWrite(fd, addr, pages, /*write=*/false);
}

}  // namespace reapsim
