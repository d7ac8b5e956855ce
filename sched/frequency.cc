// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/frequency.h"

namespace reapsim {
namespace {

// What a tick of 4 ms leaves of the mean: 2^(-4/32), in 1024ths.
constexpr uint64_t kKept = 939;
// After so many nothing that counts is left (2^-16).
constexpr uint64_t kForgotten = 128;

}  // namespace

void CpuUse::Add(uint64_t ticks, uint64_t busy_permille, uint32_t mhz,
                 uint32_t max_mhz) {
  const uint64_t use = kFull / 1000 * busy_permille * mhz / max_mhz;
  if (ticks >= kForgotten) {
    value_ = use;
    return;
  }
  for (uint64_t i = 0; i < ticks; ++i) {
    value_ = (value_ * kKept + use * (1024 - kKept)) / 1024;
  }
}

uint32_t StepFor(uint64_t use, const std::vector<uint32_t>& mhz) {
  const uint64_t wanted = use * 5 / 4 * mhz.back() / CpuUse::kFull;
  uint32_t step = 0;
  while (step + 1 < mhz.size() && mhz[step] < wanted) ++step;
  return step;
}

}  // namespace reapsim
