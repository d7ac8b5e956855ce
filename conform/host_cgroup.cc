// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/host_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "import/read_file.h"

namespace reapsim {
namespace {

using Kind = HostCgroup::Kind;

const char* ControllerOf(Kind kind) {
  switch (kind) {
    case Kind::kFreezerV1:
      return "freezer";
    case Kind::kMemoryV1:
      return "memory";
    case Kind::kV2:
      return "";
  }
  return "";
}

bool HasWord(absl::string_view list, absl::string_view word) {
  for (absl::string_view part : absl::StrSplit(list, ',')) {
    if (part == word) return true;
  }
  return false;
}

struct CgroupMount {
  std::string root;   // what of the hierarchy is mounted
  std::string point;  // where
};

// The mount of that hierarchy; empty if there is none. Lines of mountinfo are
// "ID PARENT DEVICE ROOT POINT OPTIONS … - TYPE SOURCE OPTIONS".
CgroupMount FindMount(Kind kind) {
  const absl::StatusOr<std::string> text = ReadFile("/proc/self/mountinfo");
  if (!text.ok()) return {};
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::vector<std::string> halves = absl::StrSplit(line, " - ");
    if (halves.size() != 2) continue;
    const std::vector<std::string> place = absl::StrSplit(halves[0], ' ');
    const std::vector<std::string> what = absl::StrSplit(halves[1], ' ');
    if (place.size() < 5 || what.size() < 3) continue;
    const bool wanted =
        kind == Kind::kV2
            ? what[0] == "cgroup2"
            : what[0] == "cgroup" && HasWord(what[2], ControllerOf(kind));
    if (wanted) return {.root = place[3], .point = place[4]};
  }
  return {};
}

// The harness's own cgroup. Lines are "NUMBER:CONTROLLERS:PATH".
std::string OwnCgroup(Kind kind) {
  const absl::StatusOr<std::string> text = ReadFile("/proc/self/cgroup");
  if (!text.ok()) return "/";
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() == 3 &&
        (kind == Kind::kV2 ? parts[0] == "0"
                           : HasWord(parts[1], ControllerOf(kind)))) {
      return parts[2];
    }
  }
  return "/";
}

// The directory of the harness's own cgroup.
std::string OwnDirectory(const CgroupMount& mount, Kind kind) {
  const std::string own = OwnCgroup(kind);
  absl::string_view below = own;
  if (mount.root != "/" && !absl::ConsumePrefix(&below, mount.root)) {
    below = "";
  }
  return absl::StrCat(mount.point, below == "/" ? "" : below);
}

int64_t WriteText(const std::string& path, absl::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int64_t result = write(fd, text.data(), text.size());
  if (result < 0) result = -errno;
  close(fd);
  return result;
}

}  // namespace

bool HostCgroup::Mounted(Kind kind) { return !FindMount(kind).point.empty(); }

HostCgroup::HostCgroup(HostMachine& m, Kind kind) : m_(m), kind_(kind) {
  if (!m_.ok()) return;
  const CgroupMount mount = FindMount(kind);
  if (mount.point.empty()) {
    m_.Fail(absl::UnimplementedError(
        absl::StrCat("no cgroup hierarchy of the host has ",
                     kind == Kind::kV2 ? "version 2" : ControllerOf(kind),
                     kind == Kind::kV2 ? "" : " of version 1")));
    return;
  }
  // One machine of a process at a time has such a cgroup.
  const std::string path =
      absl::StrCat(OwnDirectory(mount, kind), "/reapsim-", getpid());
  const char* file = FreezerFile();
  m_.Spawn().BeginGuard(file == nullptr ? "" : absl::StrCat(path, "/", file),
                        Thawed(), path);
  if (!m_.ok()) return;
  constexpr mode_t kMode = 0700;
  if (mkdir(path.c_str(), kMode) != 0) {
    (void)m_.Must(errno == EROFS ? -EPERM : -errno, path);
    return;
  }
  path_ = path;
  // The last member may be a little on its way.
  m_.AfterEnd([path] {
    if (!WaitPatiently([&] { return rmdir(path.c_str()) == 0; })) {
      (void)std::fprintf(stderr, "%s: cannot be removed\n", path.c_str());
    }
  });
}

void HostCgroup::Add(HostTask& task) {
  Write("cgroup.procs", absl::StrCat(task.tgid()));
}

void HostCgroup::Write(absl::string_view file, absl::string_view text) {
  if (!m_.ok()) return;
  const std::string path = absl::StrCat(path_, "/", file);
  (void)m_.Must(WriteText(path, text), path);
}

bool HostCgroup::Has(absl::string_view file) const {
  return access(absl::StrCat(path_, "/", file).c_str(), F_OK) == 0;
}

void HostCgroup::WaitFor(absl::string_view file, absl::string_view text) {
  const std::string path = absl::StrCat(path_, "/", file);
  m_.WaitUntilTrue(
      [&] {
        const absl::StatusOr<std::string> content = ReadFile(path);
        return content.ok() && absl::StrContains(*content, text);
      },
      absl::StrCat(path, " to say ", text));
}

void HostCgroup::Freeze() {
  if (!m_.ok()) return;
  const std::string file = absl::StrCat(path_, "/", FreezerFile());
  m_.BeforeEnd([file, thawed = Thawed()] { (void)WriteText(file, thawed); });
  if (kind_ == Kind::kFreezerV1) {
    Write("freezer.state", "FROZEN");
    WaitFor("freezer.state", "FROZEN");
  } else {
    Write("cgroup.freeze", "1");
    WaitFor("cgroup.events", "frozen 1");
  }
}

const char* HostCgroup::FreezerFile() const {
  switch (kind_) {
    case Kind::kFreezerV1:
      return "freezer.state";
    case Kind::kV2:
      return "cgroup.freeze";
    case Kind::kMemoryV1:
      return nullptr;
  }
  return nullptr;
}

const char* HostCgroup::Thawed() const {
  return kind_ == Kind::kFreezerV1 ? "THAWED" : "0";
}

void HostCgroup::LimitMemory(uint64_t bytes) {
  if (!m_.ok()) return;
  const char* file =
      kind_ == Kind::kMemoryV1 ? "memory.limit_in_bytes" : "memory.max";
  if (!Has(file)) {
    m_.Fail(absl::UnimplementedError(absl::StrCat(
        path_, " has no ", file, ": its parent keeps memory to itself")));
    return;
  }
  Write(file, absl::StrCat(bytes));
  if (Has("memory.swap.max")) Write("memory.swap.max", "0");
}

}  // namespace reapsim
