// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What somebody may have meant who wrote a name that does not exist.
#ifndef REAPSIM_REPORT_NEAREST_H_
#define REAPSIM_REPORT_NEAREST_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace reapsim {

// The candidates nearest to `word`, best first, at most three; none if nothing
// is near.
std::vector<std::string> NearestNames(
    absl::string_view word, absl::Span<const absl::string_view> candidates);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_NEAREST_H_
