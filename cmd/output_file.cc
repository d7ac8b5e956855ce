// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/output_file.h"

#include <cerrno>
#include <fstream>

#include "import/read_file.h"

namespace reapsim {

absl::Status WriteFile(const std::string& path, absl::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? absl::OkStatus() : FileError(path, errno);
}

}  // namespace reapsim
