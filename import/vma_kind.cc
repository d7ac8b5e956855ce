// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/vma_kind.h"

#include <initializer_list>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "mm/mm_types.h"
#include "mm/smaps.h"

namespace reapsim {
namespace {

bool StartsWithOneOf(absl::string_view name,
                     std::initializer_list<absl::string_view> prefixes) {
  for (absl::string_view prefix : prefixes) {
    if (absl::StartsWith(name, prefix)) return true;
  }
  return false;
}

bool IsHugetlb(const SmapsVma& vma) {
  return vma.HasFlag("ht") || vma.kib.kernel_page_size != 4 ||
         vma.kib.shared_hugetlb + vma.kib.private_hugetlb > 0;
}

bool IsDriverMapping(const SmapsVma& vma) {
  return vma.HasFlag("pf") || vma.HasFlag("io") || vma.HasFlag("mm");
}

bool IsOnlyPossibleForShmem(const SmapsVma& vma) {
  return (vma.permissions.shared && vma.kib.swap > 0) ||
         vma.kib.shmem_pmd_mapped > 0 ||
         vma.kib.rss + vma.kib.swap > vma.kib.size;
}

// Of a name in brackets.
bool IsAnonymousName(absl::string_view name) {
  return name == "[heap]" || StartsWithOneOf(name, {"[stack", "[anon:"});
}

}  // namespace

VmaKind KindOf(const SmapsVma& vma) {
  const absl::string_view name = absl::StripSuffix(vma.name, " (deleted)");
  if (IsHugetlb(vma)) return VmaKind::kHugetlb;
  if (IsDriverMapping(vma)) return VmaKind::kDevice;
  if (StartsWithOneOf(name, {"/dev/shm/", "/memfd:", "/SYSV", "/dev/ashmem",
                             "[anon_shmem:"})) {
    return VmaKind::kShmem;
  }
  if (name == "/secretmem") return VmaKind::kSecretmem;
  if (name == "/dev/zero") {
    return vma.permissions.shared ? VmaKind::kShmem : VmaKind::kAnonymous;
  }
  if (StartsWithOneOf(name, {"/dev/", "anon_inode:", "socket:"}) ||
      (absl::StartsWith(name, "[") && !IsAnonymousName(name))) {
    return VmaKind::kDevice;
  }
  if (vma.inode != 0 || absl::StartsWith(name, "/")) {
    return IsOnlyPossibleForShmem(vma) ? VmaKind::kShmem : VmaKind::kFile;
  }
  if (vma.permissions.shared) return VmaKind::kShmem;
  return vma.kib.rss > vma.kib.anonymous ? VmaKind::kDevice
                                         : VmaKind::kAnonymous;
}

uint64_t VmFlagsOf(const SmapsVma& vma) {
  uint64_t flags = 0;
  for (const std::string& name : vma.vm_flags) flags |= VmFlagOf(name);
  if (IsHugetlb(vma)) flags |= VM_HUGETLB;
  return flags;
}

}  // namespace reapsim
