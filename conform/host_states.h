// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// The table of target states (states/states.h) on the host: how each state is
// reached with real processes, and what the call does there.
#ifndef REAPSIM_CONFORM_HOST_STATES_H_
#define REAPSIM_CONFORM_HOST_STATES_H_

#include <signal.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "conform/host_machine.h"
#include "import/proc_source.h"

namespace reapsim {

// What was seen.
struct HostOutcome {
  // OK, or why there is nothing to compare: kUnimplemented and
  // kPermissionDenied are skipped, the rest is a failure of the harness.
  absl::Status status;
  int64_t ret = 0;          // 0 or -errno
  bool has_memory = false;  // below is filled in: the watched process had
                            // memory that /proc shows, before and after
  ProcProcess before;
  ProcProcess after;
};

// One machine, a victim and a caller; a recipe's view.
class HostScene {
 public:
  // Fills a new victim's memory.
  using Populate = std::function<void(HostTask&)>;
  // With PopulateStandardHostVictim(), if `populate` is null.
  explicit HostScene(Populate populate = nullptr);

  HostMachine& m() { return machine_; }
  HostTask& victim() { return *victim_; }
  // A process of its own, for calls that the harness itself can't make.
  HostTask& caller();
  int fd();  // the harness's pidfd of the victim
  // Seizes every thread given, kills the first one's group and waits until all
  // of them stand at PTRACE_EVENT_EXIT.
  void KillAndHold(const std::vector<HostTask*>& threads, int sig = SIGKILL);

  // Whose memory the outcome shows, as seen by that thread (a zombie leader
  // shows none); the victim's at first.
  void Watch(HostTask& task) { watched_ = &task; }
  // Nobody's: it can't be looked at, or is not ours.
  void WatchNothing() { watched_ = nullptr; }
  // The call by the harness, between two looks at the watched memory.
  void Call(int fd, unsigned flags = 0);
  // Sends the signal to the task's process and makes the call before the task
  // has run again: both on one CPU, which the harness does not give away. If
  // it has to, the recipe is tried again.
  void CallBeforeItRuns(HostTask& task, int sig);
  // Does something while the harness and the task have a CPU each, which they
  // give to nobody. kUnimplemented where there is only one.
  void Beside(HostTask& task, const std::function<void()>& act);
  // The call in parts, for recipes in which somebody else calls.
  void NoteBefore();
  void NoteAfter(int64_t ret);

  // Notes that the state was missed by chance.
  void TryAgain() { try_again_ = true; }
  bool try_again() const { return try_again_; }
  // Ends the machine. What was seen, with its trouble, if any.
  HostOutcome TakeOutcome();

 private:
  // The watched memory; false if there is none.
  bool Look(ProcProcess& process);

  HostMachine machine_;
  HostTask* victim_ = nullptr;
  HostTask* caller_ = nullptr;
  HostTask* watched_ = nullptr;
  int fd_ = -1;
  bool seen_before_ = false;
  bool called_ = false;
  bool try_again_ = false;
  HostOutcome outcome_;
};

// Memory of each kind that a reaper treats differently: anonymous, a file's,
// clean and copied on write, shared, a file's shared read-only, locked.
void PopulateStandardHostVictim(HostTask& victim);

struct HostState {
  const char* id;  // of states/states.h
  void (*play)(HostScene&);
};
// Those that a real machine can be brought into; docs/conform.md says why the
// others can't.
const std::vector<HostState>& HostStates();
HostOutcome PlayOnHost(const HostState& state,
                       HostScene::Populate populate = nullptr);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_HOST_STATES_H_
