// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What fuzz targets check of every reader of text.
#ifndef REAPSIM_BASE_FUZZ_CHECKS_H_
#define REAPSIM_BASE_FUZZ_CHECKS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/check.h"

namespace reapsim {

// The error of a text called "fuzz": kInvalidArgument, in printable characters,
// "fuzz:LINE:COLUMN: ...; expected ...".
inline void CheckPlacedError(const absl::Status& status) {
  REAP_CHECK(absl::IsInvalidArgument(status), "fuzz: code");
  absl::string_view message = status.message();
  REAP_CHECK(absl::StrContains(message, "; expected "), "fuzz: no advice");
  REAP_CHECK(absl::StartsWith(message, "fuzz:"), "fuzz: no file");
  message.remove_prefix(5);
  for (int number = 0; number < 2; ++number) {
    const size_t digits = message.find_first_not_of("0123456789");
    REAP_CHECK(digits > 0 && message[0] != '0', "fuzz: no place");
    REAP_CHECK(message[digits] == ':', "fuzz: no colon");
    message.remove_prefix(digits + 1);
  }
  for (const unsigned char c : message) {
    REAP_CHECK(c >= 0x20 && c < 0x7f, "fuzz: unprintable");
  }
}

}  // namespace reapsim

#endif  // REAPSIM_BASE_FUZZ_CHECKS_H_
