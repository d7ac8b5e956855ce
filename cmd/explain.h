// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Why the call answered as it did, in the kernel's terms, and what the caller
// should do about it.
#ifndef REAPSIM_CMD_EXPLAIN_H_
#define REAPSIM_CMD_EXPLAIN_H_

#include <string>
#include <vector>

#include "base/kernel_version.h"
#include "report/reap_report.h"
#include "states/states.h"

namespace reapsim {

// The checks that led to the answer, the deciding one first. None if the call
// was never made.
std::vector<ReapCheck> ChecksOf(const Outcome& outcome,
                                const Differences& differences);

// What the call did to the memory, in words.
const char* EffectText(Effect effect);

// What to do about an answer that is an error; empty for the others.
std::string AdviceFor(const Outcome& outcome);

}  // namespace reapsim

#endif  // REAPSIM_CMD_EXPLAIN_H_
