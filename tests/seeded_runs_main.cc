// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include <cstdio>

#include "tests/seeded_runs.h"

int main() {
  std::fputs(reapsim::SeededRuns().c_str(), stdout);
  return 0;
}
