// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "shim/proc_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace reapsim {
namespace {

using Memory = std::optional<MemoryReport>;

// ---- smaps -----------------------------------------------------------------

// What a line of smaps can be at most, in bytes; nothing: it stays.
std::optional<uint64_t> MostOf(absl::string_view key, const VmaReport& vma) {
  if (key == "Rss" || key == "Pss" || key == "Pss_Dirty" ||
      key == "Shared_Clean" || key == "Shared_Dirty" ||
      key == "Private_Clean" || key == "Private_Dirty" || key == "Referenced") {
    return vma.rss;
  }
  if (key == "Anonymous" || key == "LazyFree" || key == "KSM") {
    return vma.anonymous;
  }
  if (key == "AnonHugePages") return vma.anon_huge;
  if (key == "ShmemPmdMapped") return vma.shmem;
  if (key == "FilePmdMapped") return vma.file;
  if (key == "Swap" || key == "SwapPss") return vma.swap;
  if (key == "Locked") return vma.locked;
  return std::nullopt;
}

// A header line begins with the range; other lines with a key and a colon.
bool ParseRange(absl::string_view line, uint64_t* start) {
  const size_t dash = line.find('-');
  return dash != absl::string_view::npos && dash < line.find(' ') &&
         dash < line.find(':') &&
         absl::SimpleHexAtoi(line.substr(0, dash), start);
}

std::string SmapsLine(absl::string_view line, const VmaReport& vma) {
  const size_t colon = line.find(':');
  uint64_t kib = 0;
  const std::optional<uint64_t> most = MostOf(line.substr(0, colon), vma);
  if (colon == absl::string_view::npos || !most ||
      !absl::EndsWith(line, " kB") ||
      !absl::SimpleAtoi(absl::StripAsciiWhitespace(
                            line.substr(colon + 1, line.size() - colon - 4)),
                        &kib)) {
    return std::string(line);
  }
  return absl::StrFormat("%-16s%8u kB",
                         absl::StrCat(line.substr(0, colon), ":"),
                         std::min(kib, *most / 1024));
}

std::string Smaps(absl::string_view real, const MemoryReport& memory) {
  const VmaReport* vma = nullptr;
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(real, '\n')) {
    uint64_t start = 0;
    if (ParseRange(line, &start)) {
      const auto found = std::find_if(
          memory.vmas.begin(), memory.vmas.end(),
          [start](const VmaReport& each) { return each.start == start; });
      // [vsyscall] is nobody's.
      vma = found == memory.vmas.end() ? nullptr : &*found;
    }
    lines.push_back(vma == nullptr ? std::string(line) : SmapsLine(line, *vma));
  }
  return absl::StrJoin(lines, "\n");
}

// ---- status ----------------------------------------------------------------

const char* StateText(char state) {
  switch (state) {
    case 'D':
      return "D (disk sleep)";
    case 'Z':
      return "Z (zombie)";
    default:
      return "R (running)";
  }
}

struct StatusKey {
  absl::string_view name;
  uint64_t MemoryReport::*member;
};
constexpr StatusKey kStatusKeys[] = {
    {"VmLck", &MemoryReport::locked},
    {"VmRSS", &MemoryReport::rss},
    {"RssAnon", &MemoryReport::anon},
    {"RssFile", &MemoryReport::file},
    {"RssShmem", &MemoryReport::shmem},
    {"VmPTE", &MemoryReport::page_tables_bytes},
    {"VmSwap", &MemoryReport::swap},
    {"HugetlbPages", &MemoryReport::hugetlb},
};

bool IsOfMemory(absl::string_view key) {
  return absl::StartsWith(key, "Vm") || absl::StartsWith(key, "Rss") ||
         key == "HugetlbPages" || key == "CoreDumping" ||
         key == "THP_enabled" || key == "untag_mask";
}

std::string Status(absl::string_view real, const Memory& memory, char state) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(real, '\n')) {
    const absl::string_view key = line.substr(0, line.find(':'));
    if (IsOfMemory(key) && !memory) continue;
    lines.emplace_back(line);
    if (key == "State")
      lines.back() = absl::StrCat(key, ":\t", StateText(state));
    for (const StatusKey& known : kStatusKeys) {
      if (key != known.name) continue;
      lines.back() =
          absl::StrFormat("%s:\t%8u kB", key, (*memory).*known.member / 1024);
    }
  }
  return absl::StrJoin(lines, "\n");
}

// ---- stat, statm -----------------------------------------------------------

constexpr uint64_t kPageBytes = 4096;

// Fields after the name, from 0: the state is the 3rd of all, vsize the 23rd,
// rss the 24th.
std::string Stat(absl::string_view real, const Memory& memory, char state) {
  const size_t end = real.rfind(')');
  if (end == absl::string_view::npos) return std::string(real);
  std::vector<std::string> fields =
      absl::StrSplit(absl::StripAsciiWhitespace(real.substr(end + 1)), ' ');
  constexpr size_t kVsize = 20;
  if (fields.size() <= kVsize + 1) return std::string(real);
  fields[0] = std::string(1, state);
  if (!memory) fields[kVsize] = "0";
  fields[kVsize + 1] = absl::StrCat(memory ? memory->rss / kPageBytes : 0);
  return absl::StrCat(real.substr(0, end + 1), " ", absl::StrJoin(fields, " "),
                      "\n");
}

std::string Statm(absl::string_view real, const Memory& memory) {
  std::vector<std::string> fields =
      absl::StrSplit(absl::StripAsciiWhitespace(real), ' ');
  if (!memory) return "0 0 0 0 0 0 0\n";
  if (fields.size() < 3) return std::string(real);
  fields[1] = absl::StrCat(memory->rss / kPageBytes);
  fields[2] = absl::StrCat((memory->file + memory->shmem) / kPageBytes);
  return absl::StrCat(absl::StrJoin(fields, " "), "\n");
}

}  // namespace

bool IsModelledProcFile(absl::string_view name) {
  return name == "maps" || name == "smaps" || name == "status" ||
         name == "stat" || name == "statm";
}

std::string ModelledProcText(absl::string_view name, absl::string_view real,
                             const Memory& memory, char state) {
  if (name == "status") return Status(real, memory, state);
  if (name == "stat") return Stat(real, memory, state);
  if (name == "statm") return Statm(real, memory);
  if (!memory) return "";
  return name == "smaps" ? Smaps(real, *memory) : std::string(real);
}

}  // namespace reapsim
