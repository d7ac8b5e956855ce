// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How far a modelled victim gets, and when: --schedule of reapsim shim. Nothing
// in it depends on a clock: what moves the victim are ticks, the calls that the
// program under the shim makes.
#ifndef REAPSIM_SHIM_SCHEDULE_H_
#define REAPSIM_SHIM_SCHEDULE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sched/point.h"

namespace reapsim {

struct ShimSchedule {
  enum class Kind : uint8_t {
    // The victim stands still until its killer sleeps, waits or ends; then it
    // runs to its end.
    kReaperFirst,
    // It has run to its end before kill() returns.
    kVictimFirst,
    // As kVictimFirst if less than `amount` bytes of it are resident, else as
    // kReaperFirst.
    kVictimWinsBelow,
    // It is in an uninterruptible sleep in a driver, which only ends when its
    // killer waits for it, or ends.
    kStuck,
    // When kill() returns it stands before `point` of its way out; from there
    // on as kReaperFirst.
    kUntil,
    // At each tick, `amount` small steps of the model.
    kSteps,
    // At each tick, some small steps by chance, also in between those of a
    // process_mrelease(); `amount` is the seed.
    kSeed,
  };
  Kind kind = Kind::kReaperFirst;
  uint64_t amount = 0;
  Point point = Point::kNone;
};

// kInvalidArgument with a sentence that lists what there is.
absl::StatusOr<ShimSchedule> ParseShimSchedule(absl::string_view text);

}  // namespace reapsim

#endif  // REAPSIM_SHIM_SCHEDULE_H_
