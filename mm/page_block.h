// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Eight pages at a time.
//
// Where plain memory is unmapped and freed, its frames mostly follow each
// other, and there are hundreds of millions of them: what is done for each must
// be little. So eight frame records, entries or slots are compared and written
// as a whole, in the machine's vector registers.
#ifndef REAPSIM_MM_PAGE_BLOCK_H_
#define REAPSIM_MM_PAGE_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "mm/mm_types.h"

namespace reapsim {

inline constexpr uint32_t kPageBlock = 8;

// What the records of a block say.
struct page_block {
  page pages[kPageBlock];

  static constexpr page_block Of(page each) {
    page_block block;
    for (page& p : block.pages) p = each;
    return block;
  }
};
static_assert(std::has_unique_object_representations_v<page_block>);

namespace page_block_internal {

// Two words in one register.
using Vector = uint64_t __attribute__((vector_size(16)));

inline Vector Load(const void* from, size_t nth) {
  Vector v;
  std::memcpy(&v, static_cast<const char*>(from) + nth * sizeof(v), sizeof(v));
  return v;
}
inline void Store(void* to, size_t nth, Vector v) {
  std::memcpy(static_cast<char*>(to) + nth * sizeof(v), &v, sizeof(v));
}
inline bool IsZero(Vector v) { return (v[0] | v[1]) == 0; }

}  // namespace page_block_internal

// Whether the kPageBlock records from p on say just that, in all fields.
inline bool IsBlock(const page* p, const page_block& pattern) {
  using page_block_internal::Load;
  page_block_internal::Vector differs = {0, 0};
#pragma GCC unroll 8
  for (size_t i = 0; i < sizeof(pattern) / sizeof(differs); ++i) {
    differs |= Load(p, i) ^ Load(&pattern, i);
  }
  return page_block_internal::IsZero(differs);
}

inline void SetBlock(page* p, const page_block& pattern) {
  std::memcpy(static_cast<void*>(p), &pattern, sizeof(pattern));
}

// Whether the kPageBlock words from `words` on are first, first + step,
// first + 2 * step …
inline bool IsRamp(const uint64_t* words, uint64_t first, uint64_t step) {
  using page_block_internal::Vector;
  Vector differs = {0, 0};
#pragma GCC unroll 8
  for (size_t i = 0; i < kPageBlock / 2; ++i) {
    const Vector want = Vector{first, first} + Vector{0, step} + 2 * i * step;
    differs |= page_block_internal::Load(words, i) ^ want;
  }
  return page_block_internal::IsZero(differs);
}

inline void SetRamp(uint64_t* words, uint64_t first, uint64_t step) {
  using page_block_internal::Vector;
#pragma GCC unroll 8
  for (size_t i = 0; i < kPageBlock / 2; ++i) {
    const Vector v = Vector{first, first} + Vector{0, step} + 2 * i * step;
    page_block_internal::Store(words, i, v);
  }
}

}  // namespace reapsim

#endif  // REAPSIM_MM_PAGE_BLOCK_H_
