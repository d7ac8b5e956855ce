// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the clients of these tests have in common. They are ordinary programs:
// nothing in them knows of the shim.
#ifndef REAPSIM_SHIM_TESTDATA_CLIENT_H_
#define REAPSIM_SHIM_TESTDATA_CLIENT_H_

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* error_name(void) {
  return errno == EBADF    ? "EBADF"
         : errno == EINVAL ? "EINVAL"
         : errno == ESRCH  ? "ESRCH"
         : errno == EAGAIN ? "EAGAIN"
         : errno == EPERM  ? "EPERM"
         : errno == ECHILD ? "ECHILD"
         : errno == ENOSYS ? "ENOSYS"
                           : "another error";
}

// Prints what a call that returns 0 or -1 says.
__attribute__((unused)) static long show(const char* what, long result) {
  printf("%s: %s\n", what, result == 0 ? "0" : error_name());
  return result;
}

__attribute__((unused)) static int open_pidfd(pid_t pid) {
  return (int)syscall(SYS_pidfd_open, pid, 0);
}

__attribute__((unused)) static long mrelease(int fd, unsigned int flags) {
  return syscall(448, fd, flags);
}

__attribute__((unused)) static char* map_touched(size_t bytes) {
  char* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) exit(70);
  memset(memory, 1, bytes);
  return memory;
}

// A child that has that much memory in use and then sleeps; returns when it
// does.
__attribute__((unused)) static pid_t start_victim(size_t bytes, char** memory) {
  int ready[2];
  if (pipe(ready) != 0) exit(70);
  fflush(stdout);
  // The mapping is made before the fork, so that the parent knows its address.
  char* shared_address = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const pid_t pid = fork();
  if (pid == 0) {
    memset(shared_address, 1, bytes);
    if (write(ready[1], "", 1) != 1) _exit(70);
    for (;;) pause();
  }
  char byte;
  if (read(ready[0], &byte, 1) != 1) exit(70);
  close(ready[0]);
  close(ready[1]);
  munmap(shared_address, bytes);
  if (memory != NULL) *memory = shared_address;
  return pid;
}

__attribute__((unused)) static void show_status(int status) {
  if (WIFSIGNALED(status)) {
    printf("ended by signal %d\n", WTERMSIG(status));
  } else {
    printf("exited with %d\n", WEXITSTATUS(status));
  }
}

#endif  // REAPSIM_SHIM_TESTDATA_CLIENT_H_
