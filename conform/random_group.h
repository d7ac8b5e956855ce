// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// How a random victim's steps are played, on whatever machine: which step can
// be made in which state, and what is noted of it.
#ifndef REAPSIM_CONFORM_RANDOM_GROUP_H_
#define REAPSIM_CONFORM_RANDOM_GROUP_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "conform/predict.h"
#include "conform/random_victim.h"
#include "import/proc_source.h"

namespace reapsim {

// Where a task stands while nobody moves.
enum class Stand : uint8_t {
  kNowhere,    // never made
  kParked,     // does nothing and waits for a step to make
  kVfork,      // in vfork(), waits for the child
  kStopped,    // by a stop signal
  kTraceStop,  // shows its tracer a signal or a stop
  kEventExit,  // at PTRACE_EVENT_EXIT
  kZombie,
  kGone,
};
const char* StandText(Stand stand);

struct Standing {
  Stand stand = Stand::kNowhere;
  int sig = 0;  // of kTraceStop

  bool alive() const { return stand != Stand::kNowhere && !dead(); }
  bool dead() const { return stand == Stand::kZombie || stand == Stand::kGone; }
  bool operator==(const Standing&) const = default;
};
using Standings = std::array<Standing, kMaxRandomTasks>;

// Who there is, and who shares what with whom.
class RandomGroup {
 public:
  // With task 0, a process of its own.
  RandomGroup();

  // Whether the step can be made now: whoever makes it is parked, whom it is
  // done to is there, and what comes of it is not left to chance. After the
  // first call nothing is done any more that could
  // change memory other than by the call or by an exit; after kPause, nothing
  // that needs a task to run.
  bool CanDo(const RandomStep& step) const;
  // Notes what the step, which has been made, changes.
  void Note(const RandomStep& step);

  Standings& standings() { return standings_; }
  const Standings& standings() const { return standings_; }
  // The number of its process's first thread; of the task that its memory was
  // made with.
  int process(int task) const { return process_[task]; }
  int memory(int task) const { return memory_[task]; }
  bool seized(int task) const { return seized_[task]; }
  bool paused() const { return paused_; }
  bool called() const { return called_; }
  // A task of that memory that has not let go of it, or -1.
  int ReaderOf(int memory) const;

 private:
  bool CanHarness(const RandomStep& step) const;
  bool IsPartlySeized(int process) const;

  Standings standings_{};
  std::array<uint8_t, kMaxRandomTasks> process_{};
  std::array<uint8_t, kMaxRandomTasks> memory_{};
  std::array<bool, kMaxRandomTasks> seized_{};
  bool paused_ = false;
  bool called_ = false;
};

// The memory of a process, around a call.
struct SeenMemory {
  MemoryImage before;
  MemoryImage after;
  // The host's: where the images come from.
  ProcProcess host_before;
  ProcProcess host_after;
};

// One call, and what it did.
struct SeenCall {
  int64_t ret = 0;  // a value or -errno; of what the descriptor is made with,
                    // where that fails already
  // By RandomGroup::memory(): whoever had memory before the call.
  absl::btree_map<int, SeenMemory> memory;
};

// What was seen of a victim.
struct RandomRun {
  // OK, or why there is nothing to compare: kUnimplemented and
  // kPermissionDenied are the host's lacks, the rest is a failure.
  absl::Status status;
  std::vector<bool> done;            // of each step, whether it could be made
  std::vector<Standings> standings;  // after each
  std::vector<SeenCall> calls;       // of each kCall that was made
  std::vector<std::string> broken;   // what must not be, in words
  // How often the host failed before, for no fault of the victim's.
  int played_again = 0;
};

// Somebody who can make the steps. Each returns when nobody moves any more, or
// after kPause at once.
class RandomMachine {
 public:
  virtual ~RandomMachine() = default;
  // Any step but kCall. `group` is as it was before.
  virtual absl::Status Do(const RandomStep& step, const RandomGroup& group) = 0;
  virtual Standing Look(int task, const RandomGroup& group) = 0;
  virtual absl::StatusOr<SeenCall> Call(const RandomStep& step,
                                        const RandomGroup& group) = 0;
  // What has been noticed that must not be; asked once, at the end.
  virtual std::vector<std::string> Broken() { return {}; }
};

RandomRun PlayVictim(const RandomVictim& victim, RandomMachine& machine);

// In words, a line each, what differs; empty if host and model agree.
std::vector<std::string> CompareRuns(const RandomVictim& victim,
                                     const RandomRun& host,
                                     const RandomRun& model);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_RANDOM_GROUP_H_
