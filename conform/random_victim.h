// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// A victim drawn at random: a small program of steps that a group of processes
// and the harness make one after the other, on the host and in the model.
//
// Steps name tasks and mappings by number, and a number whose step is left out
// names nobody: a step that can't be made is skipped, on both sides alike (see
// RandomGroup::CanDo). So every sublist of a victim's steps is a victim, too,
// which is what shrinking needs.
#ifndef REAPSIM_CONFORM_RANDOM_VICTIM_H_
#define REAPSIM_CONFORM_RANDOM_VICTIM_H_

#include <cstdint>
#include <string>
#include <vector>

namespace reapsim {

enum class StepKind : uint8_t {
  // Memory: made by `task`, on the host only. The model's memory is what was
  // read from the host before the first call.
  kMap,        // `pages` of RandomMapping `what`; the mapping gets number `id`
  kTouch,      // reads, or with `what` 1 writes, one page in each `stride`
  kAdvise,     // madvise(2), `what` is the advice
  kUnmap,      // munmap(2) of a part
  kProtect,    // mprotect(2), `what` is the protection
  kLock,       // mlock2(2), `what` are its flags
  kUnlock,     // munlock(2)
  kRemap,      // mremap(2) of a part, `what` is a RandomRemap
  kUserfault,  // UFFDIO_REGISTER and, with `what` 1, UFFDIO_WRITEPROTECT
  // Tasks: made by `task`; the new one gets number `id`.
  kFork,     // a copy of the process
  kVfork,    // shares the memory; `task` waits until it has let go of it
  kCloneVm,  // a process that shares the memory
  kThread,
  // Signals: made by `task`; `what` is the signal.
  kHandle,
  kIgnore,
  kBlock,
  // By the harness, to `task`.
  kSeize,      // PTRACE_SEIZE with PTRACE_O_TRACEEXIT
  kKill,       // kill(2) of its process, `what` is the signal
  kTgkill,     // tgkill(2)
  kCont,       // PTRACE_CONT with signal `what`
  kReap,       // wait4(2), if it is dead
  kExit,       // `task` itself: exit(2), this thread only
  kExitGroup,  // `task` itself: exit_group(2)
  // From here on no task of the group runs: signals are sent, but nobody gets
  // to see to them.
  kPause,
  // process_mrelease(2) by task `id`, or by the harness, with a RandomFd `what`
  // of `task`'s process and the flags `flags`.
  kCall,
};

enum class RandomMapping : uint8_t {
  kAnonymous,
  kAnonymousHuge,    // aligned to 2 MiB, MADV_HUGEPAGE
  kNoAccess,         // PROT_NONE
  kReadOnly,         // PROT_READ
  kNoReserve,        // MAP_NORESERVE
  kLocked,           // MAP_LOCKED
  kPopulated,        // MAP_POPULATE
  kGrowsDown,        // MAP_GROWSDOWN
  kDroppable,        // MAP_DROPPABLE (v6.11)
  kStack,            // MAP_STACK
  kShared,           // MAP_SHARED | MAP_ANONYMOUS
  kMemfdShared,      // a memfd
  kMemfdSharedRead,  // PROT_READ of the writable descriptor
  kMemfdPrivate,
  kSystemV,          // shmat()
  kSystemVReadOnly,  // SHM_RDONLY
  kSecret,           // memfd_secret()
  kFilePrivate,      // a file of a disk, through a read-only descriptor:
  kFilePrivateRead,  // PROT_READ
  kFileShared,       // MAP_SHARED, which VM_SHARED is taken from again
  kZeroPrivate,      // /dev/zero
  kZeroShared,
};
inline constexpr int kRandomMappings = 22;

enum class RandomRemap : uint8_t { kMove, kGrow, kShrink, kDontUnmap };

enum class RandomFd : uint8_t {
  kPidfd,
  kThread,  // PIDFD_THREAD, of `task` itself
  kMinusOne,
  kClosed,
  kRegular,
  kOPath,
  kProcDir,
  kSelfThread,  // -10000, the caller
  kSelfGroup,   // -10001
};

// Who calls, when it is no task of the group.
inline constexpr uint8_t kHarness = 255;
// The tasks of a victim are numbered below this, the first of them is 0.
inline constexpr int kMaxRandomTasks = 16;

struct RandomStep {
  StepKind kind = StepKind::kCall;
  uint8_t task = 0;
  uint8_t id = 0;  // of what is made; of kCall: who calls
  uint32_t what = 0;
  uint32_t flags = 0;
  // A part of mapping `map`, in pages; what reaches beyond it is cut off.
  uint8_t map = 0;
  uint16_t first = 0;
  uint16_t pages = 0;
  uint16_t stride = 1;

  bool operator==(const RandomStep&) const = default;
};

struct RandomVictim {
  std::vector<RandomStep> steps;

  bool operator==(const RandomVictim&) const = default;
};

// Victim number `index` of that seed: the same on every machine, for ever.
RandomVictim DrawVictim(uint64_t seed, uint64_t index);

// What the step does, in one line: "task 2 maps 5 pages: private anonymous".
std::string StepText(const RandomStep& step);
// All of them, a line each.
std::string VictimText(const RandomVictim& victim);

// Whether the step is about the host's memory, and none of the model's.
bool IsMemoryStep(StepKind kind);
// Whether it makes a task.
bool MakesTask(StepKind kind);

// "SIGTERM", or "signal 40".
std::string SignalText(int sig);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_RANDOM_VICTIM_H_
