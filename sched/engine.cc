// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/engine.h"

#include <boost/context/detail/fcontext.hpp>
#include <cstring>
#include <utility>

#include "sched/heap_guard.h"
#include "sched/race.h"

namespace reapsim {
namespace {

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

// Who left when a context was entered, in transfer_t::data: a fiber, whose
// context is then known, or one of these.
char g_host;      // the host
char g_finished;  // a fiber that will not come back

// The part of a suspended fiber's stack that is in use.
size_t StackInUse(const Fiber& fiber) {
  return static_cast<size_t>(fiber.stack + Engine::kStackSize -
                             static_cast<char*>(fiber.context));
}

}  // namespace

// Lets the C callback of the context switch reach the engine.
struct FiberStart {
  static void Arrive(Engine* engine, transfer_t from) {
    if (from.data == &g_host) {
      engine->host_context_ = from.fctx;
    } else if (from.data != &g_finished) {
      static_cast<Fiber*>(from.data)->context = from.fctx;
    }
  }
  static void Run(transfer_t from) {
    EngineState& state = Here<EngineState>();
    Arrive(state.engine, from);
    Engine::FiberMain(state.engine, state.current);
  }
};

Engine::Engine(Arena* arena, const Differences& differences, Switches switches,
               Checks checks, Proposals proposals)
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
  state_->proposals = proposals;
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
  if (state_->current != nullptr) {
    state_->fibers.HistoryOf(fiber).sched = state_->past->sched;
    if (state_->races != nullptr) RaceFork(*state_, fiber);
  }
  fiber_changes_++;
  return fiber;
}

void Engine::FreeFiber(Fiber* fiber) {
  REAP_CHECK(fiber != state_->current, "engine: freeing the running fiber");
  REAP_CHECK(state_->fibers.Delete(fiber), "engine: fiber freed twice");
  fiber_changes_++;
}

Stop Engine::Resume(Fiber* fiber) {
  REAP_CHECK(!stopped_, "engine: the world has stopped at a verdict");
  REAP_CHECK(state_->current == nullptr, "engine: resumed from a fiber");
  REAP_CHECK(fiber->status != FiberStatus::kDone, "engine: fiber is done");
  state_->current = nullptr;
  in_modelled_task = true;
  SetCurrent(fiber);
  state_->watched = keep_trace_ || chooser_ != nullptr ||
                    history_->prices != nullptr ||
                    fiber->stop_at != Point::kNone;
  const transfer_t back = jump_fcontext(fiber->context, &g_host);
  in_modelled_task = false;
  // In explored mode it need not be the one that was resumed.
  Fiber* last = state_->current;
  if (why_ != Stop::kFinished) {
    last->context = back.fctx;
    last->status = FiberStatus::kSuspended;
  }
  state_->watched = false;
  state_->runner = 0;
  state_->past = nullptr;
  state_->current = nullptr;
  return why_;
}

// `fiber` is about to run. Inline as all that a search does at each step.
inline void Engine::SetCurrent(Fiber* fiber) {
  if (fiber->status == FiberStatus::kNew) [[unlikely]] {
    fiber->context =
        make_fcontext(fiber->stack + kStackSize, kStackSize, FiberStart::Run);
  }
  fiber->status = FiberStatus::kRunning;
  state_->current = fiber;
  state_->runner = uint64_t{fiber->id} << 8;
  state_->past = &state_->fibers.HistoryOf(fiber);
}

void Engine::SwitchToHost(Stop why) {
  why_ = why;
  FiberStart::Arrive(this, jump_fcontext(host_context_, nullptr));
}

inline void Engine::SwitchTo(Fiber* from, Fiber* to) {
  from->status = FiberStatus::kSuspended;
  SetCurrent(to);
  FiberStart::Arrive(this, jump_fcontext(to->context, from));
}

inline void Engine::GiveWay(Fiber* fiber) {
  Fiber* next = chooser_->Next(fiber);
  if (next == fiber) return;
  if (next == nullptr) {
    SwitchToHost(Stop::kAtPoint);
  } else {
    SwitchTo(fiber, next);
  }
}

void Engine::GiveWayToWork() {
  const FiberHistory* past = state_->past;
  // What holds a spinlock is not preempted; it will be at its next point.
  while (past->work.any ||
         (past->need_resched && state_->current->atomic_depth == 0)) {
    SwitchToHost(Stop::kWork);
  }
}

void Engine::CleanStack(const Fiber* fiber) {
  // Deeper than any step of -O2 code goes. What is left beyond it costs a
  // search states that it does not know again, and nothing else.
  constexpr size_t kBytes = 4096;
  if (fiber->status != FiberStatus::kSuspended) return;
  std::memset(static_cast<char*>(fiber->context) - kBytes, 0, kBytes);
}

void Engine::Take(Snapshot* to) const {
  REAP_DCHECK(state_->current == nullptr && !stopped_, "engine: not at rest");
  arena_->CopyUsed(&to->used_);
  to->pieces_.clear();
  size_t size = 0;
  const auto add = [&](char* at, size_t bytes) {
    if (bytes != 0) to->pieces_.push_back({at, bytes});
    size += bytes;
  };
  const ArenaHeader& header = *arena_->header();
  for (int i = 0; i < header.extent_count; ++i) {
    const Extent& extent = header.extents[i];
    if (extent.part != Part::kStack) add(extent.base, extent.used);
  }
  state_->fibers.ForEach([&](const Fiber* fiber) {
    if (fiber->status != FiberStatus::kSuspended) return;
    add(static_cast<char*>(fiber->context), StackInUse(*fiber));
  });
  to->bytes_.resize(size);
  char* p = to->bytes_.data();
  for (const Snapshot::Piece& piece : to->pieces_) {
    std::memcpy(p, piece.at, piece.size);
    p += piece.size;
  }
  to->log_lines_ = log_.size();
  to->trace_entries_ = trace_.size();
}

void Engine::Restore(const Snapshot& from) {
  REAP_DCHECK(state_->current == nullptr, "engine: a fiber runs");
  arena_->RestoreUsed(from.used_);
  const char* p = from.bytes_.data();
  for (const Snapshot::Piece& piece : from.pieces_) {
    std::memcpy(piece.at, p, piece.size);
    p += piece.size;
  }
  log_.resize(from.log_lines_);
  trace_.resize(from.trace_entries_);
  stopped_ = false;
  verdict_ = Verdict{};
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
  Fiber* fiber = state_->current;
  DoWork();
  fiber->op = Op{};
  fiber->status = FiberStatus::kDone;
  fiber->context = nullptr;
  Fiber* next = chooser_ == nullptr ? nullptr : chooser_->Next(nullptr);
  if (next != nullptr) {
    SetCurrent(next);
    jump_fcontext(next->context, &g_finished);
  }
  why_ = Stop::kFinished;
  jump_fcontext(host_context_, nullptr);
  __builtin_unreachable();
}

void Engine::Yield(Stop why) {
  if (why == Stop::kYielded) {
    DoWork();
    // A search goes on with what comes next of itself.
    if (chooser_ != nullptr) return;
    // It stands before no operation.
    state_->current->op = Op{};
  }
  SwitchToHost(why);
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
  DoWork();
  if (chooser_ != nullptr) {
    if (op.access != Access::kMark || op.enabled != nullptr) GiveWay(&fiber);
  } else if (fiber.stop_at == op.point) {
    fiber.stop_at = Point::kNone;
    Yield(Stop::kAtPoint);
  }
  while (op.enabled != nullptr && !op.enabled(op.arg)) Yield(Stop::kBlocked);
  fiber.op = Op{};
  // A search counts nothing: what it would count is different on every way into
  // a state, and left-overs of it on the stack would make states of the same
  // kind look different. It counts when it replays.
  if (chooser_ != nullptr && !keep_trace_) return;
  history_->Count(state_->runner, op.point, op.object);
  if (keep_trace_) Keep(fiber, op);
}

void Engine::PassWatched(Point point, Access access, uint32_t object,
                         SourceLine source) {
  // What Pass() does, without what only waits and traces need. The operation
  // stays noted until the next one, or the fiber's end: nobody asks a running
  // fiber for it.
  if (chooser_ != nullptr && !keep_trace_) [[likely]] {
    if (access == Access::kMark) return;
    Fiber* fiber = state_->current;
    fiber->op = {
        .point = point, .access = access, .object = object, .source = source};
    GiveWay(fiber);
    return;
  }
  // In timed mode most points are passed with nothing left to do.
  if (history_->prices != nullptr && chooser_ == nullptr && !keep_trace_ &&
      state_->current->stop_at == Point::kNone && !state_->past->work.any &&
      !state_->past->need_resched) {
    history_->Count(state_->runner, point, object);
    return;
  }
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
  // A search goes back too often; it logs when it replays.
  if (chooser_ != nullptr && !keep_trace_) return;
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
