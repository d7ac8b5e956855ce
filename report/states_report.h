// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What `reapsim states` tells: each state of a target, and what the call
// answers and does there.
#ifndef REAPSIM_REPORT_STATES_REPORT_H_
#define REAPSIM_REPORT_STATES_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace reapsim {

struct StateLine {
  std::string state;  // id
  int row = 0;        // in the semantics paper's table
  std::string title;
  // None: the state can't exist under this version, or the call does not come
  // back.
  std::optional<int64_t> ret;
  std::string errno_name;  // empty: no error
  std::string effect;
  std::string decided_by;  // empty: nothing did
  std::string evidence;    // "recorded"
  std::string rests_on;    // on what exactly
};

struct StatesReport {
  std::string kernel_note;
  std::vector<StateLine> lines;
  // What a variation of the kernel, or flags, changes: of each line what it is
  // without; none: nothing is compared. `variation` says what, for people.
  std::vector<StateLine> without;
  std::string variation;
  int rows = 0;  // of the whole table

  bool compares() const { return !variation.empty(); }
};

std::string StatesText(const StatesReport& report);
// A JSON array of objects: state, row, title, return, errno, effect,
// decided_by, evidence, rests_on; and without, an object with return, errno,
// effect and decided_by, if it compares.
std::string StatesJson(const StatesReport& report);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_STATES_REPORT_H_
