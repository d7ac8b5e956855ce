// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/stepper.h"

#include <string>

#include "explore/waits.h"
#include "sched/heap_guard.h"

namespace reapsim {

std::string World::NameOf(Choice choice) const {
  return IsEvent(choice) ? "event " + std::to_string(choice - kEventBase)
                         : "P" + std::to_string(choice);
}

void ReportBroken(const char* invariant, Engine& engine) {
  HostSection host;  // also called on a fiber's stack
  engine.Report(VerdictKind::kInvariantBroken, invariant);
}

Stepper::Stepper(World* world) : world_(world), engine_(world->engine()) {
  engine_.arena()->AllowCopies();
  TakeOver();
}

Stepper::~Stepper() { engine_.SetChooser(nullptr); }

namespace {

// Whether it stands before no operation: it has not begun, or gave way to the
// host when it had done what was asked of it.
bool IsOnTheWay(const Fiber& fiber) {
  return fiber.status == FiberStatus::kNew ||
         (fiber.status == FiberStatus::kSuspended &&
          fiber.op.point == Point::kNone);
}

}  // namespace

void Stepper::Settle() {
  Snapshot before;
  engine_.Take(&before);
  bool any = true;
  while (any && !engine_.stopped()) {
    any = false;
    // One may make others.
    engine_.state()->fibers.ForEach([&](Fiber* fiber) {
      if (!IsOnTheWay(*fiber) || engine_.stopped()) return;
      any = true;
      (void)engine_.Resume(fiber);
    });
  }
  if (!engine_.stopped() && !ReportBrokenInvariant(*world_, engine_)) return;
  (void)engine_.TakeVerdict();
  engine_.Restore(before);
}

// One step at a time: back to the host at each point.
Fiber* Stepper::Next(Fiber* /*running*/) { return nullptr; }

void Stepper::Enabled(std::vector<Choice>* out) const {
  out->clear();
  engine_.state()->fibers.ForEach([out](const Fiber* fiber) {
    if (Engine::CanRun(fiber)) out->push_back(static_cast<Choice>(fiber->id));
  });
  world_->Events(out);
}

bool Stepper::Step(Choice choice) {
  if (IsEvent(choice)) {
    world_->Fire(choice);
  } else {
    Fiber* fiber = engine_.FiberAt(choice);
    REAP_CHECK(fiber != nullptr && Engine::CanRun(fiber),
               "explore: the chosen fiber can't go on");
    engine_.CleanStack(fiber);
    (void)engine_.Resume(fiber);
  }
  if (engine_.stopped()) return false;
  return !ReportBrokenInvariant(*world_, engine_);
}

bool JudgeEnd(World& world) {
  Engine& engine = world.engine();
  const std::string deadlock = DescribeDeadlock(world);
  std::vector<std::string> problems;
  world.UnmetGoals(&problems);
  if (!deadlock.empty()) {
    engine.Report(
        VerdictKind::kDeadlock,
        problems.empty() ? deadlock : problems.front() + "; " + deadlock);
    return false;
  }
  world.AtEnd(&problems);
  if (engine.stopped()) return false;
  if (!problems.empty()) {
    engine.Report(VerdictKind::kLeak, problems.front());
    return false;
  }
  const std::string wrong = world.WrongEnd();
  if (wrong.empty()) return true;
  engine.Report(VerdictKind::kWrongResult, wrong);
  return false;
}

}  // namespace reapsim
