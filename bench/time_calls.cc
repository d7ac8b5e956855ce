// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/time_calls.h"

#include <memory>

namespace reapsim {

std::string WrongBranch(Scene& s, const ErrorBranch& branch) {
  if (!s.outcome().unreachable.empty()) return s.outcome().unreachable;
  if (s.k().stopped()) return "";
  if (s.k().LastDecision(s.caller()) != branch.decision) return "wrong branch";
  if (branch.why != WillFreeReason::kNone &&
      s.k().LastWillFree(s.caller()) != branch.why) {
    return "wrong reason";
  }
  return "";
}

void TimeBranch(benchmark::State& state, const char* version,
                const ErrorBranch& branch) {
  std::unique_ptr<Scene> s = *Scene::Create({.version = version});
  const CallArgs args = branch.prepare(*s);
  const uint64_t before = s->k().engine().step();
  std::string error = TimeInTask(
      state, s->k(), s->caller(), [args, want = -branch.ret](User user) {
        return user.process_mrelease(args.fd, args.flags).kernel() == want;
      });
  // How many schedule points a call has.
  state.counters["points"] =
      benchmark::Counter(static_cast<double>(s->k().engine().step() - before),
                         benchmark::Counter::kAvgIterations);
  if (error.empty()) error = WrongBranch(*s, branch);
  Settle(state, EndOf(s->k(), *s, error));
}

}  // namespace reapsim
