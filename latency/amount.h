// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Amounts as people write them: "64MiB", "2.5ms", "0.125".
#ifndef REAPSIM_LATENCY_AMOUNT_H_
#define REAPSIM_LATENCY_AMOUNT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace reapsim {

// "64MiB": a whole number and B, KiB, MiB, GiB or TiB, without a space; the
// letters as they stand here. "0" needs no unit. False for anything else, and
// for 2^64 bytes or more.
bool ParseSize(absl::string_view text, uint64_t* bytes);
// In the largest unit that divides it: "65532KiB"; "0".
std::string PrintSize(uint64_t bytes);

// "2.5ms", in nanoseconds: ns, us, ms or s. "0" needs no unit. False for
// anything else, for parts of a nanosecond, and for 2^63 ns or more.
bool ParseDuration(absl::string_view text, uint64_t* ns);
// In the largest unit that needs no more than three decimals: "2.5ms"; "0".
std::string PrintDuration(uint64_t ns);

// "12.345", in thousandths: at most three decimals, no sign, no exponent.
// False for anything else, and for 2^63 thousandths or more.
bool ParseThousandths(absl::string_view text, uint64_t* thousandths);
std::string PrintThousandths(uint64_t thousandths);

// "17": digits only, below 2^64.
bool ParseCount(absl::string_view text, uint64_t* count);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_AMOUNT_H_
