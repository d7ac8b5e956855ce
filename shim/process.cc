// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "shim/process.h"

#include <dirent.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "import/read_file.h"

namespace reapsim {

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) (void)close(fd_);
}

int OwnedFd::Release() { return std::exchange(fd_, -1); }

namespace {

// How long a process may take to stop, or to end, before the shim gives up.
// What is answered does not depend on it.
constexpr int kPatienceMs = 10'000;

// PF_KTHREAD among the flags in /proc/PID/stat.
constexpr unsigned kKernelThreadFlag = 0x00200000;

std::optional<RealStat> ParseStat(absl::string_view text) {
  // The name stands in parentheses and may have any in it.
  const size_t end = text.rfind(')');
  if (end == absl::string_view::npos) return std::nullopt;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(text.substr(end + 1), ' ', absl::SkipEmpty());
  unsigned flags = 0;
  RealStat stat;
  if (fields.size() < 7 || fields[0].size() != 1 ||
      !absl::SimpleAtoi(fields[1], &stat.parent) ||
      !absl::SimpleAtoi(fields[2], &stat.group) ||
      !absl::SimpleAtoi(fields[6], &flags)) {
    return std::nullopt;
  }
  stat.state = fields[0].front();
  stat.kernel_thread = (flags & kKernelThreadFlag) != 0;
  return stat;
}

std::optional<RealStat> ReadStatFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return std::nullopt;
  return ParseStat(*text);
}

// The number after `key` at the start of a line of that file.
std::optional<int> ReadNumber(const std::string& path, absl::string_view key) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return std::nullopt;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    int number = 0;
    if (absl::ConsumePrefix(&line, key) && absl::SimpleAtoi(line, &number)) {
      return number;
    }
  }
  return std::nullopt;
}

std::vector<pid_t> NumbersIn(const std::string& directory) {
  std::vector<pid_t> numbers;
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return numbers;
  while (const dirent* entry = readdir(dir)) {
    pid_t number = 0;
    if (absl::SimpleAtoi(entry->d_name, &number)) numbers.push_back(number);
  }
  (void)closedir(dir);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string LinkOf(const std::string& path) {
  char target[128];
  const ssize_t length = readlink(path.c_str(), target, sizeof(target));
  return length < 0 ? "" : std::string(target, static_cast<size_t>(length));
}

std::string TaskDirectory(pid_t pid) {
  return absl::StrCat("/proc/", pid, "/task");
}

// The state of a thread that is in none of these states, or 0.
char ThreadNotIn(absl::string_view states, pid_t pid) {
  for (const pid_t tid : NumbersIn(TaskDirectory(pid))) {
    const std::optional<RealStat> stat =
        ReadStatFile(absl::StrCat(TaskDirectory(pid), "/", tid, "/stat"));
    if (stat && states.find(stat->state) == absl::string_view::npos) {
      return stat->state;
    }
  }
  return 0;
}

// A thread that still runs.
char RunningThread(pid_t pid) { return ThreadNotIn("TZX", pid); }

}  // namespace

std::optional<RealStat> ReadRealStat(pid_t pid) {
  return ReadStatFile(absl::StrCat("/proc/", pid, "/stat"));
}

pid_t ProcessOfThread(pid_t tid) {
  return ReadNumber(absl::StrCat("/proc/", tid, "/status"), "Tgid:")
      .value_or(0);
}

std::vector<pid_t> AllProcesses() { return NumbersIn("/proc"); }

bool IsBelow(pid_t pid, pid_t ancestor) {
  while (pid > 1) {
    const std::optional<RealStat> stat = ReadRealStat(pid);
    if (!stat) return false;
    if (stat->parent == ancestor) return true;
    pid = stat->parent;
  }
  return false;
}

int ThreadCount(pid_t pid) {
  return std::max(1, static_cast<int>(NumbersIn(TaskDirectory(pid)).size()));
}

bool IsAsleep(pid_t pid) { return ThreadNotIn("STtZX", pid) == 0; }

bool HaveSameMemory(pid_t a, pid_t b) {
  return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0) == 0;
}

bool InOurPidNamespace(pid_t pid) {
  const std::string theirs = LinkOf(absl::StrCat("/proc/", pid, "/ns/pid"));
  return theirs.empty() || theirs == LinkOf("/proc/self/ns/pid");
}

RealDescriptor LookAtDescriptor(pid_t process, int fd) {
  const std::string base = absl::StrCat("/proc/", process);
  const std::string link = LinkOf(absl::StrCat(base, "/fd/", fd));
  if (fd < 0 || link.empty()) return {Descriptor::kClosed};
  const std::optional<int> tid =
      ReadNumber(absl::StrCat(base, "/fdinfo/", fd), "Pid:");
  if (!tid) {
    int number = 0;
    absl::string_view name = link;
    return {absl::ConsumePrefix(&name, "/proc/") &&
                    absl::SimpleAtoi(name, &number)
                ? Descriptor::kProcDir
                : Descriptor::kOther};
  }
  const pid_t pid = *tid <= 0 ? 0 : ProcessOfThread(*tid);
  const std::optional<RealStat> stat = ReadRealStat(pid);
  if (pid == 0 || !stat) return {Descriptor::kReaped};
  if (stat->kernel_thread) return {Descriptor::kKernelThread, pid};
  // The leader is a zombie, too, while other threads of it live.
  if (stat->state == 'X' || (stat->state == 'Z' && RunningThread(pid) == 0)) {
    return {Descriptor::kZombie, pid};
  }
  return {pid == process ? Descriptor::kSelf : Descriptor::kLive, pid};
}

OwnedFd OpenPidfd(pid_t pid) {
  return OwnedFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

bool IsReaped(int pidfd) {
  return LookAtDescriptor(getpid(), pidfd).kind == Descriptor::kReaped;
}

absl::Status StopProcess(pid_t pid, int pidfd) {
  const std::string status = absl::StrCat("/proc/", pid, "/status");
  if (ReadNumber(status, "TracerPid:").value_or(0) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", pid, " is traced: it can't be stopped"));
  }
  if (syscall(SYS_pidfd_send_signal, pidfd, SIGSTOP, nullptr, 0) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", pid, " can't be stopped"));
  }
  char running = 0;
  for (int i = 0; i < kPatienceMs; ++i) {
    running = RunningThread(pid);
    if (running == 0) return absl::OkStatus();
    (void)poll(nullptr, 0, 1);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("process ", pid, " does not stop: a thread stays in state ",
                   std::string(1, running)));
}

void EndProcess(int pidfd) {
  (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
  pollfd ended{pidfd, POLLIN, 0};
  while (poll(&ended, 1, kPatienceMs) < 0 && errno == EINTR) {
  }
}

}  // namespace reapsim
