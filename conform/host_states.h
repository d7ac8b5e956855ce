// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// The table of target states (states/states.h) on the host: how each state is
// reached with real processes, and what the call does there.
#ifndef REAPSIM_CONFORM_HOST_STATES_H_
#define REAPSIM_CONFORM_HOST_STATES_H_

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
  explicit HostScene(Populate populate);

  HostMachine& m();
  HostTask& victim();
  HostTask& caller();  // a process of its own, for calls that the harness
                       // itself can't make
  int fd();            // the harness's pidfd of the victim
  // Seizes every thread given, kills the group and waits until all of them
  // stand at PTRACE_EVENT_EXIT.
  void KillAndHold(std::vector<HostTask*> threads, int sig = SIGKILL);

  // Whose memory the outcome shows, as seen by the thread `tid` (a zombie
  // leader shows none); the victim's at first.
  void Watch(HostTask& task);
  // The call by the harness, between two looks at the watched memory.
  void Call(int fd, unsigned flags = 0);
  // The same in parts, for recipes in which somebody else calls.
  void NoteBefore();
  void NoteAfter(int64_t ret);

  HostOutcome outcome;
};

struct HostState {
  const char* id;  // of states/states.h
  void (*play)(HostScene&);
};
// Those that a real machine can be brought into; docs/conform.md says why the
// others can't.
const std::vector<HostState>& HostStates();
HostOutcome PlayOnHost(const HostState& state, HostScene::Populate populate);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_HOST_STATES_H_
