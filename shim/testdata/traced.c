// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Kills a process that somebody traces: the shim can't have it.
#include <sys/ptrace.h>

#include "client.h"

int main(void) {
  const pid_t pid = start_victim(1 << 20, NULL);
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) return 77;
  kill(pid, SIGKILL);
  printf("not reached\n");
  return 0;
}
