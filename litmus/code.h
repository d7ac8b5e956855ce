// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Programs as code: what a task of the modelled machine runs.
//
// Code is constant and lies outside the world, as a real program's text would;
// what it changes, registers and how far it has come, lies in the arena.
#ifndef REAPSIM_LITMUS_CODE_H_
#define REAPSIM_LITMUS_CODE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "litmus/ast.h"
#include "litmus/calls.h"

namespace reapsim {

// A number, or what a register holds.
struct Operand {
  bool is_register = false;
  int64_t value = 0;  // or the register's number
};

struct Instruction {
  // kIndex: where the page of that number is, from an address on.
  enum class Kind : uint8_t { kCall, kMove, kAdd, kOr, kNegate, kIndex };
  Kind kind = Kind::kMove;
  int target = -1;  // a register; -1: none
  const CallSpec* call = nullptr;
  Operand operands[kMaxParameters];
};
using Code = std::vector<Instruction>;

// What a register holds before anything is assigned to it: what a call never
// returns.
inline constexpr int64_t kUnassigned = INT64_MIN;

// Turns statements into code.
class Compiler {
 public:
  // `values`: what the names of the initial state stand for.
  Compiler(const std::string& file_name,
           const absl::btree_map<std::string, int64_t>& values,
           const std::vector<std::string>& registers)
      : file_name_(file_name), values_(values), registers_(registers) {}

  // The statement has been checked. Fails if it needs too many intermediate
  // results.
  absl::Status Add(const Statement& statement);
  const Code& code() const { return code_; }
  // How many registers the code uses, its own included.
  int registers() const { return static_cast<int>(registers_.size()) + most_; }

 private:
  Operand Evaluate(const Expr& expr);
  Operand ElementAddress(const Expr& element);
  Operand Apply(Instruction::Kind kind, Operand a, Operand b);
  int RegisterOf(const std::string& name) const;

  const std::string& file_name_;
  const absl::btree_map<std::string, int64_t>& values_;
  const std::vector<std::string>& registers_;
  Code code_;
  int temporaries_ = 0;
  int most_ = 0;
};

// Runs the code as the running task. `registers` lie in the arena.
void RunCode(User user, const Instruction* code, size_t count,
             int64_t* registers);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_CODE_H_
