// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: fs/aio.c; see the header.

#include "syscall/aio.h"

#include <cerrno>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "sched/task.h"
#include "syscall/fork.h"
#include "syscall/syscall_state.h"

namespace reapsim {
namespace {

// What the device and its interrupt do, in a thread of their own.
// fs/aio.c:aio_complete_rw()
void aio_complete_rw(void* arg) {
  auto* req = static_cast<kiocb*>(arg);
  const SyscallState* state = &Here<SyscallState>();
  WaitUntil(Point::kDriverWait, Access::kRead, NumberOf(state),
            [state] { return !state->driver_blocked; });
  for (int i = 0; i < req->nr_pages; ++i) {
    WritePageWord(mm_state(), req->pages[i], req->word);
  }
  unpin_user_pages(req->pages, req->nr_pages, /*dirty=*/true);
  mm_struct* mm = req->mm;
  REAP_CHECK(Here<SyscallState>().kiocb_slab.Delete(req), "aio: free");
  (void)atomic_dec_return(&mm->aio_in_flight);
}

}  // namespace

int64_t io_submit_one(uint64_t addr, int nr_pages, uint64_t word) {
  if (nr_pages <= 0 || nr_pages > kMaxAioPages) return -EINVAL;
  kiocb* req = Here<SyscallState>().kiocb_slab.New();
  if (req == nullptr) return -EAGAIN;
  const int64_t pinned =
      pin_user_pages(addr, nr_pages, /*write=*/true, req->pages);
  if (pinned < 0) {
    REAP_CHECK(Here<SyscallState>().kiocb_slab.Delete(req), "aio: free");
    return pinned;
  }
  req->mm = current()->mm;
  req->word = word;
  req->nr_pages = static_cast<int>(pinned);
  atomic_inc(&req->mm->aio_in_flight);
  if (Here<SyscallState>().driver_blocked) {
    (void)kernel_thread(aio_complete_rw, req, "kworker/aio");
  } else {
    aio_complete_rw(req);
  }
  return 1;
}

}  // namespace reapsim
