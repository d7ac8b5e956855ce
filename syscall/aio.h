// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Asynchronous reads of a device into user memory: while one is in flight its
// pages are pinned, and the address space can't be taken apart.
//
// Source: fs/aio.c, block/bio.c (the pins), v5.15 to v7.2.
// Modelled: O_DIRECT reads that complete when the device answers, at once or
//   later; exit_aio(), which waits for them (mm/fork.cc).
// Stubbed: contexts, completion events, cancelling, buffered requests.
#ifndef REAPSIM_SYSCALL_AIO_H_
#define REAPSIM_SYSCALL_AIO_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

// Pages that one request reads at most.
inline constexpr int kMaxAioPages = 16;

// A request in flight.
struct kiocb {
  mm_struct* mm = nullptr;  // exit_aio() keeps it; no reference
  uint64_t word = 0;        // what the device writes into each page
  int nr_pages = 0;
  pfn_t pages[kMaxAioPages] = {};
};

// io_submit(2) of one request: an O_DIRECT read of `nr_pages` pages of `word`
// into [addr, …). 1: submitted. -EINVAL (no page, or too many), -EFAULT (the
// first page can't be had; fewer pages are read if a later one can't), -EAGAIN
// (too many requests).
int64_t io_submit_one(uint64_t addr, int nr_pages, uint64_t word);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_AIO_H_
