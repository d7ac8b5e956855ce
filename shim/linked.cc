// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The shim as a part of a program: depend on //shim:linked, and the program,
// however it is started, goes on in a child process, while this one answers for
// the model. --wrap=main brings it here first.
//
// REAPSIM_SHIM_KERNEL, _SCHEDULE, _WITH and _VERBOSE (1) in the environment are
// the flags of reapsim shim. Under reapsim shim itself this file does nothing.

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "shim/death.h"
#include "shim/protocol.h"
#include "shim/server.h"

namespace reapsim {
namespace {

constexpr int kExitUsage = 2;

absl::string_view Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void Say(absl::string_view line) {
  const std::string text = absl::StrCat("reapsim: shim: ", line, "\n");
  (void)!write(STDERR_FILENO, text.data(), text.size());
}

// Returns in the program only.
absl::Status Split() {
  const absl::StatusOr<ShimModel> model = ParseShimModel(
      Variable("REAPSIM_SHIM_KERNEL"), Variable("REAPSIM_SHIM_SCHEDULE"),
      Variable("REAPSIM_SHIM_WITH"));
  if (!model.ok()) return model.status();
  ShimOptions options{.model = *model};
  if (Variable("REAPSIM_SHIM_VERBOSE") == "1") {
    options.trace = Say;
  } else {
    options.complain = Say;
  }
  const absl::StatusOr<std::optional<ShimEnd>> end = ForkUnderShim(options);
  if (!end.ok()) return end.status();
  if (end->has_value()) _exit((*end)->exit_code);
  reapsim_shim_begin();
  return absl::OkStatus();
}

}  // namespace
}  // namespace reapsim

extern "C" int __real_main(int argc, char** argv, char** environment);

extern "C" int __wrap_main(int argc, char** argv, char** environment) {
  if (std::getenv(REAPSIM_SHIM_SOCKET) == nullptr) {
    const absl::Status status = reapsim::Split();
    if (!status.ok()) {
      reapsim::Say(status.message());
      return reapsim::kExitUsage;
    }
  }
  return __real_main(argc, argv, environment);
}
