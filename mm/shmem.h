// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Shared memory: memfd, tmpfs, shared anonymous mappings, SysV shm.
//
// Source: mm/shmem.c, v5.15 to v7.2.
// Modelled: pages made on first touch, swapped-out pages brought back, by a
// fault
//   or by swapoff().
// Simplified: no huge pages, no sealing, no quota.
#ifndef REAPSIM_MM_SHMEM_H_
#define REAPSIM_MM_SHMEM_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

struct vm_fault;  // mm/memory.h

// vm_ops->fault of shared memory: as filemap_fault(), but a hole becomes a page
// of zeroes, or a wait for whoever watches (VM_FAULT_RETRY).
unsigned shmem_fault(vm_fault* vmf);
// Brings every page of every object back from swap: 0 or -ENOMEM.
int shmem_unuse();

}  // namespace reapsim

#endif  // REAPSIM_MM_SHMEM_H_
