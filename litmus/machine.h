// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A scenario's machine: a Kernel brought into the initial state, whose tasks
// have been given their programs and have not moved yet; and what the terms of
// the condition come to on it.
#ifndef REAPSIM_LITMUS_MACHINE_H_
#define REAPSIM_LITMUS_MACHINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "litmus/checker.h"
#include "litmus/code.h"
#include "litmus/terms.h"
#include "syscall/kernel.h"

namespace reapsim {

class ScenarioMachine {
 public:
  // Errors are kInvalidArgument: the initial state can't be reached under this
  // version, because a call in it fails. The scenario must outlive the machine.
  static absl::StatusOr<std::unique_ptr<ScenarioMachine>> Build(
      const Scenario& scenario, const KernelOptions& options);

  Kernel& kernel() { return *kernel_; }
  const Scenario& scenario() const { return scenario_; }

  // What the scenario's terms come to now, in their order.
  std::vector<Value> Values() const;
  // In one line: "0:r0=-ESRCH; rss(victim)=0;".
  std::string Outcome() const;

  // What the file calls the task of a fiber: "P0 lmkd", "victim"; empty: it
  // does not name it.
  std::string NameOf(uint32_t fiber) const;
  // The task's name and pid in the machine; "<...>" and 0 for one that is gone
  // and that the file does not name.
  std::string CommOf(uint32_t fiber) const;
  pid_t PidOf(uint32_t fiber) const;
  // Whose memory that is, as the file calls it: the process that had it first;
  // empty: nobody's whom the file names.
  std::string OwnerOf(const mm_struct* mm) const;
  // Whether the condition asks if this fiber waits for ever: then that is no
  // deadlock.
  bool MayWait(uint32_t fiber) const;

  // L4: of each process that has been killed, and whose anonymous memory no
  // process_mrelease() could release now, although nobody lives who has it: a
  // sentence.
  void UnreleasedMemory(std::vector<std::string>* goals) const;
  // L6: two OOM victims have memory, neither having given all of its back when
  // the other one was chosen.
  bool TwoVictimsHaveMemory() const;

 private:
  explicit ScenarioMachine(const Scenario& scenario) : scenario_(scenario) {}
  absl::Status Error(Place place, absl::string_view what,
                     absl::string_view advice) const;
  absl::Status Boot(const KernelOptions& options);
  absl::Status Do(const Declaration& declaration);
  absl::Status MakeTask(const Declaration& declaration);
  absl::Status MakeProcess(const std::string& name,
                           const Declaration& declaration);
  absl::Status MakeArea(const Declaration& declaration);
  absl::StatusOr<int> OpenForArea(const Declaration& declaration);
  absl::Status Perform(const Declaration& declaration);
  absl::Status BeginPrograms();
  absl::Status Must(const SysResult& result, Place place,
                    absl::string_view what) const;
  absl::Status CheckRunning(Place place);
  // Gives the task the code, and the cells for its registers.
  int64_t* Begin(Task& task, Code code, int registers);
  void NameTask(const std::string& name, Task& task);
  // Deferred work of the kernel's own is done before anybody moves.
  void Settle();
  Value ValueOf(const Term& term) const;
  Value ValueOfMemory(const Term& term) const;
  bool Waits(const std::string& task) const;

  // An mm and its generation: which one it is for good.
  struct MmName {
    const mm_struct* mm = nullptr;
    uint32_t generation = 0;
  };
  const mm_struct* LiveMm(const std::string& process) const;

  const Scenario& scenario_;
  std::unique_ptr<Kernel> kernel_;
  absl::btree_map<std::string, Task*> tasks_;
  absl::btree_map<std::string, int64_t> values_;
  absl::btree_map<std::string, int> area_fds_;
  absl::btree_map<std::string, MmName> memory_;
  absl::btree_map<uint32_t, std::string> names_;  // by fiber
  absl::btree_map<uint32_t, pid_t> pids_;
  std::vector<std::unique_ptr<Code>> codes_;
  Extent* cells_ = nullptr;  // of the programs' registers
  absl::btree_map<std::string, int64_t*> registers_;  // by task
};

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_MACHINE_H_
