// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// For tests: memory as if read from a host, and a victim with all kinds of
// steps.
#ifndef REAPSIM_CONFORM_RANDOM_TESTING_H_
#define REAPSIM_CONFORM_RANDOM_TESTING_H_

#include <sched.h>
#include <signal.h>

#include <string>

#include "base/check.h"
#include "conform/random_model.h"
#include "conform/random_victim.h"
#include "import/proc_source.h"

namespace reapsim {

// Two anonymous pages of three, and a shared page of a memfd.
inline ProcProcess SmallMemory() {
  constexpr char kText[] =
      "10000000-10003000 rw-p 00000000 00:00 0\n"
      "Size:                 12 kB\n"
      "KernelPageSize:        4 kB\n"
      "Rss:                   8 kB\n"
      "Shared_Clean:         0 kB\n"
      "Shared_Dirty:         0 kB\n"
      "Private_Clean:        0 kB\n"
      "Private_Dirty:        8 kB\n"
      "Anonymous:             8 kB\n"
      "VmFlags: rd wr mr mw me ac\n"
      "20000000-20001000 rw-s 00000000 00:01 7 /memfd:small (deleted)\n"
      "Size:                  4 kB\n"
      "KernelPageSize:        4 kB\n"
      "Rss:                   4 kB\n"
      "Shared_Clean:         0 kB\n"
      "Shared_Dirty:         0 kB\n"
      "Private_Clean:        0 kB\n"
      "Private_Dirty:        4 kB\n"
      "Anonymous:             0 kB\n"
      "VmFlags: rd wr sh mr mw me ms\n";
  ProcProcess process;
  absl::StatusOr<SmapsFile> smaps = ParseSmaps(kText, "small");
  REAP_CHECK(smaps.ok(), std::string(smaps.status().message()).c_str());
  process.smaps = *smaps;
  process.pages = {
      {.known = true, .runs = {{0x10001000, 2, kPagePresent}}},
      {.known = true,
       .runs = {{0x20000000, 1, kPagePresent | kPageFileOrShmem}}}};
  process.status.locked_kib = 0;
  return process;
}

inline RandomStep TestStep(StepKind kind, uint8_t task = 0, uint32_t what = 0) {
  return {.kind = kind, .task = task, .what = what};
}
inline RandomStep TestMake(StepKind kind, uint8_t task, uint8_t id) {
  return {.kind = kind, .task = task, .id = id};
}
inline RandomStep TestCall(uint8_t task = 0, RandomFd fd = RandomFd::kPidfd,
                           uint8_t by = kHarness, uint32_t flags = 0) {
  return {.kind = StepKind::kCall,
          .task = task,
          .id = by,
          .what = static_cast<uint32_t>(fd),
          .flags = flags};
}

// A step of each kind, a call with each kind of descriptor.
inline RandomVictim AllKinds() {
  return {{
      {.kind = StepKind::kMap, .pages = 3},
      {.kind = StepKind::kTouch, .what = 1, .first = 1, .pages = 2},
      TestMake(StepKind::kThread, 0, 1),
      TestMake(StepKind::kFork, 0, 2),
      TestMake(StepKind::kCloneVm, 2, 3),
      TestMake(StepKind::kVfork, 2, 4),
      TestMake(StepKind::kFork, 0, 5),
      TestStep(StepKind::kHandle, 1, SIGTERM),
      TestStep(StepKind::kIgnore, 1, SIGHUP),
      TestStep(StepKind::kBlock, 1, SIGINT),
      TestStep(StepKind::kSeize, 0),
      TestStep(StepKind::kSeize, 1),
      TestCall(0, RandomFd::kPidfd, 5),
      TestStep(StepKind::kTgkill, 4, SIGKILL),
      TestStep(StepKind::kReap, 4),
      TestStep(StepKind::kExit, 3),
      TestStep(StepKind::kKill, 0, SIGKILL),
      TestCall(0, RandomFd::kPidfd),
      TestCall(1, RandomFd::kThread),
      TestCall(0, RandomFd::kMinusOne),
      TestCall(0, RandomFd::kClosed),
      TestCall(0, RandomFd::kRegular),
      TestCall(0, RandomFd::kOPath, 5),
      TestCall(0, RandomFd::kProcDir),
      TestCall(0, RandomFd::kSelfThread),
      TestCall(0, RandomFd::kSelfGroup),
      TestCall(0, RandomFd::kPidfd, kHarness, 1),
      TestStep(StepKind::kCont, 1),
      TestStep(StepKind::kCont, 0),
      TestCall(),
      TestStep(StepKind::kExitGroup, 2),
      TestStep(StepKind::kPause),
      TestStep(StepKind::kKill, 5, SIGKILL),
      TestCall(5),
  }};
}
inline RandomMemories AllMemories() {
  return {{0, SmallMemory()}, {2, SmallMemory()}, {5, SmallMemory()}};
}

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_RANDOM_TESTING_H_
