// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a caller does about its victims, as programs of the modelled machine: a
// main thread, and threads to which it hands jobs.
#ifndef REAPSIM_LATENCY_STRATEGY_H_
#define REAPSIM_LATENCY_STRATEGY_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "syscall/kernel.h"

namespace reapsim {

enum class KillStrategy : uint8_t {
  kKill,      // kills, and that is all
  kMrelease,  // kills all victims, then calls process_mrelease() for each
  kReapers,  // kills, and `threads` threads make the call for each victim, side
             // by side
  kPool,     // kills, and hands each victim to one of `threads` threads
};

inline constexpr uint32_t kMaxVictims = 200;  // a pidfd for each
inline constexpr uint32_t kMaxReapers = 64;

struct StrategyChoice {
  KillStrategy kind = KillStrategy::kMrelease;
  uint32_t threads = 1;
  bool operator==(const StrategyChoice&) const = default;
};
// "kill", "mrelease", "reapers:4", "pool:2". Errors are
// kInvalidArgument and begin with "WHERE: ".
absl::StatusOr<StrategyChoice> ParseStrategy(absl::string_view text,
                                             absl::string_view where);
std::string PrintStrategy(const StrategyChoice& strategy);

// One process_mrelease(). Times are of the run's clock.
struct ReapCall {
  pid_t target = 0;
  uint64_t begin_ns = 0;  // 0: not begun
  uint64_t end_ns = 0;    // 0: not returned
  int64_t result = 0;     // 0 or -errno
};

// A caller, its threads, and what they have done so far.
class Caller {
 public:
  // Spawns it, with a pidfd for each of the victims, of which there are at most
  // kMaxVictims. `sharers` are processes that are killed together with them.
  Caller(Kernel& k, const StrategyChoice& strategy,
         const std::vector<Task*>& victims, const std::vector<Task*>& sharers);

  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  Task& main() { return *main_; }
  const std::vector<Task*>& threads() const { return threads_; }

  // Its threads begin to wait for work. To be called once, before Wake().
  void BeginThreads();
  // The main thread begins: kills, and so on. Once.
  void Wake();

  // All has been done that it has to do.
  bool Done() const {
    return board_.main_done && board_.finished == board_.posted;
  }
  // When it was about to send the first signal; 0: not yet.
  uint64_t kill_ns() const { return board_.kill_ns; }
  // In the order in which it planned them.
  const std::vector<ReapCall>& calls() const { return board_.calls; }

 private:
  // What the programs share. Between two system calls a task is alone with it.
  struct Board {
    uint64_t word = 0;         // the futex on which threads wait for calls
    std::vector<pid_t> kills;  // all processes, the victims last
    size_t victims = 0;
    std::vector<ReapCall> calls;
    std::vector<int> pidfds;  // one for each call
    uint64_t kill_ns = 0;
    // Calls that threads may make, are making, or have made; and so on.
    size_t posted = 0;
    size_t taken = 0;
    size_t finished = 0;
    bool main_done = false;

    void Kill(User user, pid_t pid);
    void Reap(User user, size_t call);
    void Post(User user);
  };

  void PlanCalls(const std::vector<Task*>& victims);
  static void RunMain(User user, Board* board, KillStrategy kind);
  static void RunThread(User user, Board* board);

  Kernel& k_;
  StrategyChoice strategy_;
  Task* main_ = nullptr;
  std::vector<Task*> threads_;
  Board board_;
};

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_STRATEGY_H_
