// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/waits.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sched/lockdep.h"

namespace reapsim {
namespace {

struct Waiter {
  const Fiber* fiber;
  std::vector<const Fiber*> holders;  // of what it waits for
};

std::string At(const SourceLine& source) {
  return source.file == nullptr ? ""
                                : absl::StrCat(source.file, ":", source.line);
}

class Deadlock {
 public:
  explicit Deadlock(World& world) : world_(world), engine_(world.engine()) {
    engine_.state()->fibers.ForEach([this](const Fiber* fiber) {
      if (fiber->status == FiberStatus::kDone) return;
      if (!world_.MayIdle(*fiber)) waiters_.push_back({fiber, {}});
    });
    for (Waiter& waiter : waiters_) FindHolders(&waiter);
  }

  std::string Describe() const {
    if (waiters_.empty()) return "";
    std::string text;
    for (const Waiter& waiter : waiters_) {
      absl::StrAppend(&text, text.empty() ? "" : "; ", OneWait(waiter));
    }
    const std::string circle = Circle();
    if (!circle.empty()) absl::StrAppend(&text, "; in a circle: ", circle);
    return text;
  }

 private:
  const HeldLock* HeldBy(const Fiber* fiber, uint32_t object) const {
    const FiberHistory& past = engine_.state()->fibers.HistoryOf(fiber);
    for (uint32_t i = 0; i < past.lock_count; ++i) {
      if (past.locks[i].object == object) return &past.locks[i];
    }
    return nullptr;
  }

  void FindHolders(Waiter* waiter) {
    const Op& op = waiter->fiber->op;
    if (op.access != Access::kAcquire) return;
    engine_.state()->fibers.ForEach([&](const Fiber* fiber) {
      if (fiber != waiter->fiber && HeldBy(fiber, op.object) != nullptr) {
        waiter->holders.push_back(fiber);
      }
    });
  }

  std::string NameOf(const Fiber* fiber) const {
    return world_.NameOf(static_cast<Choice>(fiber->id));
  }

  std::string OneWait(const Waiter& waiter) const {
    const Op& op = waiter.fiber->op;
    std::string text =
        absl::StrCat(NameOf(waiter.fiber), " waits at ", PointName(op.point),
                     " (", At(op.source), ")");
    for (const Fiber* holder : waiter.holders) {
      const HeldLock* lock = HeldBy(holder, op.object);
      absl::StrAppend(
          &text, holder == waiter.holders.front() ? " for " : " and for ",
          LockClassName(static_cast<LockClass>(lock->lock_class)), ", which ",
          NameOf(holder), " holds since ", At(lock->source));
    }
    return text;
  }

  const Waiter* WaiterOf(const Fiber* fiber) const {
    const auto found =
        std::find_if(waiters_.begin(), waiters_.end(),
                     [fiber](const Waiter& w) { return w.fiber == fiber; });
    return found == waiters_.end() ? nullptr : &*found;
  }

  // "P0 -> P1 -> P0", or nothing. Each waiter's first holder is followed: with
  // one holder for each lock, as in a circle of writers, there is no other.
  std::string Circle() const {
    for (const Waiter& start : waiters_) {
      std::string text = NameOf(start.fiber);
      const Waiter* at = &start;
      for (size_t i = 0; i < waiters_.size() && at != nullptr; ++i) {
        if (at->holders.empty()) break;
        const Fiber* next = at->holders.front();
        absl::StrAppend(&text, " -> ", NameOf(next));
        if (next == start.fiber) return text;
        at = WaiterOf(next);
      }
    }
    return "";
  }

  World& world_;
  Engine& engine_;
  std::vector<Waiter> waiters_;
};

// "mmap_lock and oom_lock": what stands in FiberHistory::held.
std::string ClassesOf(uint32_t held) {
  std::string text;
  for (int i = 0; i < kMaxLockClasses; ++i) {
    if ((held >> i & 1) == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : " and ",
                    LockClassName(static_cast<LockClass>(i)));
  }
  return text;
}

}  // namespace

std::string DescribeHolders(World& world,
                            absl::FunctionRef<bool(const Fiber&)> among) {
  auto& fibers = world.engine().state()->fibers;
  std::string text;
  fibers.ForEach([&](const Fiber* fiber) {
    // Of locks that were taken before the search only the kind is known.
    const uint32_t held = fibers.HistoryOf(fiber).held;
    if (fiber->status == FiberStatus::kDone || held == 0 || !among(*fiber)) {
      return;
    }
    absl::StrAppend(&text, text.empty() ? "" : "; ",
                    world.NameOf(static_cast<Choice>(fiber->id)), " waits at ",
                    PointName(fiber->op.point), " (", At(fiber->op.source),
                    ") and holds ", ClassesOf(held));
  });
  return text;
}

std::string DescribeDeadlock(World& world) {
  // Nearly always nobody does: say so soon.
  bool anybody = false;
  world.engine().state()->fibers.ForEach([&](const Fiber* fiber) {
    if (fiber->status != FiberStatus::kDone && !world.MayIdle(*fiber)) {
      anybody = true;
    }
  });
  if (!anybody) return "";
  return Deadlock(world).Describe();
}

}  // namespace reapsim
