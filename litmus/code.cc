// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/code.h"

#include <algorithm>

#include "base/units.h"
#include "litmus/source.h"

namespace reapsim {
namespace {

using Kind = Instruction::Kind;

constexpr int kMostTemporaries = 32;

int64_t Wrapped(uint64_t value) { return static_cast<int64_t>(value); }

// Numbers wrap, as registers do.
int64_t Compute(Kind kind, int64_t a, int64_t b) {
  const auto x = static_cast<uint64_t>(a);
  const auto y = static_cast<uint64_t>(b);
  switch (kind) {
    case Kind::kAdd:
      return Wrapped(x + y);
    case Kind::kOr:
      return Wrapped(x | y);
    case Kind::kNegate:
      return Wrapped(-x);
    case Kind::kIndex:
      return Wrapped(x + (y << kPageShift));
    case Kind::kMove:
    case Kind::kCall:
      break;
  }
  return a;
}

}  // namespace

int Compiler::RegisterOf(const std::string& name) const {
  const auto found = std::find(registers_.begin(), registers_.end(), name);
  return found == registers_.end()
             ? -1
             : static_cast<int>(found - registers_.begin());
}

Operand Compiler::Apply(Kind kind, Operand a, Operand b) {
  if (!a.is_register && !b.is_register) {
    return {false, Compute(kind, a.value, b.value)};
  }
  const int target = static_cast<int>(registers_.size()) + temporaries_++;
  Instruction made{.kind = kind, .target = target};
  made.operands[0] = a;
  made.operands[1] = b;
  code_.push_back(made);
  return {true, target};
}

Operand Compiler::ElementAddress(const Expr& element) {
  const Expr base{
      .kind = Expr::Kind::kName, .place = element.place, .name = element.name};
  const Operand address = Evaluate(base);
  const Operand index = Evaluate(element.parts[0]);
  return Apply(Kind::kIndex, address, index);
}

Operand Compiler::Evaluate(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kNumber:
      return {false, expr.number};
    case Expr::Kind::kName: {
      const int number = RegisterOf(expr.name);
      if (number >= 0) return {true, number};
      const auto value = values_.find(expr.name);
      if (value != values_.end()) return {false, value->second};
      return {false, FindConstant(expr.name).value_or(0)};
    }
    case Expr::Kind::kElement:
    case Expr::Kind::kAddress:
      return ElementAddress(expr);
    case Expr::Kind::kNegate: {
      const Expr& part = expr.parts[0];
      if (part.kind == Expr::Kind::kName && FindErrno(part.name).has_value()) {
        return {false, -*FindErrno(part.name)};
      }
      return Apply(Kind::kNegate, Evaluate(part), {});
    }
    case Expr::Kind::kAdd:
    case Expr::Kind::kOr: {
      const Operand a = Evaluate(expr.parts[0]);
      const Operand b = Evaluate(expr.parts[1]);
      return Apply(expr.kind == Expr::Kind::kAdd ? Kind::kAdd : Kind::kOr, a,
                   b);
    }
  }
  return {};
}

absl::Status Compiler::Add(const Statement& statement) {
  if (statement.kind == Statement::Kind::kDeclare) return absl::OkStatus();
  temporaries_ = 0;
  Instruction made{.kind = Kind::kCall};
  switch (statement.kind) {
    case Statement::Kind::kCall:
      made.call = FindCall(statement.call);
      for (size_t i = 0; i < statement.arguments.size(); ++i) {
        made.operands[i] = Evaluate(statement.arguments[i]);
      }
      break;
    case Statement::Kind::kLoad:
      made.call = FindCall("load");
      made.operands[0] = ElementAddress(statement.operands[0]);
      break;
    case Statement::Kind::kStore:
      made.call = FindCall("store");
      made.operands[0] = ElementAddress(statement.operands[0]);
      made.operands[1] = Evaluate(statement.operands[1]);
      break;
    case Statement::Kind::kCompute:
    case Statement::Kind::kDeclare:
      made.kind = Kind::kMove;
      made.operands[0] = Evaluate(statement.operands[0]);
      break;
  }
  made.target = RegisterOf(statement.target);
  code_.push_back(made);
  most_ = std::max(most_, temporaries_);
  if (temporaries_ <= kMostTemporaries) return absl::OkStatus();
  return ErrorAt(file_name_, statement.place, "this computes too much at once",
                 "smaller statements");
}

void RunCode(User user, const Instruction* code, size_t count,
             int64_t* registers) {
  for (size_t i = 0; i < count; ++i) {
    const Instruction& each = code[i];
    int64_t values[kMaxParameters];
    for (int k = 0; k < kMaxParameters; ++k) {
      const Operand& operand = each.operands[k];
      values[k] =
          operand.is_register ? registers[operand.value] : operand.value;
    }
    int64_t result = 0;
    if (each.kind == Kind::kCall) {
      result = each.call->make(user, values).kernel();
    } else {
      result = Compute(each.kind, values[0], values[1]);
    }
    if (each.target >= 0) registers[each.target] = result;
  }
}

}  // namespace reapsim
