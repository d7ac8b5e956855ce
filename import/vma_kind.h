// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// What a mapping of smaps is to the kernel: smaps does not say so, but for the
// hints of name, flags and sizes.
#ifndef REAPSIM_IMPORT_VMA_KIND_H_
#define REAPSIM_IMPORT_VMA_KIND_H_

#include <cstdint>

#include "import/smaps.h"

namespace reapsim {

enum class VmaKind : uint8_t {
  kAnonymous,  // private: heap, stack, malloc's arenas
  kFile,       // a file of a disk
  kShmem,      // memfd, tmpfs, System V, shared anonymous memory
  kSecretmem,  // memfd_secret()
  kHugetlb,
  kDevice,  // a driver's or the kernel's own: [vdso], PFN mappings
};

// The first of these that applies:
//   kHugetlb    VmFlags has ht, or there are hugetlb pages, or the page size
//               is not 4 kB
//   kDevice     VmFlags has pf, io or mm
//   kShmem      /dev/shm/…, /memfd:…, /SYSV…, /dev/ashmem…, [anon_shmem:…],
//               shared /dev/zero
//   kSecretmem  /secretmem
//   kAnonymous  private /dev/zero
//   kDevice     /dev/…, anon_inode:…, socket:…, a name in brackets that is
//               not [heap], [stack…] or [anon:…]
//   kShmem      a file with what disk files can't have: swap of a shared
//               mapping, huge pages of shmem, more in memory and swap together
//               than its size
//   kFile       any other with a path or an inode
//   kShmem      shared
//   kDevice     holds pages that are not anonymous
//   kAnonymous  all others
VmaKind KindOf(const SmapsVma& vma);

// Its vm_flags as far as the model knows them.
uint64_t VmFlagsOf(const SmapsVma& vma);

}  // namespace reapsim

#endif  // REAPSIM_IMPORT_VMA_KIND_H_
