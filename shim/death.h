// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The modelled half of a death: a small machine with the memory of a real
// process that has been stopped, which dies there as the schedule says.
//
// A machine holds one address space and all processes that have it. The
// process that calls is a task of its own in it.
#ifndef REAPSIM_SHIM_DEATH_H_
#define REAPSIM_SHIM_DEATH_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/prng.h"
#include "base/switches.h"
#include "import/proc_source.h"
#include "mm/mmu_notifier.h"
#include "mm/smaps.h"
#include "shim/schedule.h"
#include "syscall/kernel.h"

namespace reapsim {

// What the model is to be; the same for all of a program's run.
struct ShimModel {
  std::string kernel = "v6.18";
  std::string note;  // what the model knows of that version, for people
  ShimSchedule schedule;
  Switches switches;
  // A driver has a notifier on each victim's memory, and would have to sleep in
  // it.
  bool notifier_blocks = false;
};

// From the text of --kernel, --schedule and --with; an empty one is the
// default. kInvalidArgument, a sentence for the user.
absl::StatusOr<ShimModel> ParseShimModel(absl::string_view kernel,
                                         absl::string_view schedule,
                                         absl::string_view with);

// A process, by its real pid.
struct ShimProcess {
  pid_t pid = 0;
  int threads = 1;
};

// A descriptor as the program has it, when it is no pidfd of a victim.
enum class Descriptor : uint8_t {
  kClosed,        // nothing is open there
  kOther,         // open, but no pidfd
  kProcDir,       // a directory /proc/PID
  kLive,          // the pidfd of a process that lives
  kSelf,          // … of the caller
  kZombie,        // … of one that has ended, and nobody has waited for
  kReaped,        // … of one that is gone
  kKernelThread,  // … of a kernel thread
};
const char* DescriptorText(Descriptor descriptor);

// What process_mrelease() answers in the model for a descriptor that has
// nothing to do with a victim. `fd` is the program's own number, which counts
// if it is negative.
struct MreleaseAnswer {
  int error = 0;         // 0 or an errno
  std::string decision;  // the check that decided, a stable word
  std::string broken;    // the modelled kernel broke: why
};
absl::StatusOr<MreleaseAnswer> AskAbout(const ShimModel& model,
                                        Descriptor descriptor, int fd,
                                        unsigned int flags);

class ModelledDeath {
 public:
  // A machine with the memory of `process`. Those of `sharers` have the same
  // memory, and live. kInvalidArgument: import says why not.
  static absl::StatusOr<std::unique_ptr<ModelledDeath>> Create(
      const ShimModel& model, const ProcProcess& process,
      const std::vector<ShimProcess>& sharers);

  // Whether the machine has that real process; all that it has.
  bool Has(pid_t pid) const { return Find(pid) != nullptr; }
  std::vector<pid_t> Pids() const;
  // SIGKILL, by the caller; then what the schedule says comes first.
  void Kill(pid_t pid);
  bool IsKilled(pid_t pid) const;
  MreleaseAnswer Mrelease(pid_t pid, unsigned int flags);
  // The program has made a call about a victim; or time passes, until something
  // happens if `forever`.
  void Look();
  void Pass(bool forever = false);
  // Somebody waits for it: it runs to its end.
  void RunToEnd();
  // It has run its last step in the model.
  bool HasEnded(pid_t pid) const;
  // A live process of the machine has really ended by itself.
  void ExitedByItself(pid_t pid);

  // Its memory now; nothing once the process has given it up.
  std::optional<MemoryReport> Memory(pid_t pid) const;
  // 'R', 'D', or 'Z', as /proc/PID/stat has it.
  char StateLetter(pid_t pid) const;
  bool stuck() const {
    return model_.schedule.kind == ShimSchedule::Kind::kStuck;
  }
  // Why the modelled kernel broke, or "".
  const std::string& broken() const { return broken_; }

 private:
  struct Member {
    pid_t pid;
    std::vector<Task*> threads;  // the leader first
    bool killed = false;
  };
  ModelledDeath(const ShimModel& model, std::unique_ptr<Kernel> kernel);
  absl::Status Populate(const ProcProcess& process,
                        const class ImportPlan& plan,
                        const std::vector<ShimProcess>& sharers);
  Member* Find(pid_t pid);
  const Member* Find(pid_t pid) const;
  void AddThreads(Member* member, int threads);
  void AddNotifier(Task& task);
  void SmallSteps(uint64_t steps);
  uint64_t DrawSteps();
  void FinishCallByChance();
  Fiber* DrawFiber();
  void NoteVerdict();
  bool AnyKilledAlive() const;

  ShimModel model_;
  std::unique_ptr<Kernel> k_;
  Task* program_;  // the real program's place: parent of all
  Task* caller_;
  std::vector<Member> members_;
  mmu_notifier* notifier_ = nullptr;
  Prng prng_;
  int looks_ = 0;
  std::string broken_;
};

}  // namespace reapsim

#endif  // REAPSIM_SHIM_DEATH_H_
