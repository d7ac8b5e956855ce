// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// By descriptors alone: the library's wrappers, pidfd_send_signal(), poll() and
// waitid() on the pidfd.
#include "client.h"

// In the library from 2.36 on.
extern int process_mrelease(int pidfd, unsigned int flags);
extern int pidfd_send_signal(int pidfd, int sig, siginfo_t* info,
                             unsigned int flags);

int main(void) {
  show("bad descriptor", process_mrelease(-1, 0));
  const int null = open("/dev/null", O_RDONLY);
  show("no pidfd", process_mrelease(null, 0));
  const int self = open_pidfd(getpid());
  show("the caller", process_mrelease(self, 0));
  const pid_t pid = start_victim(1 << 20, NULL);
  const int fd = open_pidfd(pid);
  show("alive", process_mrelease(fd, 0));
  struct pollfd ended = {fd, POLLIN, 0};
  printf("readable: %d\n", poll(&ended, 1, 0));
  show("SIGKILL", pidfd_send_signal(fd, SIGKILL, NULL, 0));
  printf("readable: %d\n", poll(&ended, 1, 0));
  show("killed", process_mrelease(fd, 0));
  show("SIGKILL again", pidfd_send_signal(fd, SIGKILL, NULL, 0));
  printf("readable in the end: %d\n", poll(&ended, 1, 10000));
  show("a zombie", process_mrelease(fd, 0));
  siginfo_t info;
  memset(&info, 0, sizeof(info));
  // P_PIDFD
  show("waitid", waitid((idtype_t)3, (id_t)fd, &info, WEXITED));
  printf("the victim: %d, killed: %d, by signal %d\n", info.si_pid == pid,
         info.si_code == CLD_KILLED, info.si_status);
  show("SIGKILL when gone", pidfd_send_signal(fd, SIGKILL, NULL, 0));
  show("gone", process_mrelease(fd, 0));
  return 0;
}
