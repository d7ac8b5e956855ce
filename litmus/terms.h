// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an end state can be asked, and what the answers look like.
#ifndef REAPSIM_LITMUS_TERMS_H_
#define REAPSIM_LITMUS_TERMS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "litmus/ast.h"

namespace reapsim {

// The answer: a number, or a word.
struct Value {
  int64_t number = 0;
  std::string word;  // empty: it is a number
  static Value Of(int64_t number) { return {number, ""}; }
  static Value Of(absl::string_view word) { return {0, std::string(word)}; }
  // A register's: "-ESRCH" for -3.
  std::string ToString(bool is_result) const;
  bool operator==(const Value&) const = default;
};

// What a register holds to which nothing was ever assigned: the task died
// before, or in the call.
inline constexpr absl::string_view kNeverWord = "never";

// What a term may be about.
enum class TermOf : uint8_t {
  kTask,
  kMemory,  // the address space that a process has at the start
  kArea,
  kNothing,
};

struct TermSpec {
  absl::string_view name;
  TermOf of;
  std::vector<absl::string_view> words;  // values that are words
};

// By name; registers are not among them.
absl::Span<const TermSpec> TermSpecs();
const TermSpec* FindTerm(absl::string_view name);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_TERMS_H_
