// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The table of target states: each state of a process that process_mrelease()
// can meet, how to reach it by stepping through modelled code, and what the
// call answers and does there, version by version.
//
// Ids are stable: other tools, recorded kernels and published vectors name
// rows by them. The number is the row in the semantics paper's table (docs).
#ifndef REAPSIM_STATES_STATES_H_
#define REAPSIM_STATES_STATES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "states/scene.h"

namespace reapsim {

// What a call does to the target's memory.
enum class Effect : uint8_t {
  kNothing,     // no page goes, no flag is set
  kReleased,    // everything that may be taken is: MMF_UNSTABLE is set
  kOnlyMarked,  // MMF_UNSTABLE is set, but there was nothing to take
  kPartly,      // all but the VMA whose notifier refuses
  kGone,        // there is no memory any more before the call
  kGoneDuring,  // the target's own exit frees it while the call waits or walks
  kBroken,      // the kernel uses freed memory: undefined
};

struct Expected {
  bool reachable = true;  // false: the state can't exist under this version
  int ret = 0;            // 0 or a positive errno
  Effect effect = Effect::kNothing;
  MreleaseDecision decision = MreleaseDecision::kNone;
  WillFreeReason why = WillFreeReason::kNone;

  // Short forms for the table.
  static constexpr Expected Fails(int error, MreleaseDecision decision) {
    return {.ret = error, .decision = decision};
  }
  static constexpr Expected Unreachable() { return {.reachable = false}; }
};

struct State {
  const char* id;
  int row;            // in the semantics paper's section 11
  const char* title;  // one sentence about the target
  void (*play)(Scene&);
  Expected v5_15_rc1;
  Expected v6_18;

  const Expected& For(const Differences& differences) const {
    return differences.mrelease_original_form ? v5_15_rc1 : v6_18;
  }
};

// All rows, in the order of the paper.
const std::vector<State>& States();
// The row with that id, or null.
const State* FindState(const std::string& id);

// Plays a row on a machine of that version. `flags`: what the call is passed
// beside the row's own.
absl::StatusOr<Outcome> Play(const State& state, const KernelOptions& options,
                             SceneMemory memory = {}, unsigned int flags = 0);

// The effect that an outcome shows.
Effect EffectOf(const Outcome& outcome);

const char* EffectName(Effect effect);
// "task_will_free_mem: the group is not exiting" …: the check, in words; and
// the kernel function it is in.
const char* DecisionText(MreleaseDecision decision);
const char* DecisionWhere(MreleaseDecision decision);
const char* WillFreeText(WillFreeReason why);
// Both, as one stable word for JSON: "not_freeing.not_exiting".
std::string DecidedBy(MreleaseDecision decision, WillFreeReason why);

}  // namespace reapsim

#endif  // REAPSIM_STATES_STATES_H_
