// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_group.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/errno_names.h"

namespace reapsim {

const char* StandText(Stand stand) {
  switch (stand) {
    case Stand::kNowhere:
      return "not there";
    case Stand::kParked:
      return "alive";
    case Stand::kVfork:
      return "waiting in vfork";
    case Stand::kStopped:
      return "stopped";
    case Stand::kTraceStop:
      return "stopped for its tracer";
    case Stand::kEventExit:
      return "at PTRACE_EVENT_EXIT";
    case Stand::kZombie:
      return "a zombie";
    case Stand::kGone:
      return "gone";
  }
  return "?";
}

// ---- RandomGroup -----------------------------------------------------------

RandomGroup::RandomGroup() { standings_[0].stand = Stand::kParked; }

bool RandomGroup::CanDo(const RandomStep& step) const {
  if (step.task >= kMaxRandomTasks || !standings_[step.task].alive()) {
    // The dead can still be named.
    const bool names_dead = step.kind == StepKind::kCall ||
                            step.kind == StepKind::kReap ||
                            step.kind == StepKind::kPause;
    if (!names_dead || step.task >= kMaxRandomTasks) return false;
  }
  const Standing& standing = standings_[step.task];
  const bool parked = standing.stand == Stand::kParked;
  if (step.kind < StepKind::kSeize) {
    if (!parked || called_ || paused_) return false;
    if (!MakesTask(step.kind)) return true;
    return step.id < kMaxRandomTasks &&
           standings_[step.id].stand == Stand::kNowhere;
  }
  return CanHarness(step);
}

// SIGCONT makes all seized threads of a process stop for their tracer; which
// thread takes the signal then depends on whether the first one was already
// running when the rest of the kernel's kill() came to it. If all or none of
// them are seized there is no choice.
bool RandomGroup::IsPartlySeized(int process) const {
  bool seized = false;
  bool free = false;
  for (int task = 0; task < kMaxRandomTasks; ++task) {
    if (process_[task] != process || !standings_[task].alive()) continue;
    (seized_[task] ? seized : free) = true;
  }
  return seized && free;
}

bool RandomGroup::CanHarness(const RandomStep& step) const {
  const Standing& standing = standings_[step.task];
  const bool parked = standing.stand == Stand::kParked;
  const int sig = static_cast<int>(step.what);
  switch (step.kind) {
    case StepKind::kSeize:
      return (parked || standing.stand == Stand::kVfork) &&
             !seized_[step.task] && !called_ && !paused_;
    case StepKind::kKill:
      if (sig == SIGCONT && IsPartlySeized(process_[step.task])) return false;
      [[fallthrough]];
    case StepKind::kTgkill:
      return !called_ || sig == SIGKILL;
    case StepKind::kCont:
      if (paused_) return false;
      return standing.stand == Stand::kEventExit ||
             (standing.stand == Stand::kTraceStop && !called_);
    case StepKind::kReap:
      return standing.stand == Stand::kZombie && !paused_;
    case StepKind::kExit:
    case StepKind::kExitGroup:
      return parked && !paused_;
    case StepKind::kPause:
      return !paused_;
    default:
      break;
  }
  // kCall.
  if (standing.stand == Stand::kNowhere) return false;
  if (step.id == kHarness) return true;
  return step.id < kMaxRandomTasks && !paused_ &&
         standings_[step.id].stand == Stand::kParked;
}

void RandomGroup::Note(const RandomStep& step) {
  switch (step.kind) {
    case StepKind::kFork:
      process_[step.id] = step.id;
      memory_[step.id] = step.id;
      break;
    case StepKind::kVfork:
    case StepKind::kCloneVm:
      process_[step.id] = step.id;
      memory_[step.id] = memory_[step.task];
      break;
    case StepKind::kThread:
      process_[step.id] = process_[step.task];
      memory_[step.id] = memory_[step.task];
      break;
    case StepKind::kSeize:
      seized_[step.task] = true;
      break;
    case StepKind::kPause:
      paused_ = true;
      break;
    case StepKind::kCall:
      called_ = true;
      break;
    default:
      break;
  }
  if (MakesTask(step.kind)) standings_[step.id].stand = Stand::kParked;
}

int RandomGroup::ReaderOf(int memory) const {
  for (int task = 0; task < kMaxRandomTasks; ++task) {
    if (memory_[task] == memory && standings_[task].alive()) return task;
  }
  return -1;
}

// ---- Playing ---------------------------------------------------------------

namespace {

// Whether anybody may stand elsewhere afterwards.
bool MovesTasks(StepKind kind) {
  return !IsMemoryStep(kind) && kind != StepKind::kHandle &&
         kind != StepKind::kIgnore && kind != StepKind::kBlock;
}

}  // namespace

RandomRun PlayVictim(const RandomVictim& victim, RandomMachine& machine) {
  RandomRun run;
  RandomGroup group;
  for (const RandomStep& step : victim.steps) {
    const bool can = group.CanDo(step);
    run.done.push_back(can);
    if (can && step.kind == StepKind::kCall) {
      absl::StatusOr<SeenCall> call = machine.Call(step, group);
      run.status = call.status();
      if (!run.status.ok()) return run;
      run.calls.push_back(*std::move(call));
    } else if (can) {
      run.status = machine.Do(step, group);
      if (!run.status.ok()) return run;
    }
    if (can) group.Note(step);
    if (can && !group.paused() && MovesTasks(step.kind)) {
      for (int task = 0; task < kMaxRandomTasks; ++task) {
        Standing& standing = group.standings()[task];
        if (standing.stand == Stand::kNowhere) continue;
        standing = machine.Look(task, group);
      }
    }
    run.standings.push_back(group.standings());
  }
  run.broken = machine.Broken();
  return run;
}

// ---- Comparing -------------------------------------------------------------

namespace {

std::string StandingText(const Standing& standing) {
  if (standing.stand != Stand::kTraceStop) return StandText(standing.stand);
  return absl::StrCat(StandText(standing.stand), " (",
                      SignalText(standing.sig & 0x7f),
                      standing.sig >> 8 == 0 ? "" : ", group stop", ")");
}

// The first step after which somebody stands elsewhere; what follows would
// only repeat it.
void CompareStandings(const RandomVictim& victim, const RandomRun& host,
                      const RandomRun& model,
                      std::vector<std::string>* differences) {
  for (size_t i = 0; i < victim.steps.size(); ++i) {
    if (host.standings[i] == model.standings[i]) continue;
    for (int task = 0; task < kMaxRandomTasks; ++task) {
      const Standing& theirs = host.standings[i][task];
      const Standing& ours = model.standings[i][task];
      if (theirs == ours) continue;
      differences->push_back(absl::StrCat(
          "after \"", StepText(victim.steps[i]), "\": task ", task,
          " is: host ", StandingText(theirs), ", model ", StandingText(ours)));
    }
    return;
  }
}

void CompareCalls(size_t number, const SeenCall& host, const SeenCall& model,
                  std::vector<std::string>* differences) {
  const std::string call = absl::StrCat("call ", number + 1);
  if (host.ret != model.ret) {
    differences->push_back(absl::StrCat(call, ": host ", ResultText(host.ret),
                                        ", model ", ResultText(model.ret)));
  }
  for (const auto& [memory, theirs] : host.memory) {
    const auto ours = model.memory.find(memory);
    if (ours == model.memory.end()) {
      differences->push_back(absl::StrCat(call, ": memory of task ", memory,
                                          ": the model has none"));
      continue;
    }
    HostOutcome outcome;
    outcome.has_memory = true;
    outcome.before = theirs.host_before;
    outcome.after = theirs.host_after;
    Prediction prediction;
    prediction.has_memory = true;
    prediction.before = ours->second.before;
    prediction.after = ours->second.after;
    for (const std::string& line : Compare(outcome, prediction)) {
      differences->push_back(
          absl::StrCat(call, ": memory of task ", memory, ": ", line));
    }
  }
}

}  // namespace

std::vector<std::string> CompareRuns(const RandomVictim& victim,
                                     const RandomRun& host,
                                     const RandomRun& model) {
  std::vector<std::string> differences;
  if (!model.status.ok()) {
    differences.push_back(
        absl::StrCat("the model fails: ", model.status.message()));
    return differences;
  }
  CompareStandings(victim, host, model, &differences);
  // Whoever stands elsewhere makes other steps.
  const size_t calls = std::min(host.calls.size(), model.calls.size());
  for (size_t i = 0; i < calls; ++i) {
    CompareCalls(i, host.calls[i], model.calls[i], &differences);
  }
  for (const std::string& line : host.broken) {
    differences.push_back(absl::StrCat("host: ", line));
  }
  for (const std::string& line : model.broken) {
    differences.push_back(absl::StrCat("model: ", line));
  }
  return differences;
}

}  // namespace reapsim
