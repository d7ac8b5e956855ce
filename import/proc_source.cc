// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/proc_source.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "import/read_file.h"
#include "import/smaps.h"

namespace reapsim {
namespace {

constexpr uint64_t kPageBytes = 4096;

// --------------------------------------------------------------------------
// status
// --------------------------------------------------------------------------

using KibField = uint64_t ProcStatus::*;

struct KibKey {
  absl::string_view name;
  KibField member;
};

constexpr KibKey kKibKeys[] = {
    {"RssAnon", &ProcStatus::rss_anon_kib},
    {"RssFile", &ProcStatus::rss_file_kib},
    {"RssShmem", &ProcStatus::rss_shmem_kib},
    {"VmSwap", &ProcStatus::swap_kib},
    {"HugetlbPages", &ProcStatus::hugetlb_kib},
    {"VmPTE", &ProcStatus::page_tables_kib},
    {"VmLck", &ProcStatus::locked_kib},
};

constexpr KibKey kMaskKeys[] = {
    {"SigBlk", &ProcStatus::signals_blocked},
    {"SigIgn", &ProcStatus::signals_ignored},
    {"SigCgt", &ProcStatus::signals_caught},
};

struct IntKey {
  absl::string_view name;
  int ProcStatus::*member;
};

constexpr IntKey kIntKeys[] = {
    {"Pid", &ProcStatus::pid},
    {"Tgid", &ProcStatus::tgid},
    {"Threads", &ProcStatus::threads},
};

// Takes one line's value; false if it is not of the form that the key has.
bool TakeStatusField(absl::string_view key, absl::string_view value,
                     ProcStatus& status) {
  if (key == "State") {
    if (value.empty()) return false;
    status.state = value.front();
  }
  if (key == "CoreDumping") status.core_dumping = value == "1";
  if (key == "VmSize") status.has_memory = true;
  for (const IntKey& known : kIntKeys) {
    if (key == known.name) {
      return absl::SimpleAtoi(value, &(status.*known.member));
    }
  }
  for (const KibKey& known : kMaskKeys) {
    if (key == known.name) {
      return absl::SimpleHexAtoi(value, &(status.*known.member));
    }
  }
  for (const KibKey& known : kKibKeys) {
    if (key == known.name) {
      return absl::ConsumeSuffix(&value, " kB") &&
             absl::SimpleAtoi(value, &(status.*known.member));
    }
  }
  return true;
}

absl::StatusOr<ProcStatus> ParseStatus(absl::string_view text,
                                       const std::string& path) {
  ProcStatus status;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    const absl::string_view value =
        absl::StripAsciiWhitespace(line.substr(colon + 1));
    if (!TakeStatusField(line.substr(0, colon), value, status)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ":", colon + 2,
                       ": cannot read the value; expected what the kernel "
                       "prints there"));
    }
  }
  return status;
}

// --------------------------------------------------------------------------
// pagemap
// --------------------------------------------------------------------------

struct PagemapBit {
  int number;
  PageFlag flag;
};

// Documentation/admin-guide/mm/pagemap.rst
constexpr PagemapBit kPagemapBits[] = {
    {63, kPagePresent}, {62, kPageSwapped}, {61, kPageFileOrShmem},
    {58, kPageGuard},   {57, kPageUffdWp},  {56, kPageExclusive},
};

constexpr uint64_t KnownBits() {
  uint64_t bits = 0;
  for (const PagemapBit& bit : kPagemapBits) bits |= uint64_t{1} << bit.number;
  return bits;
}

constexpr uint64_t kKnownBits = KnownBits();

uint8_t FlagsOf(uint64_t entry) {
  uint8_t flags = 0;
  for (const PagemapBit& bit : kPagemapBits) {
    if ((entry >> bit.number & 1) != 0) flags |= bit.flag;
  }
  return flags;
}

void AddPage(uint64_t address, uint8_t flags, std::vector<PageRun>& runs) {
  if (!runs.empty()) {
    PageRun& last = runs.back();
    if (last.flags == flags &&
        last.start + last.pages * kPageBytes == address) {
      ++last.pages;
      return;
    }
  }
  runs.push_back({.start = address, .pages = 1, .flags = flags});
}

// Reads as many whole entries as there are from `first_page` on, at most
// `entries.size()`; 0 at the end of the file.
absl::StatusOr<size_t> ReadEntries(int fd, const std::string& path,
                                   uint64_t first_page,
                                   absl::Span<uint64_t> entries) {
  constexpr uint64_t kEntryBytes = sizeof(uint64_t);
  ssize_t got = -1;
  do {
    got = pread(fd, entries.data(), entries.size() * kEntryBytes,
                static_cast<off_t>(first_page * kEntryBytes));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return FileError(path, errno);
  return static_cast<size_t>(got) / kEntryBytes;
}

absl::Status ReadVmaPages(int fd, const std::string& path, const SmapsVma& vma,
                          absl::Span<uint64_t> buffer, VmaPages& pages) {
  const uint64_t end = vma.end / kPageBytes;
  uint64_t page = vma.start / kPageBytes;
  if (end - page > kMaxPagesRead) return absl::OkStatus();
  while (page < end) {
    const size_t wanted = std::min<uint64_t>(end - page, buffer.size());
    const absl::StatusOr<size_t> got =
        ReadEntries(fd, path, page, buffer.first(wanted));
    if (!got.ok()) return got.status();
    if (*got == 0) break;
    for (uint64_t entry : buffer.first(*got)) {
      // Nearly all of a reservation: some 16 million entries at the most.
      if ((entry & kKnownBits) != 0) {
        AddPage(page * kPageBytes, FlagsOf(entry), pages.runs);
      }
      ++page;
    }
  }
  pages.known = true;
  return absl::OkStatus();
}

// ioctl(2) PAGEMAP_SCAN, which newer headers than ours declare. Source:
// include/uapi/linux/fs.h.
struct ScanRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
struct ScanArguments {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t vec;
  uint64_t vec_len;
  uint64_t max_pages;
  uint64_t category_inverted;
  uint64_t category_mask;
  uint64_t category_anyof_mask;
  uint64_t return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArguments);
constexpr uint64_t kScanZero = 1 << 5;
constexpr uint64_t kScanHuge = 1 << 6;

// Adds the flags of `marked`, runs by address, to the pages of `runs` that are
// present.
std::vector<PageRun> WithFlags(const std::vector<PageRun>& runs,
                               const std::vector<PageRun>& marked) {
  std::vector<PageRun> all;
  size_t next = 0;
  for (const PageRun& run : runs) {
    const uint64_t end = run.start + run.pages * kPageBytes;
    for (uint64_t at = run.start; at < end;) {
      while (next < marked.size() &&
             marked[next].start + marked[next].pages * kPageBytes <= at) {
        ++next;
      }
      uint64_t until = end;
      uint8_t flags = run.flags;
      if (next < marked.size() && marked[next].start <= at) {
        until =
            std::min(end, marked[next].start + marked[next].pages * kPageBytes);
        if ((flags & kPagePresent) != 0) flags |= marked[next].flags;
      } else if (next < marked.size()) {
        until = std::min(end, marked[next].start);
      }
      all.push_back({at, (until - at) / kPageBytes, flags});
      at = until;
    }
  }
  return all;
}

// Finds huge entries and zero pages; leaves pages.scanned false where the
// kernel can't tell.
void ScanVmaPages(int fd, const SmapsVma& vma, VmaPages& pages) {
  constexpr size_t kRegionsAtOnce = 256;
  ScanRegion regions[kRegionsAtOnce];
  std::vector<PageRun> marked;
  for (uint64_t at = vma.start; at < vma.end;) {
    ScanArguments scan = {};
    scan.size = sizeof(scan);
    scan.start = at;
    scan.end = vma.end;
    scan.vec = reinterpret_cast<uintptr_t>(regions);
    scan.vec_len = kRegionsAtOnce;
    scan.category_anyof_mask = kScanZero | kScanHuge;
    scan.return_mask = kScanZero | kScanHuge;
    const int got = ioctl(fd, kPagemapScan, &scan);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || scan.walk_end <= at) return;
    for (int i = 0; i < got; ++i) {
      const ScanRegion& region = regions[i];
      uint8_t flags = 0;
      if ((region.categories & kScanZero) != 0) flags |= kPageZero;
      if ((region.categories & kScanHuge) != 0) flags |= kPageHuge;
      marked.push_back(
          {region.start, (region.end - region.start) / kPageBytes, flags});
    }
    at = scan.walk_end;
  }
  if (!marked.empty()) pages.runs = WithFlags(pages.runs, marked);
  pages.scanned = true;
}

absl::Status ReadPagemap(const std::string& path, const SmapsFile& smaps,
                         std::vector<VmaPages>& pages) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError(path, errno);
  const absl::Cleanup closer = [fd] { close(fd); };
  constexpr size_t kEntriesAtOnce = size_t{1} << 16;
  std::vector<uint64_t> buffer(kEntriesAtOnce);
  for (size_t i = 0; i < smaps.vmas.size(); ++i) {
    const absl::Status status =
        ReadVmaPages(fd, path, smaps.vmas[i], absl::MakeSpan(buffer), pages[i]);
    if (!status.ok()) {
      pages.assign(smaps.vmas.size(), VmaPages());
      return status;
    }
    if (!pages[i].runs.empty()) ScanVmaPages(fd, smaps.vmas[i], pages[i]);
  }
  return absl::OkStatus();
}

// --------------------------------------------------------------------------
// The process
// --------------------------------------------------------------------------

bool IsPid(absl::string_view pid) {
  if (pid == "self") return true;
  constexpr size_t kMaxDigits = 9;
  return !pid.empty() && pid.size() <= kMaxDigits && pid.front() != '0' &&
         std::all_of(pid.begin(), pid.end(), absl::ascii_isdigit);
}

// Says what to do about a file of a process that could not be read.
absl::Status WithAdvice(const absl::Status& status) {
  absl::string_view advice;
  if (absl::IsNotFound(status)) {
    advice = "the process may have ended: look for it with ps";
  } else if (absl::IsPermissionDenied(status)) {
    advice =
        "a process may be read by its own user, where ptrace of it is allowed, "
        "or by root";
  } else {
    return status;
  }
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), "; ", advice));
}

absl::StatusOr<std::string> ReadOf(const std::string& folder,
                                   absl::string_view file) {
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat(folder, "/", file));
  if (!text.ok()) return WithAdvice(text.status());
  return text;
}

absl::Status NoMemory(const std::string& folder, const ProcStatus& status) {
  const bool ended = status.state == 'Z' || status.state == 'X';
  return absl::FailedPreconditionError(absl::StrCat(
      folder, ": ",
      ended ? "the process is a zombie: it has ended and given its memory back"
            : "this is a kernel thread: it has no memory of its own",
      "; choose a process that has some"));
}

// The process may change its mappings while they are read, piece by piece, so
// that the pieces do not fit together. Then it is read again, a few times.
absl::StatusOr<SmapsFile> ReadSteadySmaps(const std::string& folder) {
  constexpr int kTries = 5;
  for (int tries = 1;; ++tries) {
    const absl::StatusOr<std::string> text = ReadOf(folder, "smaps");
    if (!text.ok()) return text.status();
    absl::StatusOr<SmapsFile> smaps = ParseSmaps(*text, folder + "/smaps");
    if (smaps.ok() || tries == kTries) return smaps;
  }
}

}  // namespace

absl::StatusOr<ProcProcess> ReadProcess(absl::string_view pid,
                                        const std::string& root) {
  if (!IsPid(pid)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::CHexEscape(pid),
                     "\" names no process; expected its number, or self"));
  }
  const std::string folder = absl::StrCat(root, "/", pid);
  ProcProcess process;

  const absl::StatusOr<std::string> status_text = ReadOf(folder, "status");
  if (!status_text.ok()) return status_text.status();
  const absl::StatusOr<ProcStatus> status =
      ParseStatus(*status_text, folder + "/status");
  if (!status.ok()) return status.status();
  process.status = *status;
  if (!process.status.has_memory) return NoMemory(folder, process.status);

  const absl::StatusOr<std::string> comm = ReadOf(folder, "comm");
  if (!comm.ok()) return comm.status();
  process.comm = std::string(absl::StripSuffix(*comm, "\n"));

  absl::StatusOr<SmapsFile> smaps = ReadSteadySmaps(folder);
  if (!smaps.ok()) return smaps.status();
  process.smaps = *std::move(smaps);

  process.pages.resize(process.smaps.vmas.size());
  process.pagemap =
      ReadPagemap(folder + "/pagemap", process.smaps, process.pages);
  return process;
}

}  // namespace reapsim
