// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Real processes on the host, which do what they are told, one system call
// after the other; the counterpart of Kernel and User (syscall/).
//
//   HostMachine m;
//   HostTask& victim = m.Spawn();
//   uint64_t heap = victim.Must(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, …);
//   victim.Touch(heap, 4096, 4096, true);
//   m.Seize(victim);
//   m.Kill(victim, SIGKILL);
//   m.WaitEventExit(victim);  // dying, its memory still there
//
// It touches only processes that it started, and ends them all when it is
// destroyed. Should the harness itself be killed, PTRACE_O_EXITKILL and
// PR_SET_PDEATHSIG end them. No setting of the host is changed.
//
// Errors are sticky: the first thing that does not go as it must is noted in
// status(), and all that follows does nothing (calls return -ECANCELED). What
// the host lacks is kUnimplemented (no such call or device) or
// kPermissionDenied: rows report these as skipped. Everything else is kInternal
// ("the victim did not answer"), which rows report as a failure.
#ifndef REAPSIM_CONFORM_HOST_MACHINE_H_
#define REAPSIM_CONFORM_HOST_MACHINE_H_

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace reapsim {

class HostMachine;
class HostVictim;  // one started program: its mailboxes, its processes

// A thread of one of the machine's processes.
class HostTask {
 public:
  pid_t tid() const;
  pid_t tgid() const;

  // Makes a system call; the kernel's result: a value or -errno. The machine's
  // status becomes kInternal if the task does not answer.
  int64_t Syscall(long number, uint64_t a0 = 0, uint64_t a1 = 0,
                  uint64_t a2 = 0, uint64_t a3 = 0, uint64_t a4 = 0,
                  uint64_t a5 = 0);
  // The same for a call that has to succeed for the state to be reached; -1
  // after an error. EPERM and EACCES become kPermissionDenied, ENOSYS (and
  // EINVAL of a call that some kernels don't know that way) kUnimplemented.
  int64_t Must(long number, uint64_t a0 = 0, uint64_t a1 = 0, uint64_t a2 = 0,
               uint64_t a3 = 0, uint64_t a4 = 0, uint64_t a5 = 0);
  // Starts a call that blocks, or is to be stopped half-way.
  void Begin(long number, uint64_t a0 = 0, uint64_t a1 = 0, uint64_t a2 = 0,
             uint64_t a3 = 0, uint64_t a4 = 0, uint64_t a5 = 0);
  // Whether what was begun is done; waits for it: its result.
  bool Done() const;
  int64_t Finish();

  // Loads or stores one word in each `stride` bytes of the range, in user
  // mode. A fault that can't be resolved ends the task.
  void Touch(uint64_t address, uint64_t bytes, uint64_t stride, bool write,
             uint64_t value = 1);
  void Spin();

  // A thread (CLONE_THREAD and what belongs to it), a copy of the process
  // (fork), or a process with the same memory (CLONE_VM, a child of the
  // harness: CLONE_PARENT). Vfork() leaves the caller waiting for the child.
  HostTask& CloneThread();
  HostTask& Fork();
  HostTask& CloneVm(uint64_t more_flags = 0);
  HostTask& Vfork();
  // Another new process by clone(2) with these flags, on a copy of the stack.
  HostTask& Clone(uint64_t flags);

  // Bytes that the task can use as an argument of a call: their address there.
  // Valid until the next call of Text() or Bytes() has gone round the area.
  uint64_t Text(absl::string_view text);
  uint64_t Bytes(const void* data, size_t size);
  // The harness's view of such an address.
  void* Shared(uint64_t address);

  HostMachine& machine() const;
};

class HostMachine {
 public:
  HostMachine();
  ~HostMachine();

  // A new process with hardly any memory, a child of the harness, waiting to
  // be told what to do.
  HostTask& Spawn();

  // ---- Signals, tracing, waiting (all by the harness itself)

  void Kill(HostTask& task, int sig);  // kill(tgid)
  void Tgkill(HostTask& task, int sig);
  // PTRACE_SEIZE of one thread, with PTRACE_O_TRACEEXIT and EXITKILL.
  void Seize(HostTask& task);
  // Waits until a seized thread stands at PTRACE_EVENT_EXIT.
  void WaitEventExit(HostTask& task);
  // Waits for another stop of a seized thread: its signal or event.
  int WaitStop(HostTask& task);
  void Cont(HostTask& task, int sig = 0);
  // Result register of a thread that stands at PTRACE_EVENT_EXIT, and the
  // number of the call that it died in.
  int64_t ResultRegister(HostTask& task);
  long CallNumber(HostTask& task);
  // Waits until /proc says so: one of these letters of its state.
  void WaitState(HostTask& task, absl::string_view letters);
  // waitpid() until it is a zombie but not reaped; until it is reaped.
  void WaitZombie(HostTask& task);
  void Reap(HostTask& task);

  // ---- The call

  // Descriptors of the harness.
  int PidfdOpen(HostTask& task, unsigned flags = 0);
  // process_mrelease(2) by the harness itself: a value or -errno.
  int64_t Mrelease(int pidfd, unsigned flags = 0);
  // A descriptor of the harness, in a task's own table: its number there.
  int SendFd(HostTask& to, int fd);

  // ---- Trouble

  const absl::Status& status() const;
  void Fail(absl::Status status);  // keeps the first
  bool ok() const { return status().ok(); }
};

// The host can't run any row, or OK: no x86-64, no process_mrelease(2)
// (kUnimplemented), no right to trace (kPermissionDenied).
absl::Status HostCanConform();
// "6.18.44-…", as uname -r says.
std::string HostRelease();

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_HOST_MACHINE_H_
