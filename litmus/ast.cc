// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/ast.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace reapsim {
namespace {

const char* CompareText(Prop::Compare compare) {
  switch (compare) {
    case Prop::Compare::kEq:
      return "=";
    case Prop::Compare::kNe:
      return "!=";
    case Prop::Compare::kLt:
      return "<";
    case Prop::Compare::kLe:
      return "<=";
    case Prop::Compare::kGt:
      return ">";
    case Prop::Compare::kGe:
      return ">=";
  }
  return "";
}

// A part of an "and" or "not", in parentheses if it would read otherwise.
std::string Part(const Prop& part) {
  const bool joined =
      part.kind == Prop::Kind::kAnd || part.kind == Prop::Kind::kOr;
  return joined ? absl::StrCat("(", part.ToString(), ")") : part.ToString();
}

std::string Joined(const Prop& prop, const char* sign) {
  std::string text;
  for (const Prop& part : prop.parts) {
    absl::StrAppend(&text, text.empty() ? "" : sign, Part(part));
  }
  return text;
}

}  // namespace

std::string Expr::ToString() const {
  switch (kind) {
    case Kind::kNumber:
      return absl::StrCat(number);
    case Kind::kName:
      return name;
    case Kind::kElement:
      return absl::StrCat(name, "[", parts[0].ToString(), "]");
    case Kind::kAddress:
      return absl::StrCat("&", name, "[", parts[0].ToString(), "]");
    case Kind::kNegate:
      return absl::StrCat("-", parts[0].ToString());
    case Kind::kAdd:
      return absl::StrCat(parts[0].ToString(), " + ", parts[1].ToString());
    case Kind::kOr:
      return absl::StrCat(parts[0].ToString(), " | ", parts[1].ToString());
  }
  return "";
}

std::string Statement::ToString() const {
  std::string text = target.empty() ? "" : absl::StrCat(target, " = ");
  switch (kind) {
    case Kind::kDeclare:
      return absl::StrCat("int ", absl::StrJoin(declared, ", "), ";");
    case Kind::kCall: {
      std::vector<std::string> values;
      for (const Expr& each : arguments) values.push_back(each.ToString());
      return absl::StrCat(text, call, "(", absl::StrJoin(values, ", "), ");");
    }
    case Kind::kStore:
      return absl::StrCat(operands[0].ToString(), " = ", operands[1].ToString(),
                          ";");
    case Kind::kLoad:
    case Kind::kCompute:
      return absl::StrCat(text, operands[0].ToString(), ";");
  }
  return text;
}

std::string Term::ToString() const {
  if (function.empty()) return absl::StrCat(task, ":", reg);
  if (argument.empty()) return function;
  return absl::StrCat(function, "(", argument, ")");
}

std::string Prop::ToString() const {
  switch (kind) {
    case Kind::kAtom:
      return absl::StrCat(term.ToString(), CompareText(compare),
                          negative ? "-" : "",
                          number.has_value() ? absl::StrCat(*number) : word);
    case Kind::kNot:
      return absl::StrCat("not ", Part(parts[0]));
    case Kind::kAnd:
      return Joined(*this, " /\\ ");
    case Kind::kOr:
      return Joined(*this, " \\/ ");
  }
  return "";
}

std::string Condition::ToString() const {
  const char* quantifier = kind == Kind::kExists      ? "exists"
                           : kind == Kind::kNotExists ? "~exists"
                                                      : "forall";
  return absl::StrCat(quantifier, " (", prop.ToString(), ")");
}

const char* FrequencyName(Frequency frequency) {
  switch (frequency) {
    case Frequency::kNever:
      return "Never";
    case Frequency::kSometimes:
      return "Sometimes";
    case Frequency::kAlways:
      return "Always";
  }
  return "";
}

}  // namespace reapsim
