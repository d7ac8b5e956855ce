// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Matchers for results of system calls.
//
//   EXPECT_THAT(k.As(lmkd).kill(pid, SIGKILL), SyscallSucceeds());
//   EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0),
//               SyscallFailsWithErrno(EINVAL));
//
// What a failure prints:
//   Value of: k.As(lmkd).process_mrelease(fd, 0)
//   Expected: fails with EINVAL (Invalid argument)
//     Actual: -1 ESRCH (No such process), which fails with ESRCH
#ifndef REAPSIM_SYSCALL_MATCHERS_H_
#define REAPSIM_SYSCALL_MATCHERS_H_

#include <gmock/gmock.h>

#include <string>

#include "base/errno_names.h"
#include "syscall/result.h"

namespace reapsim {

MATCHER(SyscallSucceeds, negation ? "fails" : "succeeds") {
  const SysResult& result = arg;
  if (!result.ok() && !result.never()) {
    *result_listener << "which fails with " << ErrnoName(result.error());
  }
  return result.ok();
}

MATCHER_P(SyscallSucceedsWithValue, value,
          std::string(negation ? "doesn't return " : "returns ") +
              ::testing::PrintToString(value)) {
  const SysResult& result = arg;
  return result.ok() && result.kernel() == static_cast<int64_t>(value);
}

MATCHER_P(SyscallFailsWithErrno, error,
          std::string(negation ? "doesn't fail with " : "fails with ") +
              ErrnoName(error) + " (" + ErrnoText(error) + ")") {
  const SysResult& result = arg;
  if (result.never()) return false;
  *result_listener << (result.ok()
                           ? std::string("which succeeds")
                           : "which fails with " + ErrnoName(result.error()));
  return result.error() == error;
}

// The task died in the call, or the world stopped: it never returned.
MATCHER(SyscallNeverReturns,
        negation ? "returns to its caller" : "never returns") {
  const SysResult& result = arg;
  return result.never();
}

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_MATCHERS_H_
