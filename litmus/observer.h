// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Looks at a scenario's machine between two steps: tasks, memory, locks, and
// what the file's condition asks for, as names and values for people.
#ifndef REAPSIM_LITMUS_OBSERVER_H_
#define REAPSIM_LITMUS_OBSERVER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "litmus/judge.h"
#include "litmus/machine.h"
#include "mm/mm_types.h"
#include "report/schedule_page.h"
#include "sched/engine.h"
#include "sched/task.h"

namespace reapsim {

// Groups of facts, and a fact of a task: where it waits.
inline constexpr absl::string_view kTermFacts = "What the file asks";
inline constexpr absl::string_view kTaskFacts = "Tasks";
inline constexpr absl::string_view kLockFacts = "Locks";
inline constexpr absl::string_view kMemoryFacts = "Memory";
inline constexpr absl::string_view kMachineFacts = "ScenarioMachine";
inline constexpr absl::string_view kWaitsFor = "waits for";

// Who holds, or waits for, a lock.
struct LockUse {
  ScheduleSpan::Kind kind = ScheduleSpan::Kind::kExclusive;
  std::string lock;
  uint32_t fiber = 0;
  bool operator==(const LockUse&) const = default;
};

// What one look has seen.
struct Observation {
  std::vector<std::string> values;  // of facts(), as many as were known then
  std::vector<LockUse> locks;
};

class Observer {
 public:
  // Watches the tasks that the file names, and those of `fibers`.
  Observer(ScenarioMachine* machine, const ScenarioWorld* world,
           absl::btree_set<uint32_t> fibers)
      : machine_(*machine), world_(*world), fibers_(std::move(fibers)) {}

  // Changes nothing. Also after a verdict.
  Observation Look();

  // All that has been seen so far, in the order of first sight; a look may add
  // to it at the end. No starts.
  const std::vector<ScheduleFact>& facts() const { return facts_; }

  // What a fiber was called when it was first seen.
  std::string NameOf(uint32_t fiber);

 private:
  void Set(absl::string_view group, const std::string& subject,
           absl::string_view name, std::string value);
  void LookAtTasks();
  void LookAtTask(const task_struct& task);
  void LookAtMemory();
  void LookAtMm(const mm_struct& mm);
  void LookAtLocks();
  void LookAtTerms();
  void NameLocks();
  void AddHeld(const Fiber& fiber);
  void AddWaited(const Fiber& fiber);
  void SetLockFacts();
  std::string MemoryName(const mm_struct* mm);
  std::string LockName(LockClass lock_class, uint32_t object);
  std::string WaitText(const Fiber& fiber);
  bool Watches(const task_struct& task) const;
  bool HeldShared(LockClass lock_class, uint32_t object);

  ScenarioMachine& machine_;
  const ScenarioWorld& world_;
  const absl::btree_set<uint32_t> fibers_;
  std::vector<ScheduleFact> facts_;
  absl::btree_map<std::string, size_t> index_;  // by group, subject and name
  Observation now_;
  absl::btree_map<uint32_t, std::string> names_;  // by fiber
  // Of a task or an mm: slot number and generation.
  using Identity = std::pair<uint32_t, uint32_t>;
  absl::btree_map<Identity, std::string> memory_names_;
  absl::btree_set<Identity> watched_memory_;  // once, for good
  // By object, as of now: whose, and whether readers hold it.
  struct Owner {
    std::string name;
    bool shared = false;
  };
  absl::btree_map<uint32_t, Owner> lock_owners_;
  absl::btree_map<std::string, std::vector<uint32_t>> same_name_;
};

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_OBSERVER_H_
