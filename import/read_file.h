// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef REAPSIM_IMPORT_READ_FILE_H_
#define REAPSIM_IMPORT_READ_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reapsim {

// The status of a system call on `path` that failed with `error`, an errno
// value: kNotFound, kPermissionDenied or kUnavailable, "PATH: why".
absl::Status FileError(const std::string& path, int error);

// All bytes of the file at `path`, which may be one of /proc; "-" is standard
// input. Errors are those of FileError().
absl::StatusOr<std::string> ReadFile(const std::string& path);

}  // namespace reapsim

#endif  // REAPSIM_IMPORT_READ_FILE_H_
