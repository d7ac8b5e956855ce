// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/psi.h"

#include <algorithm>

namespace reapsim {

void StallClock::Begin(uint64_t now_ns) {
  stalled_ = true;
  since_ns_ = now_ns;
}

void StallClock::End(uint64_t now_ns) {
  total_ns_ = Total(now_ns);
  stalled_ = false;
}

uint64_t StallClock::Total(uint64_t now_ns) const {
  return total_ns_ + (stalled_ ? now_ns - since_ns_ : 0);
}

bool PsiTrigger::Look(uint64_t now_ns, uint64_t stall_total_ns) {
  const uint64_t elapsed = now_ns - start_ns_;
  uint64_t growth = stall_total_ns - start_value_;
  if (elapsed > window_ns_) {
    start_ns_ = now_ns;
    start_value_ = stall_total_ns;
    previous_growth_ = growth;
  } else {
    // As much of the window before as is still within the last window.
    growth += previous_growth_ * (window_ns_ - elapsed) / window_ns_;
  }
  if (growth < threshold_ns_) return false;
  if (spoke_ && now_ns < spoke_ns_ + window_ns_) return false;
  spoke_ = true;
  spoke_ns_ = now_ns;
  return true;
}

void PsiAverage::Look(uint64_t now_ns, uint64_t stall_total_ns) {
  if (now_ns < next_ns_) return;
  // Whoever looks seldom sees what was since then as if it had been spread
  // evenly over the periods that have passed.
  const uint64_t periods = (now_ns - next_ns_) / kPeriodNs + 1;
  const uint64_t elapsed = now_ns - last_ns_;
  const uint64_t stalled = std::min(stall_total_ns - last_total_, elapsed);
  const uint64_t sample = stalled * 100 * kOne / elapsed;
  for (uint64_t i = 0; i < periods; ++i) {
    average_ = (average_ * kKeep + sample * (kOne - kKeep)) / kOne;
  }
  last_ns_ = now_ns;
  last_total_ = stall_total_ns;
  next_ns_ += periods * kPeriodNs;
}

uint32_t PsiAverage::percent() const {
  return static_cast<uint32_t>(average_ / kOne);
}

}  // namespace reapsim
