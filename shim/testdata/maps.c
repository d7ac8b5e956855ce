// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Looks for a mapping of the victim in /proc/PID/maps: it is there before, and
// after the call; it goes when the victim does.
#include "client.h"

// 1 if a mapping begins at that address; 0 if none; -1: no such file.
static int is_mapped(pid_t pid, const char* memory) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
  FILE* maps = fopen(path, "r");
  if (maps == NULL) return -1;
  char line[512];
  int found = 0;
  while (fgets(line, sizeof(line), maps) != NULL) {
    unsigned long start = 0;
    unsigned long end = 0;
    if (sscanf(line, "%lx-%lx", &start, &end) == 2 &&
        start <= (unsigned long)memory && (unsigned long)memory < end) {
      found = 1;
    }
  }
  fclose(maps);
  return found;
}

int main(void) {
  char* memory;
  const pid_t pid = start_victim(3 << 20, &memory);
  const int fd = open_pidfd(pid);
  printf("mapped while alive: %d\n", is_mapped(pid, memory));
  kill(pid, SIGKILL);
  printf("mapped when killed: %d\n", is_mapped(pid, memory));
  show("process_mrelease", mrelease(fd, 0));
  printf("mapped after it: %d\n", is_mapped(pid, memory));
  int mapped = 1;
  for (int i = 0; i < 100 && mapped == 1; ++i) {
    usleep(100);
    mapped = is_mapped(pid, memory);
  }
  printf("mapped in the end: %d\n", mapped);
  int status = 0;
  if (wait(&status) != pid) return 72;
  show_status(status);
  printf("mapped when gone: %d\n", is_mapped(pid, memory));
  return mapped == 1;
}
