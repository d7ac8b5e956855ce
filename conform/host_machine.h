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
// PR_SET_PDEATHSIG end them, and cgroups are removed by a process that is left
// behind for that (HostTask::BeginGuard()). No setting of the host is changed;
// the calling process reaps orphaned descendants while a machine exists
// (PR_SET_CHILD_SUBREAPER). A machine belongs to the thread that made it, which
// is its victims' tracer.
//
// Errors are sticky: the first thing that does not go as it must is noted in
// status(), and all that follows does nothing (calls return -ECANCELED). What
// the host lacks is kUnimplemented (no such call or device) or
// kPermissionDenied: rows report these as skipped. Everything else is kInternal
// ("the victim did not answer"), which rows report as a failure.
#ifndef REAPSIM_CONFORM_HOST_MACHINE_H_
#define REAPSIM_CONFORM_HOST_MACHINE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "conform/mailbox.h"

namespace reapsim {

class HostMachine;
struct HostVictim;   // one started program: its mailboxes
struct HostProcess;  // one of its processes

// A thread of one of the machine's processes.
class HostTask {
 public:
  // As the harness sees them; 0 for a task that could not be made.
  pid_t tid() const { return tid_; }
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
  // The same, writing to each page, where the task is not expected to come
  // back.
  void BeginTouch(uint64_t address, uint64_t bytes);
  // Computes for ever.
  void Spin();
  // Calls process_mrelease() `calls` times, or until it does not fail with
  // EINVAL. Only begun: see Finish().
  void BeginMrelease(int pidfd, uint64_t calls);

  // Only begun, too: waits for the harness to end without having ended the
  // machine; then writes `text` into the file ("": none) and removes the
  // directory, if it is there, as soon as it is empty.
  void BeginGuard(const std::string& file, absl::string_view text,
                  const std::string& directory);

  // A thread (CLONE_THREAD and what belongs to it), a copy of the process
  // (fork), or a process with the same memory (CLONE_VM). All processes are
  // children of the harness (CLONE_PARENT). Vfork() leaves the caller waiting
  // for the child.
  HostTask& CloneThread();
  HostTask& Fork();
  HostTask& CloneVm(uint64_t more_flags = 0);
  HostTask& Vfork();
  // CloneVm() with a stack that is shared memory.
  HostTask& CloneVmOnSharedStack();
  // Another new process by clone(2) with these flags and nothing else: on a
  // copy of the stack, or with CLONE_VM on one of its own.
  HostTask& Clone(uint64_t flags);
  // execve() of the program that it runs; its threads are gone afterwards, and
  // only the leader may be told anything.
  void Exec();
  // The same begun, by a thread that has to wait in it.
  void BeginExec();

  // Bytes that the task can use as an argument of a call: their address there.
  // Valid until the next call of Text() or Bytes() has gone round the area.
  uint64_t Text(absl::string_view text);
  uint64_t Bytes(const void* data, size_t size);
  // The harness's view of such an address.
  void* Shared(uint64_t address);
  // sigaction(2): a handler that does nothing, or SIG_IGN or SIG_DFL.
  void Handle(int sig);
  void Dispose(int sig, uint64_t disposition);
  // sigprocmask(2): the signal stays pending.
  void Block(int sig);

  HostMachine& machine() const { return *machine_; }

 private:
  friend class HostMachine;
  Mailbox& box() const;
  void Tell(uint32_t command, std::initializer_list<uint64_t> args);
  HostTask& Start(uint64_t flags, bool shared_stack = false);
  // Whether it has ended, or was never there.
  bool Ended() const;

  HostMachine* machine_ = nullptr;
  HostVictim* victim_ = nullptr;
  HostProcess* process_ = nullptr;
  uint32_t index_ = 0;
  pid_t tid_ = 0;
  bool seized_ = false;
  bool reaped_ = false;  // a thread that its tracer has waited for
};

class HostMachine {
 public:
  HostMachine();
  ~HostMachine();
  HostMachine(const HostMachine&) = delete;
  HostMachine& operator=(const HostMachine&) = delete;

  // A new process with hardly any memory, a child of the harness, waiting to
  // be told what to do. Its addresses are the same each time
  // (ADDR_NO_RANDOMIZE), and it leaves no core file.
  HostTask& Spawn();

  // ---- Signals, tracing, waiting (all by the harness itself)

  void Kill(HostTask& task, int sig);  // kill(tgid)
  void Tgkill(HostTask& task, int sig);
  // PTRACE_SEIZE of one thread, with PTRACE_O_TRACEEXIT and EXITKILL.
  void Seize(HostTask& task);
  // Waits until a seized thread stands at PTRACE_EVENT_EXIT; signals that it
  // stops for before are delivered.
  void WaitEventExit(HostTask& task);
  // Seizes every thread given, kills the first one's group and waits until all
  // of them stand at PTRACE_EVENT_EXIT: dying, with their memory.
  void KillAndHold(const std::vector<HostTask*>& threads, int sig);
  // Waits for another stop of a seized thread: its signal, or its event << 8
  // with the signal below.
  int WaitStop(HostTask& task);
  // Lets a stopped thread run, with a signal or without.
  void Cont(HostTask& task, int sig = 0);
  // Result register of a thread that stands at PTRACE_EVENT_EXIT, and the
  // number of the call that it died in (-1: none).
  int64_t ResultRegister(HostTask& task);
  long CallNumber(HostTask& task);
  // Waits until /proc says so: one of these letters of its state.
  void WaitState(HostTask& task, absl::string_view letters);
  // Waits until the task sleeps in that system call, in one of these states.
  void WaitInCall(HostTask& task, long number,
                  absl::string_view letters = "SD");
  // That letter now; '\0' if there is no such task any more.
  char State(const HostTask& task) const;
  // waitpid() until it is a zombie but not reaped; until it is reaped. Seized
  // threads of the process that end meanwhile are reaped by the way.
  void WaitZombie(HostTask& task);
  void Reap(HostTask& task);
  // Waits until `done` says so; kInternal if it does not, after a while.
  void WaitUntilTrue(const std::function<bool()>& done, absl::string_view what);

  // ---- The call

  // Descriptors of the harness, closed with the machine.
  int PidfdOpen(HostTask& task, unsigned flags = 0);
  // Of kthreadd, which no call does anything to; kUnimplemented where this pid
  // namespace does not show it.
  int PidfdOpenKernelThread();
  // process_mrelease(2) by the harness itself: a value or -errno.
  int64_t Mrelease(int pidfd, unsigned flags = 0);
  // A descriptor of the harness, in a task's own table: its number there.
  int SendFd(HostTask& to, int fd);
  // A call by the harness itself that has to succeed, like HostTask::Must().
  int64_t Must(int64_t result_or_minus_errno, absl::string_view what);
  // Has the descriptor closed with the machine.
  int Own(int fd);

  // ---- Trouble

  const absl::Status& status() const { return status_; }
  void Fail(absl::Status status);  // keeps the first
  bool ok() const { return status_.ok(); }
  // Undoes what keeps victims from ending, or lets them leave traces; called
  // by the destructor before it ends them, the last one first.
  void BeforeEnd(std::function<void()> undo);
  // Called when all are gone.
  void AfterEnd(std::function<void()> undo);
  // Ends everything now; kInternal if something would not end. No task may be
  // used any more.
  absl::Status End();

 private:
  friend class HostTask;
  HostTask& AddTask(HostVictim& victim, HostProcess* process);
  // Takes up a new process that has said hello.
  void Welcome(HostTask& task);
  // Waits for one of its changes of state, a stop or its end; false if there
  // is none for now.
  bool PollWait(HostTask& task, int* status);
  void ReapThreads(const HostProcess& process);
  // Helps those along that have been killed.
  bool AllGone();

  absl::Status status_;
  std::deque<std::unique_ptr<HostVictim>> victims_;
  std::deque<std::unique_ptr<HostProcess>> processes_;
  std::deque<std::unique_ptr<HostTask>> tasks_;
  std::vector<int> fds_;
  std::vector<std::function<void()>> before_end_;
  std::vector<std::function<void()>> after_end_;
  int was_subreaper_ = 0;
};

// Whether the host lacks something, rather than that something went wrong: a
// row is skipped then.
bool IsLack(const absl::Status& status);

// A value or -errno, as the kernel says it, of what libc says: -1 and errno.
int64_t KernelResult(int64_t libc_result);
// Whether that is an errno.
bool IsError(int64_t kernel_result);

// Looks until it is so; false if that does not come, after a while.
bool WaitPatiently(const std::function<bool()>& done);

// The host can't run any row, or OK: no x86-64, no process_mrelease(2)
// (kUnimplemented), no right to trace (kPermissionDenied).
absl::Status HostCanConform();
// "6.18.44-…", as uname -r says.
std::string HostRelease();

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_HOST_MACHINE_H_
