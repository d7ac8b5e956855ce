// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Does a scenario do what its file promises? Each promise is tried under the
// versions and switches that it names, by a search (explore/).
#ifndef REAPSIM_LITMUS_JUDGE_H_
#define REAPSIM_LITMUS_JUDGE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "explore/explore.h"
#include "litmus/checker.h"
#include "litmus/machine.h"
#include "syscall/kernel_world.h"

namespace reapsim {

// One kernel on which a scenario is tried.
struct Variant {
  std::string version;
  std::vector<std::string> switches;  // and proposals, in the order given
  // "v6.18", "v6.18+no-recheck".
  std::string ToString() const;
};

// Reads what ToString() writes. kInvalidArgument: no such version or switch.
absl::StatusOr<Variant> ParseVariant(absl::string_view text);

// A promise of the file for one variant; null: the file says nothing about it.
struct Case {
  Variant variant;
  const Promise* promise = nullptr;
};

// The cases of a scenario. `kernel`: a version; "all": every version at which
// something changes that can matter; "": the first and the last version that
// each promise names. `with`: switches to add, which no promise covers then but
// one that names the same.
absl::StatusOr<std::vector<Case>> CasesOf(const Scenario& scenario,
                                          absl::string_view kernel,
                                          const std::vector<std::string>& with);

// What the search is allowed.
struct JudgeOptions {
  ExploreOptions explore;
  // Also look for the shortest schedule where the promise is kept.
  bool always_witness = false;
};

// A scenario's machine as a search sees it.
class ScenarioWorld : public KernelWorld {
 public:
  explicit ScenarioWorld(ScenarioMachine* machine);

  std::string NameOf(Choice choice) const override;
  bool MayIdle(const Fiber& fiber) const override;
  // L4 and L6, which real kernels do not keep, only if the condition speaks of
  // them.
  const char* BrokenInvariant() const override;
  void UnmetGoals(std::vector<std::string>* goals) const override;
  std::string WrongEnd() const override;

  // From now on an end state in which the condition's proposition holds (or
  // does not) counts as a failure, so that the search looks for the shortest
  // way there.
  void LookFor(bool holds) { wanted_ = holds; }

 private:
  ScenarioMachine* machine_;
  const bool asks_l4_;
  const bool asks_l6_;
  std::optional<bool> wanted_;
};

// One end of executions.
struct EndState {
  std::string text;    // "0:r0=0; rss(victim)=0;" or "verdict=S3;"
  uint64_t count = 0;  // states, or executions of a random search
  bool holds = false;  // the proposition
};

// What comes of a promise. kUndecided: what was seen does not contradict it,
// and not everything was tried.
enum class Standing : uint8_t { kKept, kUndecided, kBroken };
const char* StandingName(Standing standing);  // "kept"

struct Judgement {
  Case tried;
  std::vector<EndState> ends;  // by text
  uint64_t positive = 0;       // of them in which the proposition holds
  uint64_t negative = 0;
  Exploration found;
  // The shortest schedule to what the reader wants to see: a verdict, or an end
  // that decides the condition. Absent: there is none, or none was found.
  std::optional<Failure> witness;
  bool witness_holds = true;       // it leads to where the proposition holds
  std::string replay;              // for `reapsim replay`
  std::vector<std::string> names;  // of fibers, as the file calls them
  std::string broken;              // the invariant: "S3"; empty: none is
  // Of the promise. Without one it is kept, unless the kernel breaks.
  Standing standing = Standing::kBroken;
  bool proved = false;  // every schedule was tried
  std::string why;      // if not, why; else what was shown, and how surely

  bool kept() const { return standing == Standing::kKept; }

  Frequency observation() const;
};

// Tries one case. kInvalidArgument: the initial state can't be reached.
absl::StatusOr<Judgement> Judge(const Scenario& scenario, const Case& tried,
                                const JudgeOptions& options);

// What `reapsim replay` takes: FILE@VARIANT/CHOICES.
std::string ReplayName(const Scenario& scenario, const Variant& variant,
                       const std::vector<Deviation>& deviations);

// What a search of the scenario does about data races: what was asked for, or
// tell them where its condition speaks of them.
Races RacesOf(const Scenario& scenario, Races asked);

// The machine of a variant, with the checks that the file needs.
absl::StatusOr<std::unique_ptr<ScenarioMachine>> MachineOf(
    const Scenario& scenario, const Variant& variant);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_JUDGE_H_
