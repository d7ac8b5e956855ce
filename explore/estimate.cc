// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/estimate.h"

#include <algorithm>

namespace reapsim {
namespace {

// The steps that are left at a pace of `steps` for a share of `explored`.
uint64_t AtPace(double steps, double explored, double left) {
  return static_cast<uint64_t>(
      std::min(steps / explored * left, 1e18));  // far from overflow
}

}  // namespace

void Estimate::Note(uint64_t steps, double explored) {
  samples_.push_back({steps, explored});
  while (samples_.size() > 2 && samples_[1].steps <= steps / 2) {
    samples_.pop_front();
  }
}

std::optional<StepsLeft> Estimate::left() const {
  if (samples_.size() < 3) return std::nullopt;
  const Sample& now = samples_.back();
  const Sample& then = samples_.front();
  const double of_late = now.explored - then.explored;
  if (of_late <= 0) return std::nullopt;
  const double left = 1 - now.explored;
  const uint64_t overall =
      AtPace(static_cast<double>(now.steps), now.explored, left);
  const uint64_t lately =
      AtPace(static_cast<double>(now.steps - then.steps), of_late, left);
  return StepsLeft{std::min(overall, lately), std::max(overall, lately)};
}

}  // namespace reapsim
