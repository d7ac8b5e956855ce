// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Plays every row of `reapsim conform` on the kernel that it runs on, and
// writes down what that did: conform/recording.h is the format.
//
//   probe            on standard output; run as root
//
// As the first process of an initramfs it prepares the machine, sends the
// recording through the second serial line, and turns the machine off.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "conform/conform.h"
#include "conform/host_machine.h"
#include "conform/recording.h"
#include "tests/oracle/guest.h"

namespace reapsim {
namespace {

// An error is one of the probe's: what the kernel lacks is a row as well.
absl::StatusOr<std::string> Record() {
  if (geteuid() != 0) {
    return absl::PermissionDeniedError("most rows need root");
  }
  Recording recording{.kernel = HostRelease(), .rows = {}};
  for (const ConformRow& row : ConformRows()) {
    HostOutcome outcome = PlayOnHost(row);
    if (!outcome.status.ok() && !IsLack(outcome.status)) {
      return absl::Status(outcome.status.code(),
                          absl::StrCat(row.id, ": ", outcome.status.message()));
    }
    recording.rows.push_back({row.id, std::move(outcome)});
  }
  return RecordingText(recording);
}

int RunInGuest() {
  const absl::StatusOr<std::string> text = Record();
  if (!text.ok()) {
    std::printf("probe: %s\n", text.status().ToString().c_str());
    return EXIT_FAILURE;
  }
  if (SendToHost(*text)) return EXIT_SUCCESS;
  std::printf("probe: the recording could not be sent\n");
  return EXIT_FAILURE;
}

// The rows leave orphans behind, which init has to wait for; so another process
// plays them.
[[noreturn]] void BeInit() {
  PrepareGuest();
  const pid_t player = fork();
  if (player == 0) {
    (void)setsid();
    std::exit(RunInGuest());
  }
  int status = 0;
  while (waitpid(-1, &status, 0) != player) {
  }
  std::printf("probe: %s\n", WIFEXITED(status) && WEXITSTATUS(status) == 0
                                 ? "done"
                                 : "failed");
  PowerOff();
}

int RunHere() {
  const absl::StatusOr<std::string> text = Record();
  if (!text.ok()) {
    std::fprintf(stderr, "probe: %s\n", text.status().ToString().c_str());
    return EXIT_FAILURE;
  }
  return std::fwrite(text->data(), 1, text->size(), stdout) == text->size()
             ? EXIT_SUCCESS
             : EXIT_FAILURE;
}

}  // namespace
}  // namespace reapsim

int main() {
  if (reapsim::IsFirstProcess()) reapsim::BeInit();
  return reapsim::RunHere();
}
