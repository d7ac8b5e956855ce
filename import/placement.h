// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Which pages of a mapping are there: smaps says only how many.
#ifndef REAPSIM_IMPORT_PLACEMENT_H_
#define REAPSIM_IMPORT_PLACEMENT_H_

#include <cstdint>
#include <vector>

#include "import/proc_source.h"
#include "import/smaps.h"
#include "import/vma_kind.h"

namespace reapsim {

enum class Filling : uint8_t {
  kHuge,        // whole huge pages: anonymous ones, or of hugetlb
  kAnon,        // anonymous pages, dirty
  kBacking,     // pages of the file or shared memory, clean
  kSwap,        // swap entries of the process
  kObjectSwap,  // pages of the shared memory in swap: no entries, and no part
                // of the process's VmSwap
  kZero,        // the shared zero page: no part of RSS
  kHugeZero,    // the huge zero page: no part of RSS
  kGuard,       // guard markers
  kUffdWp,      // markers of userfaultfd's write protection
  kPoison,      // markers of UFFDIO_POISON
  kSpecial,     // a device's frames: no part of RSS
};
inline constexpr int kFillings = 11;

struct FilledRun {
  uint64_t start = 0;
  uint64_t pages = 0;
  Filling filling = Filling::kAnon;
  bool uffd_wp = false;  // write-protected by userfaultfd; not of markers

  uint64_t end() const { return start + pages * 4096; }
  bool operator==(const FilledRun&) const = default;
};

// Where pagemap was scanned (VmaPages::scanned), and has as many pages of each
// kind as smaps counts, it says all, and runs are what it says. Pages of files
// and shared memory that huge entries map become small ones; entries in swap
// that smaps does not count are markers.
//
// Where it was not scanned, huge entries and zero pages of a process's own
// memory are found by what smaps counts: whole huge pages that look all the
// same are huge if there are as many as AnonHugePages says; what is neither
// exclusive nor counted as anonymous, or looks like a file's, is a zero page.
//
// Elsewhere a rule decides. Into what is still free of the mapping go, each as
// many pages as smaps counts and from the low end:
//   1. huge pages (AnonHugePages, Shared_ and Private_Hugetlb), at places
//      aligned to 2 MiB;
//   2. anonymous pages (the rest of Anonymous);
//   3. pages of the file, the shared memory or the device (the rest of Rss);
//   4. swapped pages (Swap): the process's own, but for shared memory the
//      object's. Where a private mapping of shared memory has more in swap
//      than fits, the rest is the object's, too.
// With `pages`, each of these first takes places where pagemap has something
// like it, exclusive anonymous pages before others; what pagemap has and smaps
// does not count become zero pages, guard markers and device frames. If the
// huge pages do not fit that way, `pages` is not used.
//
// Runs by address, not overlapping but for kObjectSwap, which come last. False
// if the counts do not fit into the mapping.
bool PlacePages(const SmapsVma& vma, VmaKind kind, const VmaPages* pages,
                std::vector<FilledRun>* runs);

}  // namespace reapsim

#endif  // REAPSIM_IMPORT_PLACEMENT_H_
