// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/kernel_world.h"

#include <cstring>
#include <utility>

#include "sched/timer.h"

namespace reapsim {
namespace {

const task_struct* OwnerOf(const Fiber& fiber) {
  return static_cast<const task_struct*>(fiber.owner);
}

// Has nothing to do until somebody asks it to: in user mode, or a kernel thread
// without work.
bool IsIdle(const Fiber& fiber) {
  const bool kthread = OwnerOf(fiber)->kthread_fn != nullptr;
  return fiber.op.point == Point::kUserMode ||
         (kthread && (fiber.op.point == Point::kWait ||
                      fiber.op.point == Point::kOomReaperWait));
}

// Where a task waits for somebody outside of the machine, or for whoever
// stopped it.
bool IsOutsidersPoint(Point point) {
  return point == Point::kPtraceStop || point == Point::kDoSignalStop ||
         point == Point::kRefrigerator || point == Point::kFreezerTrap ||
         point == Point::kDriverWait;
}

}  // namespace

KernelWorld::KernelWorld(Kernel* kernel, std::function<std::string()> outcome)
    : kernel_(kernel), outcome_(std::move(outcome)) {}

void KernelWorld::Events(std::vector<Choice>* out) const {
  const SchedState& sched = kernel_->sched();
  // ksoftirqd has not taken the last one yet.
  if (sched.expired_timer != nullptr) return;
  for (uint32_t i = 0; i < sched.timers.count; ++i) {
    if (ArmedTimer(&sched, i) != nullptr) {
      out->push_back(static_cast<Choice>(kEventBase + i));
    }
  }
}

void KernelWorld::Fire(Choice event) {
  SchedState& sched = kernel_->sched();
  timer_list* timer = ArmedTimer(&sched, event - kEventBase);
  REAP_CHECK(timer != nullptr && sched.expired_timer == nullptr,
             "kernel world: no such timer");
  timer_expired(timer);
  sched.expired_timer = timer;
}

std::string KernelWorld::NameOf(Choice choice) const {
  if (IsEvent(choice)) {
    return "timer " + std::to_string(choice - kEventBase);
  }
  const Fiber* fiber = kernel_->engine().FiberAt(choice);
  if (fiber == nullptr) return "task " + std::to_string(choice);
  const task_struct* task = OwnerOf(*fiber);
  bool alone = true;
  kernel_->sched().task_slab.ForEach([&](const task_struct* other) {
    if (other != task && std::strcmp(other->comm, task->comm) == 0) {
      alone = false;
    }
  });
  return alone ? task->comm
               : std::string(task->comm) + "/" + std::to_string(task->pid);
}

bool KernelWorld::MayIdle(const Fiber& fiber) const {
  return IsIdle(fiber) || IsOutsidersPoint(fiber.op.point);
}

const char* KernelWorld::BrokenInvariant() const {
  // Most steps change nothing that is looked at.
  EngineState& state = *kernel_->engine().state();
  if (!state.history->touched && state.checks.empty()) return nullptr;
  state.history->touched = false;
  return kernel_->BrokenInvariant();
}

void KernelWorld::UnmetGoals(std::vector<std::string>* goals) const {
  for (std::string& goal : kernel_->UnmetGoals()) {
    goals->push_back(std::move(goal));
  }
}

void KernelWorld::AtEnd(std::vector<std::string>* problems) {
  bool at_rest = true;
  kernel_->engine().state()->fibers.ForEach([&](const Fiber* fiber) {
    if (fiber->status == FiberStatus::kDone) return;
    if (!IsIdle(*fiber)) at_rest = false;
  });
  if (!at_rest) return;
  for (std::string& problem : kernel_->Conservation()) {
    problems->push_back(std::move(problem));
  }
}

std::string KernelWorld::WrongEnd() const {
  return wrong_ == nullptr ? "" : wrong_();
}

std::string KernelWorld::Outcome() const {
  return outcome_ == nullptr ? "" : outcome_();
}

}  // namespace reapsim
