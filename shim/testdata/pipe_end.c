// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Waits for the victim's end without a wait: a pipe that only it can write to
// is at its end. And for one's own.
#include "client.h"

int main(void) {
  int ends[2];
  if (pipe(ends) != 0) return 70;
  const pid_t pid = start_victim(1 << 20, NULL);
  const int fd = open_pidfd(pid);
  close(ends[1]);
  kill(pid, SIGKILL);
  show("process_mrelease", mrelease(fd, 0));
  char byte;
  printf("read: %d\n", (int)read(ends[0], &byte, 1));
  int status = 0;
  if (waitpid(pid, &status, WNOHANG) != pid) return 72;
  show_status(status);
  fflush(stdout);
  const pid_t self = fork();
  if (self == 0) kill(getpid(), SIGKILL);
  if (waitpid(self, &status, 0) != self) return 72;
  show_status(status);
  return 0;
}
