// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a toy program can do, found the plain way: an interpreter on explicit
// states, without fibers, arena or engine, that tries everything. The search
// is checked against it.
//
// Two ways that share only the interpreter of one step:
//   AllSchedules()  every schedule from its start to its end, nothing merged
//   Reference       every state once, then questions about their graph
#ifndef REAPSIM_EXPLORE_REFERENCE_H_
#define REAPSIM_EXPLORE_REFERENCE_H_

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "explore/toy_program.h"
#include "sched/verdict.h"

namespace reapsim {

// How a run can go wrong.
struct Trouble {
  VerdictKind kind;
  // The text of the check that failed; of a deadlock or livelock, the numbers
  // of the tasks that are stuck or that run in circles: "0 2".
  std::string what;

  auto operator<=>(const Trouble&) const = default;
};

std::string ToString(const Trouble& trouble);

// A switch away from a task that could have gone on is a preemption.
struct ReferenceResult {
  // False if there was more than the limit; then the rest is of no use.
  bool finished = true;
  uint64_t executions = 0;  // AllSchedules() only
  uint64_t states = 0;      // Reference only
  uint64_t transitions = 0;
  // End (or trouble) -> the fewest preemptions of a schedule that leads there.
  // A livelock has no such number: 0.
  std::map<std::string, int> ends;
  std::map<Trouble, int> troubles;
  // The fewest preemptions that lead to a livelock whose circle needs none;
  // nothing if there is none. Reference only.
  std::optional<int> plain_livelock;
};

// Knows no livelock, and never returns from a program that loops for ever.
ReferenceResult AllSchedules(const ToyProgram& program,
                             uint64_t max_executions);

// Data races by their definition: of every schedule the whole list of what was
// done, and the question whether a chain of pairs, each of which orders what
// comes before it and after, leads from one access to the other. No clocks.
struct RaceResult {
  bool finished = true;
  uint64_t executions = 0;
  // Text, as a search tells it -> executions that end with it. Each ends with
  // the first.
  std::map<std::string, uint64_t> races;
};
RaceResult RacesByDefinition(const ToyProgram& program,
                             uint64_t max_executions);

class Reference {
 public:
  Reference(const ToyProgram& program, uint64_t max_states);
  ~Reference();

  const ReferenceResult& result() const { return result_; }
  // Whether some schedule ends without trouble.
  bool CanEndWell() const { return !result_.ends.empty(); }

  // One schedule, followed by the same interpreter.
  struct Run {
    std::string impossible;  // why the schedule can't be followed, or empty
    std::optional<Trouble> trouble;
    std::optional<std::string> end;
    int preemptions = 0;
    // The first step (from 0) after which no continuation has a good end;
    // nothing if even its last state has one.
    std::optional<size_t> doomed_by;
    // Whether it ends in a state in which it has been before.
    bool closes_a_cycle = false;
  };
  Run Follow(const std::vector<int>& schedule) const;

 private:
  struct Graph;

  const ToyProgram& program_;
  ReferenceResult result_;
  std::unique_ptr<Graph> graph_;
};

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_REFERENCE_H_
