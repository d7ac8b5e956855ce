// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/import_mm.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "mm/filemap.h"
#include "mm/mmap.h"
#include "mm/pgtable.h"
#include "mm/populate.h"
#include "mm/swapfile.h"
#include "mm/vma.h"

namespace reapsim {
namespace {

constexpr Geometry kGeometry = {.bits = 9};
constexpr uint64_t kHugePages = 512;
// The model's own limits, with room for a fork or two.
constexpr uint64_t kMaxObjects = 100'000;
constexpr uint64_t kMaxTables = 250'000;
constexpr uint64_t kMaxCacheLeaves = 400'000;
constexpr uint64_t kMaxCacheNodes = 120'000;

address_space::Kind ObjectKind(VmaKind kind) {
  switch (kind) {
    case VmaKind::kShmem:
      return address_space::kShmem;
    case VmaKind::kSecretmem:
      return address_space::kSecretmem;
    case VmaKind::kHugetlb:
      return address_space::kHugetlb;
    case VmaKind::kDevice:
      return address_space::kDevice;
    case VmaKind::kFile:
    case VmaKind::kAnonymous:
      return address_space::kFile;
  }
  return address_space::kFile;
}

VmOps OpsOf(VmaKind kind) {
  switch (kind) {
    case VmaKind::kAnonymous:
      return VmOps::kAnonymous;
    case VmaKind::kShmem:
      return VmOps::kShmem;
    case VmaKind::kHugetlb:
      return VmOps::kHugetlb;
    case VmaKind::kDevice:
      return VmOps::kSpecial;
    case VmaKind::kFile:
    case VmaKind::kSecretmem:
      return VmOps::kFile;
  }
  return VmOps::kFile;
}

bool NeedsBacking(const std::vector<FilledRun>& runs) {
  return std::any_of(runs.begin(), runs.end(), [](const FilledRun& run) {
    return run.filling == Filling::kBacking ||
           run.filling == Filling::kObjectSwap;
  });
}

}  // namespace

// ---- Planning --------------------------------------------------------------

class ImportPlan::Maker {
 public:
  Maker(const SmapsFile& smaps, const ImportOptions& options, ImportPlan* plan)
      : smaps_(smaps), options_(options), plan_(plan) {}

  absl::Status Run() {
    for (size_t i = 0; i < smaps_.vmas.size(); ++i) {
      const SmapsVma& from = smaps_.vmas[i];
      absl::Status status = CheckVma(from);
      if (!status.ok()) return status;
      Vma vma = {.start = from.start,
                 .end = from.end,
                 .vm_flags = VmFlagsOf(from),
                 .kind = KindOf(from),
                 .runs = {}};
      const VmaPages* pages =
          options_.pages == nullptr ? nullptr : &(*options_.pages)[i];
      if (!PlacePages(from, vma.kind, pages, &vma.runs)) {
        return Error(from, "Rss: and Swap: make up more than the mapping",
                     "no more than its size");
      }
      ChooseObject(from, &vma);
      Count(vma);
      plan_->vmas_.push_back(std::move(vma));
      status = CheckTotals(from);
      if (!status.ok()) return status;
    }
    TrimObjects();
    return CheckCache();
  }

 private:
  absl::Status Error(const SmapsVma& vma, absl::string_view found,
                     absl::string_view expected) const {
    return absl::InvalidArgumentError(absl::StrCat(options_.file_name, ":",
                                                   vma.line, ":1: ", found,
                                                   "; expected ", expected));
  }

  absl::Status CheckVma(const SmapsVma& vma) const {
    const uint64_t task_size = kGeometry.task_size() - PAGE_SIZE;
    if (vma.end > task_size) {
      return Error(vma, "the mapping includes the last page below 47 bits",
                   "it to end at 7ffffffff000 or below, as on x86-64");
    }
    const uint64_t page_kib = vma.kib.kernel_page_size;
    const bool small = page_kib == 4;
    if (!small && page_kib < 2048) {
      return Error(vma, absl::StrCat("KernelPageSize: is ", page_kib, " kB"),
                   "4, or 2048 or more for hugetlb, as on x86-64");
    }
    return KindOf(vma) == VmaKind::kHugetlb ? CheckHugetlb(vma)
                                            : absl::OkStatus();
  }

  absl::Status CheckHugetlb(const SmapsVma& vma) const {
    if (vma.start % kGeometry.pmd_size() != 0 ||
        vma.end % kGeometry.pmd_size() != 0) {
      return Error(vma, "a hugetlb mapping is not aligned",
                   "addresses that are multiples of 2 MiB");
    }
    if (vma.kib.rss > 0 || vma.kib.swap > 0) {
      return Error(vma, "a hugetlb mapping has Rss: or Swap:",
                   "its pages in Shared_Hugetlb: and Private_Hugetlb: only");
    }
    if ((vma.kib.shared_hugetlb + vma.kib.private_hugetlb) % 2048 != 0) {
      return Error(vma, "the hugetlb pages are not whole",
                   "multiples of 2048 kB, as on x86-64");
    }
    return absl::OkStatus();
  }

  // The object behind the mapping, and where the mapping begins in it.
  void ChooseObject(const SmapsVma& from, Vma* vma) {
    vma->pgoff = vma->start >> PAGE_SHIFT;
    const bool has_file = from.inode != 0;
    switch (vma->kind) {
      case VmaKind::kAnonymous:
        return;
      case VmaKind::kDevice:
        // Each its own: what a driver's offsets mean is the driver's secret.
        if (NeedsBacking(vma->runs)) AddOwnObject(vma);
        return;
      case VmaKind::kHugetlb:
        if (has_file || from.permissions.shared) AddOwnObject(vma);
        return;
      case VmaKind::kFile:
      case VmaKind::kShmem:
      case VmaKind::kSecretmem:
        break;
    }
    if (!has_file) {
      AddOwnObject(vma);
      return;
    }
    vma->pgoff = from.offset >> PAGE_SHIFT;
    const auto key = std::make_tuple(from.dev_major, from.dev_minor, from.inode,
                                     static_cast<int>(ObjectKind(vma->kind)));
    const auto [at, inserted] =
        by_inode_.emplace(key, static_cast<int>(plan_->objects_.size()));
    if (inserted) plan_->objects_.push_back({.kind = ObjectKind(vma->kind)});
    vma->object = at->second;
    Object& object = plan_->objects_[vma->object];
    object.pages = std::max(object.pages, vma->pgoff + PagesOf(*vma));
  }

  void AddOwnObject(Vma* vma) {
    vma->pgoff = 0;
    vma->object = static_cast<int>(plan_->objects_.size());
    plan_->objects_.push_back(
        {.kind = ObjectKind(vma->kind), .pages = PagesOf(*vma)});
  }

  static uint64_t PagesOf(const Vma& vma) {
    return (vma.end - vma.start) >> PAGE_SHIFT;
  }

  // Adds up what the machine needs for it.
  void Count(Vma& vma) {
    for (const FilledRun& run : vma.runs) {
      switch (run.filling) {
        case Filling::kHuge:
        case Filling::kAnon:
        case Filling::kBacking:
          plan_->frames_ += run.pages;
          break;
        case Filling::kSwap:
          plan_->swap_ += run.pages;
          break;
        case Filling::kObjectSwap:
          plan_->swap_ += run.pages;
          vma.object_swap += run.pages;
          continue;
        case Filling::kZero:
        case Filling::kHugeZero:
        case Filling::kGuard:
        case Filling::kUffdWp:
        case Filling::kPoison:
        case Filling::kSpecial:
          break;
      }
      CountTables(run);
    }
    if ((vma.vm_flags & VM_ACCOUNT) != 0) {
      plan_->accounted_ = std::max(plan_->accounted_, PagesOf(vma));
    }
  }

  // Runs come by address: a table that is not the last one is a new one.
  void CountTables(const FilledRun& run) {
    for (int level = 1; level <= 3; ++level) {
      const uint64_t first = run.start >> kGeometry.shift(level + 1);
      const uint64_t last = (run.end() - 1) >> kGeometry.shift(level + 1);
      std::optional<uint64_t>& before = last_table_[level - 1];
      plan_->tables_ += last - first + (before == first ? 0 : 1);
      before = last;
    }
  }

  absl::Status CheckTotals(const SmapsVma& at) const {
    if (plan_->vmas_.size() > kMaxImportVmas) {
      return Error(at, "too many mappings",
                   absl::StrCat("at most ", kMaxImportVmas));
    }
    if (plan_->frames_ > kMaxImportBytes >> PAGE_SHIFT) {
      return Error(at, "more than 256 GiB resident up to here",
                   "a process of at most 256 GiB");
    }
    if (plan_->swap_ > kMaxImportSwap >> PAGE_SHIFT) {
      return Error(at, "more than 128 GiB swapped out up to here",
                   "a process with at most 128 GiB in swap");
    }
    if (plan_->objects_.size() > kMaxObjects) {
      return Error(at, "too many files up to here",
                   absl::StrCat("at most ", kMaxObjects));
    }
    if (plan_->tables_ > kMaxTables) {
      return Error(at, "resident pages too far apart up to here",
                   absl::StrCat("at most ", kMaxTables, " page tables"));
    }
    return absl::OkStatus();
  }

  // Lets each object begin where its first mapping does: what lies before is
  // of no interest, and the model's tables are as deep as the last page is far.
  void TrimObjects() {
    std::vector<uint64_t> first(plan_->objects_.size(), ~uint64_t{0});
    for (const Vma& vma : plan_->vmas_) {
      if (vma.object < 0) continue;
      first[vma.object] = std::min(first[vma.object], vma.pgoff);
    }
    for (Vma& vma : plan_->vmas_) {
      if (vma.object >= 0) vma.pgoff -= first[vma.object];
    }
    for (size_t i = 0; i < first.size(); ++i) {
      plan_->objects_[i].pages -= first[i];
    }
  }

  // Levels of the table of an object's pages.
  static uint64_t DepthOf(const Object& object) {
    uint64_t depth = 1;
    while ((object.pages - 1) >> (9 * depth) != 0) ++depth;
    return depth;
  }

  // The tables of the objects' pages: not more than the model has room for.
  absl::Status CheckCache() const {
    uint64_t leaves = 0;
    uint64_t nodes = 0;
    for (const Object& object : plan_->objects_) nodes += DepthOf(object) - 1;
    for (size_t i = 0; i < plan_->vmas_.size(); ++i) {
      const Vma& vma = plan_->vmas_[i];
      uint64_t mine = 0;
      for (const FilledRun& run : vma.runs) {
        if (run.filling != Filling::kBacking &&
            run.filling != Filling::kObjectSwap) {
          continue;
        }
        mine += run.pages / kHugePages + 2;
        // The words in the pages.
        leaves += run.pages / kHugePages;
      }
      if (mine == 0) continue;
      mine = std::min(mine, PagesOf(vma) / kHugePages + 2);
      leaves += mine;
      const uint64_t depth = DepthOf(plan_->objects_[vma.object]);
      if (depth > 2) nodes += (depth - 2) * (mine / kHugePages + 1);
      if (leaves > kMaxCacheLeaves || nodes > kMaxCacheNodes) {
        return Error(smaps_.vmas[i],
                     "too many pages of too many files up to here",
                     "fewer, or less of each");
      }
    }
    return absl::OkStatus();
  }

  const SmapsFile& smaps_;
  const ImportOptions& options_;
  ImportPlan* plan_;
  absl::btree_map<std::tuple<uint32_t, uint32_t, uint64_t, int>, int> by_inode_;
  std::array<std::optional<uint64_t>, 3> last_table_;
};

absl::StatusOr<ImportPlan> ImportPlan::Make(const SmapsFile& smaps,
                                            const ImportOptions& options) {
  ImportPlan plan;
  const absl::Status status = Maker(smaps, options, &plan).Run();
  if (!status.ok()) return status;
  return plan;
}

void ImportPlan::EnlargeMachine(KernelOptions* options) const {
  constexpr uint64_t kSpare = uint64_t{1} << 18;
  // The model has room for a page table for every 256 frames.
  const uint64_t frames =
      std::max({2 * frames_ + kSpare, 2 * tables_ * 256, accounted_ + kSpare});
  options->memory = std::max(options->memory, frames << PAGE_SHIFT);
  options->swap = std::max(options->swap, (2 * swap_ + kSpare) << PAGE_SHIFT);
}

// ---- Making ----------------------------------------------------------------

namespace {

// Marks pages of an object as swapped out where it has none. False: swap is
// full.
bool SwapOutObject(vm_area_struct* vma, const FilledRun& run) {
  MmState& state = mm_state();
  address_space* mapping = vma->vm_mapping;
  const uint64_t first = linear_page_index(vma, run.start);
  for (uint64_t pgoff = first; pgoff < first + run.pages; ++pgoff) {
    uint64_t* entry = mapping->i_pages.At(&state.word_pool, pgoff);
    // Another mapping of the object may have it there already.
    if (*entry != 0) continue;
    const uint64_t slot = get_swap_page(0);
    if (slot == 0) return false;
    *entry = swp_entry(SwpType::kSwap, slot);
  }
  return true;
}

PopulateKind PopulateKindOf(Filling filling) {
  switch (filling) {
    case Filling::kHuge:
      return PopulateKind::kHuge;
    case Filling::kAnon:
      return PopulateKind::kAnon;
    case Filling::kBacking:
      return PopulateKind::kFileClean;
    case Filling::kSwap:
      return PopulateKind::kSwap;
    case Filling::kZero:
      return PopulateKind::kZero;
    case Filling::kHugeZero:
      return PopulateKind::kHugeZero;
    case Filling::kGuard:
      return PopulateKind::kGuard;
    case Filling::kUffdWp:
      return PopulateKind::kUffdWp;
    case Filling::kPoison:
      return PopulateKind::kPoison;
    case Filling::kSpecial:
      return PopulateKind::kSpecial;
    case Filling::kObjectSwap:
      break;
  }
  REAP_CHECK(false, "import: not a kind of entry");
  return PopulateKind::kZero;
}

bool FillVma(vm_area_struct* vma, const std::vector<FilledRun>& runs) {
  for (const FilledRun& run : runs) {
    if (run.filling == Filling::kObjectSwap) {
      if (!SwapOutObject(vma, run)) return false;
      continue;
    }
    if (PopulatePresent(vma, run.start, run.pages, PopulateKindOf(run.filling),
                        run.uffd_wp) != run.pages) {
      return false;
    }
  }
  return true;
}

// Links a VMA as the text has it. vm_mmap() would set flags of its own and join
// neighbours that the kernel has kept apart, by name or by age.
vm_area_struct* LinkVma(mm_struct* mm, const ImportPlan::Vma& from,
                        address_space* mapping)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  vm_area_struct* vma = vm_area_alloc(mm);
  if (vma == nullptr) return nullptr;
  vma->vm_start = from.start;
  vma->vm_end = from.end;
  vma->vm_flags = from.vm_flags;
  vma->vm_ops = OpsOf(from.kind);
  vma->vm_pgoff = from.pgoff;
  vma->vm_mapping = mapping;
  if (mapping != nullptr) mapping_get(mapping);
  vma_link(mm, vma);
  mm->total_vm += vma_pages(vma);
  if ((vma->vm_flags & VM_LOCKED) != 0) mm->locked_vm += vma_pages(vma);
  return vma;
}

// Runs as the task, whose memory is empty. `mappings` has room for one pointer
// for each object. 0 or -ENOMEM.
int64_t Build(const ImportPlan& plan, address_space** mappings) {
  mm_struct* mm = current()->mm;
  for (size_t i = 0; i < plan.objects().size(); ++i) {
    mappings[i] =
        NewMapping(mm_state(), plan.objects()[i].kind, plan.objects()[i].pages);
    if (mappings[i] == nullptr) return -ENOMEM;
  }
  int64_t ret = 0;
  mmap_write_lock(mm);
  for (const ImportPlan::Vma& from : plan.vmas()) {
    vm_area_struct* vma =
        LinkVma(mm, from, from.object < 0 ? nullptr : mappings[from.object]);
    if (vma == nullptr || !FillVma(vma, from.runs)) {
      ret = -ENOMEM;
      break;
    }
  }
  mmap_write_unlock(mm);
  for (size_t i = 0; i < plan.objects().size(); ++i) mapping_put(mappings[i]);
  return ret;
}

}  // namespace

absl::Status ImportPlan::Apply(Kernel& k, Task& task) const {
  const uint64_t everything = kGeometry.task_size() - PAGE_SIZE;
  const SysResult emptied = k.As(task).munmap(0, Bytes(everything));
  std::vector<address_space*> mappings(objects_.size());
  const ImportPlan* plan = this;
  address_space** const into = mappings.data();
  const SysResult built =
      k.Call(task.raw(), [plan, into] { return Build(*plan, into); });
  if (!emptied.ok() || !built.ok()) {
    return absl::ResourceExhaustedError(
        "the modelled machine is too small for this process; give it more "
        "memory and swap (KernelOptions)");
  }
  return absl::OkStatus();
}

absl::Status ImportSmaps(Kernel& k, Task& task, const SmapsFile& smaps,
                         const ImportOptions& options) {
  const absl::StatusOr<ImportPlan> plan = ImportPlan::Make(smaps, options);
  if (!plan.ok()) return plan.status();
  return plan->Apply(k, task);
}

}  // namespace reapsim
