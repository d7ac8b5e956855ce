// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pages that move: to another frame, to a device's memory and back. While one
// is on its way an entry that is not present stands where it was mapped.
//
// Source: mm/migrate.c, mm/migrate_device.c, mm/rmap.c:make_device_exclusive(),
// lib/test_hmm.c (the driver), v5.15 to v7.2.
// Modelled: migration of one page that one entry maps; device-private pages,
//   also where nothing was yet (not in a reaped mm), and their way back at a
//   fault; pages that a device has to itself for a while.
// Simplified: mmap_lock is held for reading while a page moves, in place of the
//   locks of reverse maps; device pages are frames of the machine.
// Stubbed: huge pages, pages that several processes map.
#ifndef REAPSIM_MM_MIGRATE_H_
#define REAPSIM_MM_MIGRATE_H_

#include <cstdint>

#include "mm/memory.h"
#include "mm/mm_types.h"
#include "mm/pgtable.h"

namespace reapsim {

// Moves the page at `address` to another frame, as move_pages(2) does. Between
// unmapping and moving it passes the mark kUnmapForMigration. 0, also if the
// entry went meanwhile; -ENOENT (no page), -EFAULT (no VMA, or the zero page),
// -EACCES (others map it, too), -EBUSY (huge), -ENOMEM, -EAGAIN (pinned: it
// stays where it was). Caller: mm_users.
int migrate_pages(mm_struct* mm, uint64_t address);

// A driver moves the anonymous page at `address` into its device's memory, or
// makes one there where nothing is. 0; -EFAULT (no anonymous VMA), -EBUSY
// (something else is there, or it is pinned or shared), -ENOMEM; -EINVAL (a new
// page, but the mm has been reaped). Caller: mm_users.
int migrate_vma_to_device(mm_struct* mm, uint64_t address);
// A driver takes the anonymous page at `address` for its device alone: the
// CPU's next access faults. 0, -EFAULT, -EBUSY.
int make_device_exclusive(mm_struct* mm, uint64_t address);

// The faults that end these: VM_FAULT_* bits. Source: the driver's
// migrate_to_ram(); remove_device_exclusive_entry().
unsigned migrate_to_ram(vm_fault* vmf);
unsigned remove_device_exclusive_entry(vm_fault* vmf);
// The entry that an exclusive one stands for, made good: its page counts as
// mapped. Caller: the entry's lock. Source: restore_exclusive_pte().
pte_t restore_exclusive_pte(const vm_area_struct* vma, pte_t pte);

}  // namespace reapsim

#endif  // REAPSIM_MM_MIGRATE_H_
