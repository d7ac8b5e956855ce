// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/condition.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "litmus/promise.h"

namespace reapsim {
namespace {

Value ParseValue(absl::string_view text) {
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &number)) return Value::Of(number);
  absl::string_view name = text;
  if (absl::ConsumePrefix(&name, "-")) {
    const std::optional<int> error = FindErrno(name);
    if (error.has_value()) return Value::Of(int64_t{-*error});
  }
  return Value::Of(text);
}

// The value on the right of an atom about anything but the verdict.
Value WantedValue(const Prop& atom) {
  if (atom.number.has_value()) {
    return Value::Of(atom.negative ? -*atom.number : *atom.number);
  }
  if (atom.negative) {
    return Value::Of(int64_t{-FindErrno(atom.word).value_or(0)});
  }
  const std::optional<int64_t> constant = FindConstant(atom.word);
  return constant.has_value() ? Value::Of(*constant) : Value::Of(atom.word);
}

bool Compare(Prop::Compare compare, const Value& is, const Value& wanted) {
  const bool ordered = is.word.empty() && wanted.word.empty();
  switch (compare) {
    case Prop::Compare::kEq:
      return is == wanted;
    case Prop::Compare::kNe:
      return !(is == wanted);
    case Prop::Compare::kLt:
      return ordered && is.number < wanted.number;
    case Prop::Compare::kLe:
      return ordered && is.number <= wanted.number;
    case Prop::Compare::kGt:
      return ordered && is.number > wanted.number;
    case Prop::Compare::kGe:
      return ordered && is.number >= wanted.number;
  }
  return false;
}

// "use_after_free".
std::string KindWord(VerdictKind kind) {
  return absl::StrReplaceAll(VerdictName(kind), {{" ", "_"}, {"-", "_"}});
}

// A kind of verdict, or the number of an invariant.
bool VerdictIs(const FinalState& state, absl::string_view word) {
  if (word == "none") return state.verdict == VerdictKind::kNone;
  if (state.verdict == VerdictKind::kNone) return false;
  return absl::StartsWith(state.what, absl::StrCat(word, ":")) ||
         KindWord(state.verdict) == word;
}

bool AtomHolds(const Scenario& scenario, const Prop& atom,
               const FinalState& state) {
  if (atom.term.function == "verdict") {
    const bool is = VerdictIs(state, atom.word);
    return atom.compare == Prop::Compare::kEq ? is : !is;
  }
  if (state.values.empty()) return false;
  const std::vector<Term>& terms = scenario.terms;
  const auto index =
      std::find(terms.begin(), terms.end(), atom.term) - terms.begin();
  return Compare(atom.compare, state.values[static_cast<size_t>(index)],
                 WantedValue(atom));
}

bool PropHolds(const Scenario& scenario, const Prop& prop,
               const FinalState& state) {
  const auto holds = [&](const Prop& part) {
    return PropHolds(scenario, part, state);
  };
  switch (prop.kind) {
    case Prop::Kind::kAtom:
      return AtomHolds(scenario, prop, state);
    case Prop::Kind::kNot:
      return !holds(prop.parts[0]);
    case Prop::Kind::kAnd:
      return std::all_of(prop.parts.begin(), prop.parts.end(), holds);
    case Prop::Kind::kOr:
      return std::any_of(prop.parts.begin(), prop.parts.end(), holds);
  }
  return false;
}

}  // namespace

FinalState ParseOutcome(const Scenario& scenario, absl::string_view outcome) {
  FinalState state;
  for (const Term& term : scenario.terms) {
    (void)absl::ConsumePrefix(&outcome, absl::StrCat(term.ToString(), "="));
    const size_t end = std::min(outcome.find(';'), outcome.size());
    state.values.push_back(ParseValue(outcome.substr(0, end)));
    outcome.remove_prefix(std::min(end + 1, outcome.size()));
    (void)absl::ConsumePrefix(&outcome, " ");
  }
  return state;
}

std::string VerdictWord(VerdictKind kind, absl::string_view what) {
  if (kind == VerdictKind::kNone) return "none";
  const absl::string_view number = what.substr(0, what.find(": "));
  return IsInvariant(number) ? std::string(number) : KindWord(kind);
}

bool Holds(const Scenario& scenario, const FinalState& state) {
  return PropHolds(scenario, scenario.file.condition.prop, state);
}

}  // namespace reapsim
