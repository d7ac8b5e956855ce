// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/stuck_file.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = 4096;
// Any directory that all hosts have: in the namespace of its own it is hidden
// by an empty one.
constexpr char kDirectory[] = "/tmp";
constexpr char kFile[] = "/tmp/stuck";

int OpenFuse(HostMachine& m) {
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) return fd;
  if (errno == ENOENT || errno == ENODEV || errno == ENXIO) {
    m.Fail(absl::UnimplementedError("the host has no /dev/fuse"));
  } else {
    (void)m.Must(-errno, "/dev/fuse");
  }
  return -1;
}

void CloseOnce(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

}  // namespace

StuckFile::StuckFile(HostMachine& m) : m_(m), fd_(std::make_shared<int>(-1)) {
  if (!m_.ok()) return;
  *fd_ = OpenFuse(m_);
  m_.BeforeEnd([fd = fd_] { CloseOnce(*fd); });
  if (m_.ok()) RefuseInterrupts(Mount());
}

HostTask& StuckFile::Mount() {
  HostTask& mounter = m_.Spawn();
  const int fd = m_.SendFd(mounter, *fd_);
  (void)mounter.Must(SYS_unshare, CLONE_NEWNS);
  const uint64_t none = mounter.Text("none");
  (void)mounter.Must(SYS_mount, none, mounter.Text("/"), 0, MS_REC | MS_PRIVATE,
                     0);
  (void)mounter.Must(SYS_mount, none, mounter.Text(kDirectory),
                     mounter.Text("tmpfs"), 0, 0);
  const uint64_t file = mounter.Text(kFile);
  (void)mounter.Must(SYS_mknod, file, S_IFREG | 0600, 0);
  const std::string options =
      absl::StrCat("fd=", fd, ",rootmode=100000,user_id=", geteuid(),
                   ",group_id=", getegid());
  (void)mounter.Must(SYS_mount, none, file, mounter.Text("fuse"),
                     MS_NOSUID | MS_NODEV, mounter.Text(options));
  (void)mounter.Must(SYS_close, fd);
  path_ = absl::StrCat("/proc/", mounter.tgid(), "/root", kFile);
  return mounter;
}

void StuckFile::RefuseInterrupts(HostTask& task) {
  task.Handle(SIGUSR1);
  BeginOpen(task);
  m_.Tgkill(task, SIGUSR1);
  Serve([&] { return interrupts_refused_ > 0; }, "an interrupted request");
}

void StuckFile::Release() { CloseOnce(*fd_); }

void StuckFile::BeginOpen(HostTask& task) {
  answers_open_ = false;
  const int waiting = opens_waiting_;
  task.Begin(SYS_openat, static_cast<uint64_t>(AT_FDCWD), task.Text(path_),
             O_RDONLY);
  Serve([&] { return opens_waiting_ > waiting; }, "an open of the stuck file");
}

void StuckFile::BlockInOpen(HostTask& task) {
  BeginOpen(task);
  m_.WaitInCall(task, SYS_openat, "D");
}

uint64_t StuckFile::Map(HostTask& task) {
  answers_open_ = true;
  task.Begin(SYS_openat, static_cast<uint64_t>(AT_FDCWD), task.Text(path_),
             O_RDONLY);
  Serve([&] { return task.Done(); }, "an open of the stuck file");
  const int64_t fd = m_.Must(task.Finish(), "open");
  // The kernel asks for the size only if somebody wants to know it.
  const struct stat empty = {};
  task.Begin(SYS_fstat, static_cast<uint64_t>(fd),
             task.Bytes(&empty, sizeof empty));
  Serve([&] { return task.Done(); }, "the size of the stuck file");
  (void)m_.Must(task.Finish(), "fstat");
  return static_cast<uint64_t>(task.Must(SYS_mmap, 0, kPage, PROT_READ,
                                         MAP_PRIVATE, static_cast<uint64_t>(fd),
                                         0));
}

void StuckFile::WaitForReader() {
  Serve([&] { return reads_waiting_ > 0; }, "a read of the stuck file");
}

void StuckFile::Serve(const std::function<bool()>& done, const char* what) {
  m_.WaitUntilTrue(
      [&] {
        while (ServeOne()) {
        }
        return done();
      },
      what);
}

void StuckFile::Answer(uint64_t request, int error, const void* body,
                       uint32_t bytes) {
  fuse_out_header header = {};
  header.len = static_cast<uint32_t>(sizeof header) + bytes;
  header.error = -error;
  header.unique = request;
  const iovec parts[] = {
      {.iov_base = &header, .iov_len = sizeof header},
      {.iov_base = const_cast<void*>(body), .iov_len = bytes}};
  // Fails for a request whose task no longer waits: then nobody misses it.
  (void)!writev(*fd_, parts, 2);
}

bool StuckFile::ServeOne() {
  alignas(fuse_in_header) char request[FUSE_MIN_READ_BUFFER];
  const ssize_t bytes = read(*fd_, request, sizeof request);
  fuse_in_header header;
  if (bytes < static_cast<ssize_t>(sizeof header)) return false;
  std::memcpy(&header, request, sizeof header);
  switch (header.opcode) {
    case FUSE_INIT: {
      fuse_init_out out = {};
      out.major = FUSE_KERNEL_VERSION;
      out.minor = 31;  // what is needed here has not changed since
      out.max_write = kPage;
      Answer(header.unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_GETATTR: {
      fuse_attr_out out = {};
      out.attr.ino = FUSE_ROOT_ID;
      out.attr.size = kPage;
      out.attr.mode = S_IFREG | 0600;
      out.attr.nlink = 1;
      Answer(header.unique, 0, &out, sizeof out);
      break;
    }
    case FUSE_OPEN:
      if (answers_open_) {
        const fuse_open_out out = {};
        Answer(header.unique, 0, &out, sizeof out);
      } else {
        ++opens_waiting_;
      }
      break;
    case FUSE_READ:
      ++reads_waiting_;
      break;
    case FUSE_INTERRUPT:
      Answer(header.unique, ENOSYS, nullptr, 0);
      ++interrupts_refused_;
      break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
      break;  // want no answer
    case FUSE_FLUSH:
    case FUSE_RELEASE:
      Answer(header.unique, 0, nullptr, 0);
      break;
    default:
      Answer(header.unique, ENOSYS, nullptr, 0);
      break;
  }
  return true;
}

}  // namespace reapsim
