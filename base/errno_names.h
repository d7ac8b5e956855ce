// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Names of errno values, for reports. Unlike strerror(3) they depend on neither
// the locale nor the C library.
#ifndef REAPSIM_BASE_ERRNO_NAMES_H_
#define REAPSIM_BASE_ERRNO_NAMES_H_

#include <cstdint>
#include <string>

namespace reapsim {

// "EINVAL" for EINVAL; "0" for 0; "errno 4711" for one that nothing here uses.
// The value is positive: a kernel's -EINVAL has to be negated first.
std::string ErrnoName(int value);

// What a kernel's call came to: the value, or the name of the errno for a
// negative one.
std::string ResultText(int64_t result);

// A few words on what the value means in general, such as "Invalid argument";
// "Success" for 0, "Unknown error" for one that nothing here uses.
const char* ErrnoText(int value);

}  // namespace reapsim

#endif  // REAPSIM_BASE_ERRNO_NAMES_H_
