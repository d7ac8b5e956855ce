// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Schedule: the choices of one execution, in order, and its short form.
//
// The short form names only the choices that differ from the plain ones: the
// fiber that ran last goes on while it can; when it can't, the lowest number
// that can. "31:5,40:e2" reads: plain, but step 31 is fiber 5's, and step 40 is
// event 2. The plain schedule is "-".
#ifndef REAPSIM_EXPLORE_SCHEDULE_H_
#define REAPSIM_EXPLORE_SCHEDULE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "explore/world.h"

namespace reapsim {

using Schedule = std::vector<Choice>;

// The plain choice: what happens next if nobody interferes. `last` is the fiber
// that ran last, or kNoChoice; `enabled` is ascending and not empty. An event
// is the plain choice only if nothing else can happen.
Choice PlainChoice(Choice last, const std::vector<Choice>& enabled);

// Whether to take `choice` after `last` is a preemption: `last` could go on.
bool IsPreemption(Choice last, Choice choice,
                  const std::vector<Choice>& enabled);

// A choice that differs from the plain one.
struct Deviation {
  uint32_t step;  // the number of choices made before
  Choice choice;
  bool operator==(const Deviation&) const = default;
};

std::string FormatDeviations(const std::vector<Deviation>& deviations);
// kInvalidArgument, with the place and what was expected, for a text that is no
// short form.
absl::StatusOr<std::vector<Deviation>> ParseDeviations(absl::string_view text);

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_SCHEDULE_H_
