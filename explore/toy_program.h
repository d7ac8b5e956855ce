// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Small concurrent programs as data, by which the search is checked: the same
// program runs on fibers (explore/toy.h) and in an interpreter that knows
// nothing of them (explore/reference.h), and both must see the same.
//
// A program has words (atomic), locks, reader-writer locks and cells (plain
// memory), and tasks, each a list of instructions on its registers. An
// instruction that other tasks can see is one step, together with the local
// ones up to the next that is visible.
#ifndef REAPSIM_EXPLORE_TOY_PROGRAM_H_
#define REAPSIM_EXPLORE_TOY_PROGRAM_H_

#include <cstdint>
#include <string>
#include <vector>

namespace reapsim {

enum class Do : uint8_t {
  // Visible: one schedule point each.
  kLoad,          // reg = word
  kLoadAcquire,   // reg = word
  kStore,         // word = value
  kStoreRelease,  // word = value
  kStoreReg,      // word = reg + value
  kAdd,           // reg = word; word += value
  kOr,            // reg = word; word |= value
  kExchange,      // reg = word; word = value
  kAwait,         // wait until word COMPARE value
  kLock,
  kTryLock,  // reg = whether the lock was free, and is now taken
  kUnlock,
  kDownRead,
  kUpRead,
  kDownWrite,
  kUpWrite,
  // Local.
  kReadCell,   // reg = cell
  kWriteCell,  // cell = reg + value
  kSet,        // reg = value
  kJump,       // to `target`
  kJumpIf,     // to `target` if reg COMPARE value
  kCheck,      // reg COMPARE value, or else the result is wrong
};

// True of instructions that are schedule points.
inline bool IsVisible(Do what) { return what <= Do::kUpWrite; }

enum class Compare : uint8_t { kEqual, kNotEqual, kAtMost, kAtLeast };

inline bool Holds(int left, Compare compare, int right) {
  switch (compare) {
    case Compare::kEqual:
      return left == right;
    case Compare::kNotEqual:
      return left != right;
    case Compare::kAtMost:
      return left <= right;
    case Compare::kAtLeast:
      return left >= right;
  }
  return false;
}

inline constexpr int kToyRegisters = 3;

struct Instruction {
  Do what;
  uint8_t object = 0;  // which word, lock, reader-writer lock or cell
  uint8_t reg = 0;
  Compare compare = Compare::kEqual;
  int16_t value = 0;
  uint16_t target = 0;  // an index in the task; its length ends the task
};

// After every step: word[left] + word[right] <= limit.
struct ToyInvariant {
  uint8_t left;
  uint8_t right;
  int16_t limit;
};

struct ToyProgram {
  static constexpr int kMaxInvariants = 4;

  std::vector<int> words;  // their values at the start
  int locks = 0;
  int rw_locks = 0;
  int cells = 0;  // 0 at the start
  std::vector<std::vector<Instruction>> tasks;
  std::vector<ToyInvariant> invariants;
};

// What a reader of a failed test needs of it.
std::string ToString(const ToyProgram& program);

// Empty if the program can be run; else what is wrong with it. A task must
// begin with a visible instruction, and so must every loop: what runs between
// two of them is one step, and a step must end.
std::string ProblemOf(const ToyProgram& program);

// What is left when every task has returned.
struct ToyEnd {
  std::vector<std::vector<int>> registers;  // by task
  std::vector<int> words;
  std::vector<int> cells;
};

// "0:r0=1 0:r1=0 …; x0=1 x1=2; c0=0"
std::string ToString(const ToyEnd& end);

// Texts that the toy and the reference share, to be compared.
// Of invariant `index` of a program: "T1: …".
const char* ToyInvariantText(int index);
inline constexpr char kToyNotHeld[] =
    "a lock is released by a task that does not hold it";
inline constexpr char kToyWrongResult[] = "a check of a register fails";
inline constexpr char kToyLeak[] = "a lock is held by a task that has returned";

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_TOY_PROGRAM_H_
