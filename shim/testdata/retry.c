// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Kills a child and releases its memory. If the child was faster, tries again
// with one of twice the size; the errors first, as the call's own selftest has
// it.
#include "client.h"

int main(void) {
  if (show("bad descriptor", mrelease(-1, 0)) == -1 && errno == ENOSYS) {
    return 4;
  }
  for (size_t size = 1 << 20; size <= 8 << 20; size *= 2) {
    const pid_t pid = start_victim(size, NULL);
    const int fd = open_pidfd(pid);
    show("bad flags", mrelease(fd, ~0u));
    show("alive", mrelease(fd, 0));
    if (kill(pid, SIGKILL) != 0) return 71;
    const long result = mrelease(fd, 0);
    const int error = errno;
    show("killed", result);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) return 72;
    show_status(status);
    show("waited for", mrelease(fd, 0));
    close(fd);
    if (result == 0) {
      printf("released a child of %zu MiB\n", size >> 20);
      return 0;
    }
    if (error != ESRCH) return 1;
  }
  return 1;
}
