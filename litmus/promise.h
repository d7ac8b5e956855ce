// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The lines of a .reap file's comments that say what is to come out:
//
//   Result: KIND [VERSIONS] [with SWITCHES] [breaks INVARIANT]
//
//   Result: Sometimes v5.15-rc1..v5.16 breaks S1
//   Result: Never v5.17..
//   Result: Sometimes v6.18 with no-recheck breaks S19
#ifndef REAPSIM_LITMUS_PROMISE_H_
#define REAPSIM_LITMUS_PROMISE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "litmus/ast.h"
#include "litmus/lexer.h"

namespace reapsim {

// Those of the lines that begin with "Result:", at least one, in order. `state`
// is where the initial state begins, before which they stand.
absl::StatusOr<std::vector<Promise>> ReadPromises(
    const std::vector<CommentLine>& lines, absl::string_view file_name,
    Place state);

// Whether a text is the number of an invariant: "S17", "L4".
bool IsInvariant(absl::string_view text);

// Whether the promise speaks of that version.
bool Covers(const Promise& promise, absl::string_view version);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_PROMISE_H_
