// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/smaps.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "import/read_file.h"

namespace reapsim {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kPageKib = 4;
constexpr uint64_t kHugePageKib = 2048;

using Size = uint64_t SmapsSizes::*;

// A line "Key: N kB" whose number is kept.
struct SizeKey {
  absl::string_view name;
  Size member;
  uint64_t unit_kib;  // The number is a multiple of this.
};

constexpr SizeKey kSizeKeys[] = {
    {"Size", &SmapsSizes::size, kPageKib},
    {"Rss", &SmapsSizes::rss, kPageKib},
    {"Pss", &SmapsSizes::pss, 1},
    {"Shared_Clean", &SmapsSizes::shared_clean, kPageKib},
    {"Shared_Dirty", &SmapsSizes::shared_dirty, kPageKib},
    {"Private_Clean", &SmapsSizes::private_clean, kPageKib},
    {"Private_Dirty", &SmapsSizes::private_dirty, kPageKib},
    {"Referenced", &SmapsSizes::referenced, kPageKib},
    {"Anonymous", &SmapsSizes::anonymous, kPageKib},
    {"LazyFree", &SmapsSizes::lazy_free, kPageKib},
    {"AnonHugePages", &SmapsSizes::anon_huge_pages, kHugePageKib},
    {"ShmemPmdMapped", &SmapsSizes::shmem_pmd_mapped, kHugePageKib},
    {"FilePmdMapped", &SmapsSizes::file_pmd_mapped, kHugePageKib},
    {"Shared_Hugetlb", &SmapsSizes::shared_hugetlb, kPageKib},
    {"Private_Hugetlb", &SmapsSizes::private_hugetlb, kPageKib},
    {"Swap", &SmapsSizes::swap, kPageKib},
    {"SwapPss", &SmapsSizes::swap_pss, 1},
    {"Locked", &SmapsSizes::locked, 1},
    {"KernelPageSize", &SmapsSizes::kernel_page_size, kPageKib},
    {"MMUPageSize", &SmapsSizes::mmu_page_size, kPageKib},
};

const SizeKey* FindSizeKey(absl::string_view name) {
  for (const SizeKey& key : kSizeKeys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

// The first can't be more than the second: it counts some of the same pages.
struct Bound {
  absl::string_view part;
  absl::string_view whole;
};

constexpr Bound kBounds[] = {
    {"Rss", "Size"},
    {"Swap", "Size"},
    {"Shared_Hugetlb", "Size"},
    {"Private_Hugetlb", "Size"},
    {"KernelPageSize", "Size"},
    {"MMUPageSize", "Size"},
    {"Shared_Clean", "Rss"},
    {"Shared_Dirty", "Rss"},
    {"Private_Clean", "Rss"},
    {"Private_Dirty", "Rss"},
    {"Pss", "Rss"},
    {"Referenced", "Rss"},
    {"Anonymous", "Rss"},
    {"Locked", "Rss"},
    {"ShmemPmdMapped", "Rss"},
    {"FilePmdMapped", "Rss"},
    {"LazyFree", "Anonymous"},
    {"AnonHugePages", "Anonymous"},
    {"SwapPss", "Swap"},
};

// Where the text of something begins, from 1; columns count bytes.
struct Position {
  int line = 0;
  int column = 0;
};

// What of the input may be shown in an error: printable and not too long.
std::string Quoted(absl::string_view text) {
  constexpr size_t kMost = 40;
  std::string shown(text.substr(0, kMost));
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return absl::StrCat("\"", shown, text.size() > kMost ? "...\"" : "\"");
}

std::string Hex(uint64_t value) { return absl::StrFormat("%x", value); }

// A line, taken apart from the left.
class Cursor {
 public:
  Cursor(absl::string_view line, int number) : line_(line), number_(number) {}

  Position position() const {
    return {number_, static_cast<int>(consumed_) + 1};
  }
  absl::string_view rest() const { return line_.substr(consumed_); }

  void SkipSpaces() {
    while (consumed_ < line_.size() && line_[consumed_] == ' ') ++consumed_;
  }

  bool Consume(char c) {
    if (consumed_ == line_.size() || line_[consumed_] != c) return false;
    ++consumed_;
    return true;
  }

  // The longest run of characters from here that `accept` accepts.
  template <class Accept>
  absl::string_view TakeWhile(Accept accept) {
    const size_t begin = consumed_;
    while (consumed_ < line_.size() &&
           accept(static_cast<unsigned char>(line_[consumed_]))) {
      ++consumed_;
    }
    return line_.substr(begin, consumed_ - begin);
  }

  // The text up to the next space or the end of the line.
  absl::string_view PeekWord() const {
    return rest().substr(0, rest().find(' '));
  }

  // A hexadecimal number of at most 64 bits, in the kernel's lower case.
  bool ConsumeHex(uint64_t& value) {
    const absl::string_view digits = TakeWhile([](unsigned char c) {
      return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
    });
    constexpr size_t kMaxDigits = 16;
    if (digits.empty() || digits.size() > kMaxDigits) return false;
    return absl::SimpleHexAtoi(digits, &value);
  }

  bool ConsumeDecimal(uint64_t& value) {
    const absl::string_view digits = TakeWhile(absl::ascii_isdigit);
    return !digits.empty() && absl::SimpleAtoi(digits, &value);
  }

 private:
  absl::string_view line_;
  int number_;
  size_t consumed_ = 0;
};

class Parser {
 public:
  Parser(absl::string_view text, absl::string_view file_name)
      : text_(text), file_name_(file_name) {}

  absl::StatusOr<SmapsFile> Parse();

 private:
  // The parts of an error: what is there, what should be, what to do.
  absl::Status Error(Position at, absl::string_view found,
                     absl::string_view expected,
                     absl::string_view advice) const;
  // What was found where, for the likeliest reason of all.
  absl::Status Malformed(Position at, absl::string_view found,
                         absl::string_view expected) const;

  absl::Status ParseLine(absl::string_view line);
  absl::Status ParseHeader(Cursor cursor);
  absl::Status ParseRange(Cursor& cursor);
  absl::Status ParsePermissions(Cursor& cursor);
  absl::Status ParseFile(Cursor& cursor);
  absl::Status ParseField(Cursor cursor);
  absl::Status ParseNumber(absl::string_view key, Cursor cursor);
  absl::Status ParseVmFlags(Cursor cursor);

  // Checks the mapping that was read last, and keeps it.
  absl::Status FinishMapping();
  absl::Status CheckPlace() const;
  absl::Status CheckKeys();
  absl::Status CheckSizes() const;
  absl::Status CheckBounds() const;
  absl::Status CheckSums() const;
  absl::Status CheckHugePages() const;
  absl::Status CheckFlags() const;
  void DeriveVmFlags();

  bool Has(absl::string_view key) const { return keys_.contains(key); }
  uint64_t Value(absl::string_view key) const {
    return vma_.kib.*FindSizeKey(key)->member;
  }
  Position PositionOf(absl::string_view key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? Position{vma_.line, 1} : found->second;
  }
  bool IsGate() const { return vma_.name == "[vsyscall]"; }

  absl::string_view text_;
  absl::string_view file_name_;
  int line_ = 0;
  SmapsFile file_;

  // The mapping being read; line 0 means that there is none yet.
  SmapsVma vma_;
  // Each of its keys, and where its value stands.
  absl::btree_map<std::string, Position> keys_;
  // Those of the first mapping, which all others have as well.
  std::vector<std::string> first_keys_;
  int first_line_ = 0;
};

absl::Status Parser::Error(Position at, absl::string_view found,
                           absl::string_view expected,
                           absl::string_view advice) const {
  return absl::InvalidArgumentError(
      absl::StrCat(file_name_, ":", at.line, ":", at.column, ": ", found,
                   "; expected ", expected, "; ", advice));
}

absl::Status Parser::Malformed(Position at, absl::string_view found,
                               absl::string_view expected) const {
  return Error(at, found, expected,
               "give it the unchanged text of /proc/PID/smaps");
}

absl::StatusOr<SmapsFile> Parser::Parse() {
  if (text_.empty()) {
    return Error({1, 1}, "the file is empty", "at least one mapping",
                 "a zombie or a kernel thread has none: choose a process that "
                 "has memory");
  }
  while (!text_.empty()) {
    ++line_;
    const size_t length = text_.find('\n');
    if (length == absl::string_view::npos) {
      return Error({line_, static_cast<int>(text_.size()) + 1},
                   "the file ends inside a line", "a newline",
                   "copy the file whole");
    }
    const absl::Status status = ParseLine(text_.substr(0, length));
    if (!status.ok()) return status;
    text_.remove_prefix(length + 1);
  }
  const absl::Status status = FinishMapping();
  if (!status.ok()) return status;
  if (file_.vmas.empty()) {
    return Error({1, 1}, "there is no mapping but [vsyscall]",
                 "at least one that the process owns",
                 "choose a process that has memory");
  }
  return std::move(file_);
}

absl::Status Parser::ParseLine(absl::string_view line) {
  const Cursor cursor(line, line_);
  if (line.empty()) {
    return Malformed({line_, 1}, "an empty line",
                     "a mapping or one of its "
                     "fields");
  }
  if (line.find('\0') != absl::string_view::npos) {
    return Malformed({line_, static_cast<int>(line.find('\0')) + 1},
                     "a byte of 0", "text");
  }
  if (line.back() == '\r') {
    return Error({line_, static_cast<int>(line.size())}, "a carriage return",
                 "lines that end with a newline alone",
                 "convert the file with dos2unix");
  }
  if (absl::ascii_isdigit(line.front()) || absl::ascii_islower(line.front())) {
    const absl::Status status = FinishMapping();
    return status.ok() ? ParseHeader(cursor) : status;
  }
  return ParseField(cursor);
}

// --------------------------------------------------------------------------
// Lines
// --------------------------------------------------------------------------

absl::Status Parser::ParseHeader(Cursor cursor) {
  vma_ = SmapsVma();
  vma_.line = line_;
  keys_.clear();
  for (const auto step :
       {&Parser::ParseRange, &Parser::ParsePermissions, &Parser::ParseFile}) {
    const absl::Status status = (this->*step)(cursor);
    if (!status.ok()) return status;
  }
  cursor.SkipSpaces();
  vma_.name = std::string(cursor.rest());
  vma_.deleted = absl::EndsWith(vma_.name, " (deleted)");
  if (vma_.name == "[rollup]") {
    return Error({line_, 1}, "this is the text of smaps_rollup, only sums",
                 "the mappings one by one", "use /proc/PID/smaps");
  }
  return CheckPlace();
}

absl::Status Parser::ParseRange(Cursor& cursor) {
  if (!cursor.ConsumeHex(vma_.start)) {
    return Malformed({line_, 1}, Quoted(cursor.rest()),
                     "an address in hexadecimal");
  }
  if (!cursor.Consume('-')) {
    return Malformed(cursor.position(), Quoted(cursor.rest()),
                     "'-' and the end of the mapping");
  }
  const Position end = cursor.position();
  if (!cursor.ConsumeHex(vma_.end) || !cursor.Consume(' ')) {
    return Malformed(end, Quoted(cursor.rest()),
                     "an address in hexadecimal and a space");
  }
  return absl::OkStatus();
}

absl::Status Parser::ParsePermissions(Cursor& cursor) {
  const Position at = cursor.position();
  const absl::string_view letters = cursor.PeekWord();
  const auto is = [&](size_t index, absl::string_view choices) {
    return letters.size() == 4 && absl::StrContains(choices, letters[index]);
  };
  if (!is(0, "r-") || !is(1, "w-") || !is(2, "x-") || !is(3, "sp")) {
    return Malformed(at, Quoted(letters), "permissions such as r-xp");
  }
  vma_.permissions = {.read = letters[0] == 'r',
                      .write = letters[1] == 'w',
                      .execute = letters[2] == 'x',
                      .shared = letters[3] == 's'};
  cursor.TakeWhile([](unsigned char c) { return c != ' '; });
  if (!cursor.Consume(' ')) {
    return Malformed(cursor.position(), "the line ends", "the file offset");
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseFile(Cursor& cursor) {
  const Position offset = cursor.position();
  if (!cursor.ConsumeHex(vma_.offset) || !cursor.Consume(' ')) {
    return Malformed(offset, Quoted(cursor.rest()),
                     "a file offset in hexadecimal and a space");
  }
  const Position device = cursor.position();
  uint64_t major = 0;
  uint64_t minor = 0;
  if (!cursor.ConsumeHex(major) || !cursor.Consume(':') ||
      !cursor.ConsumeHex(minor) || !cursor.Consume(' ') || major > UINT32_MAX ||
      minor > UINT32_MAX) {
    return Malformed(device, "no device number",
                     "one such as fe:00 and a space");
  }
  vma_.dev_major = static_cast<uint32_t>(major);
  vma_.dev_minor = static_cast<uint32_t>(minor);
  const Position inode = cursor.position();
  if (!cursor.ConsumeDecimal(vma_.inode) ||
      (!cursor.rest().empty() && !absl::StartsWith(cursor.rest(), " "))) {
    return Malformed(inode, "no inode number",
                     "a decimal number, then a space or the end of the line");
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseField(Cursor cursor) {
  const Position begin = cursor.position();
  const absl::string_view key = cursor.TakeWhile([](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '(' || c == ')';
  });
  if (key.empty() || !cursor.Consume(':')) {
    return Malformed(begin, Quoted(cursor.rest().empty() ? key : cursor.rest()),
                     "a mapping or a field such as Rss:");
  }
  if (vma_.line == 0) {
    return Malformed(begin, absl::StrCat(key, ": comes before any mapping"),
                     "a line such as 5581d000-5581e000 r--p ...");
  }
  cursor.SkipSpaces();
  // Android's kernels print the name of an anonymous mapping here.
  if (key == "Name") {
    if (vma_.name.empty()) vma_.name = std::string(cursor.rest());
    return absl::OkStatus();
  }
  if (!keys_.emplace(key, cursor.position()).second) {
    return Malformed(begin, absl::StrCat("a second ", key, ": of one mapping"),
                     "each field once");
  }
  if (key == "VmFlags") return ParseVmFlags(cursor);
  return ParseNumber(key, cursor);
}

absl::Status Parser::ParseNumber(absl::string_view key, Cursor cursor) {
  const Position at = cursor.position();
  uint64_t value = 0;
  if (!cursor.ConsumeDecimal(value)) {
    return Malformed(at, absl::StrCat(key, ": has no number that fits"),
                     "one such as 132 kB");
  }
  const SizeKey* size_key = FindSizeKey(key);
  const absl::string_view unit = cursor.rest();
  // Only fields that are no sizes have no unit, THPeligible for one.
  if (unit != " kB" && (size_key != nullptr || !unit.empty())) {
    return Malformed(
        cursor.position(),
        absl::StrCat(key, ": has ", Quoted(unit), " after its number"),
        "\" kB\" and the end of the line");
  }
  if (size_key == nullptr) return absl::OkStatus();
  if (value % size_key->unit_kib != 0) {
    return Malformed(at, absl::StrCat(key, ": is ", value, " kB"),
                     absl::StrCat("a multiple of ", size_key->unit_kib));
  }
  vma_.kib.*size_key->member = value;
  return absl::OkStatus();
}

absl::Status Parser::ParseVmFlags(Cursor cursor) {
  while (!cursor.rest().empty()) {
    const Position at = cursor.position();
    const absl::string_view flag = cursor.TakeWhile(
        [](unsigned char c) { return absl::ascii_islower(c) || c == '?'; });
    if (flag.size() != 2 || !(cursor.rest().empty() || cursor.Consume(' '))) {
      return Malformed(at, "VmFlags: has something that is no flag",
                       "two letters and a space for each");
    }
    vma_.vm_flags.emplace_back(flag);
  }
  return absl::OkStatus();
}

// --------------------------------------------------------------------------
// Mappings
// --------------------------------------------------------------------------

absl::Status Parser::CheckPlace() const {
  const Position at = {vma_.line, 1};
  if (vma_.start >= vma_.end) {
    return Malformed(at, "the mapping ends where it starts or before",
                     "an end after the start");
  }
  if (vma_.start % kPageBytes != 0 || vma_.end % kPageBytes != 0) {
    return Malformed(at, "the mapping is not made of whole pages",
                     "addresses that are multiples of 4096");
  }
  if (IsGate()) {
    if (vma_.start >= kImportAddressEnd) return absl::OkStatus();
    return Malformed(at, "[vsyscall] lies in user space",
                     "it above all mappings of the process");
  }
  if (vma_.end > kImportAddressEnd) {
    return Error(
        at,
        absl::StrCat("the mapping ends at ", Hex(vma_.end), ", beyond 47 bits"),
        "addresses of x86-64 with four-level page tables",
        "only processes of such a machine can be imported");
  }
  if (!file_.vmas.empty() && vma_.start < file_.vmas.back().end) {
    const SmapsVma& previous = file_.vmas.back();
    const absl::string_view found = vma_.end <= previous.start
                                        ? "the mapping comes before"
                                        : "the mapping overlaps";
    return Malformed(at,
                     absl::StrCat(found, " the one at line ", previous.line,
                                  ", which ends at ", Hex(previous.end)),
                     "mappings in the order of their addresses");
  }
  return absl::OkStatus();
}

absl::Status Parser::FinishMapping() {
  if (vma_.line == 0) return absl::OkStatus();
  if (IsGate()) {
    file_.gates.push_back({vma_.start, vma_.end, vma_.name});
    return absl::OkStatus();
  }
  const absl::Status keys = CheckKeys();
  if (!keys.ok()) return keys;
  for (const auto check :
       {&Parser::CheckSizes, &Parser::CheckBounds, &Parser::CheckSums,
        &Parser::CheckHugePages, &Parser::CheckFlags}) {
    const absl::Status status = (this->*check)();
    if (!status.ok()) return status;
  }
  if (!Has("VmFlags")) DeriveVmFlags();
  file_.vmas.push_back(std::move(vma_));
  return absl::OkStatus();
}

absl::Status Parser::CheckKeys() {
  for (absl::string_view key : {"Size", "Rss"}) {
    if (Has(key)) continue;
    return Error({vma_.line, 1}, absl::StrCat("the mapping has no ", key, ":"),
                 "one", "give it smaps, not maps, and give it whole");
  }
  if (first_keys_.empty()) {
    for (const auto& [key, position] : keys_) first_keys_.push_back(key);
    first_line_ = vma_.line;
    file_.has_vm_flags = Has("VmFlags");
  }
  for (const std::string& key : first_keys_) {
    if (Has(key)) continue;
    return Error({vma_.line, 1},
                 absl::StrCat("the mapping has no ", key,
                              ":, which the one at line ", first_line_, " has"),
                 "the same fields in every mapping", "copy the file whole");
  }
  return absl::OkStatus();
}

absl::Status Parser::CheckSizes() const {
  const uint64_t length_kib = (vma_.end - vma_.start) / 1024;
  if (vma_.kib.size != length_kib) {
    return Malformed(PositionOf("Size"),
                     absl::StrCat("Size: is ", vma_.kib.size, " kB"),
                     absl::StrCat(length_kib, " kB by the addresses"));
  }
  for (absl::string_view key : {"KernelPageSize", "MMUPageSize"}) {
    const uint64_t size = Value(key);
    if (size != 0 && (size & (size - 1)) == 0) continue;
    return Malformed(PositionOf(key), absl::StrCat(key, ": is ", size, " kB"),
                     "a power of two");
  }
  return absl::OkStatus();
}

absl::Status Parser::CheckBounds() const {
  for (const Bound& bound : kBounds) {
    if (!Has(bound.part) || Value(bound.part) <= Value(bound.whole)) continue;
    return Malformed(
        PositionOf(bound.part),
        absl::StrCat(bound.part, ": is ", Value(bound.part), " kB"),
        absl::StrCat("no more than the ", Value(bound.whole), " kB of ",
                     bound.whole, ":"));
  }
  return absl::OkStatus();
}

absl::Status Parser::CheckSums() const {
  const SmapsSizes& kib = vma_.kib;
  // Each resident page is counted in one of the four.
  const uint64_t parts = kib.shared_clean + kib.shared_dirty +
                         kib.private_clean + kib.private_dirty;
  const bool has_all = Has("Shared_Clean") && Has("Shared_Dirty") &&
                       Has("Private_Clean") && Has("Private_Dirty");
  if (has_all && parts != kib.rss) {
    return Malformed(
        PositionOf("Rss"), absl::StrCat("Rss: is ", kib.rss, " kB"),
        absl::StrCat("the ", parts, " kB that Shared_ and Private_ make up"));
  }
  if (kib.shared_hugetlb + kib.private_hugetlb > kib.size) {
    return Malformed(
        PositionOf("Private_Hugetlb"),
        absl::StrCat("the _Hugetlb fields make up ",
                     kib.shared_hugetlb + kib.private_hugetlb, " kB"),
        absl::StrCat("no more than the ", kib.size, " kB of Size:"));
  }
  // A page of shmem may be in swap beside the process's own copy of it.
  if (vma_.inode == 0 && kib.rss + kib.swap > kib.size) {
    return Malformed(
        PositionOf("Swap"),
        absl::StrCat("Rss: and Swap: make up ", kib.rss + kib.swap, " kB"),
        absl::StrCat("no more than the ", kib.size, " kB of Size:"));
  }
  return absl::OkStatus();
}

absl::Status Parser::CheckHugePages() const {
  constexpr uint64_t kHugePageBytes = kHugePageKib * 1024;
  const uint64_t first = (vma_.start + kHugePageBytes - 1) / kHugePageBytes;
  const uint64_t last = vma_.end / kHugePageBytes;
  const uint64_t room_kib = last > first ? (last - first) * kHugePageKib : 0;
  const uint64_t huge_kib = vma_.kib.anon_huge_pages +
                            vma_.kib.shmem_pmd_mapped +
                            vma_.kib.file_pmd_mapped;
  if (huge_kib <= room_kib) return absl::OkStatus();
  return Malformed(
      PositionOf("AnonHugePages"),
      absl::StrCat("the mapping has ", huge_kib, " kB of huge pages"),
      absl::StrCat("no more than the ", room_kib,
                   " kB of aligned 2 MiB that it spans"));
}

absl::Status Parser::CheckFlags() const {
  if (!Has("VmFlags")) return absl::OkStatus();
  const SmapsPermissions& permissions = vma_.permissions;
  const std::array<std::pair<absl::string_view, bool>, 4> kPairs = {{
      {"rd", permissions.read},
      {"wr", permissions.write},
      {"ex", permissions.execute},
      {"ms", permissions.shared},
  }};
  for (const auto& [flag, wanted] : kPairs) {
    if (vma_.HasFlag(flag) == wanted) continue;
    return Malformed(
        PositionOf("VmFlags"),
        absl::StrCat("VmFlags: has ", wanted ? "no " : "", flag),
        absl::StrCat("what the permissions at line ", vma_.line, " say"));
  }
  if (vma_.HasFlag("sh") && !vma_.HasFlag("ms")) {
    return Malformed(PositionOf("VmFlags"), "VmFlags: has sh without ms",
                     "both, or ms alone");
  }
  return absl::OkStatus();
}

void Parser::DeriveVmFlags() {
  const SmapsPermissions& permissions = vma_.permissions;
  std::vector<std::string>& flags = vma_.vm_flags;
  if (permissions.read) flags.emplace_back("rd");
  if (permissions.write) flags.emplace_back("wr");
  if (permissions.execute) flags.emplace_back("ex");
  if (permissions.shared) flags.emplace_back("sh");
  for (const char* flag : {"mr", "mw", "me"}) flags.emplace_back(flag);
  if (permissions.shared) flags.emplace_back("ms");
  if (vma_.name == "[stack]") flags.emplace_back("gd");
  if (vma_.kib.locked > 0) flags.emplace_back("lo");
}

}  // namespace

bool SmapsVma::HasFlag(absl::string_view flag) const {
  return absl::c_linear_search(vm_flags, flag);
}

SmapsSizes Totals(const SmapsFile& file) {
  SmapsSizes totals;
  for (const SmapsVma& vma : file.vmas) {
    for (const SizeKey& key : kSizeKeys) {
      totals.*key.member += vma.kib.*key.member;
    }
  }
  totals.kernel_page_size = kPageKib;
  totals.mmu_page_size = kPageKib;
  return totals;
}

absl::StatusOr<SmapsFile> ParseSmaps(absl::string_view text,
                                     absl::string_view file_name) {
  return Parser(text, file_name).Parse();
}

absl::StatusOr<SmapsFile> ReadSmaps(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  return ParseSmaps(*text, path == "-" ? "standard input" : path);
}

}  // namespace reapsim
