// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/victim_memory.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "import/proc_source.h"
#include "mm/mmap.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kHuge = uint64_t{2} << 20;
constexpr uint64_t kPagesPerHuge = kHuge / kPage;
constexpr uint64_t kReadWrite = PROT_READ | PROT_WRITE;
constexpr uint64_t kNoFd = static_cast<uint64_t>(-1);

// What newer kernels know, and our headers don't. Sources:
// include/uapi/asm-generic/mman-common.h, include/uapi/linux/mman.h,
// include/uapi/linux/userfaultfd.h, arch/x86/entry/syscalls/syscall_64.tbl.
constexpr long kMseal = 462;                         // 6.10
constexpr uint64_t kUffdWpHugetlbfsShmem = 1 << 12;  // 5.19
constexpr uint64_t kUffdWpUnpopulated = 1 << 13;     // 6.4
constexpr uint64_t kUffdPoison = 1 << 14;            // 6.6
constexpr uint64_t kUffdWpAsync = 1 << 15;           // 6.7
struct UffdPoison {
  uint64_t start;
  uint64_t len;
  uint64_t mode;
  int64_t updated;
};
constexpr uint64_t kUffdioPoison = _IOWR(UFFDIO, 0x08, UffdPoison);
struct UffdMove {
  uint64_t dst;
  uint64_t src;
  uint64_t len;
  uint64_t mode;
  int64_t move;
};
constexpr uint64_t kUffdMove = 1 << 16;  // 6.8
constexpr uint64_t kUffdioMove = _IOWR(UFFDIO, 0x05, UffdMove);

// What a task does to its own memory, in pages.
class Maker {
 public:
  explicit Maker(HostTask& task) : task_(task) {}

  uint64_t Must(long number, uint64_t a0 = 0, uint64_t a1 = 0, uint64_t a2 = 0,
                uint64_t a3 = 0, uint64_t a4 = 0, uint64_t a5 = 0) {
    return static_cast<uint64_t>(task_.Must(number, a0, a1, a2, a3, a4, a5));
  }
  bool ok() const { return task_.machine().ok(); }

  uint64_t Map(uint64_t pages, uint64_t prot, uint64_t flags,
               uint64_t fd = kNoFd, uint64_t first_page = 0) {
    return Must(SYS_mmap, 0, pages * kPage, prot, flags, fd,
                first_page * kPage);
  }
  uint64_t Anonymous(uint64_t pages, uint64_t more_flags = 0) {
    return Map(pages, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS | more_flags);
  }
  // Aligned to huge pages, with MADV_HUGEPAGE.
  uint64_t Huge(uint64_t huge_pages,
                uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS,
                uint64_t fd = kNoFd) {
    const uint64_t bytes = huge_pages * kHuge;
    const uint64_t any =
        Must(SYS_mmap, 0, bytes + kHuge, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, kNoFd, 0);
    const uint64_t start = (any + kHuge - 1) / kHuge * kHuge;
    if (start > any) (void)Must(SYS_munmap, any, start - any);
    if (start < any + kHuge) {
      (void)Must(SYS_munmap, start + bytes, any + kHuge - start);
    }
    (void)Must(SYS_mmap, start, bytes, kReadWrite, flags | MAP_FIXED, fd, 0);
    (void)Must(SYS_madvise, start, bytes, MADV_HUGEPAGE);
    return start;
  }

  // Each page, or one in `stride`.
  void Write(uint64_t address, uint64_t pages, uint64_t stride = 1) {
    if (ok()) task_.Touch(address, pages * kPage, stride * kPage, true);
  }
  void Read(uint64_t address, uint64_t pages, uint64_t stride = 1) {
    if (ok()) task_.Touch(address, pages * kPage, stride * kPage, false);
  }
  void Advise(uint64_t address, uint64_t pages, uint64_t advice) {
    (void)Must(SYS_madvise, address, pages * kPage, advice);
  }
  void Protect(uint64_t address, uint64_t pages, uint64_t prot) {
    (void)Must(SYS_mprotect, address, pages * kPage, prot);
  }
  void Unmap(uint64_t address, uint64_t pages) {
    (void)Must(SYS_munmap, address, pages * kPage);
  }

  uint64_t Open(absl::string_view path, uint64_t flags, uint64_t mode = 0) {
    return Must(SYS_openat, static_cast<uint64_t>(AT_FDCWD), task_.Text(path),
                flags, mode);
  }
  // A file that every host has, with some pages: the harness's program.
  uint64_t OpenProgram() {
    return Open(absl::StrCat("/proc/", getpid(), "/exe"), O_RDONLY);
  }
  // A file of our own, which nobody sees.
  uint64_t OpenScratch(uint64_t pages) {
    const uint64_t fd = Open("/var/tmp", O_RDWR | O_TMPFILE, 0600);
    Grow(fd, pages);
    return fd;
  }
  uint64_t Memfd(uint64_t pages) {
    const uint64_t fd = Must(SYS_memfd_create, task_.Text("reapsim"), 0);
    Grow(fd, pages);
    return fd;
  }
  void Grow(uint64_t fd, uint64_t pages) {
    (void)Must(SYS_ftruncate, fd, pages * kPage);
  }

  // ioctl(2) with a struct; what the kernel has written into it.
  template <class T>
  T Ioctl(uint64_t fd, uint64_t request, const T& argument) {
    const uint64_t address = task_.Bytes(&argument, sizeof(argument));
    (void)Must(SYS_ioctl, fd, request, address);
    T result = argument;
    if (ok()) std::memcpy(&result, task_.Shared(address), sizeof(result));
    return result;
  }
  uint64_t Userfaultfd(uint64_t features) {
    const uint64_t fd = Must(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    uffdio_api api = {};
    api.api = UFFD_API;
    api.features = features;
    (void)Ioctl(fd, UFFDIO_API, api);
    return fd;
  }
  void Register(uint64_t uffd, uint64_t address, uint64_t pages,
                uint64_t mode) {
    uffdio_register registration = {};
    registration.range = {address, pages * kPage};
    registration.mode = mode;
    (void)Ioctl(uffd, UFFDIO_REGISTER, registration);
  }
  void WriteProtect(uint64_t uffd, uint64_t address, uint64_t pages) {
    uffdio_writeprotect protection = {};
    protection.range = {address, pages * kPage};
    protection.mode = UFFDIO_WRITEPROTECT_MODE_WP;
    (void)Ioctl(uffd, UFFDIO_WRITEPROTECT, protection);
  }
  // One of the task's mappings by name, as the host shows it.
  std::optional<SmapsVma> Find(absl::string_view name) {
    if (!ok()) return std::nullopt;
    const absl::StatusOr<ProcProcess> process =
        ReadProcess(absl::StrCat(task_.tgid()));
    if (!process.ok()) {
      task_.machine().Fail(process.status());
      return std::nullopt;
    }
    for (const SmapsVma& vma : process->smaps.vmas) {
      if (vma.name == name) return vma;
    }
    task_.machine().Fail(
        absl::UnimplementedError(absl::StrCat("there is no ", name)));
    return std::nullopt;
  }
  // The result of a call that may fail where the host lacks something.
  int64_t Try(long number, uint64_t a0, uint64_t a1 = 0, uint64_t a2 = 0,
              uint64_t a3 = 0, uint64_t a4 = 0, uint64_t a5 = 0) {
    return task_.Syscall(number, a0, a1, a2, a3, a4, a5);
  }
  // Must() of what some hosts refuse with that error.
  uint64_t MayLack(int error, absl::string_view what, int64_t result) {
    if (result >= 0) return static_cast<uint64_t>(result);
    if (ok() && result == -error) {
      task_.machine().Fail(
          absl::UnimplementedError(absl::StrCat("the host has no ", what)));
    } else if (ok()) {
      task_.machine().Fail(absl::InternalError(
          absl::StrCat(what, " fails with error ", -result)));
    }
    return 0;
  }

  // Two huge pages of the pool.
  uint64_t Hugetlb(uint64_t flags) {
    return MayLack(
        ENOMEM, "hugetlb pages in its pool",
        Try(SYS_mmap, 0, 2 * kHuge, kReadWrite, flags | MAP_HUGETLB, kNoFd, 0));
  }
  void NeedsSwap() {
    struct sysinfo info = {};
    (void)sysinfo(&info);
    if (info.totalswap > 0) return;
    task_.machine().Fail(absl::UnimplementedError("the host has no swap"));
  }

  HostTask& task() { return task_; }

 private:
  HostTask& task_;
};

// ---- Anonymous memory ------------------------------------------------------

void Anonymous(HostTask& task) {
  Maker m(task);
  m.Write(m.Anonymous(300), 300);
  // Every third page of another, across two page tables.
  m.Write(m.Anonymous(1100), 1100, 3);
}
void Untouched(HostTask& task) { (void)Maker(task).Anonymous(1000); }
void ZeroPage(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(16);
  m.Read(at, 16);
  m.Write(at, 16, 4);
}
void ReadOnly(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(8);
  m.Write(at, 8);
  m.Protect(at, 8, PROT_READ);
}
void NoAccess(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(12);
  m.Write(at, 12);
  m.Protect(at, 8, PROT_NONE);
}
void NoReserve(HostTask& task) {
  Maker m(task);
  m.Write(m.Anonymous(40, MAP_NORESERVE), 40, 2);
}
void Populated(HostTask& task) {
  Maker m(task);
  (void)m.Anonymous(20, MAP_POPULATE);
  const uint64_t at = m.Anonymous(20);
  m.Advise(at, 10, MADV_POPULATE_READ);
  m.Advise(at + 10 * kPage, 10, MADV_POPULATE_WRITE);
}
void OnePageVmas(HostTask& task) {
  Maker m(task);
  constexpr uint64_t kVmas = 40;
  const uint64_t at = m.Anonymous(kVmas);
  m.Write(at, kVmas);
  for (uint64_t i = 0; i < kVmas; i += 2) {
    m.Protect(at + i * kPage, 1, PROT_READ);
  }
}
void Neighbours(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(30);
  m.Write(at, 30);
  m.Advise(at + 5 * kPage, 5, MADV_DONTDUMP);
  m.Advise(at + 10 * kPage, 5, MADV_RANDOM);
  m.Advise(at + 15 * kPage, 5, MADV_SEQUENTIAL);
}
void Advised(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(60);
  m.Write(at, 60);
  m.Advise(at, 10, MADV_FREE);
  m.Write(at, 2);  // no longer free
  m.Advise(at + 10 * kPage, 10, MADV_COLD);
  m.Advise(at + 20 * kPage, 10, MADV_DONTNEED);
  m.Advise(at + 30 * kPage, 10, MADV_PAGEOUT);
}
void Mergeable(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(20);
  m.Advise(at, 20, MADV_MERGEABLE);
  m.Write(at, 20);
}
void Droppable(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.MayLack(EINVAL, "MAP_DROPPABLE",
                                m.Try(SYS_mmap, 0, 20 * kPage, kReadWrite,
                                      kMapDroppable | MAP_ANONYMOUS, kNoFd, 0));
  m.Write(at, 20, 2);
}
void DevZero(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.Open("/dev/zero", O_RDWR);
  m.Write(m.Map(16, kReadWrite, MAP_PRIVATE, fd), 16, 2);
}
void GrowsDown(HostTask& task) {
  Maker m(task);
  // Room below it, so that it can grow.
  const uint64_t room = m.Map(600, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
  const uint64_t at = room + 550 * kPage;
  m.Unmap(room, 600);
  (void)m.Must(SYS_mmap, at, 8 * kPage, kReadWrite,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, kNoFd,
               0);
  m.Write(at, 8, 2);
  m.Write(at - kPage, 1);
  m.Write(at - 3 * kPage, 1);
}
void Heap(HostTask& task) {
  Maker m(task);
  const uint64_t start = m.Must(SYS_brk, 0);
  const uint64_t heap = (start + kPage - 1) / kPage * kPage;
  (void)m.Must(SYS_brk, heap + 50 * kPage);
  m.Write(heap, 50, 2);
  (void)m.Must(SYS_brk, heap + 20 * kPage);
}
void Stack(HostTask& task) {
  Maker m(task);
  const std::optional<SmapsVma> stack = m.Find("[stack]");
  if (stack.has_value()) m.Write(stack->start - 8 * kPage, 8);
}
void Moved(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(16);
  m.Write(at, 16, 2);
  const uint64_t place = m.Anonymous(64);
  (void)m.Must(SYS_mremap, at, 16 * kPage, 16 * kPage,
               MREMAP_MAYMOVE | MREMAP_FIXED, place + 8 * kPage);
  const uint64_t grows = m.Anonymous(8);
  m.Write(grows, 8);
  const uint64_t grown =
      m.Must(SYS_mremap, grows, 8 * kPage, 24 * kPage, MREMAP_MAYMOVE, 0);
  m.Write(grown + 8 * kPage, 16, 4);
}
void MovedLeavingBehind(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(16);
  m.Write(at, 16);
  (void)m.Must(SYS_mremap, at, 16 * kPage, 16 * kPage,
               MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
  m.Write(at, 16, 5);
}
void Sealed(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(8);
  m.Write(at, 8);
  (void)m.Must(kMseal, at, 4 * kPage, 0);
}

// ---- Locked ----------------------------------------------------------------

void Locked(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(30);
  (void)m.Must(SYS_mlock, at, 20 * kPage);
}
void LockedOnFault(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(30);
  m.Write(at, 4);
  (void)m.Must(SYS_mlock2, at, 30 * kPage, MLOCK_ONFAULT);
  m.Write(at + 10 * kPage, 6);
}
void LockedAll(HostTask& task) {
  Maker m(task);
  m.Write(m.Anonymous(10), 5);
  (void)m.Must(SYS_mlockall, MCL_CURRENT | MCL_FUTURE);
  (void)m.Anonymous(10);
  // The harness's mailboxes would be populated over and over.
  (void)m.Must(SYS_mlockall, MCL_CURRENT);
}

// ---- Huge pages ------------------------------------------------------------

void Thp(HostTask& task) {
  Maker m(task);
  m.Write(m.Huge(3), 1024, 512);
}
void ThpSplit(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Huge(4);
  m.Write(at, 2048, 512);
  m.Unmap(at + 100 * kPage, 1);
  m.Protect(at + kHuge + 10 * kPage, 20, PROT_READ);
  m.Advise(at + 2 * kHuge, 3, MADV_DONTNEED);
}
void ThpZero(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Huge(3);
  m.Read(at, 1024, 512);
  // Written to: it is no longer all zeroes.
  m.Write(at + kHuge, 1);
}
void ThpLocked(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Huge(2);
  m.Write(at, 1024, 512);
  (void)m.Must(SYS_mlock, at, kHuge);
}
void ThpForked(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Huge(3);
  m.Write(at, 1536, 512);
  if (!m.ok()) return;
  HostTask& child = task.Fork();
  m.Write(at + kPage, 1);
  if (m.ok()) child.Touch(at + kHuge, kPage, kPage, true);
}
void ThpMoved(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Huge(1);
  m.Write(at, 1);
  const uint64_t place = m.Huge(2);
  (void)m.Must(SYS_mremap, at, kHuge, kHuge, MREMAP_MAYMOVE | MREMAP_FIXED,
               place + kHuge);
}
void ThpCollapsed(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Huge(1);
  m.Advise(at, 512, MADV_NOHUGEPAGE);
  m.Write(at, 512, 2);
  m.Advise(at, 512, MADV_HUGEPAGE);
  (void)m.Must(SYS_madvise, at, kHuge, kMadvCollapse);
}
void HugetlbWithoutPool(HostTask& task) {
  Maker m(task);
  (void)m.MayLack(
      ENOMEM, "hugetlb pages",
      m.Try(SYS_mmap, 0, 2 * kHuge, kReadWrite,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, kNoFd,
            0));
}
void HugetlbPrivate(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Hugetlb(MAP_PRIVATE | MAP_ANONYMOUS);
  m.Write(at, kPagesPerHuge);
}
void HugetlbShared(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Hugetlb(MAP_SHARED | MAP_ANONYMOUS);
  m.Write(at, kPagesPerHuge);
}

// ---- Swap ------------------------------------------------------------------

void Swapped(HostTask& task) {
  Maker m(task);
  m.NeedsSwap();
  const uint64_t at = m.Anonymous(64);
  m.Write(at, 64);
  m.Advise(at + 8 * kPage, 40, MADV_PAGEOUT);
  m.Read(at + 20 * kPage, 8, 3);  // back again
}
void SwappedFileCow(HostTask& task) {
  Maker m(task);
  m.NeedsSwap();
  const uint64_t fd = m.OpenProgram();
  const uint64_t at = m.Map(32, kReadWrite, MAP_PRIVATE, fd);
  m.Read(at, 32);
  m.Write(at, 32, 2);
  m.Advise(at, 32, MADV_PAGEOUT);
}
void SwappedShared(HostTask& task) {
  Maker m(task);
  m.NeedsSwap();
  const uint64_t at = m.Map(32, kReadWrite, MAP_SHARED | MAP_ANONYMOUS);
  m.Write(at, 32, 2);
  m.Advise(at, 32, MADV_PAGEOUT);
}

// ---- Files -----------------------------------------------------------------

void FilePrivate(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.OpenProgram();
  m.Read(m.Map(32, PROT_READ, MAP_PRIVATE, fd), 32, 3);
  m.Read(m.Map(32, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd), 32, 5);
}
void FileCow(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.OpenProgram();
  const uint64_t at = m.Map(32, kReadWrite, MAP_PRIVATE, fd);
  m.Read(at, 32, 3);
  m.Write(at, 32, 4);
}
void FileSharedWritable(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.OpenScratch(16);
  m.Write(m.Map(16, kReadWrite, MAP_SHARED, fd), 16, 2);
  m.Read(m.Map(16, PROT_READ, MAP_SHARED, fd), 16, 2);
}
void FileSharedReadOnly(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.OpenProgram();
  m.Read(m.Map(16, PROT_READ, MAP_SHARED, fd), 16, 2);
}
void FileLocked(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.OpenProgram();
  const uint64_t at = m.Map(16, PROT_READ, MAP_PRIVATE, fd);
  (void)m.Must(SYS_mlock, at, 16 * kPage);
}
// Becomes another program, with libraries.
void Program(HostTask& task) {
  Maker m(task);
  const uint64_t path = task.Text("/bin/sleep");
  const uint64_t time = task.Text("1000000");
  const uint64_t arguments[] = {path, time, 0};
  const uint64_t empty[] = {0};
  const uint64_t list = task.Bytes(arguments, sizeof(arguments));
  const uint64_t environment = task.Bytes(empty, sizeof(empty));
  if (!m.ok()) return;
  task.Begin(SYS_execve, path, list, environment);
  task.machine().WaitInCall(task, SYS_clock_nanosleep);
}

// ---- Shared memory ---------------------------------------------------------

void SharedAnonymous(HostTask& task) {
  Maker m(task);
  m.Write(m.Map(24, kReadWrite, MAP_SHARED | MAP_ANONYMOUS), 24, 2);
}
void SharedDevZero(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.Open("/dev/zero", O_RDWR);
  m.Write(m.Map(16, kReadWrite, MAP_SHARED, fd), 16, 2);
}
void MemfdShared(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.Memfd(24);
  m.Write(m.Map(24, kReadWrite, MAP_SHARED, fd), 24, 2);
  m.Read(m.Map(24, PROT_READ, MAP_SHARED, fd), 24, 3);
}
void MemfdPrivate(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.Memfd(24);
  m.Read(m.Map(24, PROT_READ, MAP_PRIVATE, fd), 24, 3);
  const uint64_t at = m.Map(24, kReadWrite, MAP_PRIVATE, fd);
  m.Read(at, 24, 2);
  m.Write(at, 24, 3);
}
void MemfdReadOnly(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.Memfd(16);
  m.Write(m.Map(16, kReadWrite, MAP_SHARED, fd), 16);
  const uint64_t again = m.Open(absl::StrCat("/proc/self/fd/", fd), O_RDONLY);
  m.Read(m.Map(16, PROT_READ, MAP_SHARED, again), 16, 2);
}
void MemfdCollapsed(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.Memfd(512);
  const uint64_t shared = m.Huge(1, MAP_SHARED, fd);
  m.Write(shared, 512);
  (void)m.Must(SYS_madvise, shared, kHuge, kMadvCollapse);
  const uint64_t copy = m.Huge(1, MAP_PRIVATE, fd);
  m.Read(copy, 512);
}
void SystemV(HostTask& task) {
  Maker m(task);
  const uint64_t id = m.Must(SYS_shmget, IPC_PRIVATE, 16 * kPage, 0600);
  const uint64_t at = m.Must(SYS_shmat, id, 0, 0);
  // It lasts as long as somebody is attached.
  (void)m.Must(SYS_shmctl, id, IPC_RMID, 0);
  m.Write(at, 16, 2);
}
void SystemVReadOnly(HostTask& task) {
  Maker m(task);
  const uint64_t id = m.Must(SYS_shmget, IPC_PRIVATE, 16 * kPage, 0600);
  const uint64_t at = m.Must(SYS_shmat, id, 0, 0);
  const uint64_t again = m.Must(SYS_shmat, id, 0, SHM_RDONLY);
  (void)m.Must(SYS_shmctl, id, IPC_RMID, 0);
  m.Write(at, 16);
  m.Read(again, 16, 2);
}
void Secret(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.Must(SYS_memfd_secret, 0);
  m.Grow(fd, 8);
  m.Write(m.Map(8, kReadWrite, MAP_SHARED, fd), 8, 2);
}

// ---- Shared with others ----------------------------------------------------

void Forked(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(40);
  m.Write(at, 20);
  const uint64_t not_copied = m.Anonymous(8);
  m.Write(not_copied, 8);
  m.Advise(not_copied, 8, MADV_DONTFORK);
  const uint64_t wiped = m.Anonymous(8);
  m.Write(wiped, 8);
  m.Advise(wiped, 8, MADV_WIPEONFORK);
  if (!m.ok()) return;
  HostTask& child = task.Fork();
  m.Write(at, 5);
  m.Write(at + 20 * kPage, 10);
  if (m.ok()) child.Touch(at + 10 * kPage, 5 * kPage, kPage, true);
}

// ---- Userfaultfd and markers -----------------------------------------------

void UserfaultMissing(HostTask& task) {
  Maker m(task);
  const uint64_t uffd = m.Userfaultfd(0);
  const uint64_t source = m.Anonymous(4);
  m.Write(source, 4);
  const uint64_t at = m.Anonymous(24);
  m.Write(at, 4);
  m.Register(uffd, at, 24, UFFDIO_REGISTER_MODE_MISSING);
  uffdio_copy copy = {};
  copy.dst = at + 10 * kPage;
  copy.src = source;
  copy.len = 4 * kPage;
  (void)m.Ioctl(uffd, UFFDIO_COPY, copy);
  uffdio_zeropage zero = {};
  zero.range = {at + 18 * kPage, 2 * kPage};
  (void)m.Ioctl(uffd, UFFDIO_ZEROPAGE, zero);
}
void UserfaultMinor(HostTask& task) {
  Maker m(task);
  const uint64_t uffd = m.Userfaultfd(UFFD_FEATURE_MINOR_SHMEM);
  const uint64_t fd = m.Memfd(16);
  m.Write(m.Map(16, kReadWrite, MAP_SHARED, fd), 16);
  const uint64_t at = m.Map(16, kReadWrite, MAP_SHARED, fd);
  m.Register(uffd, at, 16, UFFDIO_REGISTER_MODE_MINOR);
  uffdio_continue go_on = {};
  go_on.range = {at + 4 * kPage, 4 * kPage};
  (void)m.Ioctl(uffd, UFFDIO_CONTINUE, go_on);
}
void UserfaultWpAnonymous(HostTask& task) {
  Maker m(task);
  const uint64_t uffd = m.Userfaultfd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
  const uint64_t at = m.Anonymous(24);
  m.Write(at, 8);
  m.Read(at + 8 * kPage, 2);
  m.Register(uffd, at, 24, UFFDIO_REGISTER_MODE_WP);
  m.WriteProtect(uffd, at + 4 * kPage, 8);
}
void UserfaultWpUnpopulated(HostTask& task) {
  Maker m(task);
  const uint64_t uffd =
      m.Userfaultfd(UFFD_FEATURE_PAGEFAULT_FLAG_WP | kUffdWpUnpopulated);
  const uint64_t at = m.Anonymous(24);
  m.Write(at, 8);
  m.Register(uffd, at, 24, UFFDIO_REGISTER_MODE_WP);
  m.WriteProtect(uffd, at + 4 * kPage, 12);
}
void UserfaultWpShared(HostTask& task) {
  Maker m(task);
  const uint64_t uffd =
      m.Userfaultfd(UFFD_FEATURE_PAGEFAULT_FLAG_WP | kUffdWpHugetlbfsShmem);
  const uint64_t fd = m.Memfd(24);
  const uint64_t at = m.Map(24, kReadWrite, MAP_SHARED, fd);
  m.Write(at, 8);
  m.Register(uffd, at, 24, UFFDIO_REGISTER_MODE_WP);
  m.WriteProtect(uffd, at + 4 * kPage, 12);
  const uint64_t copy = m.Map(24, kReadWrite, MAP_PRIVATE, fd);
  m.Read(copy, 8);
  m.Write(copy, 4);
  m.Register(uffd, copy, 24, UFFDIO_REGISTER_MODE_WP);
  m.WriteProtect(uffd, copy + 2 * kPage, 12);
}
void UserfaultWpFile(HostTask& task) {
  Maker m(task);
  const uint64_t uffd = m.Userfaultfd(kUffdWpAsync);
  const uint64_t fd = m.OpenProgram();
  const uint64_t at = m.Map(24, kReadWrite, MAP_PRIVATE, fd);
  m.Read(at, 8);
  m.Write(at, 4);
  m.Register(uffd, at, 24, UFFDIO_REGISTER_MODE_WP);
  m.WriteProtect(uffd, at + 2 * kPage, 20);
  m.Write(at + 20 * kPage, 1);
}
void UserfaultWpThp(HostTask& task) {
  Maker m(task);
  const uint64_t uffd = m.Userfaultfd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
  const uint64_t at = m.Huge(2);
  m.Write(at, 1024, 512);
  m.Register(uffd, at, 1024, UFFDIO_REGISTER_MODE_WP);
  m.WriteProtect(uffd, at, 512);
}
void UserfaultPoison(HostTask& task) {
  Maker m(task);
  const uint64_t uffd = m.Userfaultfd(kUffdPoison);
  const uint64_t at = m.Anonymous(16);
  m.Write(at, 4);
  m.Register(uffd, at, 16, UFFDIO_REGISTER_MODE_MISSING);
  (void)m.Ioctl(uffd, kUffdioPoison,
                UffdPoison{at + 8 * kPage, 4 * kPage, 0, 0});
}
void UserfaultMove(HostTask& task) {
  Maker m(task);
  const uint64_t uffd = m.Userfaultfd(kUffdMove);
  const uint64_t source = m.Anonymous(16);
  m.Write(source, 16);
  const uint64_t at = m.Anonymous(16);
  m.Register(uffd, at, 16, UFFDIO_REGISTER_MODE_MISSING);
  (void)m.Ioctl(uffd, kUffdioMove,
                UffdMove{at + 2 * kPage, source + 4 * kPage, 4 * kPage, 0, 0});
}
void GuardAnonymous(HostTask& task) {
  Maker m(task);
  const uint64_t at = m.Anonymous(24);
  m.Write(at, 12);
  m.Advise(at + 8 * kPage, 8, kMadvGuardInstall);
}
void GuardFile(HostTask& task) {
  Maker m(task);
  const uint64_t fd = m.OpenProgram();
  const uint64_t at = m.Map(24, PROT_READ, MAP_PRIVATE, fd);
  m.Read(at, 12);
  m.Advise(at + 8 * kPage, 8, kMadvGuardInstall);
  const uint64_t memfd = m.Memfd(24);
  const uint64_t shared = m.Map(24, kReadWrite, MAP_SHARED, memfd);
  m.Write(shared, 12);
  m.Advise(shared + 8 * kPage, 8, kMadvGuardInstall);
}

// ---- Of the kernel and of drivers ------------------------------------------

void Vdso(HostTask& task) {
  Maker m(task);
  const std::optional<SmapsVma> vdso = m.Find("[vdso]");
  if (vdso.has_value()) m.Read(vdso->start, 1);
  const std::optional<SmapsVma> vvar = m.Find("[vvar]");
  if (vvar.has_value()) m.Read(vvar->start, 1);
}
void PerfRing(HostTask& task) {
  Maker m(task);
  perf_event_attr attributes = {};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.disabled = 1;
  const uint64_t fd =
      m.Must(SYS_perf_event_open, task.Bytes(&attributes, sizeof(attributes)),
             0, kNoFd, kNoFd, PERF_FLAG_FD_CLOEXEC);
  m.Read(m.Map(5, kReadWrite, MAP_SHARED, fd), 5);
}
void PacketRing(HostTask& task) {
  Maker m(task);
  const auto ring = [&m, &task] {
    const uint64_t fd = m.Must(SYS_socket, AF_PACKET, SOCK_RAW, 0);
    tpacket_req request = {};
    request.tp_block_size = 4 * kPage;
    request.tp_block_nr = 4;
    request.tp_frame_size = 2048;
    request.tp_frame_nr = 32;
    (void)m.Must(SYS_setsockopt, fd, SOL_PACKET, PACKET_RX_RING,
                 task.Bytes(&request, sizeof(request)), sizeof(request));
    return fd;
  };
  m.Read(m.Map(16, kReadWrite, MAP_SHARED, ring()), 16);
  m.Read(m.Map(16, PROT_READ, MAP_PRIVATE, ring()), 16);
}
void UringRing(HostTask& task) {
  Maker m(task);
  // struct io_uring_params, of which only the kernel's answer matters.
  const char parameters[120] = {};
  const uint64_t fd = m.Must(SYS_io_uring_setup, 64,
                             task.Bytes(parameters, sizeof(parameters)));
  m.Read(m.Map(1, kReadWrite, MAP_SHARED | MAP_POPULATE, fd), 1);
}

}  // namespace

const std::vector<VictimKind>& VictimKinds() {
  static const auto* kinds = new std::vector<VictimKind>{
      {"anonymous", "private anonymous pages, dense and sparse", Anonymous},
      {"untouched", "anonymous memory that nobody touched", Untouched},
      {"zero_page", "anonymous pages that were only read", ZeroPage},
      {"read_only", "written, then PROT_READ", ReadOnly},
      {"no_access", "written, then PROT_NONE", NoAccess},
      {"no_reserve", "MAP_NORESERVE", NoReserve},
      {"populated", "MAP_POPULATE and MADV_POPULATE_*", Populated},
      {"one_page_vmas", "40 mappings of a page each", OnePageVmas},
      {"neighbours", "neighbours that differ in advice", Neighbours},
      {"advised", "MADV_FREE, COLD, DONTNEED, PAGEOUT", Advised},
      {"mergeable", "MADV_MERGEABLE", Mergeable},
      {"droppable", "MAP_DROPPABLE", Droppable},
      {"dev_zero", "/dev/zero, private", DevZero},
      {"grows_down", "MAP_GROWSDOWN, grown", GrowsDown},
      {"heap", "a heap made with brk(2)", Heap},
      {"stack", "a stack that has grown", Stack},
      {"moved", "moved and grown by mremap(2)", Moved},
      {"moved_dontunmap", "moved with MREMAP_DONTUNMAP", MovedLeavingBehind},
      {"sealed", "mseal(2)", Sealed},
      {"locked", "mlock(2)", Locked},
      {"locked_on_fault", "MLOCK_ONFAULT", LockedOnFault},
      {"locked_all", "mlockall(2)", LockedAll, true},
      {"thp", "huge pages", Thp},
      {"thp_split", "huge pages, parts of them unmapped or protected",
       ThpSplit},
      {"thp_zero", "the huge zero page", ThpZero},
      {"thp_locked", "a locked huge page", ThpLocked},
      {"thp_forked", "huge pages shared with a child", ThpForked},
      {"thp_moved", "a huge page moved by mremap(2)", ThpMoved},
      {"thp_collapsed", "a huge page made by MADV_COLLAPSE", ThpCollapsed},
      {"hugetlb", "MAP_HUGETLB without a pool", HugetlbWithoutPool},
      {"hugetlb_private", "MAP_HUGETLB, private", HugetlbPrivate},
      {"hugetlb_shared", "MAP_HUGETLB, shared", HugetlbShared},
      {"swapped", "anonymous pages, swapped out", Swapped},
      {"swapped_file_cow", "a file's written pages, swapped out",
       SwappedFileCow},
      {"swapped_shared", "shared anonymous pages, swapped out", SwappedShared},
      {"file_private", "a file, private, clean", FilePrivate},
      {"file_cow", "a file, private, written to", FileCow},
      {"file_shared", "a file, shared, writable descriptor",
       FileSharedWritable},
      {"file_shared_read_only", "a file, shared, read-only descriptor",
       FileSharedReadOnly},
      {"file_locked", "a locked file", FileLocked},
      {"program", "a program with libraries", Program, true},
      {"shared_anonymous", "MAP_SHARED | MAP_ANONYMOUS", SharedAnonymous},
      {"shared_dev_zero", "/dev/zero, shared", SharedDevZero},
      {"memfd_shared", "a memfd, shared", MemfdShared},
      {"memfd_private", "a memfd, private, clean and written to", MemfdPrivate},
      {"memfd_read_only", "a memfd, shared, read-only descriptor",
       MemfdReadOnly},
      {"memfd_collapsed", "a memfd in huge pages", MemfdCollapsed},
      {"sysv", "System V shared memory", SystemV},
      {"sysv_read_only", "System V shared memory, SHM_RDONLY", SystemVReadOnly},
      {"secret", "memfd_secret(2)", Secret},
      {"forked", "pages shared with a child", Forked},
      {"uffd_missing", "userfaultfd, missing", UserfaultMissing},
      {"uffd_minor", "userfaultfd, minor", UserfaultMinor},
      {"uffd_wp", "userfaultfd, write-protected anonymous pages",
       UserfaultWpAnonymous},
      {"uffd_wp_unpopulated", "the same with markers", UserfaultWpUnpopulated},
      {"uffd_wp_shmem", "userfaultfd, write-protected memfd",
       UserfaultWpShared},
      {"uffd_wp_file", "userfaultfd, write-protected file", UserfaultWpFile},
      {"uffd_wp_thp", "userfaultfd, write-protected huge page", UserfaultWpThp},
      {"uffd_poison", "UFFDIO_POISON", UserfaultPoison},
      {"uffd_move", "UFFDIO_MOVE", UserfaultMove},
      {"guard", "guard regions in anonymous memory", GuardAnonymous},
      {"guard_file", "guard regions in a file and a memfd", GuardFile},
      {"vdso", "[vdso] and [vvar], read", Vdso},
      {"perf_ring", "a ring of perf_event_open(2)", PerfRing},
      {"packet_ring", "a ring of a packet socket", PacketRing},
      {"uring_ring", "a ring of io_uring", UringRing},
  };
  return *kinds;
}

void MakeMixedMemory(HostTask& task) {
  Maker m(task);
  m.Write(m.Anonymous(64), 64);
  FilePrivate(task);
  FileCow(task);
  MemfdShared(task);
  FileSharedReadOnly(task);
  Locked(task);
  m.Write(m.Huge(1), 1);
  // Both only where the host has them.
  (void)m.Try(SYS_mmap, 0, kHuge, kReadWrite,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, kNoFd,
              0);
  const uint64_t guarded = m.Anonymous(4);
  (void)m.Try(SYS_madvise, guarded, 2 * kPage, kMadvGuardInstall);
}

}  // namespace reapsim
