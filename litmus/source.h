// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Places in a .reap file, and errors that name them.
#ifndef REAPSIM_LITMUS_SOURCE_H_
#define REAPSIM_LITMUS_SOURCE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace reapsim {

// Where something begins, from 1; columns count bytes.
struct Place {
  int line = 1;
  int column = 1;
  bool operator==(const Place&) const = default;
};

// kInvalidArgument: "FILE:LINE:COLUMN: what; expected advice".
absl::Status ErrorAt(absl::string_view file_name, Place place,
                     absl::string_view what, absl::string_view advice);

// What of a file may be shown in an error: in quotes, printable and short.
std::string Quoted(absl::string_view text);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_SOURCE_H_
