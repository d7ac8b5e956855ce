// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A scene: one machine with a victim and a caller, on which a row of the table
// of states (states/states.h) is played. It notes what process_mrelease()
// returned, which check decided, and the memory before and after.
#ifndef REAPSIM_STATES_SCENE_H_
#define REAPSIM_STATES_SCENE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "mm/mmu_notifier.h"
#include "mm/oom_kill.h"
#include "mm/pagemap.h"
#include "mm/smaps.h"
#include "sched/verdict.h"
#include "syscall/kernel.h"

namespace reapsim {

// One call and what it did.
struct Outcome {
  bool called = false;      // the state could be reached, and the call made
  std::string unreachable;  // why not, if not
  SysResult ret = SysResult::Never();
  MreleaseDecision decision = MreleaseDecision::kNone;
  WillFreeReason why = WillFreeReason::kNone;
  pid_t sharer = 0;
  Verdict verdict;         // the kernel broke in the call
  bool mm_before = false;  // the target's memory existed before the call
  bool mm_after = false;   // … and after it
  MemoryReport before;
  MemoryReport after;
  bool unstable_before = false;
  bool unstable_after = false;
  bool oom_skip_after = false;
  // With SceneMemory::live: what pagemap says, for each VMA of the reports.
  std::vector<std::vector<PagemapRun>> pages_before;
  std::vector<std::vector<PagemapRun>> pages_after;
};

// The memory of a scene's processes.
struct SceneMemory {
  // Fills a new victim's memory; null: the standard victim's.
  std::function<void(Kernel&, Task&)> populate;
  // `populate` makes what was read from a real process, to compare the outcome
  // with that process: whoever the scene comes to watch is given that memory,
  // too, and the outcome has the pages.
  bool live = false;
};

class Scene {
 public:
  // A machine of that version. `flags`: what each call is passed beside its
  // own.
  static absl::StatusOr<std::unique_ptr<Scene>> Create(
      const KernelOptions& options, SceneMemory memory = {},
      unsigned int flags = 0);

  Kernel& k() { return *kernel_; }
  // Who calls process_mrelease(): a root process of its own.
  Task& caller() { return *caller_; }
  // The victim, child of `shell`, with its memory, alive.
  Task& victim() { return *victim_; }
  Task& shell() { return *shell_; }
  // Another process with the same kind of memory.
  Task& SpawnLikeVictim(const std::string& name);

  // The caller's pidfd of the victim, opened while it was alive.
  int fd() const { return fd_; }
  // A pidfd of any process, opened by the caller; the scene's outcome then
  // watches that process's memory.
  int Open(Task& task, unsigned int flags = 0);

  void Kill(Task& task, int sig = SIGKILL);
  // Runs the task until it stands before the point; the scene notes it as
  // unreachable if it does not come to stand there.
  bool Reach(Task& task, Point point);
  // Runs the task as far as it gets.
  void Run(Task& task) { (void)kernel_->RunUntilBlocked(task); }
  // Notes that this state can't exist under this version.
  void Unreachable(const std::string& why);
  // A step that has to succeed for the state to be reached.
  int64_t Must(const SysResult& result, const char* step);

  // Watches another address space than the victim's for the outcome. The task
  // must stand in user mode if it has memory.
  void Watch(Task& task);

  // A driver has a notifier on one of the victim's VMAs that are walked, the
  // place-th from the lowest (negative: from the highest, -1 is the last), and
  // would have to sleep in it, or no longer.
  void Refuse(int place, bool busy);

  // The call itself, by the caller.
  void Call(int fd, unsigned int flags = 0) { CallAs(caller(), fd, flags); }
  void CallAs(Task& task, int fd, unsigned int flags = 0);
  // In steps: started, to be stopped half-way, and finished.
  void Start(Task& task, int fd);
  void Finish(Task& task);

  const Outcome& outcome() const { return outcome_; }

  // Lets go of everything that the scene holds, then Kernel::Shutdown().
  std::vector<std::string> Shutdown();

 private:
  Scene(std::unique_ptr<Kernel> kernel, SceneMemory memory,
        unsigned int flags);
  void NoteBefore();
  void NoteAfter(Task& task, const SysResult& ret);
  bool Watching() const;
  // Whether a verdict has stopped the world, perhaps before the call; notes it.
  bool Broken();
  void GiveMemory(Task& task);
  // An mm and its generation: which one it is for good.
  using MmName = std::pair<const mm_struct*, uint32_t>;
  MmName NameOf(const mm_struct* mm) const;

  std::unique_ptr<Kernel> kernel_;
  SceneMemory memory_;
  unsigned int flags_;
  Task* shell_;
  Task* caller_;
  Task* victim_;
  int fd_ = -1;
  mmu_notifier* notifier_ = nullptr;
  MmName watched_ = {};
  std::vector<MmName> populated_;
  Outcome outcome_;
};

// The standard victim's memory, besides its image: for each part its pages and
// whether the reapers of v5.15-rc1 and v6.18 release it.
struct VictimPart {
  const char* name;
  uint64_t pages;
  bool released_v5_15_rc1;
  bool released_v6_18;
};
const std::vector<VictimPart>& StandardVictimParts();
void PopulateStandardVictim(Kernel& k, Task& victim);

}  // namespace reapsim

#endif  // REAPSIM_STATES_SCENE_H_
