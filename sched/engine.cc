// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/engine.h"

#include <boost/context/detail/fcontext.hpp>
#include <utility>

#include "sched/heap_guard.h"

namespace reapsim {
namespace {

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

}  // namespace

// Lets the C callback of the context switch reach the engine.
struct FiberStart {
  static void Run(transfer_t from) {
    auto* fiber = static_cast<Fiber*>(from.data);
    Engine* engine = RootOf<EngineState>(fiber).engine;
    engine->host_context_ = from.fctx;
    Engine::FiberMain(engine, fiber);
  }
};

Engine::Engine(Arena* arena, const Differences& differences, Switches switches,
               Checks checks)
    : arena_(arena), state_(arena->NewRoot<EngineState>()) {
  Extent* extent = arena->Reserve(Part::kHistory, sizeof(EngineHistory));
  extent->used = sizeof(EngineHistory);
  history_ = new (extent->base) EngineHistory{};
  stacks_ = arena->Reserve(Part::kStack, kMaxFibers * kStackSize);
  state_->engine = this;
  state_->history = history_;
  state_->differences = WithSwitches(differences, switches);
  state_->switches = switches;
  state_->checks = checks;
  state_->fibers.Init(arena, "fiber", kMaxFibers);
}

Engine::~Engine() {
  if (verdict_) {
    CheckFailed(__FILE__, __LINE__, "engine: verdict that nobody looked at",
                verdict_.ToString().c_str());
  }
}

Fiber* Engine::NewFiber(void* owner, void (*entry)(void*)) {
  Fiber* fiber = state_->fibers.New();
  if (fiber == nullptr) return nullptr;
  fiber->id = state_->fibers.IndexOf(fiber);
  fiber->owner = owner;
  fiber->entry = entry;
  fiber->stack = stacks_->base + fiber->id * kStackSize;
  return fiber;
}

void Engine::FreeFiber(Fiber* fiber) {
  REAP_CHECK(fiber != state_->current, "engine: freeing the running fiber");
  REAP_CHECK(state_->fibers.Delete(fiber), "engine: fiber freed twice");
}

Stop Engine::Resume(Fiber* fiber) {
  REAP_CHECK(!stopped_, "engine: the world has stopped at a verdict");
  REAP_CHECK(state_->current == nullptr, "engine: resumed from a fiber");
  REAP_CHECK(fiber->status != FiberStatus::kDone, "engine: fiber is done");
  if (fiber->status == FiberStatus::kNew) {
    fiber->context =
        make_fcontext(fiber->stack + kStackSize, kStackSize, FiberStart::Run);
  }
  fiber->status = FiberStatus::kRunning;
  state_->current = fiber;
  state_->runner = uint64_t{fiber->id} << 8;
  state_->charges = state_->fibers.HistoryOf(fiber).charges;
  state_->watched = keep_trace_ || fiber->stop_at != Point::kNone;
  in_modelled_task = true;
  const transfer_t back = jump_fcontext(fiber->context, fiber);
  in_modelled_task = false;
  state_->watched = false;
  state_->runner = 0;
  state_->charges = nullptr;
  state_->current = nullptr;
  if (why_ != Stop::kFinished) {
    fiber->context = back.fctx;
    fiber->status = FiberStatus::kSuspended;
  } else {
    fiber->context = nullptr;
    fiber->status = FiberStatus::kDone;
  }
  return why_;
}

uint32_t NumberOutsideState(const void* object) {
  const auto offset =
      reinterpret_cast<uintptr_t>(object) & (Arena::kSlotSize - 1);
  if (offset >= Arena::kHistoryBegin) return static_cast<uint32_t>(offset >> 3);
  return uint32_t{1} << 31 |
         static_cast<uint32_t>((offset - Arena::kStackBegin) /
                               Engine::kStackSize);
}

void Engine::FiberMain(Engine* engine, Fiber* fiber) {
  fiber->entry(fiber->owner);
  engine->Finish();
}

void Engine::Finish() {
  why_ = Stop::kFinished;
  jump_fcontext(host_context_, nullptr);
  __builtin_unreachable();
}

void Engine::Yield(Stop why) {
  why_ = why;
  host_context_ = jump_fcontext(host_context_, nullptr).fctx;
}

void Engine::Pass(const Op& op) {
  Fiber& fiber = *state_->current;
  // A wait that sleeps must not be entered with a spinlock held, even when it
  // would not have to wait: what might_sleep() checks.
  if (op.enabled != nullptr && fiber.atomic_depth > 0 &&
      op.point != Point::kSpinLock) {
    Fail(VerdictKind::kInvariantBroken,
         "a task that holds a spinlock enters an operation that may sleep",
         op.source);
  }
  fiber.op = op;
  if (fiber.stop_at == op.point) {
    fiber.stop_at = Point::kNone;
    Yield(Stop::kAtPoint);
  }
  while (op.enabled != nullptr && !op.enabled(op.arg)) Yield(Stop::kBlocked);
  fiber.op = Op{};
  history_->Count(state_->runner, op.point, op.object);
  if (keep_trace_) Keep(fiber, op);
}

void Engine::PassWatched(Point point, Access access, uint32_t object,
                         SourceLine source) {
  Pass({.point = point, .access = access, .object = object, .source = source});
}

void Engine::Fail(VerdictKind kind, const char* what, SourceLine source) {
  {
    HostSection host;  // the verdict's text lives on the host's heap
    Report(kind, what, source);
  }
  Yield(Stop::kVerdict);
  __builtin_unreachable();
}

void Engine::Report(VerdictKind kind, std::string what, SourceLine source) {
  HostSection host;
  stopped_ = true;
  verdict_ = {
      .kind = kind,
      .what = std::move(what),
      .where = std::string(source.file) + ":" + std::to_string(source.line),
      .task = state_->current == nullptr ? 0 : state_->current->id,
      .step = step()};
}

Verdict Engine::TakeVerdict() { return std::exchange(verdict_, Verdict{}); }

void Engine::Log(LogKind kind, const char* text) {
  HostSection host;
  log_.push_back(
      {.kind = kind, .step = step(), .now_ns = now_ns(), .text = text});
}

void Engine::Keep(const Fiber& fiber, const Op& op) {
  HostSection host;
  trace_.push_back({.step = step(),
                    .fiber = fiber.id,
                    .point = op.point,
                    .access = op.access,
                    .object = op.object,
                    .source = op.source});
}

}  // namespace reapsim
