// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
#ifndef REAPSIM_LITMUS_RETURN_IF_ERROR_H_
#define REAPSIM_LITMUS_RETURN_IF_ERROR_H_

#include "absl/status/status.h"

// Hands an error on to the caller.
#define REAPSIM_RETURN_IF_ERROR(expr)                   \
  do {                                                  \
    if (absl::Status status_ = (expr); !status_.ok()) { \
      return status_;                                   \
    }                                                   \
  } while (false)

#endif  // REAPSIM_LITMUS_RETURN_IF_ERROR_H_
