// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// SysResult: what a system call returned.
#ifndef REAPSIM_SYSCALL_RESULT_H_
#define REAPSIM_SYSCALL_RESULT_H_

#include <cstdint>
#include <ostream>

namespace reapsim {

// Holds the kernel's own value: a result, or a negative errno. Converts to
// what libc would return: -1 with the host's errno set.
class SysResult {
 public:
  static constexpr int64_t kMaxErrno = 4095;

  constexpr explicit SysResult(int64_t kernel) : kernel_(kernel) {}
  // The task died in the call, or the world stopped: no user ever saw a value.
  static constexpr SysResult Never() { return SysResult(kNever); }

  // The value as the kernel returns it: -EINVAL, not -1.
  constexpr int64_t kernel() const { return kernel_; }
  constexpr bool never() const { return kernel_ == kNever; }
  constexpr bool ok() const { return !never() && error() == 0; }
  // The errno; 0 if the call succeeded.
  constexpr int error() const {
    return kernel_ < 0 && kernel_ >= -kMaxErrno ? static_cast<int>(-kernel_)
                                                : 0;
  }
  // As libc returns it: -1 and errno, or the value.
  operator int64_t() const;  // NOLINT: reads like a system call on purpose

 private:
  static constexpr int64_t kNever = INT64_MIN;
  int64_t kernel_;
};

// "-1 EINVAL (Invalid argument)", "3", or "no return (the task died)".
std::ostream& operator<<(std::ostream& os, const SysResult& result);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_RESULT_H_
