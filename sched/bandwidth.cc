// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/bandwidth.h"

#include <algorithm>

#include "base/check.h"

namespace reapsim {

Bandwidth::Bandwidth(const BandwidthConfig& config, size_t cpus,
                     uint64_t now_ns)
    : config_(config),
      pool_ns_(config.quota_ns),
      next_period_ns_(now_ns + config.period_ns),
      local_ns_(cpus, 0) {
  REAP_CHECK(config.quota_ns > 0 && config.period_ns > 0,
             "bandwidth: a quota and a period are positive");
}

void Bandwidth::Used(size_t cpu, uint64_t ns) {
  local_ns_[cpu] -= static_cast<int64_t>(ns);
}

uint64_t Bandwidth::MayRun(size_t cpu) {
  int64_t& local = local_ns_[cpu];
  if (local <= 0) {
    const auto wanted = static_cast<uint64_t>(-local) + kSliceNs;
    const uint64_t taken = std::min(wanted, pool_ns_);
    pool_ns_ -= taken;
    local += static_cast<int64_t>(taken);
  }
  return local > 0 ? static_cast<uint64_t>(local) : 0;
}

void Bandwidth::Refill() {
  pool_ns_ = config_.quota_ns;
  next_period_ns_ += config_.period_ns;
}

}  // namespace reapsim
