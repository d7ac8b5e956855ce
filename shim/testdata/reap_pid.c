// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// reap_pid PID...: releases the memory of processes that others have killed.
#include "client.h"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const int fd = open_pidfd(atoi(argv[i]));
    show("process_mrelease", mrelease(fd, 0));
    close(fd);
  }
  return 0;
}
