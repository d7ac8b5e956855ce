// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include <cstdio>

#include "latency/timed_runs.h"

int main() {
  std::fputs(reapsim::TimedRuns().c_str(), stdout);
  return 0;
}
