// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Real processes, as /proc shows them, and the few things that the shim does to
// them. Only the shim's own server uses it.
#ifndef REAPSIM_SHIM_PROCESS_H_
#define REAPSIM_SHIM_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "shim/death.h"

namespace reapsim {

// A descriptor of the server's own.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.Release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd();
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int Release();

 private:
  int fd_ = -1;
};

struct RealStat {
  char state = '?';
  pid_t parent = 0;
  pid_t group = 0;
  bool kernel_thread = false;
};

// Nothing if there is no such process.
std::optional<RealStat> ReadRealStat(pid_t pid);
// The process of a thread; 0 if there is none.
pid_t ProcessOfThread(pid_t tid);
// All processes, ascending.
std::vector<pid_t> AllProcesses();
// Whether `ancestor` started it, or somebody whom `ancestor` started did. A
// subreaper is the parent of its orphans, so none gets away.
bool IsBelow(pid_t pid, pid_t ancestor);
int ThreadCount(pid_t pid);
// Whether no thread of it runs or waits for a device.
bool IsAsleep(pid_t pid);
// Whether both have one address space; false where the kernel does not tell.
bool HaveSameMemory(pid_t a, pid_t b);
// False if it is in another pid namespace than this process, as far as that can
// be seen.
bool InOurPidNamespace(pid_t pid);

// What a process has at its descriptor `fd`; for pidfds also whose it is.
struct RealDescriptor {
  Descriptor kind = Descriptor::kClosed;
  pid_t pid = 0;  // the process; 0: none, or gone
};
RealDescriptor LookAtDescriptor(pid_t process, int fd);

OwnedFd OpenPidfd(pid_t pid);
// Whether the process of a pidfd of this process's is gone: its number may be
// another's by now.
bool IsReaped(int pidfd);
// Stops it and returns when each of its threads stands.
// kFailedPrecondition: it is traced, or does not stop.
absl::Status StopProcess(pid_t pid, int pidfd);
// SIGKILL; returns when it has ended, or cannot for ten seconds.
void EndProcess(int pidfd);

}  // namespace reapsim

#endif  // REAPSIM_SHIM_PROCESS_H_
