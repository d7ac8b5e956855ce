// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is left of each kind of memory after the call: smaps, status and statm
// of the victim.
#include "client.h"

enum { kKinds = 4 };
static const char* const kNames[kKinds] = {"private", "locked", "shared",
                                           "file"};
static char* areas[kKinds];
static const size_t kBytes = 1 << 20;

// The KiB after that key, in the mapping that begins at `start` or, if that is
// null, anywhere.
static long value_of(pid_t pid, const char* file, const char* key,
                     const char* start) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
  FILE* stream = fopen(path, "r");
  if (stream == NULL) return -1;
  char line[512];
  long value = -1;
  int here = start == NULL;
  while (fgets(line, sizeof(line), stream) != NULL) {
    unsigned long from = 0;
    unsigned long to = 0;
    if (start != NULL && sscanf(line, "%lx-%lx ", &from, &to) == 2) {
      here = from == (unsigned long)start;
    }
    const size_t length = strlen(key);
    if (here && strncmp(line, key, length) == 0 && line[length] == ':') {
      value = atol(line + length + 1);
      break;
    }
  }
  fclose(stream);
  return value;
}

static void show_memory(pid_t pid) {
  for (int i = 0; i < kKinds; ++i) {
    printf("%s: Rss %ld, Anonymous %ld, Locked %ld\n", kNames[i],
           value_of(pid, "smaps", "Rss", areas[i]),
           value_of(pid, "smaps", "Anonymous", areas[i]),
           value_of(pid, "smaps", "Locked", areas[i]));
  }
}

// KiB, by statm.
static long resident(pid_t pid) {
  char path[64];
  long pages = -1;
  snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
  FILE* stream = fopen(path, "r");
  if (stream == NULL) return -1;
  if (fscanf(stream, "%*d %ld", &pages) != 1) pages = -1;
  fclose(stream);
  return pages * 4;
}

int main(void) {
  int ready[2];
  if (pipe(ready) != 0) return 70;
  // Apart from each other, so that none is merged with another.
  char* room = mmap(NULL, 16 * kBytes, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  char name[] = "/tmp/reapsim-shim-XXXXXX";
  const int file = mkstemp(name);
  if (file < 0 || ftruncate(file, (off_t)kBytes) != 0) return 70;
  unlink(name);
  for (int i = 0; i < kKinds; ++i) areas[i] = room + (2 * i + 1) * kBytes;
  const pid_t pid = fork();
  if (pid == 0) {
    for (int i = 0; i < kKinds; ++i) {
      const int shared = i == 2;
      const int backed = i == 3;
      const int flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) |
                        (backed ? 0 : MAP_ANONYMOUS);
      if (mmap(areas[i], kBytes, PROT_READ | PROT_WRITE, flags,
               backed ? file : -1, 0) == MAP_FAILED) {
        _exit(70);
      }
      // No huge pages: their number depends on the machine.
      madvise(areas[i], kBytes, MADV_NOHUGEPAGE);
      if (i == 1 && mlock(areas[i], kBytes) != 0) _exit(70);
      memset(areas[i], 1, kBytes);
    }
    if (write(ready[1], "", 1) != 1) _exit(70);
    for (;;) pause();
  }
  char byte;
  if (read(ready[0], &byte, 1) != 1) return 70;
  const int fd = open_pidfd(pid);
  const long before = value_of(pid, "status", "VmRSS", NULL);
  show_memory(pid);
  kill(pid, SIGKILL);
  show("process_mrelease", mrelease(fd, 0));
  show_memory(pid);
  const long after = value_of(pid, "status", "VmRSS", NULL);
  // How much a process has besides depends on the machine.
  const long anonymous = value_of(pid, "status", "RssAnon", NULL);
  printf("VmRSS: %s, RssAnon: %s\n",
         after == -1      ? "gone"
         : after < before ? "less"
                          : "as before",
         anonymous == -1     ? "gone"
         : anonymous == 0    ? "0"
         : anonymous == 1024 ? "1024"
                             : "more");
  printf("statm agrees: %d\n", resident(pid) == (after < 0 ? 0 : after));
  show("again", mrelease(fd, 0));
  waitpid(pid, NULL, 0);
  return 0;
}
