// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/strategy.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/units.h"
#include "latency/amount.h"
#include "latency/json_input.h"
#include "report/text.h"

namespace reapsim {
namespace {

struct Name {
  absl::string_view name;
  KillStrategy kind;
  bool has_threads;  // says how many
};
constexpr Name kNames[] = {
    {"kill", KillStrategy::kKill, false},
    {"mrelease", KillStrategy::kMrelease, false},
    {"reapers", KillStrategy::kReapers, true},
    {"pool", KillStrategy::kPool, true},
};

// Threads beside the main one.
uint32_t ThreadsOf(const StrategyChoice& strategy) {
  switch (strategy.kind) {
    case KillStrategy::kReapers:
    case KillStrategy::kPool:
      return strategy.threads;
    case KillStrategy::kKill:
    case KillStrategy::kMrelease:
      break;
  }
  return 0;
}

}  // namespace

absl::StatusOr<StrategyChoice> ParseStrategy(absl::string_view text,
                                             absl::string_view where) {
  const auto bad = [where](absl::string_view message) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", message));
  };
  const size_t colon = text.find(':');
  const absl::string_view word = text.substr(0, colon);
  const auto name =
      std::find_if(std::begin(kNames), std::end(kNames),
                   [word](const Name& each) { return each.name == word; });
  if (name == std::end(kNames)) {
    std::vector<absl::string_view> names;
    for (const Name& each : kNames) names.push_back(each.name);
    const std::string meant = MeantName(word, names);
    return bad(absl::StrCat(
        "unknown strategy \"", Tail(Printable(word), 40), "\"",
        meant.empty() ? "; expected kill, mrelease, reapers:N or pool:N"
                      : meant));
  }
  StrategyChoice choice{.kind = name->kind, .threads = 1};
  if (!name->has_threads) {
    if (colon == absl::string_view::npos) return choice;
    return bad(absl::StrCat(name->name, " takes no number"));
  }
  uint64_t threads = 0;
  if (colon == absl::string_view::npos ||
      !ParseCount(text.substr(colon + 1), &threads) || threads < 1 ||
      threads > kMaxReapers) {
    return bad(absl::StrCat("expected ", name->name, ":N, N from 1 to ",
                            kMaxReapers, ", got \"", Tail(Printable(text), 40),
                            "\""));
  }
  choice.threads = static_cast<uint32_t>(threads);
  return choice;
}

std::string PrintStrategy(const StrategyChoice& strategy) {
  for (const Name& each : kNames) {
    if (each.kind != strategy.kind) continue;
    return each.has_threads ? absl::StrCat(each.name, ":", strategy.threads)
                            : std::string(each.name);
  }
  return "?";
}

// ---- What the programs do --------------------------------------------------

void Caller::Board::Kill(User user, pid_t pid) {
  if (kill_ns == 0) kill_ns = static_cast<uint64_t>(user.now().kernel());
  (void)user.kill(pid, SIGKILL);
}

void Caller::Board::Reap(User user, size_t call) {
  calls[call].begin_ns = static_cast<uint64_t>(user.now().kernel());
  calls[call].result = user.process_mrelease(pidfds[call], 0).kernel();
  calls[call].end_ns = static_cast<uint64_t>(user.now().kernel());
}

// The next call may be made by a thread.
void Caller::Board::Post(User user) {
  posted++;
  (void)user.store(word, posted);
  (void)user.futex_wake(word, 1);
}

void Caller::RunMain(User user, Board* board, KillStrategy kind) {
  const size_t sharers = board->kills.size() - board->victims;
  for (size_t i = 0; i < board->kills.size(); ++i) {
    board->Kill(user, board->kills[i]);
    // Its turn to be reaped comes as soon as it is killed.
    if (kind == KillStrategy::kPool && i >= sharers) board->Post(user);
  }
  for (size_t i = 0; i < board->calls.size(); ++i) {
    if (kind == KillStrategy::kReapers) board->Post(user);
    if (kind == KillStrategy::kMrelease) board->Reap(user, i);
  }
  board->main_done = true;
}

void Caller::RunThread(User user, Board* board) {
  while (true) {
    if (board->taken == board->posted) {
      (void)user.futex_wait(board->word, board->posted);
      continue;
    }
    board->Reap(user, board->taken++);
    board->finished++;
  }
}

// ---- The stage -------------------------------------------------------------

Caller::Caller(Kernel& k, const StrategyChoice& strategy,
               const std::vector<Task*>& victims,
               const std::vector<Task*>& sharers)
    : k_(k), strategy_(strategy), main_(&k.Spawn("caller")) {
  REAP_CHECK(victims.size() <= kMaxVictims, "latency: victims");
  REAP_CHECK(strategy.threads <= kMaxReapers, "latency: threads");
  const SysResult page = k.As(*main_).mmap(4_KiB, Anonymous());
  REAP_CHECK(page.ok(), "latency: mmap");
  board_.word = static_cast<uint64_t>(page.kernel());
  REAP_CHECK(k.As(*main_).store(board_.word, 0).ok(), "latency: store");
  // Who shares the memory goes first: the call wants all of them to die.
  for (const Task* sharer : sharers) board_.kills.push_back(sharer->pid());
  for (const Task* victim : victims) board_.kills.push_back(victim->pid());
  board_.victims = victims.size();
  if (strategy.kind != KillStrategy::kKill) PlanCalls(victims);
  for (uint32_t i = 0; i < ThreadsOf(strategy); ++i) {
    const SysResult tid = k.As(*main_).clone_thread();
    REAP_CHECK(tid.ok(), "latency: clone_thread");
    threads_.push_back(&k.TaskOf(static_cast<pid_t>(tid.kernel())));
  }
}

void Caller::PlanCalls(const std::vector<Task*>& victims) {
  const uint32_t each =
      strategy_.kind == KillStrategy::kReapers ? strategy_.threads : 1;
  for (const Task* victim : victims) {
    const SysResult fd = k_.As(*main_).pidfd_open(victim->pid(), 0);
    REAP_CHECK(fd.ok(), "latency: pidfd_open");
    for (uint32_t i = 0; i < each; ++i) {
      board_.calls.push_back({.target = victim->pid()});
      board_.pidfds.push_back(static_cast<int>(fd.kernel()));
    }
  }
}

void Caller::BeginThreads() {
  Board* board = &board_;
  for (Task* thread : threads_) {
    k_.Begin(*thread, [board](User user) { RunThread(user, board); });
  }
}

void Caller::Wake() {
  Board* board = &board_;
  const KillStrategy kind = strategy_.kind;
  k_.Begin(*main_, [board, kind](User user) { RunMain(user, board, kind); });
}

}  // namespace reapsim
