// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// One child kills another, and a parent who waits; each test in a process of
// its own, as some test suites have it.
#include "client.h"

static void on_child(int sig) { (void)sig; }

static pid_t wait_for(pid_t pid, int* status) {
  pid_t ret;
  do {
    ret = waitpid(pid, status, 0);
  } while (ret < 0 && errno == EINTR);
  return ret;
}

// `victim_first`: the parent waits for the victim already while it is killed,
// and is told of whatever happens to it.
static int test(int victim_first) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = on_child;
  if (victim_first) sigaction(SIGCHLD, &action, NULL);
  const pid_t victim = start_victim(2 << 20, NULL);
  const int fd = open_pidfd(victim);
  const pid_t killer = fork();
  if (killer == 0) {
    show("killed by a sibling", kill(victim, SIGKILL));
    // The parent has time to wait anew.
    struct pollfd nothing = {-1, 0, 0};
    for (int i = 0; i < 100; ++i) poll(&nothing, 1, 0);
    show("process_mrelease", mrelease(fd, 0));
    fflush(stdout);
    _exit(7);
  }
  const pid_t order[2] = {victim_first ? victim : killer,
                          victim_first ? killer : victim};
  for (int i = 0; i < 2; ++i) {
    int status = 0;
    if (wait_for(order[i], &status) != order[i]) return 1;
    show_status(status);
  }
  return 0;
}

int main(void) {
  for (int i = 0; i < 2; ++i) {
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
      const int result = test(/*victim_first=*/i);
      fflush(stdout);
      _exit(result);
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) return 1;
    show_status(status);
  }
  return 0;
}
