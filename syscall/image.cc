// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/image.h"

#include <sys/mman.h>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "syscall/exec.h"
#include "syscall/fork.h"
#include "syscall/syscall_state.h"

namespace reapsim {
namespace {

// The program file, in the file system under a number of its own.
constexpr uint64_t kProgramFile = 1;

// Touches `pages` pages from the start of the VMA at place `nth`, by address.
void TouchVma(int nth, uint64_t pages,
              bool write) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  // Only the running task, alone in its new mm, changes the tree.
  vm_area_struct* vma = vma_first(current()->mm);
  while (nth-- > 0) vma = vma_next(vma);
  for (uint64_t i = 0; i < pages; ++i) {
    uint64_t word = 1;
    (void)access_user_word(vma->vm_start + i * PAGE_SIZE, write, &word);
  }
}

}  // namespace

int64_t SpawnProcess(const char* comm) {
  kernel_clone_args args;
  args.comm = comm;
  return kernel_clone(args);
}

int64_t ExecStandardImage(const char* comm, bool bare, uid_t uid) {
  // Above mmap_min_addr, and low enough for small page-table geometries.
  const uint64_t base = uint64_t{16} << PAGE_SHIFT;
  const uint64_t text = base;
  const uint64_t data = text + kImageTextPages * PAGE_SIZE;
  const uint64_t stack = data + (kImageDataPages + 1) * PAGE_SIZE;
  address_space* program =
      FileByNumber(kProgramFile, kImageTextPages + kImageDataPages);
  const MmapArgs image[] = {
      {.addr = text,
       .length = kImageTextPages * PAGE_SIZE,
       .prot = PROT_READ | PROT_EXEC,
       .flags = MAP_PRIVATE | MAP_FIXED,
       .mapping = program},
      {.addr = data,
       .length = kImageDataPages * PAGE_SIZE,
       .prot = PROT_READ | PROT_WRITE,
       .flags = MAP_PRIVATE | MAP_FIXED,
       .mapping = program,
       .pgoff = kImageTextPages},
      {.addr = stack,
       .length = kImageStackPages * PAGE_SIZE,
       .prot = PROT_READ | PROT_WRITE,
       .flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS},
  };
  const ExecArgs args{
      .comm = comm, .image = image, .image_count = bare ? 0u : 3u};
  if (const int64_t error = do_execve(args); error != 0) return error;
  current()->uid = uid;
  if (bare) return 0;
  TouchVma(0, kImageTextPages, /*write=*/false);
  TouchVma(1, kImageDataPages, /*write=*/true);
  TouchVma(2, 1, /*write=*/true);
  return 0;
}

}  // namespace reapsim
