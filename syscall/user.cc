// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/user.h"

#include <cerrno>

#include "mm/filemap.h"
#include "mm/fork.h"
#include "mm/memory.h"
#include "mm/migrate.h"
#include "mm/mmap.h"
#include "mm/oom_kill.h"
#include "mm/page_alloc.h"
#include "mm/populate.h"
#include "mm/swapfile.h"
#include "mm/userfaultfd.h"
#include "sched/file.h"
#include "sched/pid.h"
#include "sched/signal.h"
#include "syscall/aio.h"
#include "syscall/cgroup.h"
#include "syscall/entry.h"
#include "syscall/exec.h"
#include "syscall/exit.h"
#include "syscall/fork.h"
#include "syscall/futex.h"
#include "syscall/image.h"
#include "syscall/kernel.h"
#include "syscall/pidfd.h"
#include "syscall/pipe.h"
#include "syscall/ptrace.h"
#include "syscall/signal.h"
#include "syscall/syscall_state.h"
#include "syscall/syscalls.h"

namespace reapsim {
namespace {

constexpr long kNrProcessMrelease = 448;

// A descriptor for a new mapping, which the descriptor then owns.
int64_t OpenNewMapping(address_space::Kind kind, FileKind file_kind,
                       uint64_t pages) {
  address_space* mapping = NewMapping(mm_state(), kind, pages);
  const int64_t fd = sys_open_mapping(mapping, file_kind, O_RDWR);
  mapping_put(mapping);
  return fd;
}

// What a failed access from user mode comes to: a signal.
int64_t AfterAccess(AccessResult result) {
  switch (result) {
    case AccessResult::kOk:
      return 0;
    case AccessResult::kSigbus:
      force_sig_fault(SIGBUS);
      return -EFAULT;
    case AccessResult::kOom:
      // The fault is tried again once memory is there, or the task is dead.
      return -ENOMEM;
    case AccessResult::kSigsegv:
    case AccessResult::kEfault:
      force_sig_fault(SIGSEGV);
      return -EFAULT;
  }
  return -EFAULT;
}

int64_t AccessPages(uint64_t addr, uint64_t pages, bool write) {
  for (uint64_t i = 0; i < pages; ++i) {
    uint64_t word = 1;
    const int64_t error =
        AfterAccess(access_user_word(addr + i * PAGE_SIZE, write, &word));
    if (error != 0) return error;
  }
  return 0;
}

// What `fn` makes of another process's mm, which is pinned meanwhile; or
// -ESRCH, -EPERM. kernel/fork.c:mm_access()
template <class Fn>
int64_t WithMmOf(pid_t pid, const Fn& fn) {
  rcu_read_lock();
  task_struct* task = find_task_by_vpid(pid);
  if (task != nullptr) get_task_struct(task);
  rcu_read_unlock();
  if (task == nullptr) return -ESRCH;
  const task_struct* self = current();
  int64_t ret = -ESRCH;
  if (self->uid != 0 && self->uid != task->uid) {
    ret = -EPERM;
  } else {
    task_lock(task);
    mm_struct* mm = task->mm;
    if (mm != nullptr) mmget(mm);
    task_unlock(task);
    if (mm != nullptr) {
      ret = fn(mm);
      mmput(mm);
    }
  }
  put_task_struct(task);
  return ret;
}

// mm/process_vm_access.c: one word of another process.
int64_t AccessProcessVm(pid_t pid, uint64_t addr, bool write, uint64_t word) {
  return WithMmOf(pid, [&](mm_struct* mm) -> int64_t {
    const AccessResult result = access_remote_word(mm, addr, write, &word);
    return result == AccessResult::kOk ? static_cast<int64_t>(word) : -EFAULT;
  });
}

// A driver's mmap(): fills the mapping at once.
int64_t MapDevice(const address_space* device, int64_t addr, uint64_t length) {
  if (addr < 0) return addr;
  mm_struct* mm = current()->mm;
  const PopulateKind kind = device->device_has_pages ? PopulateKind::kFileClean
                                                     : PopulateKind::kSpecial;
  const auto at = static_cast<uint64_t>(addr);
  mmap_read_lock(mm);
  const uint64_t pages = length >> PAGE_SHIFT;
  const bool filled =
      PopulatePresent(find_vma(mm, at), at, pages, kind) == pages;
  mmap_read_unlock(mm);
  if (filled) return addr;
  (void)vm_munmap(at, length);
  return -EAGAIN;
}

int64_t OpenDevice(uint64_t pages, DeviceMemory kind) {
  MmState& state = mm_state();
  address_space* device = NewMapping(state, address_space::kDevice, pages);
  if (device == nullptr) return -ENFILE;
  device->vm_flags = kind == DeviceMemory::kPfnmap
                         ? VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP
                         : VM_MIXEDMAP | VM_DONTEXPAND;
  device->device_has_pages = kind == DeviceMemory::kMixedmapPage;
  int64_t ret = 0;
  for (uint64_t pgoff = 0; pgoff < pages && ret == 0; ++pgoff) {
    const pfn_t pfn = alloc_page();
    if (pfn == kNoPfn) {
      ret = -ENOMEM;
    } else {
      AddToPageCache(state, device, pgoff, pfn);
    }
  }
  if (ret == 0) ret = sys_open_mapping(device, FileKind::kRegular, O_RDWR);
  mapping_put(device);
  return ret;
}

int64_t MapFile(MmapArgs args, int fd) {
  file* file = fget(fd);
  if (file == nullptr) return -EBADF;
  int64_t ret = -ENODEV;
  if (file->mapping != nullptr) {
    args.mapping = static_cast<address_space*>(file->mapping);
    args.file_writable = (file->f_mode & FMODE_WRITE) != 0;
    // What hugetlbfs's own mmap does.
    if (args.mapping->kind == address_space::kHugetlb) {
      args.extra_vm_flags |= VM_HUGETLB;
    }
    if (args.mapping->kind == address_space::kDevice) {
      args.extra_vm_flags |= args.mapping->vm_flags;
      args.file_mmap = [] { (void)driver_wait(); };
      const uint64_t length = (args.length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
      ret = args.pgoff + (length >> PAGE_SHIFT) > args.mapping->nr_pages
                ? -EINVAL
                : MapDevice(args.mapping, vm_mmap(args), length);
    } else {
      ret = vm_mmap(args);
    }
  }
  fput(file);
  return ret;
}

// ---- userfaultfd

void ReleaseUserfaultfd(file* file) {
  userfaultfd_release(static_cast<userfaultfd_ctx*>(file->private_data));
}

int64_t OpenUserfaultfd(uint64_t features) {
  const int fd = get_unused_fd_flags(0);
  if (fd < 0) return fd;
  int error = -ENFILE;
  file* file =
      alloc_file(FileKind::kUserfaultfd, FMODE_READ | FMODE_WRITE, O_RDWR);
  userfaultfd_ctx* ctx =
      file == nullptr ? nullptr : new_userfaultfd(features, &error);
  if (ctx == nullptr) {
    if (file != nullptr) fput(file);
    put_unused_fd(fd);
    return error;
  }
  file->private_data = ctx;
  file->release = ReleaseUserfaultfd;
  fd_install(fd, file);
  return fd;
}

// fs/userfaultfd.c:userfaultfd_ioctl(), with the descriptor held: fn(ctx), or
// -EBADF, or -ENOTTY if it is none.
template <class Fn>
int64_t UserfaultfdIoctl(int uffd, const Fn& fn) {
  file* file = fget(uffd);
  if (file == nullptr) return -EBADF;
  int64_t ret = -ENOTTY;
  if (file->kind == FileKind::kUserfaultfd) {
    ret = fn(static_cast<userfaultfd_ctx*>(file->private_data));
  }
  fput(file);
  return ret;
}

int64_t SendFd(int fd, pid_t to) {
  rcu_read_lock();
  task_struct* task = find_task_by_vpid(to);
  if (task != nullptr) get_task_struct(task);
  rcu_read_unlock();
  if (task == nullptr) return -ESRCH;
  const int64_t ret = pass_fd(fd, task);
  put_task_struct(task);
  return ret;
}

// fs/proc/base.c:__set_oom_adj()
int64_t WriteOomScoreAdj(pid_t pid, int value) {
  if (value < OOM_SCORE_ADJ_MIN || value > OOM_SCORE_ADJ_MAX) return -EINVAL;
  rcu_read_lock();
  task_struct* task = find_task_by_vpid(pid);
  int64_t ret = -ESRCH;
  if (task != nullptr) {
    // Lowering it needs CAP_SYS_RESOURCE.
    const bool may =
        current()->uid == 0 || value >= task->signal->oom_score_adj;
    ret = may ? 0 : -EACCES;
    if (may) task->signal->oom_score_adj = static_cast<int16_t>(value);
  }
  rcu_read_unlock();
  return ret;
}

int64_t Clone(uint64_t flags, int exit_signal) {
  kernel_clone_args args;
  args.flags = flags;
  args.exit_signal = exit_signal;
  return kernel_clone(args);
}

int64_t Compute(uint64_t ns) {
  EngineState& state = Here<EngineState>();
  if (state.history->prices == nullptr) return 0;
  state.past->work.AddUser(ns * 1000);
  state.engine->DoWork();
  return 0;
}

bool OnFiber() { return Arena::Contains(__builtin_frame_address(0)); }

}  // namespace

template <class Fn>
SysResult User::Do(Fn fn) {
  if (!OnFiber()) return kernel_->Call(task_, fn);
  REAP_CHECK(current() == task_, "user: a task makes another one's call");
  return SystemCall(fn);
}

SysResult User::process_mrelease(int pidfd, unsigned int flags) {
  return Do([=] { return sys_process_mrelease(pidfd, flags); });
}

SysResult User::syscall(long number, uint64_t arg0, uint64_t arg1) {
  return Do([=]() -> int64_t {
    if (number != kNrProcessMrelease) return -ENOSYS;
    // Both parameters have 32 bits: the rest of the registers is not looked
    // at.
    return sys_process_mrelease(static_cast<int>(arg0),
                                static_cast<unsigned int>(arg1));
  });
}

SysResult User::kill(pid_t pid, int sig) {
  return Do([=] { return sys_kill(pid, sig); });
}
SysResult User::tgkill(pid_t tgid, pid_t tid, int sig) {
  return Do([=] { return sys_tgkill(tgid, tid, sig); });
}
SysResult User::sigaction(int sig, SigDisposition disposition) {
  return Do([=] { return sys_rt_sigaction(sig, disposition); });
}
SysResult User::sigblock(int sig) {
  return Do([=] { return sys_rt_sigprocmask(SIG_BLOCK, SigBit(sig)); });
}
SysResult User::sigunblock(int sig) {
  return Do([=] { return sys_rt_sigprocmask(SIG_UNBLOCK, SigBit(sig)); });
}

SysResult User::pidfd_open(pid_t pid, unsigned int flags) {
  return Do([=] { return sys_pidfd_open(pid, flags); });
}
SysResult User::pidfd_send_signal(int pidfd, int sig, unsigned int flags) {
  return Do([=] { return sys_pidfd_send_signal(pidfd, sig, flags); });
}
SysResult User::open_file(uint64_t inode, Pages pages, bool writable) {
  return Do([=]() -> int64_t {
    address_space* mapping = FileByNumber(inode, pages.raw());
    if (mapping == nullptr) return -ENFILE;
    return sys_open_mapping(mapping, FileKind::kRegular,
                            writable ? O_RDWR : O_RDONLY);
  });
}
SysResult User::memfd_create(Pages pages) {
  return Do([=] {
    return OpenNewMapping(address_space::kShmem, FileKind::kMemfd, pages.raw());
  });
}
SysResult User::memfd_secret(Pages pages) {
  return Do([=] {
    return OpenNewMapping(address_space::kSecretmem, FileKind::kMemfd,
                          pages.raw());
  });
}
SysResult User::hugetlb_file(Pages pages) {
  return Do([=] {
    return OpenNewMapping(address_space::kHugetlb, FileKind::kMemfd,
                          pages.raw());
  });
}
SysResult User::open_device(Pages pages, DeviceMemory kind) {
  return Do([=] { return OpenDevice(pages.raw(), kind); });
}
SysResult User::open_proc_dir(pid_t pid) {
  return Do([=] { return sys_open_proc_pid(pid, O_RDONLY | O_DIRECTORY); });
}
SysResult User::reopen(int fd, bool o_path, bool read_only) {
  return Do([=] {
    return sys_reopen_fd(fd, o_path ? O_PATH : read_only ? O_RDONLY : O_RDWR);
  });
}
SysResult User::pipe_fd() {
  return Do([]() -> int64_t {
    file* file = alloc_file(FileKind::kPipe, FMODE_READ, 0);
    if (file == nullptr) return -ENFILE;
    const int fd = get_unused_fd_flags(0);
    if (fd < 0) {
      fput(file);
      return fd;
    }
    fd_install(fd, file);
    return fd;
  });
}
SysResult User::pipe(int fds[2]) {
  return Do([=] { return do_pipe2(fds); });
}
SysResult User::write(int fd, uint64_t addr, Bytes length) {
  const uint64_t pages = PagesToHold(length).raw();
  return Do([=] { return sys_write(fd, addr, pages); });
}
SysResult User::read(int fd, uint64_t addr, Bytes length) {
  const uint64_t pages = PagesToHold(length).raw();
  return Do([=] { return sys_read(fd, addr, pages); });
}
SysResult User::dup(int fd) {
  return Do([=] { return sys_dup(fd); });
}
SysResult User::close(int fd) {
  return Do([=] { return sys_close(fd); });
}
SysResult User::send_fd(int fd, pid_t to) {
  return Do([=] { return SendFd(fd, to); });
}

SysResult User::fork() {
  return Do([] { return Clone(0, SIGCHLD); });
}
SysResult User::vfork() {
  return Do([] { return Clone(CLONE_VM | CLONE_VFORK, SIGCHLD); });
}
SysResult User::clone_thread() {
  return Do([] {
    return Clone(CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, 0);
  });
}
SysResult User::clone_vm(uint64_t more_flags) {
  return Do([=] { return Clone(CLONE_VM | more_flags, SIGCHLD); });
}
SysResult User::clone_newpid() {
  return Do([] { return Clone(CLONE_NEWPID, SIGCHLD); });
}
SysResult User::clone(uint64_t flags) {
  return Do([=] { return Clone(flags, SIGCHLD); });
}
SysResult User::execve(bool bare) {
  return Do(
      [=] { return ExecStandardImage(current()->comm, bare, current()->uid); });
}
SysResult User::exit(int code) {
  return Do([=]() -> int64_t { sys_exit(code); });
}
SysResult User::exit_group(int code) {
  return Do([=]() -> int64_t { sys_exit_group(code); });
}
SysResult User::waitpid(pid_t pid, int options) {
  return Do([=] { return sys_wait4(pid, nullptr, options); });
}
SysResult User::setuid(uid_t uid) {
  return Do([=]() -> int64_t {
    if (current()->uid != 0 && current()->uid != uid) return -EPERM;
    current()->uid = uid;
    return 0;
  });
}
SysResult User::oom_score_adj(pid_t pid, int value) {
  return Do([=] { return WriteOomScoreAdj(pid, value); });
}
SysResult User::swapoff() {
  return Do([]() -> int64_t { return sys_swapoff(); });
}
SysResult User::run_out_of_memory() {
  return Do([]() -> int64_t {
    OomState& oom = Here<OomState>();
    mutex_lock(&oom.oom_lock);
    oom_control oc;
    const bool progress = out_of_memory(&oc);
    mutex_unlock(&oom.oom_lock);
    return progress ? 1 : 0;
  });
}
SysResult User::getpid() {
  return Do([]() -> int64_t { return task_tgid_vnr(current()); });
}

SysResult User::ptrace_seize(pid_t pid, bool trace_exit, bool exit_kill) {
  return Do([=] {
    return sys_ptrace_seize(pid, (trace_exit ? PTRACE_O_TRACEEXIT : 0) |
                                     (exit_kill ? PTRACE_O_EXITKILL : 0));
  });
}
SysResult User::ptrace_cont(pid_t pid, int sig) {
  return Do([=] { return sys_ptrace_cont(pid, sig); });
}
SysResult User::ptrace_detach(pid_t pid) {
  return Do([=] { return sys_ptrace_detach(pid, 0); });
}
SysResult User::freeze_v1(pid_t pid, bool frozen) {
  return Do([=] { return sys_cgroup_v1_freeze(pid, frozen); });
}
SysResult User::freeze_v2(pid_t pid, bool frozen) {
  return Do([=] { return sys_cgroup_v2_freeze(pid, frozen); });
}
SysResult User::cgroup_attach(pid_t pid, uint32_t cgroup) {
  return Do([=] { return sys_cgroup_attach(pid, cgroup); });
}
SysResult User::cgroup_procs(uint32_t cgroup, uint32_t index) {
  return Do([=] { return sys_cgroup_procs(cgroup, index); });
}
SysResult User::cgroup_pidfds(uint32_t cgroup, uint32_t index) {
  return Do([=] { return sys_cgroup_pidfds(cgroup, index); });
}
SysResult User::driver_wait() {
  return Do([] { return reapsim::driver_wait(); });
}
SysResult User::driver_sleep(uint64_t ns) {
  return Do([=] { return reapsim::driver_sleep(ns); });
}

SysResult User::now() {
  return Do([]() -> int64_t {
    Engine* engine = Here<EngineState>().engine;
    // What it has done so far takes time first.
    engine->DoWork();
    return static_cast<int64_t>(engine->now_ns());
  });
}
SysResult User::nanosleep(uint64_t ns) {
  return Do([=] { return do_nanosleep(ns); });
}
SysResult User::compute(uint64_t ns) {
  if (!OnFiber()) return kernel_->Call(task_, [=] { return Compute(ns); });
  (void)Compute(ns);
  (void)exit_to_user_mode_loop();
  return SysResult(0);
}
SysResult User::sched_setaffinity(pid_t pid, uint64_t mask) {
  return Do([=] { return sys_sched_setaffinity(pid, mask); });
}
SysResult User::setpriority(pid_t pid, int nice) {
  return Do([=] { return sys_setpriority(pid, nice); });
}
SysResult User::sched_setscheduler(pid_t pid, int fifo_priority) {
  return Do([=] { return sys_sched_setscheduler(pid, fifo_priority); });
}
SysResult User::io_submit(uint64_t addr, Bytes length, uint64_t word) {
  const int pages = static_cast<int>(PagesToHold(length).raw());
  return Do([=] { return io_submit_one(addr, pages, word); });
}

SysResult User::futex_wait(uint64_t addr, uint64_t value) {
  return Do([=] { return reapsim::futex_wait(addr, value); });
}
SysResult User::futex_wake(uint64_t addr, int count) {
  return Do([=] { return reapsim::futex_wake(addr, count); });
}
SysResult User::set_robust_list(uint64_t head) {
  return Do([=] { return sys_set_robust_list(head); });
}

SysResult User::mmap(Bytes length, const Mapping& mapping, uint64_t addr) {
  MmapArgs args;
  args.addr = addr;
  args.length = length.raw();
  args.prot = mapping.prot;
  args.flags = mapping.flags;
  args.pgoff = mapping.offset.raw();
  args.extra_vm_flags = mapping.extra_vm_flags;
  const int fd = mapping.fd;
  if ((args.flags & MAP_ANONYMOUS) != 0 && (args.flags & MAP_HUGETLB) != 0) {
    args.extra_vm_flags |= VM_HUGETLB;
  }
  return Do([=]() -> int64_t {
    if ((args.flags & MAP_ANONYMOUS) != 0) return vm_mmap(args);
    return MapFile(args, fd);
  });
}
SysResult User::munmap(uint64_t addr, Bytes length) {
  return Do([=]() -> int64_t { return vm_munmap(addr, length.raw()); });
}
SysResult User::mprotect(uint64_t addr, Bytes length, uint64_t prot) {
  return Do([=]() -> int64_t { return do_mprotect(addr, length.raw(), prot); });
}
SysResult User::madvise(uint64_t addr, Bytes length, int advice) {
  return Do(
      [=]() -> int64_t { return do_madvise(addr, length.raw(), advice); });
}
SysResult User::mlock(uint64_t addr, Bytes length, bool on_fault) {
  return Do(
      [=]() -> int64_t { return do_mlock(addr, length.raw(), on_fault); });
}
SysResult User::munlock(uint64_t addr, Bytes length) {
  return Do([=]() -> int64_t { return do_munlock(addr, length.raw()); });
}
SysResult User::mlockall(int flags) {
  return Do([=]() -> int64_t { return do_mlockall(flags); });
}
SysResult User::munlockall() {
  return Do([]() -> int64_t { return do_munlockall(); });
}
SysResult User::touch(uint64_t addr, Bytes length) {
  const uint64_t pages = PagesToHold(length).raw();
  return Do([=] { return AccessPages(addr, pages, /*write=*/true); });
}
SysResult User::read_touch(uint64_t addr, Bytes length) {
  const uint64_t pages = PagesToHold(length).raw();
  return Do([=] { return AccessPages(addr, pages, /*write=*/false); });
}
SysResult User::load(uint64_t addr) {
  return Do([=]() -> int64_t {
    uint64_t word = 0;
    const int64_t error = AfterAccess(access_user_word(addr, false, &word));
    return error != 0 ? error : static_cast<int64_t>(word);
  });
}
SysResult User::store(uint64_t addr, uint64_t word) {
  return Do([=]() -> int64_t {
    uint64_t stored = word;
    return AfterAccess(access_user_word(addr, true, &stored));
  });
}
SysResult User::peek(pid_t pid, uint64_t addr) {
  return Do([=] { return AccessProcessVm(pid, addr, false, 0); });
}
SysResult User::poke(pid_t pid, uint64_t addr, uint64_t word) {
  return Do([=]() -> int64_t {
    const int64_t ret = AccessProcessVm(pid, addr, true, word);
    return ret < 0 ? ret : 0;
  });
}

SysResult User::move_page(pid_t pid, uint64_t addr) {
  return Do([=] {
    return WithMmOf(
        pid, [=](mm_struct* mm) -> int64_t { return migrate_pages(mm, addr); });
  });
}
SysResult User::migrate_to_device(uint64_t addr) {
  return Do(
      [=]() -> int64_t { return migrate_vma_to_device(current()->mm, addr); });
}
SysResult User::make_device_exclusive(uint64_t addr) {
  return Do([=]() -> int64_t {
    return reapsim::make_device_exclusive(current()->mm, addr);
  });
}
SysResult User::get_user(uint64_t addr) {
  return Do([=]() -> int64_t {
    uint64_t word = 0;
    return access_user_word(addr, /*write=*/false, &word) == AccessResult::kOk
               ? static_cast<int64_t>(word)
               : -EFAULT;
  });
}

SysResult User::userfaultfd(uint64_t features) {
  return Do([=] { return OpenUserfaultfd(features); });
}
SysResult User::uffd_register(int uffd, uint64_t addr, Bytes length,
                              uint64_t mode) {
  return Do([=] {
    return UserfaultfdIoctl(uffd, [=](userfaultfd_ctx* ctx) {
      return userfaultfd_register(ctx, addr, length.raw(), mode);
    });
  });
}
SysResult User::uffd_unregister(int uffd, uint64_t addr, Bytes length) {
  return Do([=] {
    return UserfaultfdIoctl(uffd, [=](userfaultfd_ctx* ctx) {
      return userfaultfd_unregister(ctx, addr, length.raw());
    });
  });
}
SysResult User::uffd_wake(int uffd, uint64_t addr, Bytes length) {
  return Do([=] {
    return UserfaultfdIoctl(uffd, [=](userfaultfd_ctx* ctx) {
      return userfaultfd_wake(ctx, addr, length.raw());
    });
  });
}
SysResult User::uffd_copy(int uffd, uint64_t dst, uint64_t src, Bytes length,
                          bool write_protect) {
  return Do([=] {
    return UserfaultfdIoctl(uffd, [=](userfaultfd_ctx* ctx) {
      return mfill_atomic(ctx, UffdFill::kCopy, dst, src, length.raw(),
                          write_protect);
    });
  });
}
SysResult User::uffd_zeropage(int uffd, uint64_t dst, Bytes length) {
  return Do([=] {
    return UserfaultfdIoctl(uffd, [=](userfaultfd_ctx* ctx) {
      return mfill_atomic(ctx, UffdFill::kZeropage, dst, 0, length.raw(),
                          /*wp=*/false);
    });
  });
}
SysResult User::uffd_poison(int uffd, uint64_t dst, Bytes length) {
  return Do([=] {
    return UserfaultfdIoctl(uffd, [=](userfaultfd_ctx* ctx) {
      return mfill_atomic(ctx, UffdFill::kPoison, dst, 0, length.raw(),
                          /*wp=*/false);
    });
  });
}
SysResult User::uffd_writeprotect(int uffd, uint64_t addr, Bytes length,
                                  bool protect) {
  return Do([=] {
    return UserfaultfdIoctl(uffd, [=](userfaultfd_ctx* ctx) {
      return mwriteprotect_range(ctx, addr, length.raw(), protect);
    });
  });
}

}  // namespace reapsim
