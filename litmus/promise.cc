// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/promise.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/kernel_version.h"
#include "report/nearest.h"

namespace reapsim {
namespace {

constexpr absl::string_view kResult = "Result:";
constexpr Frequency kFrequencies[] = {Frequency::kNever, Frequency::kSometimes,
                                      Frequency::kAlways};

struct Word {
  absl::string_view text;
  Place place;
};

std::vector<Word> WordsOf(absl::string_view text, Place place) {
  std::vector<Word> words;
  size_t at = 0;
  while (at < text.size()) {
    if (text[at] == ' ' || text[at] == ',') {
      ++at;
      continue;
    }
    const size_t end = text.find_first_of(" ,", at);
    const size_t length =
        (end == absl::string_view::npos ? text.size() : end) - at;
    Place begin = place;
    begin.column += static_cast<int>(at);
    words.push_back({text.substr(at, length), begin});
    at += length;
  }
  return words;
}

// docs/invariants.md: S1 to S30, L1 to L9.
constexpr int kLastSafety = 30;
constexpr int kLastLiveness = 9;

class PromiseReader {
 public:
  PromiseReader(absl::string_view file_name, const CommentLine& line)
      : file_name_(file_name),
        words_(WordsOf(line.text, line.place)),
        end_{line.place.line,
             line.place.column + static_cast<int>(line.text.size())} {
    promise_.place = line.place;
  }

  absl::StatusOr<Promise> Read() {
    ++next_;  // "Result:"
    if (absl::Status status = ReadFrequency(); !status.ok()) return status;
    while (More() && !AtKeyword()) {
      if (absl::Status status = ReadRange(); !status.ok()) return status;
    }
    if (More() && words_[next_].text == "with") {
      if (absl::Status status = ReadSwitches(); !status.ok()) return status;
    }
    if (More() && words_[next_].text == "breaks") {
      if (absl::Status status = ReadBreaks(); !status.ok()) return status;
    }
    if (More()) {
      return Error("this comes too late in the line",
                   "versions, then with and switches, then breaks and the "
                   "number of an invariant");
    }
    return std::move(promise_);
  }

 private:
  bool More() const { return next_ < words_.size(); }
  bool AtKeyword() const {
    return words_[next_].text == "with" || words_[next_].text == "breaks";
  }
  absl::Status Error(absl::string_view what, absl::string_view advice) const {
    return ErrorAt(file_name_, More() ? words_[next_].place : end_,
                   More() ? absl::StrCat(Quoted(words_[next_].text), ": ", what)
                          : std::string(what),
                   advice);
  }

  absl::Status ReadFrequency() {
    for (const Frequency each : kFrequencies) {
      if (!More() || words_[next_].text != FrequencyName(each)) continue;
      promise_.frequency = each;
      ++next_;
      return absl::OkStatus();
    }
    return Error("the result says nothing", "Never, Sometimes or Always");
  }

  absl::Status ReadRange() {
    const absl::string_view text = words_[next_].text;
    const size_t dots = text.find("..");
    Promise::Range range;
    if (dots == absl::string_view::npos) {
      range.first = range.last = std::string(text);
    } else {
      range.first = std::string(text.substr(0, dots));
      range.last = std::string(text.substr(dots + 2));
    }
    for (const std::string& version : {range.first, range.last}) {
      const bool open = version.empty() && dots != absl::string_view::npos;
      if (!open && !ParseKnownVersion(version).ok()) {
        return Error("no such kernel version",
                     absl::StrCat("one such as v6.18, or some such as "
                                  "v5.17..v6.0 or v6.1.., up to ",
                                  ToString(NewestKnownVersion())));
      }
    }
    if (!range.first.empty() && !range.last.empty() &&
        *ParseKernelVersion(range.last) < *ParseKernelVersion(range.first)) {
      return Error("these versions end before they begin",
                   "the older one first");
    }
    promise_.versions.push_back(std::move(range));
    ++next_;
    return absl::OkStatus();
  }

  absl::Status ReadSwitches() {
    ++next_;
    while (More() && !AtKeyword()) {
      promise_.switches.push_back(std::string(words_[next_].text));
      promise_.switch_places.push_back(words_[next_].place);
      ++next_;
    }
    if (promise_.switches.empty()) {
      return Error("no switch after with", "the name of a model switch");
    }
    return absl::OkStatus();
  }

  absl::Status ReadBreaks() {
    ++next_;
    if (!More() || !IsInvariant(words_[next_].text)) {
      return Error("this is no number of an invariant",
                   "S1 to S30 or L1 to L9, as docs/invariants.md has them");
    }
    promise_.breaks = std::string(words_[next_].text);
    promise_.breaks_place = words_[next_].place;
    ++next_;
    return absl::OkStatus();
  }

  absl::string_view file_name_;
  std::vector<Word> words_;
  Place end_;
  size_t next_ = 0;
  Promise promise_;
};

// A line that somebody meant to be a promise: a first word that is nearly
// "Result", and what follows that in one.
bool IsMisspelt(const CommentLine& line) {
  const std::vector<Word> words = WordsOf(line.text, line.place);
  if (words.size() < 2) return false;
  absl::string_view first = words[0].text;
  const bool colon = absl::ConsumeSuffix(&first, ":");
  const bool frequency = std::any_of(
      std::begin(kFrequencies), std::end(kFrequencies),
      [&](Frequency each) { return words[1].text == FrequencyName(each); });
  return (colon || frequency) &&
         !NearestNames(absl::AsciiStrToLower(first), {"result"}).empty();
}

}  // namespace

absl::StatusOr<std::vector<Promise>> ReadPromises(
    const std::vector<CommentLine>& lines, absl::string_view file_name,
    Place state) {
  std::vector<Promise> promises;
  for (const CommentLine& line : lines) {
    if (!absl::StartsWith(line.text, kResult)) {
      if (!IsMisspelt(line)) continue;
      return ErrorAt(
          file_name, line.place,
          absl::StrCat(Quoted(line.text.substr(0, line.text.find(' '))),
                       " begins no promise"),
          kResult);
    }
    absl::StatusOr<Promise> promise = PromiseReader(file_name, line).Read();
    if (!promise.ok()) return promise.status();
    promises.push_back(*std::move(promise));
  }
  if (promises.empty()) {
    return ErrorAt(
        file_name, state, "the file promises no result",
        "a comment (* Result: Never *), or Sometimes, or Always, before "
        "this");
  }
  return promises;
}

bool IsInvariant(absl::string_view text) {
  if (text.size() < 2 || text[1] == '0' || !absl::ascii_isdigit(text[1])) {
    return false;
  }
  int number = 0;
  if (!absl::SimpleAtoi(text.substr(1), &number)) return false;
  return (text[0] == 'S' && number <= kLastSafety) ||
         (text[0] == 'L' && number <= kLastLiveness);
}

bool Covers(const Promise& promise, absl::string_view version) {
  if (promise.versions.empty()) return true;
  const absl::StatusOr<KernelVersion> asked = ParseKernelVersion(version);
  if (!asked.ok()) return false;
  for (const Promise::Range& range : promise.versions) {
    const absl::StatusOr<KernelVersion> first = ParseKernelVersion(range.first);
    const absl::StatusOr<KernelVersion> last = ParseKernelVersion(range.last);
    if ((!first.ok() || !(*asked < *first)) &&
        (!last.ok() || !(*last < *asked))) {
      return true;
    }
  }
  return false;
}

}  // namespace reapsim
