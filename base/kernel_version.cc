// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/kernel_version.h"

#include <climits>
#include <cstddef>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"

namespace reapsim {
namespace {

// --------------------------------------------------------------------------
// Parsing
// --------------------------------------------------------------------------

// A version and whatever `uname -r` has after it.
struct ParsedVersion {
  KernelVersion version;
  std::string suffix;
};

// The longest string uname(2) can give, without its terminator.
constexpr size_t kMaxReleaseLength = 64;

absl::Status BadVersion(absl::string_view text, absl::string_view why) {
  std::string shown(text.substr(0, kMaxReleaseLength));
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown kernel version \"", shown,
      text.size() > kMaxReleaseLength ? "...\": " : "\": ", why,
      "; expected a version such as v6.18, 5.15-rc1 or 6.18.44, or what "
      "uname -r prints"));
}

// Takes a number of at most four digits from the front of `text`.
bool ConsumeNumber(absl::string_view& text, int& number) {
  constexpr size_t kMaxDigits = 4;
  size_t length = 0;
  while (length < text.size() && absl::ascii_isdigit(text[length])) ++length;
  if (length == 0 || length > kMaxDigits) return false;
  number = 0;
  for (char digit : text.substr(0, length)) {
    number = number * 10 + (digit - '0');
  }
  text.remove_prefix(length);
  return true;
}

bool IsSuffix(absl::string_view text) {
  if (text.empty()) return true;
  // A distribution's part starts with a separator: "6.18x" is a typing error.
  if (!absl::StrContains(".-+~_", text.front())) return false;
  return absl::c_all_of(text, [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains(".-+~_", c);
  });
}

// The last minor number of each closed series, -1 for one that never was.
int LastMinor(int major) {
  constexpr int kLastMinors[] = {-1, 3, 6, 19, 20, 19, 19};
  if (major < 0) return -1;
  if (static_cast<size_t>(major) < std::size(kLastMinors)) {
    return kLastMinors[major];
  }
  return INT_MAX;
}

absl::StatusOr<ParsedVersion> ParseWithSuffix(absl::string_view text) {
  const absl::string_view whole = text;
  if (text.size() > kMaxReleaseLength) return BadVersion(whole, "too long");
  absl::ConsumePrefix(&text, "v");
  KernelVersion version;
  if (!ConsumeNumber(text, version.major)) {
    return BadVersion(whole, "its major number cannot be read");
  }
  if (!absl::ConsumePrefix(&text, ".") || !ConsumeNumber(text, version.minor)) {
    return BadVersion(whole, "its minor number cannot be read");
  }
  if (text.size() > 1 && text[0] == '.' && absl::ascii_isdigit(text[1])) {
    text.remove_prefix(1);
    if (!ConsumeNumber(text, version.stable)) {
      return BadVersion(whole, "its third number cannot be read");
    }
  }
  // "6.12.3-rc1" is a candidate of a stable release, not of 6.12.
  if (version.stable == 0 && (absl::ConsumePrefix(&text, "-rc") ||
                              absl::ConsumePrefix(&text, "~rc"))) {
    if (!ConsumeNumber(text, version.rc) || version.rc == 0) {
      return BadVersion(whole, "-rc needs a number from 1");
    }
  }
  if (!IsSuffix(text)) {
    return BadVersion(
        whole, absl::StrCat("cannot read what follows ", ToString(version)));
  }
  if (version.minor > LastMinor(version.major)) {
    return BadVersion(whole, "there was never such a release of Linux");
  }
  return ParsedVersion{version, std::string(text)};
}

// --------------------------------------------------------------------------
// Resolving
// --------------------------------------------------------------------------

// Without what makes it a stable release or a candidate.
KernelVersion SeriesOf(const KernelVersion& version) {
  return {.major = version.major, .minor = version.minor};
}

bool IsKnown(const KernelVersion& version) {
  return !(NewestKnownVersion() < SeriesOf(version));
}

// The version as it was understood, and what was asked if that says more.
std::string Shown(const ResolvedVersion& resolved) {
  const std::string version = ToString(resolved.version);
  if (resolved.requested == version ||
      resolved.requested == absl::StripPrefix(version, "v")) {
    return version;
  }
  return absl::StrCat(version, " (from \"", resolved.requested, "\")");
}

bool IsModelled(absl::string_view field) {
  return absl::c_any_of(DifferenceFields(), [&](const DifferenceField& each) {
    return each.name == field && each.modelled();
  });
}

// The changes that came after `version`, but are known to be in some stable
// releases before.
std::vector<absl::string_view> MaybeBackported(const KernelVersion& version) {
  std::vector<absl::string_view> fields;
  for (const DifferenceRow& row : DifferenceRows()) {
    if (row.backported && version < row.since && IsModelled(row.field)) {
      fields.push_back(row.field);
    }
  }
  return fields;
}

// What the note says of what the table can't know.
std::string Unknown(const ResolvedVersion& resolved, absl::string_view suffix) {
  if (!IsKnown(resolved.version)) {
    return absl::StrCat(": ", ToString(resolved.used),
                        " is used; what changed after it is not known");
  }
  if (suffix.empty() && resolved.version.stable == 0) return "";
  std::string note =
      "; what distributions and stable releases changed is not known";
  const std::vector<absl::string_view> fields =
      MaybeBackported(resolved.version);
  if (!fields.empty()) {
    absl::StrAppend(&note, " (some have ", absl::StrJoin(fields, ", "), ")");
  }
  return note;
}

std::string Note(const ResolvedVersion& resolved, absl::string_view suffix) {
  const std::string version = absl::StrCat("kernel ", Shown(resolved));
  if (!resolved.differences.has_process_mrelease) {
    return absl::StrCat(version, ": it has no process_mrelease");
  }
  return version + Unknown(resolved, suffix);
}

constexpr Epoch kEpochs[] = {
    {.name = "E0",
     .version = "v5.15-rc1",
     .what = "the first form: exit_mmap() takes no lock"},
    {.name = "E1",
     .version = "v5.15",
     .what = "the caller holds mm_users, exit_mmap() takes no lock"},
    {.name = "E2x",
     .version = "v5.17-rc1",
     .what = "exit_mmap() under the write lock leaves the VMAs linked"},
    {.name = "E2",
     .version = "v5.17",
     .what = "exit_mmap() under the write lock"},
    {.name = "E3",
     .version = "v6.1",
     .what = "pages go under the read lock, tables under the write lock"},
    {.name = "E4",
     .version = "v6.4",
     .what = "the same with a rw-semaphore in each VMA"},
    {.name = "E4",
     .version = "v6.12",
     .what = "the same; page-table pages may vanish under readers"},
    {.name = "E4",
     .version = "v6.17",
     .what = "the same with a reference count in each VMA"},
    {.name = "E5",
     .version = "v6.18",
     .what = "the walk goes down, whole processes are thawed"},
    {.name = "E6",
     .version = "v7.2",
     .what = "exec drops the old address space later, sums are exact"},
};

}  // namespace

bool operator<(const KernelVersion& a, const KernelVersion& b) {
  const auto key = [](const KernelVersion& version) {
    return std::make_tuple(version.major, version.minor, version.stable,
                           version.rc == 0 ? INT_MAX : version.rc);
  };
  return key(a) < key(b);
}

std::string ToString(const KernelVersion& version) {
  std::string text = absl::StrCat("v", version.major, ".", version.minor);
  if (version.stable > 0) absl::StrAppend(&text, ".", version.stable);
  if (version.rc > 0) absl::StrAppend(&text, "-rc", version.rc);
  return text;
}

std::ostream& operator<<(std::ostream& out, const KernelVersion& version) {
  return out << ToString(version);
}

absl::StatusOr<KernelVersion> ParseKernelVersion(absl::string_view text) {
  absl::StatusOr<ParsedVersion> parsed = ParseWithSuffix(text);
  if (!parsed.ok()) return parsed.status();
  return parsed->version;
}

absl::StatusOr<KernelVersion> ParseKnownVersion(absl::string_view text) {
  absl::StatusOr<KernelVersion> version = ParseKernelVersion(text);
  if (version.ok() && !IsKnown(*version)) {
    return absl::InvalidArgumentError(
        absl::StrCat("what ", ToString(*version),
                     " does is not known; expected a version up to ",
                     ToString(NewestKnownVersion())));
  }
  return version;
}

absl::StatusOr<ResolvedVersion> Resolve(absl::string_view text) {
  absl::StatusOr<ParsedVersion> parsed = ParseWithSuffix(text);
  if (!parsed.ok()) return parsed.status();
  const KernelVersion used =
      IsKnown(parsed->version) ? parsed->version : NewestKnownVersion();
  ResolvedVersion resolved = {.requested = std::string(text),
                              .version = parsed->version,
                              .used = used,
                              .differences = DifferencesAt(used),
                              .note = ""};
  resolved.note = Note(resolved, parsed->suffix);
  return resolved;
}

absl::Span<const Epoch> Epochs() { return kEpochs; }

}  // namespace reapsim
