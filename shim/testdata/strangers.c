// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Processes that this program has not started, and groups of them.
#include "client.h"

int main(void) {
  show("SIGKILL to whoever started this", kill(getppid(), SIGKILL));
  show("its pidfd",
       syscall(SYS_pidfd_send_signal, open_pidfd(getppid()), SIGKILL, NULL, 0));
  const pid_t pid = start_victim(1 << 20, NULL);
  setpgid(pid, pid);
  const int fd = open_pidfd(pid);
  show("SIGKILL to a group", kill(-pid, SIGKILL));
  show("process_mrelease", mrelease(fd, 0));
  int status = 0;
  if (waitpid(-pid, &status, 0) != pid) return 72;
  show_status(status);
  return 0;
}
