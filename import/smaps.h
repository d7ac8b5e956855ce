// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Reads the text of /proc/PID/smaps, live or recorded, of kernels from 4.x on.
//
// The parser believes nothing: what cannot have come out of a kernel (mappings
// that overlap, more resident than mapped, a file cut short) is an error that
// names file, line and column. What it returns can be built as it stands.
#ifndef REAPSIM_IMPORT_SMAPS_H_
#define REAPSIM_IMPORT_SMAPS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace reapsim {

// The end of user space with four-level page tables on x86-64.
inline constexpr uint64_t kImportAddressEnd = uint64_t{1} << 47;

// What smaps says in KiB about one mapping; 0 where an old kernel says nothing.
struct SmapsSizes {
  uint64_t size = 0;
  uint64_t rss = 0;
  uint64_t pss = 0;
  uint64_t shared_clean = 0;
  uint64_t shared_dirty = 0;
  uint64_t private_clean = 0;
  uint64_t private_dirty = 0;
  uint64_t referenced = 0;
  uint64_t anonymous = 0;
  uint64_t lazy_free = 0;
  uint64_t anon_huge_pages = 0;
  uint64_t shmem_pmd_mapped = 0;
  uint64_t file_pmd_mapped = 0;
  uint64_t shared_hugetlb = 0;
  uint64_t private_hugetlb = 0;
  uint64_t swap = 0;
  uint64_t swap_pss = 0;
  uint64_t locked = 0;
  uint64_t kernel_page_size = 4;
  uint64_t mmu_page_size = 4;

  bool operator==(const SmapsSizes&) const = default;
};

// The four letters of a mapping, such as "r-xp".
struct SmapsPermissions {
  bool read = false;
  bool write = false;
  bool execute = false;
  bool shared = false;  // MAP_SHARED. Not VM_SHARED, which a mapping of a
                        // descriptor opened O_RDONLY lacks: see vm_flags.

  bool operator==(const SmapsPermissions&) const = default;
};

// One mapping. Addresses are multiples of 4096 below kImportAddressEnd.
// Sizes fulfil, in KiB:
//   size = (end - start) / 1024
//   rss, swap, shared_hugetlb + private_hugetlb <= size
//   rss + swap <= size unless a file is mapped (a page of shmem may be
//   swapped out beside the process's own copy)
//   pss, referenced, anonymous, locked, shmem_pmd_mapped, file_pmd_mapped <=
//   rss
//   lazy_free, anon_huge_pages <= anonymous; swap_pss <= swap
struct SmapsVma {
  uint64_t start = 0;
  uint64_t end = 0;  // One past the last byte.
  SmapsPermissions permissions;
  uint64_t offset = 0;  // Into the file, bytes.
  uint32_t dev_major = 0;
  uint32_t dev_minor = 0;
  uint64_t inode = 0;  // 0: no file.
  // As the kernel prints it: a path, "[heap]", "[anon:name]" or nothing; the
  // bytes of a path need not be UTF-8.
  std::string name;
  bool deleted = false;  // The name ends with " (deleted)".
  SmapsSizes kib;
  // Two letters each ("rd", "sh", "lo"), in the file's order. Where the file
  // has no VmFlags, made from the permissions: see SmapsFile.
  std::vector<std::string> vm_flags;
  int line = 0;  // Where it stands in the file, from 1.

  // `flag` is one of the two-letter names.
  bool HasFlag(absl::string_view flag) const;
};

// A mapping that the kernel shows but no process owns: [vsyscall].
struct SmapsGate {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string name;
};

struct SmapsFile {
  std::vector<SmapsVma> vmas;  // By address, at least one, none overlapping.
  std::vector<SmapsGate> gates;
  // False if the file has no VmFlags lines. The flags are then what the
  // permissions allow: rd wr ex as printed, mr mw me, for a shared mapping sh
  // and ms (as if its descriptor were writable), gd for [stack], lo if
  // anything is locked.
  bool has_vm_flags = true;
};

// Sums over the VMAs, KiB.
SmapsSizes Totals(const SmapsFile& file);

// Parses `text`. Errors are kInvalidArgument and begin with
// "FILE:LINE:COLUMN: ", FILE being `file_name`.
absl::StatusOr<SmapsFile> ParseSmaps(absl::string_view text,
                                     absl::string_view file_name);

// Reads and parses the file at `path`; "-" is standard input. A file that
// cannot be read is kNotFound or kPermissionDenied, "FILE: " and why.
absl::StatusOr<SmapsFile> ReadSmaps(const std::string& path);

}  // namespace reapsim

#endif  // REAPSIM_IMPORT_SMAPS_H_
