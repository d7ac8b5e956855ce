// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace reapsim {

void CheckFailed(const char* file, int line, const char* text,
                 const char* detail) {
  std::fprintf(stderr, "%s:%d: check failed: %s (%s)\n", file, line, text,
               detail);
  std::fflush(stderr);
  std::abort();
}

}  // namespace reapsim
