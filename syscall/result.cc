// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/result.h"

#include <cerrno>

#include "base/errno_names.h"

namespace reapsim {

SysResult::operator int64_t() const {
  if (ok()) return kernel_;
  if (!never()) errno = error();
  return -1;
}

std::ostream& operator<<(std::ostream& os, const SysResult& result) {
  if (result.never()) return os << "no return (the task died in the call)";
  if (result.ok()) return os << result.kernel();
  return os << "-1 " << ErrnoName(result.error()) << " ("
            << ErrnoText(result.error()) << ")";
}

}  // namespace reapsim
