// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Reads the text of a .reap file. docs/litmus.md teaches the language.
#ifndef REAPSIM_LITMUS_PARSER_H_
#define REAPSIM_LITMUS_PARSER_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "litmus/ast.h"

namespace reapsim {

// Errors are kInvalidArgument: "FILE:LINE:COLUMN: what; expected what else".
absl::StatusOr<ReapFile> ParseReapFile(absl::string_view text,
                                       absl::string_view file_name);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_PARSER_H_
