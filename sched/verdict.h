// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Verdicts: what can be wrong with a run of the modelled kernel. The world
// stops at the first one; the host (a test, a search) reads it and judges.
#ifndef REAPSIM_SCHED_VERDICT_H_
#define REAPSIM_SCHED_VERDICT_H_

#include <cstdint>
#include <string>

namespace reapsim {

enum class VerdictKind : uint8_t {
  kNone,
  kInvariantBroken,
  kDataRace,
  kUseAfterFree,
  kDoubleFree,
  kDeadlock,
  kLockOrder,
  kLivelock,
  kLeak,
  kWrongResult,
};

const char* VerdictName(VerdictKind kind);

struct Verdict {
  VerdictKind kind = VerdictKind::kNone;
  std::string what;   // one sentence
  std::string where;  // "file:line" in the model
  uint32_t task = 0;  // the fiber that met it
  uint64_t step = 0;  // schedule points passed before

  explicit operator bool() const { return kind != VerdictKind::kNone; }
  // "use after free: … (task 3, step 211, mm/mmap.cc:90)"
  std::string ToString() const;
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_VERDICT_H_
