// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Two processes with one address space: process_mrelease() needs both to die.
#include "client.h"

static int sleep_forever(void* ready) {
  if (write(*(int*)ready, "", 1) != 1) _exit(70);
  for (;;) pause();
}

int main(void) {
  int ready[2];
  int numbers[2];
  pid_t pids[2];
  if (pipe(ready) != 0 || pipe(numbers) != 0) return 70;
  const pid_t first = fork();
  if (first == 0) {
    map_touched(1 << 20);
    char* stack = map_touched(64 << 10);
    const pid_t second = clone(sleep_forever, stack + (64 << 10),
                               CLONE_VM | CLONE_PARENT | SIGCHLD, &ready[1]);
    pids[0] = getpid();
    pids[1] = second;
    if (write(numbers[1], pids, sizeof(pids)) != sizeof(pids)) _exit(70);
    for (;;) pause();
  }
  char byte;
  if (read(ready[0], &byte, 1) != 1 ||
      read(numbers[0], pids, sizeof(pids)) != sizeof(pids)) {
    return 70;
  }
  int fds[2] = {open_pidfd(pids[0]), open_pidfd(pids[1])};
  show("both alive", mrelease(fds[0], 0));
  kill(pids[0], SIGKILL);
  show("one killed", mrelease(fds[0], 0));
  show("the other", mrelease(fds[1], 0));
  kill(pids[1], SIGKILL);
  show("both killed", mrelease(fds[0], 0));
  show("the other", mrelease(fds[1], 0));
  int count = 0;
  while (wait(NULL) > 0) ++count;
  printf("waited for %d\n", count);
  return 0;
}
