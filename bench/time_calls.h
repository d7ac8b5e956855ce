// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Timing calls that a task makes: in a loop of its own program, so that the
// host's part in it does not count.
#ifndef REAPSIM_BENCH_TIME_CALLS_H_
#define REAPSIM_BENCH_TIME_CALLS_H_

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/error_branches.h"
#include "states/scene.h"
#include "syscall/kernel.h"

namespace reapsim {

// Calls for each time that the host hands over to the calling task.
inline constexpr int64_t kBatch = 1024;

// Ends the machine (a Kernel, or the Scene around it): why the time is not to
// be believed, or nothing.
template <class Machine>
std::string EndOf(Kernel& k, Machine& machine, std::string error) {
  if (k.stopped()) return k.TakeVerdict().ToString();
  if (!error.empty()) return error;
  const std::vector<std::string> left = machine.Shutdown();
  if (k.stopped()) return k.TakeVerdict().ToString();
  return left.empty() ? "" : "left behind: " + left.front();
}

// The error, if there is one, instead of the time.
inline void Settle(benchmark::State& state, const std::string& error) {
  if (!error.empty()) state.SkipWithError(error.c_str());
}

// Times `once`, which runs in the task and says whether all was well.
template <class Once>
std::string TimeInTask(benchmark::State& state, Kernel& k, Task& task,
                       Once once) {
  const Out<int64_t> wrong = k.NewOut<int64_t>();
  while (state.KeepRunningBatch(kBatch)) {
    k.Begin(task, [=](User user) {
      int64_t bad = 0;
      for (int64_t i = 0; i < kBatch; ++i) bad += once(user) ? 0 : 1;
      wrong.Set(wrong.Get() + bad);
    });
    if (k.Finish(task) != Stepped::kDone) return "the task does not come back";
  }
  return wrong.Get() == 0 ? "" : "a wrong result";
}

// Why the caller's latest call did not end as it should have.
std::string WrongBranch(Scene& s, const ErrorBranch& branch);

// Times process_mrelease() where it ends in that branch.
void TimeBranch(benchmark::State& state, const char* version,
                const ErrorBranch& branch);

}  // namespace reapsim

#endif  // REAPSIM_BENCH_TIME_CALLS_H_
