// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include <cstdio>

#include "states/trace_hashes.h"

int main() {
  std::fputs(reapsim::TraceHashes().c_str(), stdout);
  return 0;
}
