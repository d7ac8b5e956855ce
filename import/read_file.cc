// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/errno_names.h"

namespace reapsim {
namespace {

// The kernel writes whole lines of smaps into the buffer of one read(): a large
// one means that fewer of them see different moments.
constexpr size_t kChunk = size_t{1} << 20;

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path) {
  std::string text;
  for (;;) {
    const size_t used = text.size();
    text.resize(used + kChunk);
    const ssize_t got = read(fd, text.data() + used, kChunk);
    if (got < 0 && errno != EINTR) return FileError(path, errno);
    text.resize(used + (got < 0 ? 0 : static_cast<size_t>(got)));
    if (got == 0) return text;
  }
}

}  // namespace

absl::Status FileError(const std::string& path, int error) {
  const std::string text =
      absl::StrCat(path, ": ", ErrnoText(error), " (", ErrnoName(error), ")");
  switch (error) {
    case ENOENT:
    case ESRCH:
    case ENOTDIR:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  if (path == "-") return ReadAll(STDIN_FILENO, "standard input");
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError(path, errno);
  const absl::Cleanup closer = [fd] { close(fd); };
  return ReadAll(fd, path);
}

}  // namespace reapsim
