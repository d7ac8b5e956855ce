// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/shim.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cmd/arguments.h"
#include "report/text.h"
#include "shim/death.h"
#include "shim/process.h"
#include "shim/server.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {
    {"kernel", "VERSION"}, {"schedule", "NAME"}, {"with", "SWITCH,..."},
    {"verbose", ""},       {"trace", "FILE"},
};

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

// Beside this program, where Bazel puts it.
absl::StatusOr<std::string> FindLibrary() {
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof(self));
  if (length < 0) return absl::FailedPreconditionError("there is no /proc");
  std::string path(self, static_cast<size_t>(length));
  for (int i = 0; i < 2; ++i) path.resize(path.rfind('/'));
  absl::StrAppend(&path, "/shim/libreapsim_shim.so");
  if (access(path.c_str(), R_OK) == 0) return path;
  return absl::NotFoundError(absl::StrCat(
      "there is no ", path, "; build //shim:library beside this program"));
}

// One write a line: others write there, too.
void WriteLine(int fd, absl::string_view line) {
  const std::string text =
      absl::StrCat("reapsim: shim: ", Printable(line), "\n");
  (void)!write(fd, text.data(), text.size());
}

absl::StatusOr<ShimEnd> Shim(absl::Span<const std::string> args) {
  const auto dashes = std::find(args.begin(), args.end(), "--");
  const std::vector<std::string> ours(args.begin(), dashes);
  const absl::StatusOr<Arguments> parsed = Arguments::Parse(ours, kFlags);
  if (!parsed.ok()) return parsed.status();
  if (dashes == args.end() || dashes + 1 == args.end()) {
    return Bad("what to run? expected -- PROGRAM and its arguments");
  }
  const absl::StatusOr<ShimModel> model =
      ParseShimModel(parsed->Value("kernel").value_or(""),
                     parsed->Value("schedule").value_or(""),
                     parsed->Value("with").value_or(""));
  if (!model.ok()) return model.status();
  absl::StatusOr<std::string> library = FindLibrary();
  if (!library.ok()) return library.status();
  ShimOptions options{.model = *model, .preload = *std::move(library)};
  options.complain = [](absl::string_view line) {
    WriteLine(STDERR_FILENO, line);
  };
  OwnedFd trace;
  if (parsed->Has("trace")) {
    const std::string file = *parsed->Value("trace");
    trace = OwnedFd(
        open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!trace.ok()) {
      return Bad(absl::StrCat("cannot write ", Printable(file), ": ",
                              std::strerror(errno)));
    }
  }
  const bool verbose = parsed->Has("verbose");
  // What is complained of is on standard error already.
  if (verbose) options.complain = nullptr;
  options.trace = [&trace, verbose](absl::string_view line) {
    if (trace.ok()) WriteLine(trace.get(), line);
    if (verbose) WriteLine(STDERR_FILENO, line);
  };
  return RunUnderShim(options,
                      std::vector<std::string>(dashes + 1, args.end()));
}

}  // namespace

CommandResult RunShim(absl::Span<const std::string> args,
                      const Environment& /*environment*/) {
  const absl::StatusOr<ShimEnd> end = Shim(args);
  if (!end.ok()) return CommandResult::Fails(end.status().message());
  return {end->exit_code, "", ""};
}

}  // namespace reapsim
