// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// One child kills another, and a parent who waits; each test in a process of
// its own, as some test suites have it.
#include "client.h"

static int test(void) {
  const pid_t victim = start_victim(2 << 20, NULL);
  const int fd = open_pidfd(victim);
  const pid_t killer = fork();
  if (killer == 0) {
    show("killed by a sibling", kill(victim, SIGKILL));
    show("process_mrelease", mrelease(fd, 0));
    fflush(stdout);
    _exit(7);
  }
  int status = 0;
  if (waitpid(killer, &status, 0) != killer) return 1;
  show_status(status);
  if (waitpid(victim, &status, 0) != victim) return 1;
  show_status(status);
  return 0;
}

int main(void) {
  for (int i = 0; i < 2; ++i) {
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
      const int result = test();
      fflush(stdout);
      _exit(result);
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) return 1;
    show_status(status);
  }
  return 0;
}
