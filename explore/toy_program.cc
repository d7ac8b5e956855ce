// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/toy_program.h"

#include <charconv>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace reapsim {
namespace {

const char* Sign(Compare compare) {
  switch (compare) {
    case Compare::kEqual:
      return "==";
    case Compare::kNotEqual:
      return "!=";
    case Compare::kAtMost:
      return "<=";
    case Compare::kAtLeast:
      return ">=";
  }
  return "?";
}

std::string Text(const Instruction& i) {
  const std::string r = absl::StrCat("r", i.reg);
  const std::string x = absl::StrCat("x", i.object);
  const std::string c = absl::StrCat("c", i.object);
  const std::string lock = absl::StrCat("(l", i.object, ")");
  const std::string rw = absl::StrCat("(rw", i.object, ")");
  const std::string condition = absl::StrCat(Sign(i.compare), " ", i.value);
  switch (i.what) {
    case Do::kLoad:
      return absl::StrCat(r, " = ", x);
    case Do::kLoadAcquire:
      return absl::StrCat(r, " = load_acquire(", x, ")");
    case Do::kStoreRelease:
      return absl::StrCat("store_release(", x, ", ", i.value, ")");
    case Do::kStore:
      return absl::StrCat(x, " = ", i.value);
    case Do::kStoreReg:
      return absl::StrCat(x, " = ", r, " + ", i.value);
    case Do::kAdd:
      return absl::StrCat(r, " = fetch_add(", x, ", ", i.value, ")");
    case Do::kOr:
      return absl::StrCat(r, " = fetch_or(", x, ", ", i.value, ")");
    case Do::kExchange:
      return absl::StrCat(r, " = exchange(", x, ", ", i.value, ")");
    case Do::kAwait:
      return absl::StrCat("await ", x, " ", condition);
    case Do::kLock:
      return "lock" + lock;
    case Do::kTryLock:
      return absl::StrCat(r, " = trylock", lock);
    case Do::kUnlock:
      return "unlock" + lock;
    case Do::kDownRead:
      return "down_read" + rw;
    case Do::kUpRead:
      return "up_read" + rw;
    case Do::kDownWrite:
      return "down_write" + rw;
    case Do::kUpWrite:
      return "up_write" + rw;
    case Do::kReadCell:
      return absl::StrCat(r, " = ", c);
    case Do::kWriteCell:
      return absl::StrCat(c, " = ", r, " + ", i.value);
    case Do::kSet:
      return absl::StrCat(r, " = ", i.value);
    case Do::kJump:
      return absl::StrCat("goto ", i.target);
    case Do::kJumpIf:
      return absl::StrCat("if (", r, " ", condition, ") goto ", i.target);
    case Do::kCheck:
      return absl::StrCat("check(", r, " ", condition, ")");
  }
  return "?";
}

// How many objects there are of the kind that an instruction works on.
int ObjectsOf(const ToyProgram& program, Do what) {
  switch (what) {
    case Do::kLock:
    case Do::kTryLock:
    case Do::kUnlock:
      return program.locks;
    case Do::kDownRead:
    case Do::kUpRead:
    case Do::kDownWrite:
    case Do::kUpWrite:
      return program.rw_locks;
    case Do::kReadCell:
    case Do::kWriteCell:
      return program.cells;
    case Do::kSet:
    case Do::kJump:
    case Do::kJumpIf:
    case Do::kCheck:
      return 1;
    default:
      return static_cast<int>(program.words.size());
  }
}

std::string ProblemOf(const ToyProgram& program,
                      const std::vector<Instruction>& task, size_t at) {
  const Instruction& i = task[at];
  if (i.object >= ObjectsOf(program, i.what)) return "no such object";
  if (i.reg >= kToyRegisters) return "no such register";
  if (i.what != Do::kJump && i.what != Do::kJumpIf) return "";
  if (i.target > task.size()) return "jumps past the end";
  if (i.target <= at && !IsVisible(task[i.target].what)) {
    return "a loop does not begin with a visible instruction";
  }
  return "";
}

}  // namespace

std::string ToString(const ToyProgram& program) {
  std::string text;
  for (size_t i = 0; i < program.words.size(); ++i) {
    absl::StrAppend(&text, "x", i, " = ", program.words[i], "\n");
  }
  for (const ToyInvariant& invariant : program.invariants) {
    absl::StrAppend(&text, "always x", invariant.left, " + x", invariant.right,
                    " <= ", invariant.limit, "\n");
  }
  for (size_t t = 0; t < program.tasks.size(); ++t) {
    absl::StrAppend(&text, "P", t, ":\n");
    for (size_t i = 0; i < program.tasks[t].size(); ++i) {
      absl::StrAppend(&text, "  ", i, ": ", Text(program.tasks[t][i]), "\n");
    }
  }
  return text;
}

std::string ProblemOf(const ToyProgram& program) {
  if (program.invariants.size() > ToyProgram::kMaxInvariants) {
    return "too many invariants";
  }
  for (const ToyInvariant& invariant : program.invariants) {
    if (invariant.left >= program.words.size() ||
        invariant.right >= program.words.size()) {
      return "an invariant of no word";
    }
    if (program.words[invariant.left] + program.words[invariant.right] >
        invariant.limit) {
      return "an invariant is broken at the start";
    }
  }
  for (size_t t = 0; t < program.tasks.size(); ++t) {
    const std::vector<Instruction>& task = program.tasks[t];
    if (task.empty() || !IsVisible(task[0].what)) {
      return absl::StrCat("P", t, " does not begin visibly");
    }
    for (size_t i = 0; i < task.size(); ++i) {
      const std::string problem = ProblemOf(program, task, i);
      if (!problem.empty()) return absl::StrCat("P", t, ":", i, ": ", problem);
    }
  }
  return "";
}

namespace {

// "x3=-1 ". Each execution ends with some of these: absl::StrAppend() takes
// longer than all else that is done there.
void AppendValue(std::string* text, char kind, size_t index, int value) {
  char buffer[40];
  char* const end = buffer + sizeof(buffer);
  char* p = buffer;
  *p++ = kind;
  p = std::to_chars(p, end, index).ptr;
  *p++ = '=';
  p = std::to_chars(p, end, value).ptr;
  *p++ = ' ';
  text->append(buffer, p);
}

}  // namespace

std::string ToString(const ToyEnd& end) {
  std::string text;
  for (size_t t = 0; t < end.registers.size(); ++t) {
    for (size_t r = 0; r < end.registers[t].size(); ++r) {
      absl::StrAppend(&text, t, ":");
      AppendValue(&text, 'r', r, end.registers[t][r]);
    }
  }
  for (size_t i = 0; i < end.words.size(); ++i) {
    AppendValue(&text, 'x', i, end.words[i]);
  }
  for (size_t i = 0; i < end.cells.size(); ++i) {
    AppendValue(&text, 'c', i, end.cells[i]);
  }
  if (!text.empty()) text.pop_back();
  return text;
}

const char* ToyInvariantText(int index) {
  static constexpr const char* kTexts[ToyProgram::kMaxInvariants] = {
      "T1: the first sum is over its limit",
      "T2: the second sum is over its limit",
      "T3: the third sum is over its limit",
      "T4: the fourth sum is over its limit"};
  REAP_CHECK(index >= 0 && index < ToyProgram::kMaxInvariants,
             "toy: no such invariant");
  return kTexts[index];
}

}  // namespace reapsim
