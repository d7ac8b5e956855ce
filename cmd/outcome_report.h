// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// From what happened in a scene to what is reported of it.
#ifndef REAPSIM_CMD_OUTCOME_REPORT_H_
#define REAPSIM_CMD_OUTCOME_REPORT_H_

#include <string>
#include <vector>

#include "base/kernel_version.h"
#include "import/smaps.h"
#include "report/reap_report.h"
#include "states/states.h"

namespace reapsim {

// What happens to one VMA in a walk by that version, or why nothing does.
enum class VmaFate : uint8_t {
  kReleased,
  kNothingMapped,
  kKeptHugetlb,
  kKeptPfnmap,
  kKeptMlocked,
  kKeptShared,
  kKeptNotifier,
  kKeptNoWalk,  // there was no walk
  kFreedByExit,
  kUnknown,  // the kernel broke
};

// Whether the imported mappings are those that `report` has, so that names and
// flags of the text apply.
bool IsImported(const MemoryReport& report, const SmapsFile& smaps);

// Everything but subject, kernel and situation, which the caller knows.
void AddOutcome(const Outcome& outcome, const Differences& differences,
                const SmapsFile& smaps, ReapReport* report);

}  // namespace reapsim

#endif  // REAPSIM_CMD_OUTCOME_REPORT_H_
