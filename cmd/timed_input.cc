// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/timed_input.h"

#include <utility>

namespace reapsim {

absl::StatusOr<TimedInput> ReadTimedInput(const Arguments& args,
                                          const std::string& profile,
                                          const std::string& machine) {
  absl::StatusOr<CostProfile> costs =
      LoadProfile(args.Value("profile").value_or(profile));
  if (!costs.ok()) return costs.status();
  absl::StatusOr<Machine> described =
      LoadMachine(args.Value("machine").value_or(machine));
  if (!described.ok()) return described.status();
  absl::StatusOr<ResolvedVersion> version =
      Resolve(args.Value("kernel").value_or(
          described->kernel.empty() ? "v6.18" : described->kernel));
  if (!version.ok()) return version.status();
  return TimedInput{.profile = *std::move(costs),
                    .machine = *std::move(described),
                    .version = *std::move(version)};
}

}  // namespace reapsim
