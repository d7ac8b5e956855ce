// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The reapsim program: see cmd/run.cc for what it can do.

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cmd/command.h"
#include "cmd/run.h"

namespace {

// Writes it all. False, and errno, if that is not possible.
bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// `bazel run` starts programs elsewhere; relative paths mean what they mean to
// the user.
void GoWhereTheUserIs() {
  const char* directory = std::getenv("BUILD_WORKING_DIRECTORY");
  if (directory != nullptr && chdir(directory) != 0) {
    std::fprintf(stderr, "reapsim: cannot go to %s: %s\n", directory,
                 std::strerror(errno));
    std::exit(reapsim::kExitUsage);
  }
}

// One line on a terminal, over the last.
void ShowProgress(absl::string_view line) {
  (void)WriteAll(
      STDERR_FILENO,
      absl::StrCat("\r\033[K", line.empty() ? "" : "reapsim: ", line));
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that has gone away is an error to report, like a full disk.
  signal(SIGPIPE, SIG_IGN);
  GoWhereTheUserIs();
  const std::vector<std::string> args(argv + 1, argv + argc);
  reapsim::Environment environment;
  if (isatty(STDERR_FILENO) != 0) environment.progress = ShowProgress;
  const reapsim::CommandResult result = reapsim::RunCommand(args, environment);
  (void)WriteAll(STDERR_FILENO, result.err);
  if (!WriteAll(STDOUT_FILENO, result.out)) {
    std::fprintf(stderr, "reapsim: cannot write to standard output: %s\n",
                 std::strerror(errno));
    return reapsim::kExitUsage;
  }
  return result.exit_code;
}
