// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/toy.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/kernel_version.h"

namespace reapsim {

namespace {

constexpr size_t kRoom = 64 << 10;
constexpr size_t kMaxObjects = 16;  // of each kind, of a program as data

// For messages about races: the name of each cell, and of each task, in whose
// place the "line" is that of the instruction.
constexpr const char* kCellNames[kMaxObjects] = {
    "c0", "c1", "c2",  "c3",  "c4",  "c5",  "c6",  "c7",
    "c8", "c9", "c10", "c11", "c12", "c13", "c14", "c15"};
constexpr const char* kTaskNames[] = {"P0", "P1", "P2", "P3",
                                      "P4", "P5", "P6", "P7"};

// The running task's instruction.
SourceLine SourceOf(size_t instruction) {
  const uint32_t self = ToySelf();
  return {self < std::size(kTaskNames) ? kTaskNames[self] : "P?",
          static_cast<int>(instruction)};
}

// Takes the next bytes of an extent.
void* Bump(Extent* extent, size_t size) {
  REAP_CHECK(extent->used + size <= extent->capacity, "toy: world is full");
  void* p = extent->base + extent->used;
  extent->used += (size + 7) & ~size_t{7};
  return p;
}

}  // namespace

// Of an interpreted program: where its objects are. Each kind lies in a row.
struct ToyWorld::Machine {
  ToyWord* words[kMaxObjects];
  ToyLock* locks[kMaxObjects];
  ToyRwLock* rw_locks[kMaxObjects];
  int* cells[kMaxObjects];
};

struct ToyWorld::Script {
  const Machine* machine;
  int* registers;  // what they are at the end
  size_t count;
  const Instruction* instructions;
};

ToyWorld::ToyWorld()
    : engine_(&arena_, Differences{}),
      state_(arena_.Reserve(Part::kState, kRoom)),
      constants_(arena_.Reserve(Part::kHistory, kRoom)) {}

ToyWorld::ToyWorld(const ToyProgram& program) : ToyWorld() {
  REAP_CHECK_EQ(ProblemOf(program), "", "toy: program");
  auto* machine = new (NewConstant(sizeof(Machine))) Machine{};
  const auto fits = [](size_t objects) { return objects <= kMaxObjects; };
  REAP_CHECK(fits(program.words.size()) &&
                 fits(static_cast<size_t>(program.locks)) &&
                 fits(static_cast<size_t>(program.rw_locks)) &&
                 fits(static_cast<size_t>(program.cells)),
             "toy: too many objects");
  for (size_t i = 0; i < program.words.size(); ++i) {
    machine->words[i] = NewWord(program.words[i]);
  }
  for (int i = 0; i < program.locks; ++i) machine->locks[i] = NewLock();
  for (int i = 0; i < program.rw_locks; ++i) {
    machine->rw_locks[i] = NewRwLock();
  }
  for (int i = 0; i < program.cells; ++i) machine->cells[i] = NewCell();
  for (const auto& task : program.tasks) AddScript(task, machine);
  for (const auto& invariant : program.invariants) AddInvariant(invariant);
}

// What was wrong, if anything, somebody has asked for, or did not want to know.
ToyWorld::~ToyWorld() { (void)engine_.TakeVerdict(); }

void* ToyWorld::NewConstant(size_t size) { return Bump(constants_, size); }

ToyWord* ToyWorld::NewWord(int value) {
  words_.push_back(new (Bump(state_, sizeof(ToyWord))) ToyWord(value));
  return words_.back();
}

ToyLock* ToyWorld::NewLock() {
  locks_.push_back(new (Bump(state_, sizeof(ToyLock))) ToyLock);
  return locks_.back();
}

ToyRwLock* ToyWorld::NewRwLock() {
  rw_locks_.push_back(new (Bump(state_, sizeof(ToyRwLock))) ToyRwLock);
  return rw_locks_.back();
}

int* ToyWorld::NewCell() {
  cells_.push_back(new (Bump(state_, sizeof(int))) int{0});
  return cells_.back();
}

void ToyWorld::AddFiber(void* closure, void (*entry)(void*)) {
  REAP_CHECK(engine_.NewFiber(closure, entry) != nullptr, "toy: fibers");
}

void ToyWorld::AddScript(const std::vector<Instruction>& task,
                         Machine* machine) {
  const size_t bytes = task.size() * sizeof(Instruction);
  auto* instructions = static_cast<Instruction*>(NewConstant(bytes));
  std::copy(task.begin(), task.end(), instructions);
  auto* registers =
      static_cast<int*>(Bump(state_, kToyRegisters * sizeof(int)));
  registers_.push_back(registers);
  AddTask(
      [script = Script{.machine = machine,
                       .registers = registers,
                       .count = task.size(),
                       .instructions = instructions}] { Interpret(script); });
}

void ToyWorld::AddInvariant(const ToyInvariant& invariant) {
  invariants_.push_back({.left = words_[invariant.left],
                         .right = words_[invariant.right],
                         .limit = invariant.limit});
}

// Place and registers are locals: they live on the fiber's stack, which the
// search must bring back as it was.
void ToyWorld::Interpret(const Script& script) {
  int registers[kToyRegisters] = {};
  for (size_t at = 0; at < script.count;) {
    const Instruction& i = script.instructions[at++];
    const Machine& machine = *script.machine;
    int& reg = registers[i.reg];
    switch (i.what) {
      case Do::kLoad:
        reg = machine.words[i.object]->Load();
        break;
      case Do::kLoadAcquire:
        reg = machine.words[i.object]->LoadAcquire();
        break;
      case Do::kStoreRelease:
        machine.words[i.object]->StoreRelease(i.value);
        break;
      case Do::kStore:
        machine.words[i.object]->Store(i.value);
        break;
      case Do::kStoreReg:
        machine.words[i.object]->Store(reg + i.value);
        break;
      case Do::kAdd:
        reg = machine.words[i.object]->Add(i.value);
        break;
      case Do::kOr:
        reg = machine.words[i.object]->Or(i.value);
        break;
      case Do::kExchange:
        reg = machine.words[i.object]->Exchange(i.value);
        break;
      case Do::kAwait:
        machine.words[i.object]->Await(i.compare, i.value);
        break;
      case Do::kLock:
        machine.locks[i.object]->Lock();
        break;
      case Do::kTryLock:
        reg = machine.locks[i.object]->TryLock() ? 1 : 0;
        break;
      case Do::kUnlock:
        machine.locks[i.object]->Unlock();
        break;
      case Do::kDownRead:
        machine.rw_locks[i.object]->DownRead();
        break;
      case Do::kUpRead:
        machine.rw_locks[i.object]->UpRead();
        break;
      case Do::kDownWrite:
        machine.rw_locks[i.object]->DownWrite();
        break;
      case Do::kUpWrite:
        machine.rw_locks[i.object]->UpWrite();
        break;
      case Do::kReadCell:
        PlainRead(machine.cells[i.object], kCellNames[i.object],
                  SourceOf(at - 1));
        reg = *machine.cells[i.object];
        break;
      case Do::kWriteCell:
        PlainWrite(machine.cells[i.object], kCellNames[i.object],
                   SourceOf(at - 1));
        *machine.cells[i.object] = reg + i.value;
        break;
      case Do::kSet:
        reg = i.value;
        break;
      case Do::kJump:
        at = i.target;
        break;
      case Do::kJumpIf:
        if (Holds(reg, i.compare, i.value)) at = i.target;
        break;
      case Do::kCheck:
        ToyCheck(Holds(reg, i.compare, i.value));
        break;
    }
  }
  std::copy(std::begin(registers), std::end(registers), script.registers);
}

const char* ToyWorld::BrokenInvariant() const {
  for (size_t i = 0; i < invariants_.size(); ++i) {
    const Sum& sum = invariants_[i];
    if (sum.left->value() + sum.right->value() > sum.limit) [[unlikely]] {
      return ToyInvariantText(static_cast<int>(i));
    }
  }
  return nullptr;
}

void ToyWorld::AtEnd(std::vector<std::string>* problems) {
  const auto held = [](const auto* lock) { return lock->held(); };
  if (std::any_of(locks_.begin(), locks_.end(), held) ||
      std::any_of(rw_locks_.begin(), rw_locks_.end(), held)) {
    problems->push_back(kToyLeak);
  }
}

std::string ToyWorld::Outcome() const {
  end_.registers.resize(registers_.size());
  for (size_t i = 0; i < registers_.size(); ++i) {
    end_.registers[i].assign(registers_[i], registers_[i] + kToyRegisters);
  }
  end_.words.clear();
  for (const ToyWord* word : words_) end_.words.push_back(word->value());
  end_.cells.clear();
  for (const int* cell : cells_) end_.cells.push_back(*cell);
  return ToString(end_);
}

}  // namespace reapsim
