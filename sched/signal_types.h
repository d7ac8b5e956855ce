// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Signal numbers, sets and dispositions, as far as death needs them.
// Source: include/linux/signal_types.h, include/linux/signal.h.
#ifndef REAPSIM_SCHED_SIGNAL_TYPES_H_
#define REAPSIM_SCHED_SIGNAL_TYPES_H_

#include <signal.h>

#include <cstdint>

namespace reapsim {

inline constexpr int kSignals = 64;

// Signal n is bit n-1.
using sigset64 = uint64_t;

constexpr sigset64 SigBit(int sig) { return uint64_t{1} << (sig - 1); }
constexpr bool SigSetHas(sigset64 set, int sig) {
  return (set & SigBit(sig)) != 0;
}

// What a process does with a signal.
enum class SigDisposition : uint8_t { kDefault, kIgnore, kHandler };

// Signals whose default is to end the process with a core dump.
inline constexpr sigset64 kSigCoredump =
    SigBit(SIGQUIT) | SigBit(SIGILL) | SigBit(SIGTRAP) | SigBit(SIGABRT) |
    SigBit(SIGBUS) | SigBit(SIGFPE) | SigBit(SIGSEGV) | SigBit(SIGXCPU) |
    SigBit(SIGXFSZ) | SigBit(SIGSYS);
// Signals whose default is to do nothing.
inline constexpr sigset64 kSigIgnoredByDefault =
    SigBit(SIGCONT) | SigBit(SIGCHLD) | SigBit(SIGWINCH) | SigBit(SIGURG);
// Signals whose default is to stop the process.
inline constexpr sigset64 kSigStop =
    SigBit(SIGSTOP) | SigBit(SIGTSTP) | SigBit(SIGTTIN) | SigBit(SIGTTOU);

constexpr bool sig_kernel_coredump(int sig) {
  return SigSetHas(kSigCoredump, sig);
}
constexpr bool sig_kernel_ignore(int sig) {
  return SigSetHas(kSigIgnoredByDefault, sig);
}
constexpr bool sig_kernel_stop(int sig) { return SigSetHas(kSigStop, sig); }
constexpr bool sig_kernel_only(int sig) {
  return sig == SIGKILL || sig == SIGSTOP;
}

}  // namespace reapsim

#endif  // REAPSIM_SCHED_SIGNAL_TYPES_H_
