// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// RadixTable<T>: a sparse table in the arena, indexed by a dense number (a
// frame, a page offset, a swap slot). Absent entries read as T{}.
//
// Leaves of 512 entries hang from nodes of 512, as deep as the largest index
// needs; they come from a RadixPool, shared by all tables of one T.
//
// Invariant: a table without entries (all written back to T{} and Clear()ed)
// owns no node.
#ifndef REAPSIM_BASE_RADIX_H_
#define REAPSIM_BASE_RADIX_H_

#include <cstdint>

#include "base/check.h"
#include "base/slab.h"

namespace reapsim {

inline constexpr uint32_t kRadixFanout = 512;

struct RadixNode {
  void* child[kRadixFanout];
};
template <class T>
struct RadixLeaf {
  T entry[kRadixFanout];
};

template <class T>
struct RadixPool {
  Slab<RadixNode> nodes;
  Slab<RadixLeaf<T>> leaves;

  void Init(Arena* arena, const char* name, uint32_t leaf_capacity) {
    // A thousand small tables with one far entry each need as many nodes.
    nodes.Init(arena, name, leaf_capacity / 4 + 64);
    leaves.Init(arena, name, leaf_capacity);
  }
};

template <class T>
class RadixTable {
 public:
  T Get(uint64_t index) const {
    const T* entry = Find(index);
    return entry == nullptr ? T{} : *entry;
  }

  // The entry, or null if nothing near it was ever written.
  T* Find(uint64_t index) const {
    if (height_ == 0 || index >> (9 * height_) != 0) return nullptr;
    void* at = root_;
    for (int level = height_ - 1; level > 0; --level) {
      at = static_cast<RadixNode*>(at)
               ->child[index >> (9 * level) & (kRadixFanout - 1)];
      if (at == nullptr) return nullptr;
    }
    return &static_cast<RadixLeaf<T>*>(at)->entry[index & (kRadixFanout - 1)];
  }

  // The entry, made if need be. Aborts when the pool is empty.
  T* At(RadixPool<T>* pool, uint64_t index) {
    if (height_ == 0) {
      height_ = 1;
      root_ = NewLeaf(pool);
    }
    while (index >> (9 * height_) != 0) {
      RadixNode* node = NewNode(pool);
      node->child[0] = root_;
      root_ = node;
      height_++;
    }
    void** at = &root_;
    for (int level = height_ - 1; level >= 0; --level) {
      if (*at == nullptr) {
        *at = level == 0 ? static_cast<void*>(NewLeaf(pool)) : NewNode(pool);
      }
      if (level == 0) break;
      at = &static_cast<RadixNode*>(*at)
                ->child[index >> (9 * level) & (kRadixFanout - 1)];
    }
    return &static_cast<RadixLeaf<T>*>(*at)->entry[index & (kRadixFanout - 1)];
  }

  // Calls fn(index, T&) for each entry of each leaf, lowest index first.
  template <class Fn>
  void ForEach(Fn&& fn) const {
    if (height_ != 0) Visit(root_, height_ - 1, 0, fn);
  }

  // Gives all nodes back; the table reads as empty afterwards.
  void Clear(RadixPool<T>* pool) {
    if (height_ != 0) Free(pool, root_, height_ - 1);
    root_ = nullptr;
    height_ = 0;
  }

 private:
  static RadixLeaf<T>* NewLeaf(RadixPool<T>* pool) {
    RadixLeaf<T>* leaf = pool->leaves.New();
    REAP_CHECK(leaf != nullptr, "radix: no leaf left");
    return leaf;
  }
  static RadixNode* NewNode(RadixPool<T>* pool) {
    RadixNode* node = pool->nodes.New();
    REAP_CHECK(node != nullptr, "radix: no node left");
    return node;
  }

  template <class Fn>
  static void Visit(void* at, int level, uint64_t base, Fn& fn) {
    for (uint32_t i = 0; i < kRadixFanout; ++i) {
      if (level == 0) {
        fn(base + i, static_cast<RadixLeaf<T>*>(at)->entry[i]);
      } else if (void* child = static_cast<RadixNode*>(at)->child[i]) {
        Visit(child, level - 1, (base + i) * kRadixFanout, fn);
      }
    }
  }

  static void Free(RadixPool<T>* pool, void* at, int level) {
    if (level == 0) {
      REAP_CHECK(pool->leaves.Delete(static_cast<RadixLeaf<T>*>(at)),
                 "radix: leaf freed twice");
      return;
    }
    auto* node = static_cast<RadixNode*>(at);
    for (void* child : node->child) {
      if (child != nullptr) Free(pool, child, level - 1);
    }
    REAP_CHECK(pool->nodes.Delete(node), "radix: node freed twice");
  }

  void* root_ = nullptr;
  int height_ = 0;  // 0: empty; 1: a single leaf
};

}  // namespace reapsim

#endif  // REAPSIM_BASE_RADIX_H_
