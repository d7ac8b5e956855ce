// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/random_program.h"

#include "base/prng.h"

namespace reapsim {
namespace {

constexpr int kWords = 3;
constexpr int kLocks = 2;
constexpr int kRwLocks = 1;
constexpr int kCells = 1;

class Author {
 public:
  explicit Author(uint64_t seed) : prng_(seed) {}

  ToyProgram Write() {
    ToyProgram program{
        .words = std::vector<int>(kWords),
        .locks = kLocks,
        .rw_locks = kRwLocks,
        .cells = kCells,
    };
    // Most programs behave, so that their ends are compared, too.
    careless_ = prng_.OneIn(3);
    const uint64_t tasks = prng_.Between(2, 3);
    for (uint64_t t = 0; t < tasks; ++t) {
      task_.clear();
      visible_ = 0;
      // The more tasks, the shorter: the interleavings are what is wanted.
      const uint64_t length = prng_.Between(3, tasks == 2 ? 6 : 5);
      while (visible_ < length) AddPiece(length - visible_);
      program.tasks.push_back(task_);
    }
    const uint64_t invariants = prng_.Below(careless_ ? 3 : 2);
    for (uint64_t i = 0; i < invariants; ++i) {
      const auto left = static_cast<uint8_t>(prng_.Below(kWords));
      program.invariants.push_back(
          {.left = left,
           .right = static_cast<uint8_t>((left + 1) % kWords),
           .limit = static_cast<int16_t>(prng_.Between(2, 6))});
    }
    return program;
  }

 private:
  uint8_t Below(uint64_t bound) {
    return static_cast<uint8_t>(prng_.Below(bound));
  }
  int16_t SmallValue() { return static_cast<int16_t>(prng_.Below(3)); }
  Compare AnyCompare() { return static_cast<Compare>(prng_.Below(4)); }
  uint16_t Here() const { return static_cast<uint16_t>(task_.size()); }

  void Add(const Instruction& instruction) {
    task_.push_back(instruction);
    if (IsVisible(instruction.what)) visible_++;
  }

  // `room` is how many visible instructions are still wanted.
  void AddPiece(uint64_t room) {
    const uint64_t kind = prng_.Below(room >= 3 ? 16 : 7);
    if (kind < 3) return AddAccess();
    if (kind < 5) return AddUpdate();
    if (kind < 6) return careless_ ? AddWait() : AddAccess();
    if (kind < 7) return careless_ ? AddCarelessness() : AddUpdate();
    if (kind < 8) return AddSpin();
    if (kind < 9) return AddTryLockLoop();
    if (kind < 10 && careless_) return AddFlawedLock();
    if (kind < 12) return AddReaderOrWriter();
    AddLocked(room);
  }

  void AddAccess() {
    static constexpr Do kKinds[] = {Do::kLoad, Do::kStore,    Do::kAdd,
                                    Do::kOr,   Do::kExchange, Do::kStore,
                                    Do::kAdd};
    Add({.what = kKinds[prng_.Below(std::size(kKinds))],
         .object = Below(kWords),
         .reg = Below(kToyRegisters),
         .value = SmallValue()});
    if (careless_ && prng_.OneIn(4)) AddCheck();
    if (prng_.OneIn(6)) AddSkip();
  }

  void AddCheck() {
    Add({.what = Do::kCheck,
         .reg = Below(kToyRegisters),
         .compare = prng_.OneIn(4) ? AnyCompare() : Compare::kAtMost,
         .value = static_cast<int16_t>(prng_.Below(4))});
  }

  // A branch around one instruction.
  void AddSkip() {
    Add({.what = Do::kJumpIf,
         .reg = Below(kToyRegisters),
         .compare = AnyCompare(),
         .value = SmallValue(),
         .target = static_cast<uint16_t>(Here() + 2)});
    AddStep();
  }

  void AddStep() {
    Add({.what = prng_.OneIn(2) ? Do::kStore : Do::kAdd,
         .object = Below(kWords),
         .reg = Below(kToyRegisters),
         .value = SmallValue()});
  }

  // Read and write of a word as two steps, or of a cell within one.
  void AddUpdate() {
    const uint8_t reg = Below(kToyRegisters);
    const uint8_t word = Below(kWords);
    Add({.what = Do::kLoad, .object = word, .reg = reg});
    if (prng_.OneIn(2)) {
      Add({.what = Do::kStoreReg, .object = word, .reg = reg, .value = 1});
    } else {
      Add({.what = Do::kReadCell, .reg = reg});
      Add({.what = Do::kWriteCell, .reg = reg, .value = 1});
    }
  }

  void AddWait() {
    // Mostly for what is there at the start: who waits for a value that nobody
    // writes is stuck in every schedule.
    Add({.what = Do::kAwait,
         .object = Below(kWords),
         .compare = prng_.OneIn(3) ? AnyCompare() : Compare::kAtMost,
         .value = SmallValue()});
  }

  void AddCarelessness() {
    static constexpr Do kKinds[] = {Do::kLock,   Do::kUnlock,   Do::kUnlock,
                                    Do::kUpRead, Do::kDownRead, Do::kDownWrite};
    Add({.what = kKinds[prng_.Below(std::size(kKinds))], .object = 0});
  }

  // Waits for a word to change by looking again and again.
  void AddSpin() {
    const uint16_t top = Here();
    const uint8_t reg = Below(kToyRegisters);
    Add({.what = Do::kLoad, .object = Below(kWords), .reg = reg});
    if (prng_.OneIn(3)) {
      Add({.what = Do::kStore, .object = Below(kWords), .value = SmallValue()});
    }
    Add({.what = Do::kJumpIf,
         .reg = reg,
         .compare = prng_.OneIn(2) ? Compare::kAtLeast : AnyCompare(),
         .value = static_cast<int16_t>(prng_.Between(1, 2)),
         .target = top});
  }

  // Takes one lock, tries the other, and begins again if that fails.
  void AddTryLockLoop() {
    const uint16_t top = Here();
    const uint8_t first = Below(kLocks);
    const auto second = static_cast<uint8_t>(1 - first);
    const uint8_t reg = Below(kToyRegisters);
    Add({.what = Do::kLock, .object = first});
    Add({.what = Do::kTryLock, .object = second, .reg = reg});
    Add({.what = Do::kJumpIf,
         .reg = reg,
         .compare = Compare::kEqual,
         .value = 1,
         .target = static_cast<uint16_t>(top + 5)});
    Add({.what = Do::kUnlock, .object = first});
    Add({.what = Do::kJump, .target = top});
    Add({.what = Do::kUnlock, .object = second});
    Add({.what = Do::kUnlock, .object = first});
  }

  // Looks whether the word is 0 before it takes it, but not in one step: wrong
  // only if another task comes between the two.
  void AddFlawedLock() {
    const uint8_t reg = Below(kToyRegisters);
    const uint8_t word = Below(kWords);
    Add({.what = Do::kLoad, .object = word, .reg = reg});
    Add({.what = Do::kJumpIf,
         .reg = reg,
         .compare = Compare::kNotEqual,
         .value = 0,
         .target = static_cast<uint16_t>(Here() + 4)});
    Add({.what = Do::kAdd, .object = word, .reg = reg, .value = 1});
    Add({.what = Do::kCheck, .reg = reg, .compare = Compare::kEqual});
    Add({.what = Do::kAdd, .object = word, .reg = reg, .value = -1});
  }

  void AddReaderOrWriter() {
    const bool writes = prng_.OneIn(2);
    Add({.what = writes ? Do::kDownWrite : Do::kDownRead});
    AddStep();
    Add({.what = writes ? Do::kUpWrite : Do::kUpRead});
  }

  // One lock, or both, around something.
  void AddLocked(uint64_t room) {
    const bool both = room >= 5 && prng_.OneIn(2);
    // In one order, unless deadlocks are wanted.
    const uint8_t first = careless_ || !both ? Below(kLocks) : 0;
    const auto second = static_cast<uint8_t>(1 - first);
    Add({.what = Do::kLock, .object = first});
    if (both) Add({.what = Do::kLock, .object = second});
    if (careless_ && prng_.OneIn(4)) {
      AddWait();
    } else {
      AddUpdate();
    }
    if (both) Add({.what = Do::kUnlock, .object = second});
    Add({.what = Do::kUnlock, .object = first});
  }

  Prng prng_;
  bool careless_ = false;
  std::vector<Instruction> task_;
  uint64_t visible_ = 0;
};

// Writes programs about plain memory and what orders it. No loops, no waits.
class PlainAuthor {
 public:
  explicit PlainAuthor(uint64_t seed) : prng_(seed) {}

  ToyProgram Write() {
    ToyProgram program{
        .words = {0, 0}, .locks = 1, .rw_locks = 1, .cells = kPlainCells};
    // Most are careful, so that there are many without a race.
    careless_ = prng_.OneIn(3);
    const uint64_t tasks = prng_.Between(2, 3);
    if (careless_ && tasks == 2 && prng_.OneIn(2)) {
      AddForgottenOrder(&program);
      return program;
    }
    for (uint64_t t = 0; t < tasks; ++t) {
      task_.clear();
      // Something visible first.
      Add({.what = Do::kLoad, .object = 0});
      const uint64_t pieces = tasks == 2 ? prng_.Between(1, 3) : 1;
      for (uint64_t i = 0; i < pieces; ++i) AddPiece();
      program.tasks.push_back(task_);
    }
    return program;
  }

 private:
  static constexpr int kPlainCells = 2;

  uint8_t Below(uint64_t bound) {
    return static_cast<uint8_t>(prng_.Below(bound));
  }
  void Add(const Instruction& instruction) { task_.push_back(instruction); }

  void AddPiece() {
    switch (prng_.Below(careless_ ? 9 : 6)) {
      case 0:
        return AddBetween(Do::kLock, Do::kUnlock, /*writes=*/true);
      case 1:
        return AddBetween(Do::kDownWrite, Do::kUpWrite, /*writes=*/true);
      case 2:
        return AddBetween(Do::kDownRead, Do::kUpRead, careless_);
      case 3:
        return AddMessage();
      case 4:
        return AddReceipt();
      case 5:
        return AddTryLock();
      case 6:
        return AddCell(/*writes=*/true);
      case 7:
        return PassLock();
      default:
        // Separates accesses, and orders nothing.
        return Add({.what = prng_.OneIn(2) ? Do::kLoad : Do::kStore,
                    .object = Below(2),
                    .value = 1});
    }
  }

  // Orders, and leaves no trace.
  void PassLock() {
    Add({.what = Do::kLock});
    Add({.what = Do::kUnlock});
  }

  // Whether there is a race is up to which task passes the lock first, of which
  // the state that they come to knows nothing.
  void AddForgottenOrder(ToyProgram* program) {
    task_ = {{.what = Do::kLoad}};
    AddCell(/*writes=*/true, 0);
    PassLock();
    Add({.what = Do::kStore, .object = 1, .value = 1});
    if (prng_.OneIn(2)) AddPiece();
    program->tasks.push_back(task_);
    task_ = {{.what = Do::kLoad}};
    PassLock();
    Add({.what = Do::kLoad, .object = 1, .reg = 2});
    Add({.what = Do::kJumpIf,
         .reg = 2,
         .compare = Compare::kEqual,
         .value = 0,
         .target = static_cast<uint16_t>(task_.size() + 2)});
    AddCell(/*writes=*/true, 0);
    program->tasks.push_back(task_);
  }

  // The careful have one cell for each way of ordering.
  uint8_t CellFor(uint8_t way) { return careless_ ? Below(kPlainCells) : way; }
  void AddCell(bool writes, uint8_t cell) {
    Add({.what = writes && !prng_.OneIn(3) ? Do::kWriteCell : Do::kReadCell,
         .object = cell,
         .value = 1});
  }
  void AddCell(bool writes) { AddCell(writes, Below(kPlainCells)); }

  void AddBetween(Do take, Do give, bool writes) {
    Add({.what = take});
    AddCell(writes, CellFor(take == Do::kLock ? 0 : 1));
    Add({.what = give});
  }

  void AddMessage() {
    static constexpr Do kKinds[] = {Do::kStoreRelease, Do::kStoreRelease,
                                    Do::kAdd, Do::kStore};
    AddCell(/*writes=*/true);
    Add({.what = kKinds[prng_.Below(careless_ ? 4 : 3)],
         .object = Below(2),
         .reg = 1,
         .value = 1});
  }

  // Reads only if the word says so.
  void AddReceipt() {
    static constexpr Do kKinds[] = {Do::kLoadAcquire, Do::kLoadAcquire,
                                    Do::kExchange, Do::kLoad};
    Add({.what = kKinds[prng_.Below(careless_ ? 4 : 3)],
         .object = Below(2),
         .reg = 2});
    Add({.what = Do::kJumpIf,
         .reg = 2,
         .compare = Compare::kEqual,
         .value = 0,
         .target = static_cast<uint16_t>(task_.size() + 2)});
    AddCell(careless_);
  }

  void AddTryLock() {
    Add({.what = Do::kTryLock, .reg = 2});
    Add({.what = Do::kJumpIf,
         .reg = 2,
         .compare = Compare::kEqual,
         .value = 0,
         .target = static_cast<uint16_t>(task_.size() + 3)});
    AddCell(/*writes=*/true, CellFor(0));
    Add({.what = Do::kUnlock});
  }

  Prng prng_;
  bool careless_ = false;
  std::vector<Instruction> task_;
};

}  // namespace

ToyProgram RandomProgram(uint64_t seed) { return Author(seed).Write(); }
ToyProgram RandomPlainProgram(uint64_t seed) {
  return PlainAuthor(seed).Write();
}

bool HasLoop(const ToyProgram& program) {
  for (const std::vector<Instruction>& task : program.tasks) {
    for (size_t i = 0; i < task.size(); ++i) {
      const bool jumps =
          task[i].what == Do::kJump || task[i].what == Do::kJumpIf;
      if (jumps && task[i].target <= i) return true;
    }
  }
  return false;
}

}  // namespace reapsim
