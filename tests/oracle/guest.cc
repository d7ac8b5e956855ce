// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/oracle/guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/errno_names.h"

namespace reapsim {
namespace {

void Tell(const std::string& what, bool done) {
  if (done) return;
  std::printf("guest: %s: %s\n", what.c_str(), ErrnoName(errno).c_str());
}

void Mount(const char* type, const char* where, const char* options = "") {
  (void)mkdir(where, 0755);
  Tell(std::string(type) + " on " + where,
       mount(type, where, type, 0, options) == 0);
}

void Write(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  const bool done = fd >= 0 && write(fd, text.data(), text.size()) ==
                                   static_cast<ssize_t>(text.size());
  Tell(path, done);
  if (fd >= 0) (void)close(fd);
}

// In the order of their names, which the host has given them.
void LoadModules() {
  constexpr char kFolder[] = "/modules";
  DIR* folder = opendir(kFolder);
  if (folder == nullptr) return;
  std::vector<std::string> names;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  (void)closedir(folder);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const int fd =
        open((std::string(kFolder) + "/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    Tell("module " + name,
         fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0);
    if (fd >= 0) (void)close(fd);
  }
}

}  // namespace

bool IsFirstProcess() { return getpid() == 1; }

void PrepareGuest() {
  Mount("devtmpfs", "/dev");
  const int console = open("/dev/console", O_RDWR);
  for (int fd = 0; fd <= 2 && console >= 0; ++fd) (void)dup2(console, fd);
  (void)setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  Mount("proc", "/proc");
  Mount("sysfs", "/sys");
  LoadModules();
  Mount("tmpfs", "/dev/shm");
  Mount("tmpfs", "/tmp");
  // Its files are no shared memory, as those of tmpfs are.
  (void)mkdir("/var", 0755);
  Mount("ramfs", "/var/tmp");
  Mount("cgroup2", "/sys/fs/cgroup");
  Write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
  Mount("cgroup", "/freezer", "freezer");
  Write("/proc/sys/vm/nr_hugepages", "8");
  Tell("swap", swapon("/dev/nvme0n1", 0) == 0);
  (void)setenv("PATH", "/bin", 1);
}

bool SendToHost(const std::string& text) {
  const int line = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (line < 0) return false;
  termios raw = {};
  cfmakeraw(&raw);
  (void)cfsetspeed(&raw, B115200);
  bool done = tcsetattr(line, TCSANOW, &raw) == 0;
  for (size_t sent = 0; done && sent < text.size();) {
    const ssize_t now = write(line, text.data() + sent, text.size() - sent);
    done = now > 0;
    if (done) sent += static_cast<size_t>(now);
  }
  done = done && tcdrain(line) == 0;
  (void)close(line);
  return done;
}

void PowerOff() {
  sync();
  (void)reboot(RB_POWER_OFF);
  std::abort();  // An init that ends is a panic, which ends the machine too.
}

}  // namespace reapsim
