// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/heap_guard.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace reapsim {

constinit thread_local bool in_modelled_task = false;

namespace {

void* GuardedAlloc(std::size_t size, std::size_t align) {
  if (in_modelled_task) [[unlikely]] {
    in_modelled_task = false;
    std::fprintf(stderr,
                 "reapsim: a modelled task allocated %zu bytes from the "
                 "host's heap. Tasks own nothing outside the arena: capture "
                 "plain values, return results through Out<T> cells, and use "
                 "Check() instead of EXPECT_* inside a task\n",
                 size);
    std::abort();
  }
  if (size == 0) size = 1;
  void* p = align <= alignof(std::max_align_t)
                ? std::malloc(size)
                : std::aligned_alloc(align, (size + align - 1) / align * align);
  if (p == nullptr) std::abort();  // no exception crosses a fiber switch
  return p;
}

}  // namespace
}  // namespace reapsim

void* operator new(std::size_t n) { return reapsim::GuardedAlloc(n, 1); }
void* operator new[](std::size_t n) { return reapsim::GuardedAlloc(n, 1); }
void* operator new(std::size_t n, std::align_val_t a) {
  return reapsim::GuardedAlloc(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
  return reapsim::GuardedAlloc(n, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return reapsim::GuardedAlloc(n, 1);
}
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept {
  return reapsim::GuardedAlloc(n, 1);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
