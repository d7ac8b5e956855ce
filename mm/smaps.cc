// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: fs/proc/task_mmu.c, v5.15 to v7.2.

#include "mm/smaps.h"

#include "mm/pgtable.h"

namespace reapsim {
namespace {

struct FlagName {
  uint64_t flag;
  const char* name;
};

// fs/proc/task_mmu.c:show_smap_vma_flags(), by bit number.
constexpr FlagName kFlagNames[] = {
    {VM_READ, "rd"},         {VM_WRITE, "wr"},      {VM_EXEC, "ex"},
    {VM_SHARED, "sh"},       {VM_MAYREAD, "mr"},    {VM_MAYWRITE, "mw"},
    {VM_MAYEXEC, "me"},      {VM_MAYSHARE, "ms"},   {VM_GROWSDOWN, "gd"},
    {VM_UFFD_MISSING, "um"}, {VM_PFNMAP, "pf"},     {VM_UFFD_WP, "uw"},
    {VM_LOCKED, "lo"},       {VM_IO, "io"},         {VM_SEQ_READ, "sr"},
    {VM_RAND_READ, "rr"},    {VM_DONTCOPY, "dc"},   {VM_DONTEXPAND, "de"},
    {VM_LOCKONFAULT, "lf"},  {VM_ACCOUNT, "ac"},    {VM_NORESERVE, "nr"},
    {VM_HUGETLB, "ht"},      {VM_WIPEONFORK, "wf"}, {VM_DONTDUMP, "dd"},
    {VM_SOFTDIRTY, "sd"},    {VM_MIXEDMAP, "mm"},   {VM_HUGEPAGE, "hg"},
    {VM_NOHUGEPAGE, "nh"},   {VM_MERGEABLE, "mg"},  {VM_DROPPABLE, "dp"},
};

// mm/shmem.c:shmem_swap_usage(), shmem_partial_swap_usage(): pages of the
// object that are in swap. What a private writable mapping has of its own
// instead does not count.
uint64_t ShmemSwap(const mm_struct* mm, const vm_area_struct& vma) {
  if (vma.vm_mapping == nullptr ||
      vma.vm_mapping->kind != address_space::kShmem) {
    return 0;
  }
  const MmState& state = RootOf<MmState>(mm);
  const bool whole =
      (vma.vm_flags & VM_SHARED) != 0 || (vma.vm_flags & VM_WRITE) == 0;
  const uint64_t first = vma.vm_pgoff;
  const uint64_t pages = (vma.vm_end - vma.vm_start) >> PAGE_SHIFT;
  uint64_t swapped = 0;
  vma.vm_mapping->i_pages.ForEach([&](uint64_t pgoff, const uint64_t& entry) {
    if (pgoff < first || pgoff - first >= pages || entry >> kSwpTypeShift == 0)
      return;
    int level = 0;
    const uint64_t address = vma.vm_start + ((pgoff - first) << PAGE_SHIFT);
    if (whole || FindEntry(state, mm, address, &level) == nullptr) swapped++;
  });
  return swapped;
}

VmaReport ReportVma(const mm_struct* mm, const vm_area_struct& vma) {
  const PageCounts counts = CountPages(mm, vma.vm_start, vma.vm_end);
  VmaReport report{
      .start = vma.vm_start,
      .end = vma.vm_end,
      .vm_flags = vma.vm_flags,
      .vm_ops = vma.vm_ops,
      .inode = vma.vm_mapping == nullptr ? 0 : vma.vm_mapping->inode,
      .pgoff = vma.vm_pgoff,
      .rss = counts.rss() * PAGE_SIZE,
      .anonymous = counts.anon * PAGE_SIZE,
      .file = counts.file * PAGE_SIZE,
      .shmem = counts.shmem * PAGE_SIZE,
      .anon_huge = counts.huge_anon * PAGE_SIZE,
      .swap = (counts.swap + ShmemSwap(mm, vma)) * PAGE_SIZE,
      .swap_entries = counts.swap * PAGE_SIZE,
      .hugetlb = counts.hugetlb * PAGE_SIZE,
  };
  if ((vma.vm_flags & VM_LOCKED) != 0) report.locked = report.rss;
  return report;
}

}  // namespace

// No analysis: the host looks while nobody moves.
MemoryReport ReportMemory(const mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  MemoryReport report;
  if (mm == nullptr) return report;
  for (const vm_area_struct& vma : mm->mm_mt) {
    const VmaReport& row = report.vmas.emplace_back(ReportVma(mm, vma));
    report.rss += row.rss;
    report.anon += row.anonymous;
    report.file += row.file;
    report.shmem += row.shmem;
    report.anon_huge += row.anon_huge;
    report.swap += row.swap_entries;
    report.hugetlb += row.hugetlb;
  }
  report.page_tables_bytes = static_cast<uint64_t>(mm->pgtables_bytes);
  report.locked = mm->locked_vm * PAGE_SIZE;
  report.size = mm->total_vm * PAGE_SIZE;
  return report;
}

std::string VmFlagsText(uint64_t vm_flags) {
  std::string text;
  for (const FlagName& each : kFlagNames) {
    if ((vm_flags & each.flag) == 0) continue;
    if (!text.empty()) text += ' ';
    text += each.name;
  }
  return text;
}

uint64_t VmFlagOf(std::string_view name) {
  for (const FlagName& each : kFlagNames) {
    if (name == each.name) return each.flag;
  }
  return 0;
}

std::string PermissionsText(uint64_t vm_flags) {
  std::string text = "---p";
  if ((vm_flags & VM_READ) != 0) text[0] = 'r';
  if ((vm_flags & VM_WRITE) != 0) text[1] = 'w';
  if ((vm_flags & VM_EXEC) != 0) text[2] = 'x';
  if ((vm_flags & VM_MAYSHARE) != 0) text[3] = 's';
  return text;
}

}  // namespace reapsim
