// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The profiles and machines that come with reapsim, inside the program: they
// are at hand wherever it runs.
#ifndef REAPSIM_LATENCY_BUILTIN_H_
#define REAPSIM_LATENCY_BUILTIN_H_

#include <vector>

#include "absl/strings/string_view.h"

namespace reapsim {

// `directory` is "profiles" or "machines": latency/profiles/NAME.json. Names by
// the alphabet.
std::vector<absl::string_view> BuiltinNames(absl::string_view directory);
// The file's text; empty: there is no such file.
absl::string_view BuiltinText(absl::string_view directory,
                              absl::string_view name);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_BUILTIN_H_
