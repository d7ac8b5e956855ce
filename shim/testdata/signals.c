// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a parent hears of its child's death: one SIGCHLD, no stop; and what else
// can be done to a dying process.
#include "client.h"

static volatile sig_atomic_t signals;
static volatile sig_atomic_t waited;

static void on_child(int sig) {
  (void)sig;
  const int saved = errno;
  ++signals;
  int status;
  while (waitpid(-1, &status, WNOHANG | WUNTRACED) > 0) {
    waited = WIFSTOPPED(status) ? -1 : WTERMSIG(status);
  }
  errno = saved;
}

int main(void) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = on_child;
  sigaction(SIGCHLD, &action, NULL);
  const pid_t pid = start_victim(1 << 20, NULL);
  const int fd = open_pidfd(pid);
  show("SIGKILL", kill(pid, SIGKILL));
  printf("signals: %d\n", (int)signals);
  show("SIGCONT", kill(pid, SIGCONT));
  show("SIGKILL again", kill(pid, SIGKILL));
  show("process_mrelease", mrelease(fd, 0));
  printf("signals: %d\n", (int)signals);
  while (waited == 0) {
    const struct timespec time = {10, 0};
    nanosleep(&time, NULL);
  }
  printf("signals: %d, ended by %d\n", (int)signals, (int)waited);
  show("nobody is left", wait(NULL));
  return 0;
}
