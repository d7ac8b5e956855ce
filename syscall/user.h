// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// User: the system calls that a task can make, and what it can do to its own
// memory.
//
// From a test, `k.As(task).kill(pid, SIGKILL)` makes the task do it and waits
// for the result (see Kernel). Inside a program given to Kernel::Begin() the
// same calls run at once, and a task that a signal ends in one of them never
// comes back from it.
//
// Each call returns what the kernel returns (SysResult: a value or -errno),
// which converts to what libc returns (-1 and errno). Errors are those of the
// manual page of each call, as far as the model has their causes; the
// docstrings name what is particular.
#ifndef REAPSIM_SYSCALL_USER_H_
#define REAPSIM_SYSCALL_USER_H_

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cstdint>

#include "base/units.h"
#include "mm/mmap.h"
#include "sched/signal_types.h"
#include "syscall/result.h"

namespace reapsim {

class Kernel;
struct task_struct;

// How a driver maps its device's memory.
enum class DeviceMemory : uint8_t {
  kPfnmap,        // remap_pfn_range(): VM_PFNMAP, frames without a struct page
  kMixedmapPfn,   // vmf_insert_mixed(): VM_MIXEDMAP, frames without one
  kMixedmapPage,  // vm_insert_page(): VM_MIXEDMAP, pages, which count as a
                  // file's
};

// What to map: Anonymous(), File(fd) …, refined by member calls.
//   Anonymous().Shared()   File(fd, 4).Private().ReadOnly()
struct Mapping {
  uint64_t prot = PROT_READ | PROT_WRITE;
  uint64_t flags = MAP_PRIVATE;
  int fd = -1;
  Pages offset{0};
  uint64_t extra_vm_flags = 0;

  constexpr Mapping Shared() const {
    Mapping m = *this;
    m.flags = (m.flags & ~uint64_t{MAP_PRIVATE}) | MAP_SHARED;
    return m;
  }
  constexpr Mapping Private() const {
    Mapping m = *this;
    m.flags = (m.flags & ~uint64_t{MAP_SHARED}) | MAP_PRIVATE;
    return m;
  }
  constexpr Mapping Prot(uint64_t p) const {
    Mapping m = *this;
    m.prot = p;
    return m;
  }
  constexpr Mapping ReadOnly() const { return Prot(PROT_READ); }
  constexpr Mapping With(uint64_t more_flags) const {
    Mapping m = *this;
    m.flags |= more_flags;
    return m;
  }
  constexpr Mapping Locked() const { return With(MAP_LOCKED); }
  // What a driver would set on its mapping: VM_PFNMAP, VM_HUGETLB …
  constexpr Mapping DriverFlags(uint64_t vm_flags) const {
    Mapping m = *this;
    m.extra_vm_flags = vm_flags;
    return m;
  }
};
constexpr Mapping Anonymous() {
  Mapping m;
  m.flags |= MAP_ANONYMOUS;
  return m;
}
// MAP_DROPPABLE, v6.11.
constexpr Mapping Droppable() {
  Mapping m;
  m.flags = kMapDroppable | MAP_ANONYMOUS;
  return m;
}
constexpr Mapping File(int fd, Pages offset = Pages(0)) {
  Mapping m;
  m.fd = fd;
  m.offset = offset;
  return m;
}

class User {
 public:
  User(Kernel* kernel, task_struct* task) : kernel_(kernel), task_(task) {}

  // ---- The call that all this is about

  // libc's view of process_mrelease(2); .kernel() is the kernel's.
  SysResult process_mrelease(int pidfd, unsigned int flags);
  // The raw system call: 448 is process_mrelease; the upper halves of 32-bit
  // arguments are ignored as the kernel ignores them. Others: ENOSYS.
  SysResult syscall(long number, uint64_t arg0 = 0, uint64_t arg1 = 0);

  // ---- Signals

  SysResult kill(pid_t pid, int sig);
  SysResult tgkill(pid_t tgid, pid_t tid, int sig);
  SysResult sigaction(int sig, SigDisposition disposition);
  SysResult sigblock(int sig);
  SysResult sigunblock(int sig);

  // ---- pidfds and other descriptors

  SysResult pidfd_open(pid_t pid, unsigned int flags);
  SysResult pidfd_send_signal(int pidfd, int sig, unsigned int flags = 0);
  // A regular file of `pages` pages: its descriptor. The same inode number
  // names the same file in every process.
  SysResult open_file(uint64_t inode, Pages pages, bool writable);
  SysResult memfd_create(Pages pages);
  SysResult memfd_secret(Pages pages);
  SysResult hugetlb_file(Pages pages);
  // A device whose driver maps all of its memory at mmap().
  SysResult open_device(Pages pages, DeviceMemory kind);
  // The directory /proc/PID.
  SysResult open_proc_dir(pid_t pid);
  // /proc/self/fd/FD, opened again; read_only drops the right to write.
  SysResult reopen(int fd, bool o_path, bool read_only = false);
  // The reading end of a pipe; of a whole pipe, both ends: fds[0] reads.
  SysResult pipe_fd();
  SysResult pipe(int fds[2]);
  // Whole pages, from or to user memory: a pipe's, or a regular file's at its
  // position. The bytes done, which may be fewer. The word of each page is
  // what is copied.
  SysResult write(int fd, uint64_t addr, Bytes length);
  SysResult read(int fd, uint64_t addr, Bytes length);
  SysResult dup(int fd);
  SysResult close(int fd);
  // Passes a descriptor to another task, as SCM_RIGHTS would: its number
  // there.
  SysResult send_fd(int fd, pid_t to);

  // ---- Life

  SysResult fork();
  SysResult vfork();
  // A thread of the caller: its tid.
  SysResult clone_thread();
  // A process that shares the caller's address space. With CLONE_PARENT it is
  // the caller's sibling.
  SysResult clone_vm(uint64_t more_flags = 0);
  SysResult clone_newpid();
  // clone(2) with these flags and SIGCHLD as the exit signal.
  SysResult clone(uint64_t flags);
  // A new image: the standard one, or nothing mapped.
  SysResult execve(bool bare = false);
  SysResult exit(int code);  // this thread only
  SysResult exit_group(int code);
  // The pid that was reaped; 0 with WNOHANG if none was ready.
  SysResult waitpid(pid_t pid, int options = 0);
  SysResult setuid(uid_t uid);
  // Writes /proc/PID/oom_score_adj. -EINVAL, -ESRCH, -EACCES.
  SysResult oom_score_adj(pid_t pid, int value);
  // What a page allocation of the task comes to when no frame is left: it
  // calls the OOM killer. 1 if progress can be expected, else 0.
  SysResult run_out_of_memory();
  SysResult getpid();
  // Of the machine's one swap area; mm/swapfile.h:sys_swapoff().
  SysResult swapoff();

  // ---- Time, and who gets the CPU (see sched/timed.h)

  // CLOCK_MONOTONIC, in nanoseconds.
  SysResult now();
  // -EINTR if a signal cuts it short.
  SysResult nanosleep(uint64_t ns);
  // Computes in user mode for as long as the reference CPU takes `ns` for:
  // 0, at once but in timed mode; a signal cuts it short. No system call.
  SysResult compute(uint64_t ns);
  // Of one task (thread); 0 is the caller. See syscall/syscalls.h.
  SysResult sched_setaffinity(pid_t pid, uint64_t mask);
  SysResult setpriority(pid_t pid, int nice);
  // SCHED_FIFO of that priority, or 0: SCHED_OTHER.
  SysResult sched_setscheduler(pid_t pid, int fifo_priority);

  // ---- Tracing, freezing, and other ways to be held

  SysResult ptrace_seize(pid_t pid, bool trace_exit, bool exit_kill);
  SysResult ptrace_cont(pid_t pid, int sig = 0);
  SysResult ptrace_detach(pid_t pid);
  // cgroup v1 freezer.state of a process; cgroup v2 cgroup.freeze.
  SysResult freeze_v1(pid_t pid, bool frozen);
  SysResult freeze_v2(pid_t pid, bool frozen);
  // cgroup.procs (v2): see syscall/cgroup.h.
  SysResult cgroup_attach(pid_t pid, uint32_t cgroup);
  SysResult cgroup_procs(uint32_t cgroup, uint32_t index);
  SysResult cgroup_pidfds(uint32_t cgroup, uint32_t index);
  // Sleeps uninterruptibly until the host unblocks the device.
  SysResult driver_wait();
  // The same for `ns` nanoseconds.
  SysResult driver_sleep(uint64_t ns);
  // Submits an asynchronous O_DIRECT read of a device into at most 16 pages,
  // into each of which it writes `word`: 1. They are pinned until the device
  // answers, which is at once unless the host blocks it.
  SysResult io_submit(uint64_t addr, Bytes length, uint64_t word);

  // ---- Futexes

  // FUTEX_WAIT and FUTEX_WAKE; see syscall/futex.h, also for how a robust list
  // lies in user memory.
  SysResult futex_wait(uint64_t addr, uint64_t value);
  SysResult futex_wake(uint64_t addr, int count);
  SysResult set_robust_list(uint64_t head);

  // ---- Memory

  SysResult mmap(Bytes length, const Mapping& mapping, uint64_t addr = 0);
  SysResult munmap(uint64_t addr, Bytes length);
  SysResult mprotect(uint64_t addr, Bytes length, uint64_t prot);
  SysResult madvise(uint64_t addr, Bytes length, int advice);
  SysResult mlock(uint64_t addr, Bytes length, bool on_fault = false);
  SysResult munlock(uint64_t addr, Bytes length);
  SysResult mlockall(int flags);
  SysResult munlockall();
  // Stores to, or loads from, each page of the range, in user mode. A fault
  // that can't be resolved sends the task SIGSEGV or SIGBUS: -EFAULT here.
  SysResult touch(uint64_t addr, Bytes length);
  SysResult read_touch(uint64_t addr, Bytes length);
  // One word, in user mode. A word that looks like an error can't be told
  // from one; keep test words small and positive.
  SysResult load(uint64_t addr);
  SysResult store(uint64_t addr, uint64_t word);
  // One word of another process: process_vm_readv. -EFAULT, -ESRCH, -EPERM.
  SysResult peek(pid_t pid, uint64_t addr);
  SysResult poke(pid_t pid, uint64_t addr, uint64_t word);

  // move_pages(2) of the page there, to another frame: 0 or as
  // mm/migrate.h:migrate_pages(); -ESRCH, -EPERM.
  SysResult move_page(pid_t pid, uint64_t addr);
  // What an ioctl of a GPU's driver does with the caller's page: moves it into
  // the device's memory, or takes it for the device alone (mm/migrate.h).
  SysResult migrate_to_device(uint64_t addr);
  SysResult make_device_exclusive(uint64_t addr);
  // One word, by copy_from_user() in a driver that the task has called: a
  // fault that can't be resolved is -EFAULT, and no signal.
  SysResult get_user(uint64_t addr);

  // ---- userfaultfd; modes and features are in mm/userfaultfd.h

  // A descriptor that watches the caller's memory, which others may be sent.
  SysResult userfaultfd(uint64_t features = 0);
  // UFFDIO_*, by whoever has the descriptor; addresses of the watched memory,
  // but for `src`, which is the caller's. Copying, zeroing and poisoning return
  // the bytes done.
  SysResult uffd_register(int uffd, uint64_t addr, Bytes length, uint64_t mode);
  SysResult uffd_unregister(int uffd, uint64_t addr, Bytes length);
  SysResult uffd_wake(int uffd, uint64_t addr, Bytes length);
  SysResult uffd_copy(int uffd, uint64_t dst, uint64_t src, Bytes length,
                      bool write_protect = false);
  SysResult uffd_zeropage(int uffd, uint64_t dst, Bytes length);
  SysResult uffd_poison(int uffd, uint64_t dst, Bytes length);
  SysResult uffd_writeprotect(int uffd, uint64_t addr, Bytes length,
                              bool protect);

  Kernel* kernel() const { return kernel_; }
  task_struct* task() const { return task_; }

 private:
  // Makes a call: at once when the task itself runs, through the kernel's
  // stepping when the host asks.
  template <class Fn>
  SysResult Do(Fn fn);

  Kernel* kernel_;
  task_struct* task_;
};

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_USER_H_
