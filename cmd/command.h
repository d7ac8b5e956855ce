// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a command of the command line gets and gives. Nothing is written before
// a command is done: its output is whole, or there is none.
#ifndef REAPSIM_CMD_COMMAND_H_
#define REAPSIM_CMD_COMMAND_H_

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace reapsim {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFinding = 1;
inline constexpr int kExitUsage = 2;  // bad usage, bad input, cannot write

struct CommandResult {
  int exit_code = kExitOk;
  std::string out;
  std::string err;

  static CommandResult Ok(std::string out) { return {kExitOk, std::move(out)}; }
  // One line on standard error.
  static CommandResult Fails(absl::string_view message) {
    return {kExitUsage, "", absl::StrCat("reapsim: ", message, "\n")};
  }
};

// The world outside; tests have another.
struct Environment {
  std::string proc = "/proc";
  // Shows how far a long command has come, "" at its end; null where nobody
  // looks.
  std::function<void(absl::string_view)> progress = nullptr;
};

}  // namespace reapsim

#endif  // REAPSIM_CMD_COMMAND_H_
