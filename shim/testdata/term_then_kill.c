// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A low-memory killer: asks the victim to go by SIGTERM, kills it by SIGKILL
// some time later, calls process_mrelease() after either, and looks whether it
// is still there. The victim is none of its children.
#include "client.h"

// 1 if the process is there and no zombie.
static int is_alive(pid_t pid) {
  char path[64];
  char state = 'X';
  snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
  FILE* stat = fopen(path, "r");
  if (stat == NULL) return 0;
  if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
  fclose(stat);
  return state != 'Z' && state != 'X';
}

static int kill_it(pid_t pid, int fd, int sig) {
  show(sig == SIGTERM ? "SIGTERM" : "SIGKILL", kill(pid, sig));
  show("process_mrelease", mrelease(fd, 0));
  for (int i = 0; i < 20; ++i) {
    if (!is_alive(pid)) {
      printf("gone after %s\n", i == 0 ? "no time" : "some time");
      return 1;
    }
    usleep(1000);
  }
  printf("still there\n");
  return 0;
}

int main(void) {
  int ready[2];
  if (pipe(ready) != 0) return 70;
  if (fork() == 0) {
    // Leaves the victim behind.
    if (fork() == 0) {
      signal(SIGTERM, SIG_IGN);
      map_touched(2 << 20);
      const pid_t self = getpid();
      if (write(ready[1], &self, sizeof(self)) != sizeof(self)) _exit(70);
      for (;;) pause();
    }
    _exit(0);
  }
  wait(NULL);
  pid_t pid = 0;
  if (read(ready[0], &pid, sizeof(pid)) != sizeof(pid)) return 70;
  const int fd = open_pidfd(pid);
  if (!kill_it(pid, fd, SIGTERM) && !kill_it(pid, fd, SIGKILL)) return 1;
  return 0;
}
