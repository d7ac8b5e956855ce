// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Fuzz target of ParseSmaps() and ImportPlan: whatever the bytes, they return
// what their headers promise.
//
//   found=$(mktemp -d); corpus=$PWD/import/testdata/smaps_corpus
//   ./bazelw run --config=fuzz //import:smaps_fuzz -- "$found" "$corpus"
//
// What it finds goes to the first folder; a find worth keeping moves to the
// second by hand, under a name that says what it is.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/fuzz_checks.h"
#include "import/import_mm.h"
#include "import/placement.h"
#include "import/smaps.h"

namespace reapsim {
namespace {

void CheckVma(const SmapsVma& vma) {
  const SmapsSizes& kib = vma.kib;
  REAP_CHECK(vma.start % 4096 == 0 && vma.end % 4096 == 0, "fuzz: page parts");
  REAP_CHECK(vma.start < vma.end, "fuzz: empty mapping");
  REAP_CHECK_LE(vma.end, kImportAddressEnd, "fuzz: end of user space");
  REAP_CHECK_EQ(kib.size, (vma.end - vma.start) / 1024, "fuzz: size");
  REAP_CHECK_LE(kib.rss, kib.size, "fuzz: rss");
  REAP_CHECK_LE(kib.swap, kib.size, "fuzz: swap");
  REAP_CHECK_LE(kib.shared_hugetlb + kib.private_hugetlb, kib.size,
                "fuzz: hugetlb");
  if (vma.inode == 0) {
    REAP_CHECK_LE(kib.rss + kib.swap, kib.size, "fuzz: rss and swap");
  }
  for (uint64_t part : {kib.pss, kib.referenced, kib.anonymous, kib.locked,
                        kib.shmem_pmd_mapped, kib.file_pmd_mapped}) {
    REAP_CHECK_LE(part, kib.rss, "fuzz: part of rss");
  }
  REAP_CHECK_LE(kib.lazy_free, kib.anonymous, "fuzz: lazy free");
  REAP_CHECK_LE(kib.anon_huge_pages, kib.anonymous, "fuzz: huge");
  REAP_CHECK_LE(kib.swap_pss, kib.swap, "fuzz: swap pss");
  for (const std::string& flag : vma.vm_flags) {
    REAP_CHECK_EQ(flag.size(), 2u, "fuzz: flag");
  }
}

void CheckFile(const SmapsFile& file) {
  REAP_CHECK(!file.vmas.empty(), "fuzz: no mapping");
  uint64_t end = 0;
  for (const SmapsVma& vma : file.vmas) {
    REAP_CHECK_LE(end, vma.start, "fuzz: overlap");
    REAP_CHECK(vma.name != "[vsyscall]", "fuzz: gate among the mappings");
    CheckVma(vma);
    end = vma.end;
  }
  REAP_CHECK_LE(Totals(file).rss, kImportAddressEnd / 1024, "fuzz: totals");
}

// Every page that the text counts has a place in the mapping.
void CheckPlanned(const SmapsVma& text, const ImportPlan::Vma& vma) {
  uint64_t pages = 0;
  uint64_t end = vma.start;
  for (const FilledRun& run : vma.runs) {
    REAP_CHECK(run.pages > 0 && run.end() <= vma.end, "fuzz: run");
    if (run.filling != Filling::kObjectSwap) {
      REAP_CHECK_LE(end, run.start, "fuzz: runs overlap");
      end = run.end();
    }
    pages += run.pages;
  }
  const SmapsSizes& kib = text.kib;
  REAP_CHECK_EQ(pages * 4,
                kib.rss + kib.swap + kib.shared_hugetlb + kib.private_hugetlb,
                "fuzz: pages");
}

void CheckPlan(const SmapsFile& file) {
  const absl::StatusOr<ImportPlan> plan =
      ImportPlan::Make(file, {.file_name = "fuzz"});
  if (!plan.ok()) {
    CheckPlacedError(plan.status());
    return;
  }
  REAP_CHECK_EQ(plan->vmas().size(), file.vmas.size(), "fuzz: mappings");
  for (size_t i = 0; i < file.vmas.size(); ++i) {
    CheckPlanned(file.vmas[i], plan->vmas()[i]);
  }
}

}  // namespace
}  // namespace reapsim

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<reapsim::SmapsFile> file =
      reapsim::ParseSmaps({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (file.ok()) {
    reapsim::CheckFile(*file);
    reapsim::CheckPlan(*file);
  } else {
    reapsim::CheckPlacedError(file.status());
  }
  return 0;
}
