// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the names of a .reap file mean, and whether everything fits: each name
// known before it is used, descriptors used by the process that has them,
// addresses where they mean something, options and terms that exist.
#ifndef REAPSIM_LITMUS_CHECKER_H_
#define REAPSIM_LITMUS_CHECKER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "litmus/ast.h"
#include "litmus/calls.h"

namespace reapsim {

// A name of the initial state, or a register.
struct Symbol {
  ValueType type = ValueType::kNumber;
  // Of a task: the process whose descriptors it uses, and the one whose memory
  // it uses. Of a descriptor or an address: the process for which it means
  // something. Empty: not known.
  std::string files;
  std::string memory;
  int64_t pages = 0;      // of an area; 0: it is none
  bool borrower = false;  // a kernel thread
  bool busy = false;      // a task that has begun something already
};

// A file of which everything is known.
struct Scenario {
  ReapFile file;
  absl::btree_map<std::string, Symbol> symbols;
  // Of each program, in the order of the file.
  std::vector<std::vector<std::string>> registers;
  // What an end state is described by: the locations, then what the condition
  // asks for, each once.
  std::vector<Term> terms;
};

// The most registers of a program.
inline constexpr int kMaxRegisters = 32;
// Of a machine about which the file says nothing.
inline constexpr int kDefaultCpus = 2;

// Errors are kInvalidArgument, as ParseReapFile()'s.
absl::StatusOr<Scenario> CheckReapFile(ReapFile file);

// Both: from the text to the scenario.
absl::StatusOr<Scenario> ReadScenario(absl::string_view text,
                                      absl::string_view file_name);

// Whether the condition speaks of verdicts.
bool AsksForVerdict(const Prop& prop);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_CHECKER_H_
