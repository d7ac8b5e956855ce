// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// From the text of smaps to a modelled address space.
//
//   absl::StatusOr<SmapsFile> smaps = ReadSmaps("bash.smaps");
//   Kernel k;
//   Task& bash = k.Spawn("bash");
//   absl::Status status = ImportSmaps(k, bash, *smaps, {"bash.smaps"});
//
// The task then has, mapping by mapping, the addresses, flags, Rss, Anonymous,
// Swap and AnonHugePages of the text. What smaps can't tell follows rules:
//   - what backs a mapping: VmaKind (import/vma_kind.h);
//   - which pages are there: placement.h; with pagemap, where it says;
//   - page tables: those that these pages need, no more. The real process may
//     have more, left over from pages that are gone;
//   - mappings of one inode of one device share that file's pages. Nobody else
//     maps them in the model: what Shared_* and Pss say about others is told by
//     reports, from the text;
//   - pages of files are clean, anonymous ones dirty and not idle, huge pages
//     of files and of shared memory are mapped by small entries;
//   - Swap of shared memory belongs to the object, as in the kernel: it is in
//   no
//     page table and not part of VmSwap;
//   - LazyFree, KSM and userfaultfd make no difference to who maps what.
#ifndef REAPSIM_IMPORT_IMPORT_MM_H_
#define REAPSIM_IMPORT_IMPORT_MM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "import/placement.h"
#include "import/proc_source.h"
#include "import/smaps.h"
#include "import/vma_kind.h"
#include "mm/mm_types.h"
#include "syscall/kernel.h"

namespace reapsim {

struct ImportOptions {
  std::string file_name = "smaps";  // for errors
  // One for each VMA, or null.
  const std::vector<VmaPages>* pages = nullptr;
};

// What can be imported at most: more is a mistake in the text, or would not fit
// into the model.
inline constexpr uint64_t kMaxImportVmas = 250'000;
inline constexpr uint64_t kMaxImportBytes = uint64_t{256} << 30;  // resident
inline constexpr uint64_t kMaxImportSwap = uint64_t{128} << 30;

// An address space that can be made: all decisions are taken.
class ImportPlan {
 public:
  // Errors are kInvalidArgument, "FILE:LINE:1: …": a mapping that reaches
  // beyond the model's user space, that has pages of a size that x86-64 has
  // not, whose counts can't be true together, or more than the limits above.
  static absl::StatusOr<ImportPlan> Make(const SmapsFile& smaps,
                                         const ImportOptions& options);

  // Makes the machine large enough to hold this address space several times.
  void EnlargeMachine(KernelOptions* options) const;

  // Replaces the memory of `task`, which must stand in user mode, on a machine
  // that is large enough. kResourceExhausted if it is not.
  absl::Status Apply(Kernel& k, Task& task) const;

  struct Object {
    address_space::Kind kind = address_space::kFile;
    uint64_t pages = 0;
  };
  struct Vma {
    uint64_t start = 0;
    uint64_t end = 0;
    uint64_t vm_flags = 0;
    VmaKind kind = VmaKind::kAnonymous;
    int object = -1;     // in objects(), or -1
    uint64_t pgoff = 0;  // in pages of the object, whose first mapped one is 0
    std::vector<FilledRun> runs;
    uint64_t object_swap = 0;  // pages; the part of Swap that is the object's
  };
  const std::vector<Object>& objects() const { return objects_; }
  const std::vector<Vma>& vmas() const { return vmas_; }

 private:
  class Maker;
  std::vector<Object> objects_;
  std::vector<Vma> vmas_;
  uint64_t frames_ = 0;     // needed, in pages
  uint64_t swap_ = 0;       // slots
  uint64_t tables_ = 0;     // page-table pages
  uint64_t accounted_ = 0;  // pages of the largest VM_ACCOUNT mapping
};

// Replaces the memory of `task`, on a machine that is large enough.
absl::Status ImportSmaps(Kernel& k, Task& task, const SmapsFile& smaps,
                         const ImportOptions& options = {});

}  // namespace reapsim

#endif  // REAPSIM_IMPORT_IMPORT_MM_H_
