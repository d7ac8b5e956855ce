// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/survey_programs.h"

#include <algorithm>

namespace reapsim {
namespace {

// Writes the instructions of one task.
class Writer {
 public:
  void Add(const Instruction& instruction) { task_.push_back(instruction); }
  void Load(int word, int reg) {
    Add({.what = Do::kLoad, .object = Small(word), .reg = Small(reg)});
  }
  void Store(int word, int value) {
    Add({.what = Do::kStore,
         .object = Small(word),
         .value = static_cast<int16_t>(value)});
  }
  // On a word, with the old value in a register.
  void Change(Do what, int word, int value, int reg = kScratch) {
    Add({.what = what,
         .object = Small(word),
         .reg = Small(reg),
         .value = static_cast<int16_t>(value)});
  }
  void OnLock(Do what, int lock = 0) {
    Add({.what = what, .object = Small(lock)});
  }

  // A jump forward, whose target is where Land() is called.
  size_t JumpIf(int reg, Compare compare, int value) {
    Add({.what = Do::kJumpIf,
         .reg = Small(reg),
         .compare = compare,
         .value = static_cast<int16_t>(value)});
    return task_.size() - 1;
  }
  void Land(size_t jump) {
    task_[jump].target = static_cast<uint16_t>(task_.size());
  }

  std::vector<Instruction> Take() { return std::move(task_); }

  static constexpr int kScratch = 2;

 private:
  static uint8_t Small(int number) { return static_cast<uint8_t>(number); }

  std::vector<Instruction> task_;
};

std::vector<Instruction> StoreThenLoad(int mine, int other) {
  Writer w;
  w.Store(mine, 1);
  w.Load(other, 0);
  return w.Take();
}

void LoadAndStore(Writer& w, int word) {
  w.Load(word, 0);
  w.Add({.what = Do::kStoreReg,
         .object = static_cast<uint8_t>(word),
         .reg = 0,
         .value = 1});
}

// ---------------------------------------------------------------------------
// ReapRace()

enum Word { kUsers, kCount, kFlags, kMapped, kPage, kFreed = kPage + 2 };
constexpr int kMmFreed = kFreed + 2;
constexpr int kOomSkip = 1;
constexpr int kUnstable = 2;
constexpr int kScratch = Writer::kScratch;

void ZapPages(Writer& w) {
  for (int page = 0; page < 2; ++page) {
    w.Change(Do::kExchange, kPage + page, 0);
    const size_t gone = w.JumpIf(kScratch, Compare::kEqual, 0);
    w.Change(Do::kAdd, kFreed + page, 1);
    w.Land(gone);
  }
}

void ZapIfMapped(Writer& w) {
  w.Load(kMapped, kScratch);
  const size_t unmapped = w.JumpIf(kScratch, Compare::kEqual, 0);
  ZapPages(w);
  w.Land(unmapped);
}

void Mmdrop(Writer& w) {
  w.Change(Do::kAdd, kCount, -1, 1);
  const size_t not_last = w.JumpIf(1, Compare::kNotEqual, 1);
  w.Change(Do::kAdd, kMmFreed, 1);
  w.Land(not_last);
}

void Mmput(Writer& w) {
  w.Change(Do::kAdd, kUsers, -1, 0);
  const size_t not_last = w.JumpIf(0, Compare::kNotEqual, 1);
  w.OnLock(Do::kDownRead);
  ZapIfMapped(w);
  w.OnLock(Do::kUpRead);
  w.Change(Do::kOr, kFlags, kOomSkip);
  w.OnLock(Do::kDownWrite);
  w.Store(kMapped, 0);
  w.OnLock(Do::kUpWrite);
  Mmdrop(w);
  w.Land(not_last);
}

std::vector<Instruction> Exits() {
  Writer w;
  Mmput(w);
  return w.Take();
}

std::vector<Instruction> Reaps() {
  Writer w;
  w.OnLock(Do::kDownRead);
  w.Load(kFlags, kScratch);
  const size_t skips[] = {
      w.JumpIf(kScratch, Compare::kEqual, kOomSkip),
      w.JumpIf(kScratch, Compare::kEqual, kOomSkip | kUnstable)};
  w.Change(Do::kOr, kFlags, kUnstable);
  ZapIfMapped(w);
  for (const size_t skip : skips) w.Land(skip);
  w.OnLock(Do::kUpRead);
  Mmdrop(w);
  return w.Take();
}

std::vector<Instruction> Unmaps() {
  Writer w;
  w.OnLock(Do::kDownWrite);
  w.Load(kMapped, kScratch);
  const size_t unmapped = w.JumpIf(kScratch, Compare::kEqual, 0);
  w.Store(kMapped, 0);
  ZapPages(w);
  w.Land(unmapped);
  w.OnLock(Do::kUpWrite);
  Mmput(w);
  return w.Take();
}

}  // namespace

ToyProgram StoreBuffering() {
  return {.words = {0, 0}, .tasks = {StoreThenLoad(0, 1), StoreThenLoad(1, 0)}};
}

ToyProgram LostUpdate() {
  Writer w;
  LoadAndStore(w, 0);
  const std::vector<Instruction> task = w.Take();
  return {.words = {0}, .tasks = {task, task}};
}

ToyProgram LockProgram(int tasks, int before, int after) {
  ToyProgram program{.words = std::vector<int>(tasks + 1), .locks = 1};
  for (int task = 0; task < tasks; ++task) {
    Writer w;
    for (int i = 0; i < before; ++i) w.Change(Do::kAdd, task + 1, 1);
    w.OnLock(Do::kLock);
    LoadAndStore(w, 0);
    LoadAndStore(w, 0);
    w.OnLock(Do::kUnlock);
    for (int i = 0; i < after; ++i) w.Change(Do::kAdd, task + 1, 1);
    program.tasks.push_back(w.Take());
  }
  return program;
}

ToyProgram Philosophers(int n, bool ordered) {
  ToyProgram program{.words = {0}, .locks = n};
  for (int i = 0; i < n; ++i) {
    int first = i;
    int second = (i + 1) % n;
    if (ordered && first > second) std::swap(first, second);
    Writer w;
    w.OnLock(Do::kLock, first);
    w.OnLock(Do::kLock, second);
    w.Change(Do::kAdd, 0, 1);
    w.OnLock(Do::kUnlock, second);
    w.OnLock(Do::kUnlock, first);
    program.tasks.push_back(w.Take());
  }
  return program;
}

ToyProgram ReapRace(int reapers, int unmappers) {
  ToyProgram program{.words = std::vector<int>(kMmFreed + 1), .rw_locks = 1};
  program.words[kUsers] = 1 + unmappers;
  program.words[kCount] = 1 + reapers;
  program.words[kMapped] = 1;
  program.words[kPage] = program.words[kPage + 1] = 1;
  program.tasks.push_back(Exits());
  program.tasks.insert(program.tasks.end(), reapers, Reaps());
  program.tasks.insert(program.tasks.end(), unmappers, Unmaps());
  return program;
}

}  // namespace reapsim
