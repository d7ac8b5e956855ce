// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// KernelWorld: a Kernel as a search sees it (explore/).
//
//   Kernel k({.memory = 1 << 20, .page_table_bits = 3});
//   ... spawn tasks, map memory, send signals: what is common to all runs
//   k.Begin(lmkd, [=](User user) { r.Set(user.process_mrelease(fd, 0)); });
//   KernelWorld world(&k);
//   Exploration found = Explore(world, {});
//
// The search lets every task go on at every step at which another could see
// it, and lets armed timers fire at any moment. Small worlds only: of a few MiB
// and with a small page-table geometry, or each copy takes long.
#ifndef REAPSIM_SYSCALL_KERNEL_WORLD_H_
#define REAPSIM_SYSCALL_KERNEL_WORLD_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "explore/world.h"
#include "syscall/kernel.h"

namespace reapsim {

class KernelWorld : public World {
 public:
  // `outcome` says what an end state looks like from outside.
  explicit KernelWorld(Kernel* kernel,
                       std::function<std::string()> outcome = nullptr);

  Engine& engine() override { return kernel_->engine(); }
  // An event for each armed timer; one at a time, as softirqs run them.
  void Events(std::vector<Choice>* out) const override;
  void Fire(Choice event) override;
  // "victim", or "victim/102" if several tasks have that name.
  std::string NameOf(Choice choice) const override;
  // In user mode, without work, or stopped by somebody outside: a tracer, job
  // control, a freezer, a device that does not answer.
  bool MayIdle(const Fiber& fiber) const override;
  // Kernel::BrokenInvariant().
  const char* BrokenInvariant() const override;
  void UnmetGoals(std::vector<std::string>* goals) const override;
  // If nobody stands inside the kernel, Kernel::Conservation().
  void AtEnd(std::vector<std::string>* problems) override;
  std::string WrongEnd() const override;
  std::string Outcome() const override;

  // What must hold at every end: `wrong` says how it does not, in one sentence,
  // or "". That is a verdict, kWrongResult, to which a search finds the
  // shortest schedule. `wrong` must look at the machine's state only: a task,
  // an Out.
  void CheckEnds(std::function<std::string()> wrong) {
    wrong_ = std::move(wrong);
  }

  Kernel& kernel() const { return *kernel_; }

 private:
  Kernel* kernel_;
  std::function<std::string()> outcome_;
  std::function<std::string()> wrong_;
};

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_KERNEL_WORLD_H_
