// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whether a scenario's condition holds in a final state.
#ifndef REAPSIM_LITMUS_CONDITION_H_
#define REAPSIM_LITMUS_CONDITION_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "litmus/checker.h"
#include "litmus/terms.h"
#include "sched/verdict.h"

namespace reapsim {

// How an execution ended.
struct FinalState {
  // Of the scenario's terms, in their order. Empty: a verdict stopped the
  // world, so there is no final state, and nothing else about it is true.
  std::vector<Value> values;
  VerdictKind verdict = VerdictKind::kNone;
  std::string what;  // the verdict's sentence: "S3: …"
};

// Reads what ScenarioMachine::Outcome() wrote.
FinalState ParseOutcome(const Scenario& scenario, absl::string_view outcome);

// The verdict as conditions name it: "S3", or else "use_after_free"; "none".
std::string VerdictWord(VerdictKind kind, absl::string_view what);

// Whether the proposition in the condition's parentheses holds.
bool Holds(const Scenario& scenario, const FinalState& state);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_CONDITION_H_
