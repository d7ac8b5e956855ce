// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Reads a live process out of /proc. It is only looked at: nothing is done to
// it, and it may change, or end, meanwhile.
#ifndef REAPSIM_IMPORT_PROC_SOURCE_H_
#define REAPSIM_IMPORT_PROC_SOURCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "import/smaps.h"

namespace reapsim {

// What /proc/PID/pagemap says about a page. A page of which it says nothing has
// no entry in the page tables.
enum PageFlag : uint8_t {
  kPagePresent = 1 << 0,
  kPageSwapped = 1 << 1,      // Or being migrated.
  kPageFileOrShmem = 1 << 2,  // Not anonymous; also of a page swapped out.
  kPageExclusive = 1 << 3,    // Mapped nowhere else (4.2 on).
  kPageUffdWp = 1 << 4,       // Write-protected by userfaultfd (5.14 on).
  kPageGuard = 1 << 5,        // A guard region's marker (6.15 on).
  // Only where VmaPages::scanned:
  kPageHuge = 1 << 6,  // Mapped by a huge entry, or hugetlb.
  kPageZero = 1 << 7,  // The zero page, small or huge.
};

// Pages in a row with the same flags.
struct PageRun {
  uint64_t start = 0;  // Address of the first.
  uint64_t pages = 0;
  uint8_t flags = 0;  // Of PageFlag, at least one.

  bool operator==(const PageRun&) const = default;
};

// The pages of one VMA.
struct VmaPages {
  // False if pagemap could not be read, or if the VMA is too large to look at
  // each page (over kMaxPagesRead): then nothing is known.
  bool known = false;
  // Huge entries and zero pages are known, too (PAGEMAP_SCAN, 6.7 on).
  bool scanned = false;
  std::vector<PageRun> runs;  // By address; what lies between has no entry.
};

// 64 GiB of address space: more is a reservation, hardly any of it in use.
inline constexpr uint64_t kMaxPagesRead = uint64_t{1} << 24;

// Some of /proc/PID/status; 0 where the kernel says nothing.
struct ProcStatus {
  int pid = 0;
  int tgid = 0;
  int threads = 0;
  char state = '?';  // R, S, D, T, t, Z, X, I.
  bool core_dumping = false;
  bool has_memory = false;  // False for a zombie and for a kernel thread.
  uint64_t rss_anon_kib = 0;
  uint64_t rss_file_kib = 0;
  uint64_t rss_shmem_kib = 0;
  uint64_t swap_kib = 0;
  uint64_t hugetlb_kib = 0;
  uint64_t page_tables_kib = 0;
  uint64_t locked_kib = 0;
  // Bit N - 1 is signal N.
  uint64_t signals_blocked = 0;
  uint64_t signals_ignored = 0;
  uint64_t signals_caught = 0;
};

struct ProcProcess {
  std::string comm;  // At most 15 bytes, any bytes but a newline.
  ProcStatus status;
  SmapsFile smaps;
  std::vector<VmaPages> pages;  // One for each of smaps.vmas.
  absl::Status pagemap;         // Why no pages are known, or OK.
};

// Reads the process `pid`, a number or "self", below `root`, which is another
// folder than /proc in tests only. What differs between smaps and pagemap
// changed between the two reads; smaps is read first.
//
// Errors, each a sentence for the user: kInvalidArgument for a `pid` that is
// none, kNotFound for a process that is gone, kPermissionDenied for one that
// may not be read, kFailedPrecondition for one without memory (a zombie, a
// kernel thread), and those of ParseSmaps().
absl::StatusOr<ProcProcess> ReadProcess(absl::string_view pid,
                                        const std::string& root = "/proc");

}  // namespace reapsim

#endif  // REAPSIM_IMPORT_PROC_SOURCE_H_
