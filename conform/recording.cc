// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/recording.h"

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/errno_names.h"
#include "import/proc_source.h"
#include "import/smaps.h"

namespace reapsim {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kPageKib = 4;
constexpr char kNothing[] = "-";
constexpr char kUnknownPages[] = "?";
constexpr char kPagemapUnread[] = "pagemap could not be read";

// Those that the import looks at.
constexpr struct {
  absl::string_view name;
  uint64_t SmapsSizes::*value;
} kSizes[] = {
    {"rss", &SmapsSizes::rss},
    {"anonymous", &SmapsSizes::anonymous},
    {"anon_huge", &SmapsSizes::anon_huge_pages},
    {"shmem_pmd", &SmapsSizes::shmem_pmd_mapped},
    {"shared_hugetlb", &SmapsSizes::shared_hugetlb},
    {"private_hugetlb", &SmapsSizes::private_hugetlb},
    {"swap", &SmapsSizes::swap},
};
constexpr char kPageSize[] = "page";  // beside those, if it is not 4

std::string OrNothing(std::string text) {
  return text.empty() ? kNothing : std::move(text);
}

uint64_t Resident(const ProcProcess& process) {
  uint64_t kib = 0;
  for (const SmapsVma& vma : process.smaps.vmas) {
    kib += vma.kib.rss + vma.kib.swap;
  }
  return kib;
}

// ---- Writing ---------------------------------------------------------------

// Numbers files in the order in which they are met.
class FileNumbers {
 public:
  uint64_t Of(const SmapsVma& vma) {
    if (vma.inode == 0) return 0;
    const auto key = std::make_tuple(vma.dev_major, vma.dev_minor, vma.inode);
    return numbers_.try_emplace(key, numbers_.size() + 1).first->second;
  }

 private:
  absl::btree_map<std::tuple<uint32_t, uint32_t, uint64_t>, uint64_t> numbers_;
};

std::string SizesText(const SmapsSizes& kib) {
  std::vector<std::string> parts;
  for (const auto& size : kSizes) {
    if (kib.*size.value == 0) continue;
    parts.push_back(absl::StrCat(size.name, "=", kib.*size.value));
  }
  if (kib.kernel_page_size != kPageKib) {
    parts.push_back(absl::StrCat(kPageSize, "=", kib.kernel_page_size));
  }
  return OrNothing(absl::StrJoin(parts, " "));
}

std::string PagesText(uint64_t start, const VmaPages& pages) {
  if (!pages.known) return kUnknownPages;
  std::vector<std::string> parts;
  if (pages.scanned) parts.push_back("s");
  for (const PageRun& run : pages.runs) {
    parts.push_back(absl::StrFormat(
        "%d+%d:%x", (run.start - start) / kPageBytes, run.pages, run.flags));
  }
  return OrNothing(absl::StrJoin(parts, " "));
}

// "/var/tmp/#1" for "/var/tmp/#4711", "socket:[1]" for "socket:[4711]".
std::string NameText(const SmapsVma& vma, uint64_t file) {
  if (vma.inode == 0) return OrNothing(absl::CEscape(vma.name));
  return OrNothing(absl::CEscape(absl::StrReplaceAll(
      vma.name,
      {{absl::StrCat("#", vma.inode), absl::StrCat("#", file)},
       {absl::StrCat("[", vma.inode, "]"), absl::StrCat("[", file, "]")}})));
}

std::string VmaText(const SmapsVma& vma, const VmaPages& pages, uint64_t file) {
  const SmapsPermissions& may = vma.permissions;
  return absl::StrCat(
      absl::Hex(vma.start), "-", absl::Hex(vma.end), " ", may.read ? "r" : "-",
      may.write ? "w" : "-", may.execute ? "x" : "-", may.shared ? "s" : "p",
      " ", absl::Hex(vma.offset), " ", absl::Hex(vma.dev_major), ":",
      absl::Hex(vma.dev_minor), " ", file, "\t",
      OrNothing(absl::StrJoin(vma.vm_flags, " ")), "\t", SizesText(vma.kib),
      "\t", PagesText(vma.start, pages), "\t", NameText(vma, file));
}

// "1-4 7" for 1 2 3 4 7.
std::string NumbersText(const std::vector<size_t>& numbers) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() &&
           numbers[last + 1] == numbers[last] + 1) {
      ++last;
    }
    parts.push_back(last == i ? absl::StrCat(numbers[i])
                              : absl::StrCat(numbers[i], "-", numbers[last]));
    i = last + 1;
  }
  return absl::StrJoin(parts, " ");
}

class Writer {
 public:
  void Line(absl::string_view line) { absl::StrAppend(&text_, line, "\n"); }

  // The name of a memory, which is written if it is new.
  std::string Memory(const ProcProcess& process) {
    FileNumbers files;
    std::vector<size_t> vmas;
    for (size_t i = 0; i < process.smaps.vmas.size(); ++i) {
      const SmapsVma& vma = process.smaps.vmas[i];
      vmas.push_back(
          Number(vmas_, 'v', VmaText(vma, process.pages[i], files.Of(vma))));
    }
    const ProcStatus& status = process.status;
    return absl::StrCat(
        "m", Number(memories_, 'm',
                    absl::StrFormat("%d %d %d\t%s", status.threads,
                                    status.page_tables_kib, status.locked_kib,
                                    NumbersText(vmas))));
  }

  std::string Take() { return std::move(text_); }

 private:
  using Numbered = absl::btree_map<std::string, size_t>;

  size_t Number(Numbered& known, char kind, std::string line) {
    const auto [place, is_new] =
        known.try_emplace(std::move(line), known.size() + 1);
    if (is_new) {
      Line(absl::StrCat(std::string(1, kind), place->second, "\t",
                        place->first));
    }
    return place->second;
  }

  Numbered vmas_;
  Numbered memories_;
  std::string text_;
};

// ---- Reading ---------------------------------------------------------------

// A line's fields are read one after another; the first trouble is kept.
class Reader {
 public:
  Reader(absl::string_view text, absl::string_view file_name)
      : lines_(absl::StrSplit(text, '\n')), file_name_(file_name) {}

  absl::StatusOr<Recording> Read() {
    if (lines_.empty() || !lines_.back().empty()) {
      line_ = lines_.size();
      return Bad("the file ends inside a line", "a newline");
    }
    lines_.pop_back();
    for (const absl::string_view line : lines_) {
      ++line_;
      const absl::Status status = ReadLine(line);
      if (!status.ok()) return status;
    }
    if (recording_.kernel.empty()) {
      return Bad("no line says which kernel it was", "kernel and a release");
    }
    return std::move(recording_);
  }

 private:
  struct Vma {
    SmapsVma vma;
    VmaPages pages;
  };

  absl::Status Bad(absl::string_view found, absl::string_view expected) const {
    return absl::InvalidArgumentError(absl::StrCat(
        file_name_, ":", line_, ": ", found, "; expected ", expected));
  }

  absl::Status ReadLine(absl::string_view line) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, '\t');
    const absl::string_view kind = fields[0];
    if (kind == "kernel" && fields.size() == 2) {
      recording_.kernel = std::string(fields[1]);
      return absl::OkStatus();
    }
    if (kind == absl::StrCat("v", vmas_.size() + 1) && fields.size() == 6) {
      return ReadVma(fields);
    }
    if (kind == absl::StrCat("m", memories_.size() + 1) && fields.size() == 3) {
      return ReadMemory(fields);
    }
    if (kind == "row" && (fields.size() == 4 || fields.size() == 6)) {
      return ReadRow(fields);
    }
    if (kind == "lacks" && fields.size() == 3) return ReadLack(fields);
    return Bad(absl::StrCat("a line of ", fields.size(),
                            " fields that begins "
                            "with \"",
                            absl::CEscape(kind.substr(0, 20)), "\""),
               absl::StrCat("kernel, row, lacks, v", vmas_.size() + 1, " or m",
                            memories_.size() + 1, " and its fields"));
  }

  absl::Status ReadVma(const std::vector<absl::string_view>& fields) {
    Vma read;
    SmapsVma& vma = read.vma;
    const std::vector<absl::string_view> words = absl::StrSplit(fields[1], ' ');
    const std::pair<absl::string_view, absl::string_view> range =
        absl::StrSplit(words[0], absl::MaxSplits('-', 1));
    const bool five = words.size() == 5 && words[1].size() == 4;
    const std::pair<absl::string_view, absl::string_view> device =
        absl::StrSplit(five ? words[3] : "", absl::MaxSplits(':', 1));
    if (!five || !absl::SimpleHexAtoi(range.first, &vma.start) ||
        !absl::SimpleHexAtoi(range.second, &vma.end) || vma.end <= vma.start ||
        vma.start % kPageBytes != 0 || vma.end % kPageBytes != 0 ||
        !absl::SimpleHexAtoi(words[2], &vma.offset) ||
        !absl::SimpleHexAtoi(device.first, &vma.dev_major) ||
        !absl::SimpleHexAtoi(device.second, &vma.dev_minor) ||
        !absl::SimpleAtoi(words[4], &vma.inode)) {
      return Bad("a mapping that can't be read",
                 "START-END PERMS OFFSET MAJOR:MINOR FILE");
    }
    vma.permissions = {.read = words[1][0] == 'r',
                       .write = words[1][1] == 'w',
                       .execute = words[1][2] == 'x',
                       .shared = words[1][3] == 's'};
    vma.line = static_cast<int>(line_);
    if (fields[2] != kNothing) {
      vma.vm_flags = absl::StrSplit(fields[2], ' ');
    }
    vma.kib.size = (vma.end - vma.start) / 1024;
    if (fields[5] != kNothing && !absl::CUnescape(fields[5], &vma.name)) {
      return Bad("a name that can't be read", "a C string without quotes");
    }
    vma.deleted = absl::EndsWith(vma.name, " (deleted)");
    absl::Status status = ReadSizes(fields[3], vma.kib);
    if (status.ok()) status = ReadPages(fields[4], vma, read.pages);
    if (status.ok()) vmas_.push_back(std::move(read));
    return status;
  }

  absl::Status ReadSizes(absl::string_view text, SmapsSizes& kib) {
    if (text == kNothing) return absl::OkStatus();
    for (const absl::string_view part : absl::StrSplit(text, ' ')) {
      const std::pair<absl::string_view, absl::string_view> size =
          absl::StrSplit(part, absl::MaxSplits('=', 1));
      uint64_t* value =
          size.first == kPageSize ? &kib.kernel_page_size : nullptr;
      for (const auto& known : kSizes) {
        if (size.first == known.name) value = &(kib.*known.value);
      }
      if (value == nullptr || !absl::SimpleAtoi(size.second, value)) {
        return Bad(absl::StrCat("\"", absl::CEscape(part), "\" among sizes"),
                   "such as rss=24");
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadPages(absl::string_view text, const SmapsVma& vma,
                         VmaPages& pages) {
    if (text == kUnknownPages) return absl::OkStatus();
    pages.known = true;
    if (text == kNothing) return absl::OkStatus();
    const uint64_t in_all = (vma.end - vma.start) / kPageBytes;
    uint64_t free_from = 0;  // the first page after the run before
    for (const absl::string_view part : absl::StrSplit(text, ' ')) {
      if (part == "s") {
        pages.scanned = true;
        continue;
      }
      const std::vector<absl::string_view> run =
          absl::StrSplit(part, absl::ByAnyChar("+:"));
      uint64_t first = 0;
      uint64_t count = 0;
      uint32_t flags = 0;
      if (run.size() != 3 || !absl::SimpleAtoi(run[0], &first) ||
          !absl::SimpleAtoi(run[1], &count) ||
          !absl::SimpleHexAtoi(run[2], &flags) || flags == 0 ||
          flags > UINT8_MAX || count == 0 || first < free_from ||
          first > in_all || count > in_all - first) {
        return Bad(absl::StrCat("\"", absl::CEscape(part), "\" among pages"),
                   "PAGE+COUNT:FLAGS, by page, inside the mapping");
      }
      free_from = first + count;
      pages.runs.push_back({.start = vma.start + first * kPageBytes,
                            .pages = count,
                            .flags = static_cast<uint8_t>(flags)});
    }
    return absl::OkStatus();
  }

  absl::Status ReadMemory(const std::vector<absl::string_view>& fields) {
    ProcProcess process;
    const std::vector<absl::string_view> words = absl::StrSplit(fields[1], ' ');
    ProcStatus& status = process.status;
    if (words.size() != 3 || !absl::SimpleAtoi(words[0], &status.threads) ||
        !absl::SimpleAtoi(words[1], &status.page_tables_kib) ||
        !absl::SimpleAtoi(words[2], &status.locked_kib)) {
      return Bad("a memory that can't be read", "THREADS VMPTE VMLCK");
    }
    status.has_memory = true;
    for (const absl::string_view part : absl::StrSplit(fields[2], ' ')) {
      const std::pair<absl::string_view, absl::string_view> ends =
          absl::StrSplit(part, absl::MaxSplits('-', 1));
      size_t first = 0;
      size_t last = 0;
      const bool one = !absl::StrContains(part, '-');
      if (!absl::SimpleAtoi(ends.first, &first) ||
          !absl::SimpleAtoi(one ? ends.first : ends.second, &last) ||
          first == 0 || last < first || last > vmas_.size()) {
        return Bad(absl::StrCat("\"", absl::CEscape(part), "\" among mappings"),
                   "numbers of mappings above");
      }
      for (size_t number = first; number <= last; ++number) {
        const Vma& read = vmas_[number - 1];
        if (!process.smaps.vmas.empty() &&
            read.vma.start < process.smaps.vmas.back().end) {
          return Bad(absl::StrCat("v", number,
                                  " begins before the one "
                                  "before it ends"),
                     "mappings by address");
        }
        process.smaps.vmas.push_back(read.vma);
        process.pages.push_back(read.pages);
        if (!read.pages.known && process.pagemap.ok()) {
          process.pagemap = absl::FailedPreconditionError(kPagemapUnread);
        }
      }
    }
    memories_.push_back(std::move(process));
    return absl::OkStatus();
  }

  absl::Status NewRow(absl::string_view id) {
    if (ids_.insert(std::string(id)).second) return absl::OkStatus();
    return Bad(absl::StrCat("a second line about ", absl::CEscape(id)),
               "each row once");
  }

  absl::Status ReadRow(const std::vector<absl::string_view>& fields) {
    RecordedRow row{.id = std::string(fields[1]), .outcome = {}};
    HostOutcome& outcome = row.outcome;
    absl::Status status = NewRow(row.id);
    if (status.ok()) status = ReadResult(fields[2], outcome.ret);
    if (!status.ok()) return status;
    if (fields.size() == 6) {
      outcome.has_memory = true;
      for (auto [field, memory] : {std::make_pair(4, &outcome.before),
                                   std::make_pair(5, &outcome.after)}) {
        size_t number = 0;
        absl::string_view name = fields[field];
        if (!absl::ConsumePrefix(&name, "m") ||
            !absl::SimpleAtoi(name, &number) || number == 0 ||
            number > memories_.size()) {
          return Bad(absl::StrCat("\"", absl::CEscape(fields[field]), "\""),
                     "the name of a memory above, such as m1");
        }
        *memory = memories_[number - 1];
      }
    }
    if (fields[3] != EffectText(outcome)) {
      return Bad(absl::StrCat("effect \"", absl::CEscape(fields[3]), "\""),
                 absl::StrCat("\"", EffectText(outcome),
                              "\", which follows from the memories"));
    }
    recording_.rows.push_back(std::move(row));
    return absl::OkStatus();
  }

  absl::Status ReadResult(absl::string_view text, int64_t& ret) {
    constexpr int kMostErrno = 4095;
    if (text == "0") return absl::OkStatus();
    for (int value = 1; value <= kMostErrno; ++value) {
      if (text != ErrnoName(value)) continue;
      ret = -value;
      return absl::OkStatus();
    }
    return Bad(absl::StrCat("result \"", absl::CEscape(text), "\""),
               "0 or the name of an errno");
  }

  absl::Status ReadLack(const std::vector<absl::string_view>& fields) {
    const absl::Status status = NewRow(fields[1]);
    if (!status.ok()) return status;
    RecordedRow row{.id = std::string(fields[1]), .outcome = {}};
    row.outcome.status = absl::UnimplementedError(fields[2]);
    recording_.rows.push_back(std::move(row));
    return absl::OkStatus();
  }

  std::vector<absl::string_view> lines_;
  const absl::string_view file_name_;
  size_t line_ = 0;  // from 1
  std::vector<Vma> vmas_;
  std::vector<ProcProcess> memories_;
  absl::btree_set<std::string> ids_;
  Recording recording_;
};

}  // namespace

std::string EffectText(const HostOutcome& outcome) {
  if (!outcome.has_memory) return kNothing;
  const uint64_t before = Resident(outcome.before);
  const uint64_t after = Resident(outcome.after);
  if (after == before) return absl::StrCat("keeps ", before, " KiB");
  if (after > before) {
    return absl::StrCat("grows from ", before, " to ", after, " KiB");
  }
  return absl::StrCat("releases ", before - after, " of ", before, " KiB");
}

std::string RecordingText(const Recording& recording) {
  Writer writer;
  writer.Line(absl::StrCat("kernel\t", recording.kernel));
  for (const RecordedRow& row : recording.rows) {
    const HostOutcome& outcome = row.outcome;
    if (!outcome.status.ok()) {
      writer.Line(absl::StrCat("lacks\t", row.id, "\t",
                               absl::CEscape(outcome.status.message())));
      continue;
    }
    std::string line =
        absl::StrCat("row\t", row.id, "\t", ResultText(outcome.ret), "\t",
                     EffectText(outcome));
    if (outcome.has_memory) {
      const std::string before = writer.Memory(outcome.before);
      const std::string after = writer.Memory(outcome.after);
      absl::StrAppend(&line, "\t", before, "\t", after);
    }
    writer.Line(line);
  }
  return writer.Take();
}

absl::StatusOr<Recording> ParseRecording(absl::string_view text,
                                         absl::string_view file_name) {
  return Reader(text, file_name).Read();
}

}  // namespace reapsim
