// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Switches: one guard taken out of the modelled kernel, or one protocol of its
// history put back, so that a search can show what the guard is for. All are
// off in a world unless it is made with them:
//
//   Kernel k({.version = "v6.18", .switches = {Switch::kNoRecheck}});
//
// Modelled code asks Switched(Switch::kNoRecheck) (sched/engine.h), and only
// where it is not in a hurry. What a switch is, and is not: docs/adr.
//
// Checks: properties that real kernels break, and that are looked at only where
// somebody asks: docs/invariants.md.
//
// Proposals: what no kernel does yet, but somebody has proposed. All are off in
// a world unless it is made with them: docs/proposals.md.
#ifndef REAPSIM_BASE_SWITCHES_H_
#define REAPSIM_BASE_SWITCHES_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/kernel_version.h"

namespace reapsim {

// X(enumerator, name, bug, meaning). The bug is that of the semantics paper's
// list which the switch brings back, or for whose sake the guard is there.
#define REAPSIM_SWITCHES(X)                                                   \
  /* process_mrelease() */                                                    \
  X(kNoRecheck, "no-recheck", "H10",                                          \
    "process_mrelease() does not look at MMF_OOM_SKIP again under mmap_lock") \
  X(kMreleasePinsMmUsers, "mrelease-pins-mm-users", "H12",                    \
    "process_mrelease() holds mm_users, as from v5.15-rc7 to v5.16")          \
  X(kSharersNeedNotDie, "sharers-need-not-die", "",                           \
    "the victim test does not ask the other processes that have the mm")      \
  X(kCoreDumpIsNoVeto, "core-dump-is-no-veto", "H15",                         \
    "the victim test does not ask whether a core dump runs")                  \
  X(kKeptMmCountsItself, "kept-mm-counts-itself", "",                         \
    "with proposal-keep-mm, the only user of an mm counts as the victim, "    \
    "which is none any more")                                                 \
  X(kPidfdSelfLeaksPid, "pidfd-self-leaks-pid", "H27",                        \
    "the pid of a sentinel for the caller itself is not put, as "             \
    "pidfd_send_signal() first had it")                                       \
  /* The walk */                                                              \
  X(kNoTlbFlushPending, "no-tlb-flush-pending", "H30",                        \
    "a gather that ends beside another one does not flush the whole mm")      \
  X(kRmapBeforeFlush, "rmap-before-flush", "H31",                             \
    "a dirty file page's map count drops before the TLB flush, as up to "     \
    "v6.1")                                                                   \
  X(kFaultsIgnoreUnstable, "faults-ignore-unstable", "H3",                    \
    "no fault looks at MMF_UNSTABLE, as up to v4.8")                          \
  X(kBlockingNotifiers, "blocking-notifiers", "H8",                           \
    "the reapers wait for notifiers, as up to v4.18")                         \
  X(kReaperTakesHugetlb, "reaper-takes-hugetlb", "H28",                       \
    "the reapers do not spare VM_HUGETLB and VM_PFNMAP")                      \
  X(kReaperDropsMarkers, "reaper-drops-markers", "",                          \
    "the reapers clear guards and uffd-wp markers, as exit does")             \
  /* exit_mmap(), munmap(), fork() */                                         \
  X(kFreePgtablesUnderReadLock, "free-pgtables-under-read-lock", "H10",       \
    "exit_mmap() keeps the read lock where it must take the write lock")      \
  X(kExitWithoutLock, "exit-without-lock", "H32",                             \
    "exit_mmap() takes no mmap_lock, as the first maple tree form")           \
  X(kExitLeavesVmasLinked, "exit-leaves-vmas-linked", "H11",                  \
    "exit_mmap() leaves the mm pointing at freed VMAs, as v5.17-rc1")         \
  X(kMunlockBesideReapers, "munlock-beside-reapers", "H7",                    \
    "exit_mmap() munlocks before it sets MMF_OOM_SKIP and waits for "         \
    "reapers, as up to v4.16 (versions up to v5.17)")                         \
  X(kExitTrustsCurrent, "exit-trusts-current", "H5",                          \
    "exit_mmap() takes the mm for an OOM victim's only if the task that "     \
    "runs it is one, as up to v4.14 (versions up to v6.0)")                   \
  X(kMunmapAlwaysDowngrades, "munmap-always-downgrades", "H29",               \
    "munmap() frees tables under the read lock below a stack, too, as up "    \
    "to v5.8 (versions up to v6.4)")                                          \
  X(kFailedForkNotHidden, "failed-fork-not-hidden", "H17",                    \
    "the mm of a fork that failed is not hidden, as up to v6.13")             \
  /* The OOM killer and its reaper */                                         \
  X(kReaperNoRecheck, "reaper-no-recheck", "",                                \
    "the OOM reaper does not look at MMF_OOM_SKIP under mmap_lock")           \
  X(kReaperNeverGivesUp, "reaper-never-gives-up", "H9",                       \
    "the OOM reaper tries until it gets mmap_lock")                           \
  X(kReaperPinsMmUsers, "reaper-pins-mm-users", "H1",                         \
    "the OOM reaper holds mm_users, as v4.6")                                 \
  X(kVictimsQueuedTwice, "victims-queued-twice", "H6",                        \
    "an mm is queued for the OOM reaper each time one of its threads is "     \
    "marked")                                                                 \
  X(kInitSharedMmNotHidden, "init-shared-mm-not-hidden", "H25",               \
    "an OOM victim that shares its mm with init is not hidden, as up to "     \
    "v4.7")                                                                   \
  X(kThawOneThread, "thaw-one-thread", "H14",                                 \
    "only the marked thread of a frozen OOM victim is thawed, as up to "      \
    "v6.17")

enum class Switch : uint8_t {
#define X(id, name, bug, meaning) id,
  REAPSIM_SWITCHES(X)
#undef X
      kCount
};

// X(enumerator, name, meaning)
#define REAPSIM_CHECKS(X)                                                      \
  X(kS9, "S9",                                                                 \
    "what is read through a private mapping of a reaped mm is what its tasks " \
    "stored there last (broken by H19, H20)")                                  \
  X(kS10, "S10",                                                               \
    "no page comes back into private anonymous memory that has been reaped "   \
    "(broken by H21)")                                                         \
  X(kS15, "S15",                                                               \
    "the caller of process_mrelease() never tears an mm down, in versions "    \
    "that pin mm_users, too (broken by H12)")                                  \
  X(kS16, "S16",                                                               \
    "no core dump of a group that uses the mm begins before the walk ends")

enum class Check : uint8_t {
#define X(id, name, meaning) id,
  REAPSIM_CHECKS(X)
#undef X
      kCount
};

// X(enumerator, name, first version that can carry it, meaning)
#define REAPSIM_PROPOSALS(X)                                               \
  X(kReapKill, "proposal-reap-kill", "v5.17",                              \
    "process_mrelease() knows the flag PROCESS_MRELEASE_REAP_KILL, 1: it " \
    "kills every process that has the mm, then reaps (Minchan Kim, 2026)") \
  X(kKeepMm, "proposal-keep-mm", "v6.1",                                   \
    "a task's mm can be found until the task is freed, so that "           \
    "process_mrelease() can reap it after exit_mm() (Jann Horn, 2020; "    \
    "Christian Brauner, 2026)")                                            \
  X(kCgroupPidfds, "proposal-cgroup-pidfds", "v5.15-rc1",                  \
    "the list of a cgroup's processes gives pidfds (Shakeel Butt, 2021)")

enum class Proposal : uint8_t {
#define X(id, name, since, meaning) id,
  REAPSIM_PROPOSALS(X)
#undef X
      kCount
};

// A set of any of them.
template <class E>
class EnumSet {
 public:
  static_assert(static_cast<int>(E::kCount) <= 32);
  constexpr EnumSet() = default;
  constexpr EnumSet(std::initializer_list<E> members) {
    for (const E member : members) Add(member);
  }
  constexpr bool Has(E e) const {
    return (bits_ >> static_cast<int>(e) & 1) != 0;
  }
  constexpr void Add(E e) { bits_ |= uint32_t{1} << static_cast<int>(e); }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool operator==(const EnumSet&) const = default;

 private:
  uint32_t bits_ = 0;
};
using Switches = EnumSet<Switch>;
using Checks = EnumSet<Check>;
using Proposals = EnumSet<Proposal>;

struct SwitchInfo {
  Switch id;
  absl::string_view name;     // "no-recheck": for --with=NAME
  absl::string_view bug;      // "H10", or nothing
  absl::string_view meaning;  // half a sentence
};
struct CheckInfo {
  Check id;
  absl::string_view name;  // "S9"
  absl::string_view meaning;
};
struct ProposalInfo {
  Proposal id;
  absl::string_view name;     // "proposal-keep-mm": for --with=NAME
  absl::string_view since;    // "v6.1"
  absl::string_view meaning;  // half a sentence
};

// All, in the order of their declaration.
absl::Span<const SwitchInfo> AllSwitches();
absl::Span<const CheckInfo> AllChecks();
absl::Span<const ProposalInfo> AllProposals();

// The one with that name; kInvalidArgument with a sentence that lists all
// names.
absl::StatusOr<Switch> ParseSwitch(absl::string_view name);
absl::StatusOr<Check> ParseCheck(absl::string_view name);

// What a world is made with beside its version, as --with=NAME,... says it.
struct Variation {
  Switches switches;
  Proposals proposals;
};
// Adds the switch or proposal with that name. kInvalidArgument: there is none;
// the sentence lists the names of both.
absl::Status AddByName(absl::string_view name, Variation* variation);
// All of them together.
absl::StatusOr<Variation> VariationOf(absl::Span<const std::string> names);

// kInvalidArgument: one of them is not for kernels with these differences,
// which belong to `version`.
absl::Status CheckProposals(Proposals proposals, const Differences& differences,
                            absl::string_view version);

// The differences of a version with those switches that undo one of them.
Differences WithSwitches(Differences differences, Switches switches);

}  // namespace reapsim

#endif  // REAPSIM_BASE_SWITCHES_H_
