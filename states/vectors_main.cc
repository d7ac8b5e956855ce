// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include <cstdio>

#include "states/vectors.h"

int main() {
  std::fputs(reapsim::Vectors().c_str(), stdout);
  return 0;
}
