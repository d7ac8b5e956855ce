// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The small program that every spawned process runs: enough of an image for
// its memory to look like a process's.
#ifndef REAPSIM_SYSCALL_IMAGE_H_
#define REAPSIM_SYSCALL_IMAGE_H_

#include <sys/types.h>

#include <cstdint>

namespace reapsim {

// What the standard image maps, in pages, and what of it is touched at start.
inline constexpr uint64_t kImageTextPages = 8;   // private file, read
inline constexpr uint64_t kImageDataPages = 2;   // private file, written
inline constexpr uint64_t kImageStackPages = 4;  // anonymous; one written

// The running task forks a process of that name. Its pid, or -errno.
int64_t SpawnProcess(const char* comm);
// The running task executes the standard image, or one with nothing mapped,
// as that user. 0 or -errno.
int64_t ExecStandardImage(const char* comm, bool bare, uid_t uid);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_IMAGE_H_
