// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/errno_names.h"

namespace reapsim {
namespace {

constexpr size_t kChunk = size_t{1} << 20;

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path) {
  // All memory is taken before the first read(), as far as possible: a program
  // that reads its own /proc/self/smaps, piece by piece, must not change its
  // mappings between two pieces.
  const std::unique_ptr<char[]> chunk(new char[kChunk]);
  std::string text;
  text.reserve(kChunk);
  for (;;) {
    const ssize_t got = read(fd, chunk.get(), kChunk);
    if (got == 0) return text;
    if (got > 0) {
      text.append(chunk.get(), static_cast<size_t>(got));
    } else if (errno != EINTR) {
      return FileError(path, errno);
    }
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
