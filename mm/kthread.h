// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A kernel thread that borrows an address space, as drivers' workers do.
// Source: kernel/kthread.c:kthread_use_mm(), v5.15 to v7.2.
#ifndef REAPSIM_MM_KTHREAD_H_
#define REAPSIM_MM_KTHREAD_H_

#include "mm/mm_types.h"

namespace reapsim {

// The running kernel thread takes `mm` as its own: current()->mm is set, as
// for a user task, and mm_count + 1. The caller sees to it that mm_users
// stays above 0 meanwhile.
void kthread_use_mm(mm_struct* mm);
// Gives it back.
void kthread_unuse_mm(mm_struct* mm);

}  // namespace reapsim

#endif  // REAPSIM_MM_KTHREAD_H_
