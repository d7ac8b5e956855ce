// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Userfaultfd, as far as reaping meets it: a fault that waits for another
// process, and the copy that ends the wait.
//
// Source: fs/userfaultfd.c:handle_userfault(), mm/userfaultfd.c, v5.15 to v7.2.
// Modelled: missing and write-protect faults that sleep; UFFDIO_COPY of a page,
//   which does not look at MMF_UNSTABLE.
// Simplified: no descriptor, no events: whoever holds the mm may copy; every
//   waiter sleeps killably.
#ifndef REAPSIM_MM_USERFAULTFD_H_
#define REAPSIM_MM_USERFAULTFD_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

// Fills the empty entry at `address` with a new page that holds `word`. 0;
// -EEXIST: something is there; -ENOENT: no private anonymous VMA registered for
// missing faults covers it; -ENOMEM. Caller: mmap_lock for read.
int mfill_atomic_copy(mm_struct* mm, uint64_t address, uint64_t word);

}  // namespace reapsim

#endif  // REAPSIM_MM_USERFAULTFD_H_
