// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The page cache, and faults on mapped files.
//
// Source: mm/filemap.c, fs/inode.c (the life of an inode), v5.15 to v7.2.
// Modelled: one page a page offset, looked up or read in; filemap_map_pages(),
//   the fault-around that does not look at MMF_UNSTABLE.
// Simplified: no readahead: a fault reads the one page; no writeback; a file's
//   pages go when nothing refers to the file any more.
#ifndef REAPSIM_MM_FILEMAP_H_
#define REAPSIM_MM_FILEMAP_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

struct vm_fault;  // mm/memory.h

// Pages that a fault maps around itself at most.
inline constexpr uint64_t kFaultAroundPages = 16;

// A new file of `nr_pages` pages with one reference, or null. Its bytes are a
// fixed function of its inode number; shared memory begins as zeroes. Any side.
address_space* NewMapping(MmState& mm, address_space::Kind kind,
                          uint64_t nr_pages);
// One reference more, or one fewer; the last takes the page cache with it.
// Descriptors and VMAs hold one each.
void mapping_get(address_space* mapping);
void mapping_put(address_space* mapping);

// What a page of a file holds before anybody writes to it.
uint64_t FileWord(const address_space* mapping, uint64_t pgoff);

// The page of a file at an offset, within its size, with a reference; read in
// if it has to be: *read. kNoPfn: no memory.
pfn_t GetFilePage(address_space* mapping, uint64_t pgoff, bool* read);

// The page at an offset if it is in the cache, or kNoPfn. Any side.
pfn_t CachedPage(const address_space* mapping, uint64_t pgoff);
// Puts a page into the cache, which takes over the caller's reference.
void AddToPageCache(MmState& mm, address_space* mapping, uint64_t pgoff,
                    pfn_t pfn);

// vm_ops->fault of files: sets vmf->page, with a reference. VM_FAULT_MAJOR if
// it had to be read, VM_FAULT_SIGBUS beyond the end, VM_FAULT_OOM.
unsigned filemap_fault(vm_fault* vmf);
// vm_ops->map_pages: maps what the cache holds of [start, end] (page offsets,
// inclusive) where no entry is yet. VM_FAULT_NOPAGE if that resolved the fault.
// Caller: vmf->prealloc_pte where *vmf->pmd is empty.
unsigned filemap_map_pages(vm_fault* vmf, uint64_t start, uint64_t end);

}  // namespace reapsim

#endif  // REAPSIM_MM_FILEMAP_H_
