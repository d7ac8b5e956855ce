// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The table of differences: which there are, since when, and how we know.

#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/kernel_version.h"

namespace reapsim {
namespace {

using D = Differences;

// --------------------------------------------------------------------------
// Fields
// --------------------------------------------------------------------------

constexpr absl::string_view Name(bool value) {
  return value ? "true" : "false";
}

constexpr absl::string_view Name(ExitMmapProtocol value) {
  switch (value) {
    case ExitMmapProtocol::kUnlocked:
      return "kUnlocked";
    case ExitMmapProtocol::kWriteLockDangling:
      return "kWriteLockDangling";
    case ExitMmapProtocol::kWriteLock:
      return "kWriteLock";
    case ExitMmapProtocol::kReadThenWrite:
      return "kReadThenWrite";
  }
  return "?";
}

constexpr absl::string_view Name(PerVmaLock value) {
  switch (value) {
    case PerVmaLock::kNone:
      return "kNone";
    case PerVmaLock::kRwsem:
      return "kRwsem";
    case PerVmaLock::kRefcount:
      return "kRefcount";
  }
  return "?";
}

constexpr absl::string_view Name(PidfdSelf value) {
  switch (value) {
    case PidfdSelf::kNone:
      return "kNone";
    case PidfdSelf::kFirstValues:
      return "kFirstValues";
    case PidfdSelf::kFinalValues:
      return "kFinalValues";
  }
  return "?";
}

template <auto kMember>
absl::string_view Value(const Differences& differences) {
  return Name(differences.*kMember);
}

template <auto kMember>
constexpr DifferenceField Field(absl::string_view name,
                                absl::string_view shown_by = "") {
  return {.name = name,
          .value = &Value<kMember>,
          .decides_call = false,
          .not_modelled = "",
          .shown_by = shown_by};
}

template <auto kMember>
constexpr DifferenceField CallField(absl::string_view name,
                                    absl::string_view shown_by = "") {
  DifferenceField field = Field<kMember>(name, shown_by);
  field.decides_call = true;
  return field;
}

template <auto kMember>
constexpr DifferenceField TabledField(absl::string_view name,
                                      absl::string_view why) {
  DifferenceField field = Field<kMember>(name);
  field.not_modelled = why;
  return field;
}

constexpr DifferenceField kFields[] = {
    CallField<&D::has_process_mrelease>(
        "has_process_mrelease",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/HasProcessMrelease"),
    CallField<&D::mrelease_original_form>(
        "mrelease_original_form",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/MreleaseOriginalForm"),
    CallField<&D::mrelease_pins_mm_users>(
        "mrelease_pins_mm_users",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/MreleasePinsMmUsers"),
    CallField<&D::mrelease_rechecks_oom_skip>(
        "mrelease_rechecks_oom_skip",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/MreleaseRechecksOomSkip"),
    Field<&D::pidfd_get_task_drops_pid_early>(
        "pidfd_get_task_drops_pid_early",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/PidfdGetTaskDropsPidEarly"),
    Field<&D::has_pidfd_thread>(
        "has_pidfd_thread",
        "//tests:differences_test DifferencesTest.CanBeSeen/HasPidfdThread"),
    Field<&D::pidfd_self>(
        "pidfd_self",
        "//tests:differences_test DifferencesTest.CanBeSeen/PidfdSelf"),
    Field<&D::pidfd_open_nonleader_enoent>(
        "pidfd_open_nonleader_enoent",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/PidfdOpenNonleaderEnoent"),
    CallField<&D::dying_vetoed_by_group_coredump_flag>(
        "dying_vetoed_by_group_coredump_flag",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/DyingVetoedByGroupCoredumpFlag"),
    Field<&D::coredump_sets_group_exit>(
        "coredump_sets_group_exit",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/CoredumpSetsGroupExit"),
    CallField<&D::coredump_kills_mm_sharers>(
        "coredump_kills_mm_sharers",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/CoredumpKillsMmSharers"),
    CallField<&D::coredump_waits_in_exit_mm>(
        "coredump_waits_in_exit_mm",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/CoredumpWaitsInExitMm"),
    CallField<&D::guarantees_group_exit>(
        "guarantees_group_exit",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/GuaranteesGroupExit"),
    Field<&D::group_exit_one_siglock_section>(
        "group_exit_one_siglock_section",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/GroupExitOneSiglockSection"),
    Field<&D::thread_group_empty_needs_leader>(
        "thread_group_empty_needs_leader",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/ThreadGroupEmptyNeedsLeader"),
    CallField<&D::exit_mmap_protocol>(
        "exit_mmap_protocol",
        "//tests:differences_test DifferencesTest.CanBeSeen/ExitMmapProtocol"),
    Field<&D::has_mmf_oom_victim>(
        "has_mmf_oom_victim",
        "//tests:differences_test DifferencesTest.CanBeSeen/HasMmfOomVictim"),
    Field<&D::uses_maple_tree>(
        "uses_maple_tree",
        "//tests:differences_test DifferencesTest.CanBeSeen/UsesMapleTree"),
    TabledField<&D::locks_hugetlb_around_exit_unmap>(
        "locks_hugetlb_around_exit_unmap",
        "nobody here could hold these locks when exit_mmap() comes"),
    Field<&D::failed_dup_mmap_leaves_marker>(
        "failed_dup_mmap_leaves_marker",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/FailedDupMmapLeavesMarker"),
    Field<&D::failed_dup_mmap_hides_mm>(
        "failed_dup_mmap_hides_mm",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/FailedDupMmapHidesMm"),
    Field<&D::frees_tables_by_rcu>(
        "frees_tables_by_rcu",
        "//tests:differences_test DifferencesTest.CanBeSeen/FreesTablesByRcu"),
    Field<&D::exec_defers_old_mm>(
        "exec_defers_old_mm",
        "//tests:differences_test DifferencesTest.CanBeSeen/ExecDefersOldMm"),
    CallField<&D::reaps_mlocked>(
        "reaps_mlocked",
        "//tests:differences_test DifferencesTest.CanBeSeen/ReapsMlocked"),
    Field<&D::walks_in_reverse>(
        "walks_in_reverse",
        "//tests:differences_test DifferencesTest.CanBeSeen/WalksInReverse"),
    Field<&D::notifies_clear>(
        "notifies_clear",
        "//tests:differences_test DifferencesTest.CanBeSeen/NotifiesClear"),
    CallField<&D::uffd_wp_anon_marker_cleared>(
        "uffd_wp_anon_marker_cleared",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/UffdWpAnonMarkerCleared"),
    Field<&D::uffd_wp_markers>(
        "uffd_wp_markers",
        "//tests:differences_test DifferencesTest.CanBeSeen/UffdWpMarkers"),
    Field<&D::has_uffd_wp_async>(
        "has_uffd_wp_async",
        "//tests:differences_test DifferencesTest.CanBeSeen/HasUffdWpAsync"),
    Field<&D::has_uffd_poison>(
        "has_uffd_poison",
        "//tests:differences_test DifferencesTest.CanBeSeen/HasUffdPoison"),
    Field<&D::has_guard_markers>(
        "has_guard_markers",
        "//tests:differences_test DifferencesTest.CanBeSeen/HasGuardMarkers"),
    Field<&D::guards_any_mapping>(
        "guards_any_mapping",
        "//tests:differences_test DifferencesTest.CanBeSeen/GuardsAnyMapping"),
    Field<&D::has_droppable>(
        "has_droppable",
        "//tests:differences_test DifferencesTest.CanBeSeen/HasDroppable"),
    Field<&D::ksm_counts_zero_pages>(
        "ksm_counts_zero_pages",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/KsmCountsZeroPages"),
    Field<&D::device_exclusive_keeps_rmap>(
        "device_exclusive_keeps_rmap",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/DeviceExclusiveKeepsRmap"),
    Field<&D::zap_batches_ptes>(
        "zap_batches_ptes",
        "//tests:differences_test DifferencesTest.CanBeSeen/ZapBatchesPtes"),
    Field<&D::zap_batches_swap_entries>(
        "zap_batches_swap_entries",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/ZapBatchesSwapEntries"),
    Field<&D::gather_full_early>(
        "gather_full_early",
        "//tests:differences_test DifferencesTest.CanBeSeen/GatherFullEarly"),
    Field<&D::zap_checks_resched_on_none>(
        "zap_checks_resched_on_none",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/ZapChecksReschedOnNone"),
    Field<&D::delays_rmap>(
        "delays_rmap",
        "//tests:differences_test DifferencesTest.CanBeSeen/DelaysRmap"),
    Field<&D::pte_map_may_fail>(
        "pte_map_may_fail",
        "//tests:differences_test DifferencesTest.CanBeSeen/PteMapMayFail"),
    TabledField<&D::retracts_tables_under_read_lock>(
        "retracts_tables_under_read_lock", "there is no khugepaged here"),
    Field<&D::madvise_reclaims_empty_tables>(
        "madvise_reclaims_empty_tables",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/MadviseReclaimsEmptyTables"),
    Field<&D::rss_percpu>(
        "rss_percpu",
        "//tests:differences_test DifferencesTest.CanBeSeen/RssPercpu"),
    Field<&D::per_vma_lock>(
        "per_vma_lock",
        "//tests:differences_test DifferencesTest.CanBeSeen/PerVmaLock"),
    Field<&D::stack_grows_under_write_lock>(
        "stack_grows_under_write_lock",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/StackGrowsUnderWriteLock"),
    Field<&D::madvise_locks_vma>(
        "madvise_locks_vma",
        "//tests:differences_test DifferencesTest.CanBeSeen/MadviseLocksVma"),
    Field<&D::use_pf_oom_killer>(
        "use_pf_oom_killer",
        "//tests:differences_test DifferencesTest.CanBeSeen/UsePfOomKiller"),
    Field<&D::oom_ignores_zero_gfp_mask>(
        "oom_ignores_zero_gfp_mask",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/OomIgnoresZeroGfpMask"),
    Field<&D::oom_reaper_delayed>(
        "oom_reaper_delayed",
        "//tests:differences_test DifferencesTest.CanBeSeen/OomReaperDelayed"),
    Field<&D::mark_victim_has_fields>(
        "mark_victim_has_fields",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/MarkVictimHasFields"),
    Field<&D::exact_rss_sums>(
        "exact_rss_sums",
        "//tests:differences_test DifferencesTest.CanBeSeen/ExactRssSums"),
    Field<&D::thaws_whole_process>(
        "thaws_whole_process",
        "//tests:differences_test DifferencesTest.CanBeSeen/ThawsWholeProcess"),
    Field<&D::freezer_has_frozen_state>(
        "freezer_has_frozen_state",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/FreezerHasFrozenState"),
    TabledField<&D::reclaim_skips_reaped_mm>("reclaim_skips_reaped_mm",
                                             "there is no page reclaim here"),
    Field<&D::swapoff_skips_unstable>(
        "swapoff_skips_unstable",
        "//tests:differences_test "
        "DifferencesTest.CanBeSeen/SwapoffSkipsUnstable"),
    TabledField<&D::memcg_fails_charges_of_reaped_victim>(
        "memcg_fails_charges_of_reaped_victim",
        "there are no memory cgroups here"),
};
// Each field is one byte, so this says that none is missing from the list.
static_assert(std::size(kFields) == sizeof(Differences));

// --------------------------------------------------------------------------
// Rows
// --------------------------------------------------------------------------

template <auto kMember, auto kValue>
void Assign(Differences& differences) {
  differences.*kMember = kValue;
}

struct Source {
  absl::string_view commit;
  absl::string_view title;
  Evidence evidence;
  absl::string_view rests_on;
  bool backported = false;
};
constexpr bool kBackported = true;

template <auto kMember, auto kValue>
constexpr DifferenceRow Row(absl::string_view field, KernelVersion since,
                            KernelVersion until, Source source,
                            absl::string_view changes) {
  return {.field = field,
          .value = Name(kValue),
          .since = since,
          .until = until,
          .commit = source.commit,
          .title = source.title,
          .evidence = source.evidence,
          .rests_on = source.rests_on,
          .backported = source.backported,
          .changes = changes,
          .apply = &Assign<kMember, kValue>};
}

template <auto kMember>
constexpr DifferenceRow Since(absl::string_view field, KernelVersion since,
                              Source source, absl::string_view changes) {
  return Row<kMember, true>(field, since, {}, source, changes);
}

template <auto kMember>
constexpr DifferenceRow Until(absl::string_view field, KernelVersion until,
                              Source source, absl::string_view changes) {
  return Row<kMember, true>(field, {}, until, source, changes);
}

// The first version with what was merged in that version's merge window.
constexpr KernelVersion Merged(int major, int minor) {
  return {.major = major, .minor = minor, .rc = 1};
}

constexpr KernelVersion Candidate(int major, int minor, int rc) {
  return {.major = major, .minor = minor, .rc = rc};
}

// Commits that made more than one named difference.
constexpr Source kFirstPatch = {
    "884a7e5964e0", "mm: introduce process_mrelease system call",
    Evidence::kSource, "the text of the patch; hash and title are public"};
constexpr Source kPinMmUsers = {
    "337546e83fc7",
    "mm/oom_kill.c: prevent a race between "
    "process_mrelease and exit_mmap",
    Evidence::kSource, "the source of v5.15; hash and title are public"};
constexpr Source kRunUnderMmapLock = {
    "ba535c1caf3e",
    "mm/oom_kill: allow process_mrelease to "
    "run under mmap_lock protection",
    Evidence::kSource, "the source of v5.19; hash and title are public"};
constexpr Source kGroupExitInZapProcess = {
    "752dc9707567",
    "signal: Have the oom killer detect coredumps by "
    "core_state; set SIGNAL_GROUP_EXIT in zap_process "
    "(series with 98b24b16b2ae, 2f824d4d197e)",
    Evidence::kSource, "the source of v5.19; hashes and titles are public"};
constexpr Source kDropOomCode = {
    "bf3980c85212", "mm: drop oom code from exit_mmap", Evidence::kSource,
    "absent in the source of v5.19, present in that of v6.1; hash and title "
    "are public"};
constexpr Source kPidfdSelfSentinels = {
    "f08d0c3a7111",
    "pidfd: add PIDFD_SELF* sentinels to refer to own "
    "thread/process",
    Evidence::kRecorded,
    "v6.12 (EBADF) and v6.16 were run; that it is v6.15 says the public hash"};
constexpr Source kFoldedUnmap = {
    "10ebac4f95e7", "mm/memory: optimize unmap/zap with PTE-mapped THP",
    Evidence::kSource, "the source of v6.12; hash and title are public"};
constexpr Source kReclaimTables = {
    "6375e95f381e",
    "mm: pgtable: reclaim empty PTE page in madvise(MADV_DONTNEED)",
    Evidence::kSource,
    "absent in the source of v6.12, present in that of v6.17; hash and version "
    "from memory"};
constexpr Source kPageFaultOom = {
    "60e2793d440a", "mm, oom: do not trigger out_of_memory from the #PF",
    Evidence::kSource, "the source of v5.19; hash from memory"};

constexpr DifferenceRow kRows[] = {
    // The call itself.
    Since<&D::has_process_mrelease>(
        "has_process_mrelease", Candidate(5, 15, 1),
        {"884a7e5964e0", "mm: introduce process_mrelease system call",
         Evidence::kRecorded,
         "v5.10 (ENOSYS), v6.1 and later were run; hash and title are public"},
        "Number 448 exists (wired up by dce491039628); before, ENOSYS whatever "
        "the arguments"),
    Row<&D::mrelease_original_form, true>(
        "mrelease_original_form", Candidate(5, 15, 1), Candidate(5, 15, 7),
        kFirstPatch,
        "MMF_OOM_SKIP is tested before task_will_free_mem(), the mm is held by "
        "mm_count while exit_mmap() takes no lock: a use after free"),
    Row<&D::mrelease_pins_mm_users, true>(
        "mrelease_pins_mm_users", Candidate(5, 15, 7), Merged(5, 17),
        kPinMmUsers,
        "The caller holds mm_users: exit_mmap() cannot run before it is done, "
        "the one-user shortcut is never taken, and the caller's mmput() may be "
        "the last and run the whole teardown"),
    Since<&D::mrelease_rechecks_oom_skip>(
        "mrelease_rechecks_oom_skip", Merged(5, 17), kRunUnderMmapLock,
        "mm_count again, and MMF_OOM_SKIP is looked at once more under "
        "mmap_lock: set there means 0 without a walk"),
    Since<&D::pidfd_get_task_drops_pid_early>(
        "pidfd_get_task_drops_pid_early", Merged(5, 16),
        {"ee9955d61a0a", "mm: use pidfd_get_task()", Evidence::kSource,
         "the source of v5.19; hash and title are public"},
        "The reference to struct pid is put when the task is found (helper "
        "from e9bdcdbf6936); before, at the very end. No visible change"),
    Since<&D::has_pidfd_thread>(
        "has_pidfd_thread", Merged(6, 9),
        {"64bef697d33b", "pidfd: implement PIDFD_THREAD flag for pidfd_open()",
         Evidence::kRecorded,
         "v6.1 refuses the flag, v6.12 and later take it: they were run; hash "
         "and title are public"},
        "A pidfd may name a thread; of one that leads no group the call says "
        "ESRCH, always"),
    Row<&D::pidfd_self, PidfdSelf::kFirstValues>(
        "pidfd_self", Merged(6, 15), Merged(6, 17), kPidfdSelfSentinels,
        "-10000 (thread) and -20000 (thread group) name the caller: EINVAL "
        "instead of EBADF. Observed on v6.16; v6.15 could not be run"),
    Row<&D::pidfd_self, PidfdSelf::kFinalValues>(
        "pidfd_self", Merged(6, 17), {},
        {"", "pidfd: the sentinel for the thread group becomes -10001",
         Evidence::kRecorded, "v6.16, v6.17 and later were run"},
        "-10000 and -10001 name the caller, -20000 is EBADF again"),
    Since<&D::pidfd_open_nonleader_enoent>(
        "pidfd_open_nonleader_enoent", Merged(6, 15),
        {"", "pidfd: what pidfd_open() says to a thread's id",
         Evidence::kRecorded,
         "v6.12 (EINVAL) and v6.16 (ENOENT) were run; which version between "
         "them is reasoning"},
        "pidfd_open() of a thread that leads no group: ENOENT; before, EINVAL. "
        "Observed: EINVAL on v6.12, ENOENT on v6.16"),

    // Who counts as dying, and core dumps.
    Until<&D::dying_vetoed_by_group_coredump_flag>(
        "dying_vetoed_by_group_coredump_flag", Merged(5, 17),
        kGroupExitInZapProcess,
        "SIGNAL_GROUP_COREDUMP in signal->flags means not dying; since, a "
        "signal->core_state that is set does"),
    Since<&D::coredump_sets_group_exit>(
        "coredump_sets_group_exit", Merged(5, 17), kGroupExitInZapProcess,
        "A dumping group has SIGNAL_GROUP_EXIT from the start of the dump; "
        "before, only SIGNAL_GROUP_COREDUMP"),
    Until<&D::coredump_kills_mm_sharers>(
        "coredump_kills_mm_sharers", Merged(5, 16),
        {"0258b5fd7c71", "coredump: Limit coredumps to a single thread group",
         Evidence::kSource,
         "the source of v5.19; hash and version from memory"},
        "Other processes that share the mm are killed and wait with the "
        "dumper; since, they run on. core_state was the mm's until then"),
    Until<&D::coredump_waits_in_exit_mm>(
        "coredump_waits_in_exit_mm", Merged(5, 16),
        {"92307383082d",
         "coredump: Don't perform any cleanups before dumping core",
         Evidence::kSource,
         "the source of v5.19; hash and version from memory"},
        "Threads wait for the dump inside exit_mm(), PF_EXITING set; since, at "
        "the top of do_exit(), before PTRACE_EVENT_EXIT"),
    Since<&D::guarantees_group_exit>(
        "guarantees_group_exit", Merged(6, 1),
        {"d80f7d7b2c75",
         "signal: Guarantee that SIGNAL_GROUP_EXIT is set on process exit",
         Evidence::kRecorded,
         "v6.1 and later were run; absent in the source of v5.19; hash and "
         "title are public"},
        "The last thread in exit(2) sets SIGNAL_GROUP_EXIT at the top of "
        "do_exit() (with cbe9dac37904), so it counts as dying from there on"),
    Since<&D::group_exit_one_siglock_section>(
        "group_exit_one_siglock_section", Merged(6, 15),
        {"", "exit: the wait for a core dump joins synchronize_group_exit()",
         Evidence::kSource,
         "two sections in the source of v6.12, one in that of v6.17; which "
         "version between them is reasoning"},
        "Group exit and core_state are looked at under one siglock section; "
        "before, in two. Somewhere between v6.13 and v6.17"),
    Since<&D::thread_group_empty_needs_leader>(
        "thread_group_empty_needs_leader", Merged(6, 7),
        {"", "kill task_struct->thread_group", Evidence::kSource,
         "absent in the source of v6.1, present in that of v6.8; version from "
         "memory"},
        "thread_group_empty() asks for a leader that is last on the thread "
        "list; before, for any task that is linked to no other"),

    // Tearing an address space down.
    Row<&D::exit_mmap_protocol, ExitMmapProtocol::kWriteLockDangling>(
        "exit_mmap_protocol", Merged(5, 17), Candidate(5, 17, 6),
        {"64591e8605d6",
         "mm: protect free_pgtables with mmap_lock write lock in exit_mmap",
         Evidence::kSource, "the source of v5.19; hash and title are public"},
        "Page tables and VMAs go under mmap_lock for writing; mm->mmap keeps "
        "pointing at the freed VMAs: a use after free for who waited"),
    Row<&D::exit_mmap_protocol, ExitMmapProtocol::kWriteLock>(
        "exit_mmap_protocol", Candidate(5, 17, 6), Merged(6, 1),
        {"f798a1d4f94d",
         "mm: fix use-after-free bug when mm->mmap is reused after being freed",
         Evidence::kSource,
         "the source of v5.19; hash and title are public, rc6 from memory"},
        "mm->mmap is cleared before the write lock is dropped"),
    Row<&D::exit_mmap_protocol, ExitMmapProtocol::kReadThenWrite>(
        "exit_mmap_protocol", Merged(6, 1), {}, kDropOomCode,
        "Pages are unmapped under mmap_lock for reading, beside any reaper; "
        "then MMF_OOM_SKIP for every mm that had a VMA; then page tables go "
        "under the write lock"),
    Until<&D::has_mmf_oom_victim>(
        "has_mmf_oom_victim", Merged(6, 1),
        {"b3541d912a84", "mm: delete unused MMF_OOM_VICTIM flag",
         Evidence::kSource, "the source of v6.1; hash and title are public"},
        "mark_oom_victim() marks the mm, and exit_mmap() reaps and hides "
        "(MMF_OOM_SKIP) only an mm so marked"),
    Since<&D::uses_maple_tree>(
        "uses_maple_tree", Merged(6, 1),
        {"", "mm: start tracking VMAs with maple tree (series)",
         Evidence::kSource,
         "absent in the source of v5.19, present in that of v6.1"},
        "VMAs are found in a tree that can be walked under RCU; before, in a "
        "sorted list and a red-black tree"),
    Since<&D::locks_hugetlb_around_exit_unmap>(
        "locks_hugetlb_around_exit_unmap", Merged(6, 7),
        {"2820b0f09be9",
         "hugetlbfs: close race between MADV_DONTNEED and page fault",
         Evidence::kSource,
         "inside in the source of v6.1, before in those of v6.8 and v6.12; "
         "hash and version from memory"},
        "exit_mmap() takes the locks of a hugetlb VMA before it unmaps, also "
        "of private memory; before, while it unmaps. The reaper never looks "
        "at such VMAs"),
    Row<&D::failed_dup_mmap_leaves_marker, true>(
        "failed_dup_mmap_leaves_marker", Merged(6, 8), Merged(7, 2),
        {"d24062914837",
         "fork: use __mt_dup() to duplicate maple tree in dup_mmap()",
         Evidence::kSource,
         "the source of v6.8; hash from memory; its end is between v6.18 and "
         "v7.2"},
        "The tree of a fork that failed half-way holds a marker at which "
        "exit_mmap() stops; without it, dup_mmap() tears down itself"),
    Since<&D::failed_dup_mmap_hides_mm>(
        "failed_dup_mmap_hides_mm", Merged(6, 14),
        {"64c37e134b12",
         "kernel: be more careful about dup_mmap() failures and uprobe "
         "registering",
         Evidence::kSource,
         "the source of v6.12, which has it backported; hash and title are "
         "public",
         kBackported},
        "The mm of a failed fork is MMF_UNSTABLE and MMF_OOM_SKIP, and uprobe "
        "registration skips unstable ones (CVE-2025-21709)"),
    Since<&D::frees_tables_by_rcu>(
        "frees_tables_by_rcu", Merged(6, 14), kReclaimTables,
        "x86: page-table pages are freed after an RCU grace period; before, "
        "only in a paravirtualised guest"),
    Since<&D::exec_defers_old_mm>(
        "exec_defers_old_mm", Merged(7, 2),
        {"", "exec: release the old mm in setup_new_exec()", Evidence::kSource,
         "the source of v7.2; which version after v6.18 is reasoning"},
        "The old mm is put after exec_update_lock is dropped; before, inside "
        "exec_mmap() with the lock held"),

    // The walk.
    Since<&D::reaps_mlocked>(
        "reaps_mlocked", Merged(5, 18),
        {"a213e5cf71cb",
         "mm/munlock: delete munlock_vma_pages_all(), allow oomreap",
         Evidence::kRecorded,
         "v6.1 and later were run; the source of v5.19; hash and title are "
         "public"},
        "VM_LOCKED VMAs are reaped, locked_vm unchanged; before, skipped, and "
        "exit_mmap() unlocked them in a step of its own"),
    Since<&D::walks_in_reverse>(
        "walks_in_reverse", Merged(6, 18),
        {"",
         "mm/oom_kill: the OOM reaper traverses the VMA maple tree in "
         "reverse order",
         Evidence::kRecorded,
         "v6.18 was run; absent in the source of v6.17; title is public"},
        "VMAs are reaped from the highest to the lowest, away from "
        "exit_mmap(); inside a VMA still upwards"),
    Since<&D::notifies_clear>(
        "notifies_clear", Merged(7, 1),
        {"",
         "mm/oom_kill: use MMU_NOTIFY_CLEAR in __oom_reap_task_mm(); "
         "factor out zap_vma_for_reaping()",
         Evidence::kSource,
         "the source of v7.2; title is public, version from memory"},
        "mmu notifiers are told MMU_NOTIFY_CLEAR instead of MMU_NOTIFY_UNMAP; "
        "uprobes are left alone explicitly"),
    Since<&D::uffd_wp_anon_marker_cleared>(
        "uffd_wp_anon_marker_cleared", Merged(6, 4),
        {"", "mm/uffd: write protection of unpopulated anonymous memory",
         Evidence::kSource,
         "absent in the source of v6.2, present in that of v6.5; which version "
         "between them is reasoning"},
        "A uffd-wp marker in an anonymous VMA is cleared by the reaper; in a "
        "file or shmem VMA it is kept in every version"),
    Since<&D::uffd_wp_markers>(
        "uffd_wp_markers", Merged(5, 19),
        {"", "mm/shmem: handle uffd-wp during fork(), and its series",
         Evidence::kSource, "the source of v6.1; version from memory"},
        "userfaultfd write-protects shmem, too; where a protected page goes, "
        "a marker stays"),
    Since<&D::has_uffd_wp_async>(
        "has_uffd_wp_async", Merged(6, 7),
        {"", "userfaultfd: UFFD_FEATURE_WP_ASYNC", Evidence::kSource,
         "absent in the source of v6.1, present in that of v6.12; version from "
         "memory"},
        "userfaultfd write-protects any private memory if the fault may "
        "resolve itself"),
    Since<&D::has_uffd_poison>(
        "has_uffd_poison", Merged(6, 6),
        {"", "mm: userfaultfd: add new UFFDIO_POISON ioctl", Evidence::kSource,
         "absent in the source of v6.1, present in that of v6.12; version from "
         "memory"},
        "A monitor may leave poison markers, which the reaper clears"),
    Since<&D::has_guard_markers>(
        "has_guard_markers", Merged(6, 13),
        {"", "mm: add PTE_MARKER_GUARD PTE marker", Evidence::kRecorded,
         "v6.18 was run; the source of v6.17; version from memory"},
        "Guard regions exist; the reaper keeps their markers, exit drops "
        "them"),
    Since<&D::guards_any_mapping>(
        "guards_any_mapping", Merged(6, 15),
        {"", "mm: allow guard regions in file-backed and read-only mappings",
         Evidence::kRecorded, "v6.18 was run; version from memory"},
        "Guard regions in files, shmem and read-only memory; before, in "
        "writable anonymous memory only"),
    Since<&D::has_droppable>(
        "has_droppable", Merged(6, 11),
        {"",
         "mm: add MAP_DROPPABLE for designating always lazily freeable "
         "mappings",
         Evidence::kRecorded,
         "v6.1 (refused), v6.12 and later were run; version from memory"},
        "Mappings whose pages reclaim may drop; the reaper treats them as "
        "other anonymous memory"),
    Since<&D::ksm_counts_zero_pages>(
        "ksm_counts_zero_pages", Merged(6, 6),
        {"", "ksm: support unsharing and counting of KSM-placed zero pages",
         Evidence::kSource,
         "absent in the source of v6.1, present in that of v6.12; version from "
         "memory"},
        "Zero pages that KSM placed are dirty, and counted; unmapping counts "
        "them down"),
    Since<&D::device_exclusive_keeps_rmap>(
        "device_exclusive_keeps_rmap", Merged(6, 15),
        {"", "mm/rmap: keep mapcount untouched for device-exclusive entries",
         Evidence::kSource,
         "absent in the source of v6.12, present in that of v7.2; version from "
         "memory"},
        "A device-exclusive entry counts as a mapping of its page; before, "
        "only as a reference"),
    Since<&D::zap_batches_ptes>(
        "zap_batches_ptes", Merged(6, 9), kFoldedUnmap,
        "The present PTEs of one folio are cleared and counted as a unit"),
    Since<&D::zap_batches_swap_entries>(
        "zap_batches_swap_entries", Merged(6, 10),
        {"a62fb92ac12e",
         "mm: swap: free_swap_and_cache_nr() as batched free_swap_and_cache()",
         Evidence::kSource,
         "the source of v6.12; hash and version from memory"},
        "Consecutive swap entries are freed as a unit; before, one by one"),
    Since<&D::gather_full_early>(
        "gather_full_early", Merged(6, 9), kFoldedUnmap,
        "A gather flushes after 9678 slots; before, after 9698 pages: a run "
        "of pages needs two slots, so a batch is full one before its end"),
    Since<&D::zap_checks_resched_on_none>(
        "zap_checks_resched_on_none", Merged(6, 14), kReclaimTables,
        "need_resched() may end a PTE lock section at an empty entry, too. "
        "Absent in v6.12, present in v6.17"),
    Since<&D::delays_rmap>(
        "delays_rmap", Merged(6, 2),
        {"5df397dec7c4",
         "mm: delay page_remove_rmap() until after the TLB has been flushed",
         Evidence::kSource, "the source of v6.2; hash and title are public"},
        "Dirty file pages leave the rmap after the flush, and at most one "
        "extra batch is used while any waits for that"),
    Since<&D::pte_map_may_fail>(
        "pte_map_may_fail", Merged(6, 5),
        {"", "mm/pgtable: allow pte_offset_map[_lock]() to fail (series)",
         Evidence::kSource, "the source of v6.5"},
        "A PTE table may be gone when it is to be locked: the PMD is looked "
        "at again"),
    Since<&D::retracts_tables_under_read_lock>(
        "retracts_tables_under_read_lock", Merged(6, 6),
        {"",
         "mm/khugepaged: retract page tables without mmap or vma lock "
         "(series)",
         Evidence::kSource,
         "absent in the source of v6.1, present in that of v6.12; version from "
         "memory"},
        "File PTE tables may vanish while mmap_lock is held for reading"),
    Since<&D::madvise_reclaims_empty_tables>(
        "madvise_reclaims_empty_tables", Merged(6, 14), kReclaimTables,
        "MADV_DONTNEED may free empty PTE tables; the reaper never does"),
    Since<&D::rss_percpu>(
        "rss_percpu", Merged(6, 2),
        {"f1a7941243c1", "mm: convert mm's rss stats into percpu_counter",
         Evidence::kRecorded,
         "v6.18 was run; the source of v6.2; hash and title are public"},
        "rss_stat is per CPU and cheap reads are approximate; before, threads "
        "kept up to 64 events for themselves"),
    Row<&D::per_vma_lock, PerVmaLock::kRwsem>(
        "per_vma_lock", Merged(6, 4), Merged(6, 15),
        {"5e31275cc997", "mm: add per-VMA lock and helper functions",
         Evidence::kSource,
         "absent in the source of v6.2, present in that of v6.5; hash and "
         "version from memory"},
        "Page faults need no mmap_lock; free_pgtables() drains them VMA by "
        "VMA"),
    Row<&D::per_vma_lock, PerVmaLock::kRefcount>(
        "per_vma_lock", Merged(6, 15), {},
        {"", "mm: replace vm_lock and detached flag with a reference count",
         Evidence::kSource,
         "absent in the source of v6.12, present in that of v6.17; version "
         "from memory"},
        "The same, by a reference count instead of a rw-semaphore"),
    Since<&D::stack_grows_under_write_lock>(
        "stack_grows_under_write_lock", Merged(6, 5),
        {"8d7071af8907",
         "mm: always expand the stack with the mmap write lock held",
         Evidence::kSource, "the source of v6.5; hash from memory"},
        "A fault below a stack takes mmap_lock for writing, killably; before, "
        "for reading. So munmap() always downgrades; before, not below a stack "
        "(with e4bd84c069f2)"),
    Since<&D::madvise_locks_vma>(
        "madvise_locks_vma", Merged(6, 17),
        {"", "mm: use per_vma lock for MADV_DONTNEED", Evidence::kSource,
         "the source of v6.17"},
        "MADV_DONTNEED, MADV_DONTNEED_LOCKED and MADV_FREE of a range in one "
        "VMA need no mmap_lock"),

    // The OOM killer and its reaper.
    Until<&D::use_pf_oom_killer>(
        "use_pf_oom_killer", Merged(5, 16), kPageFaultOom,
        "A page fault that ends in VM_FAULT_OOM calls out_of_memory(); since, "
        "it only says so (with 0b28179a6138, a4ebf1b6ca1e)"),
    Until<&D::oom_ignores_zero_gfp_mask>(
        "oom_ignores_zero_gfp_mask", Merged(6, 2),
        {"", "mm/oom_kill: the test of __GFP_FS loses its exception",
         Evidence::kSource,
         "absent in the source of v6.12, present in that of v6.1; which "
         "version between them is reasoning"},
        "A gfp_mask of 0, which only a page fault passed, goes on although it "
        "lacks __GFP_FS"),
    Since<&D::oom_reaper_delayed>(
        "oom_reaper_delayed", Candidate(5, 18, 4),
        {"e4a38402c36e",
         "oom_kill.c: futex: delay the OOM reaper to allow time for proper "
         "futex cleanup",
         Evidence::kRecorded,
         "v6.18 was run; the source of v5.15.y, which has it backported; hash "
         "and title are public",
         kBackported},
        "A victim is queued for the reaper two seconds after it is marked; "
        "before, at once"),
    Since<&D::mark_victim_has_fields>(
        "mark_victim_has_fields", Merged(6, 9),
        {"72ba14deb40a", "mm: update mark_victim tracepoints fields",
         Evidence::kSource,
         "absent in the source of v6.5, present in that of v6.8, backported; "
         "hash and version from memory",
         kBackported},
        "The trace event oom:mark_victim shows sizes, uid and oom_score_adj; "
        "before, only the pid"),
    Since<&D::exact_rss_sums>(
        "exact_rss_sums", Merged(7, 2),
        {"", "mm/oom_kill: use get_mm_*_sum()", Evidence::kSource,
         "the source of v7.2; v6.18, which was run, is inexact; which version "
         "after it is reasoning"},
        "Badness and messages count exactly; before, off by what the CPUs keep "
        "for themselves"),
    Since<&D::thaws_whole_process>(
        "thaws_whole_process", Merged(6, 18),
        {"", "mm/oom_kill: thaw the entire OOM victim process",
         Evidence::kSource,
         "absent in the source of v6.17, present in that of v7.2; title is "
         "public"},
        "Every thread of a frozen victim is thawed and stays so; before, the "
        "marked one only"),
    Since<&D::freezer_has_frozen_state>(
        "freezer_has_frozen_state", Merged(6, 1),
        {"", "freezer,sched: Rewrite core freezer logic", Evidence::kSource,
         "the source of v6.1"},
        "Frozen is a task state of its own; before, uninterruptible sleep in a "
        "loop"),
    Since<&D::reclaim_skips_reaped_mm>(
        "reclaim_skips_reaped_mm", Merged(6, 11),
        {"c495b97624d0", "mm: shrink skip folio mapped by an exiting process",
         Evidence::kSource,
         "absent in the source of v6.5, present in those of v6.8, backported, "
         "and v6.12; hash and version from memory",
         kBackported},
        "Page reclaim leaves pages alone that only an exiting or reaped mm "
        "maps"),
    Since<&D::swapoff_skips_unstable>(
        "swapoff_skips_unstable", Merged(6, 18),
        {"1367da7eb875",
         "mm: swap: check for stable address space before operating on the VMA",
         Evidence::kSource,
         "the source of v6.8, which has it backported; hash and title are "
         "public",
         kBackported},
        "swapoff leaves an mm alone that is MMF_UNSTABLE (CVE-2025-39992)"),
    Since<&D::memcg_fails_charges_of_reaped_victim>(
        "memcg_fails_charges_of_reaped_victim", Merged(7, 2),
        {"", "memcg: OOM victims whose mm has MMF_OOM_SKIP fail charges",
         Evidence::kSource,
         "absent in the source of v6.17, present in that of v7.2; which "
         "version between them is reasoning"},
        "A thread of such a victim gets ENOMEM at once"),
};

// The newest version whose source or behaviour the table was made from.
constexpr KernelVersion kNewestInTable = {.major = 7, .minor = 3};

bool Applies(const DifferenceRow& row, const KernelVersion& version) {
  if (version < row.since) return false;
  return row.until == KernelVersion{} || version < row.until;
}

}  // namespace

absl::string_view ToString(Evidence evidence) {
  switch (evidence) {
    case Evidence::kRecorded:
      return "recorded";
    case Evidence::kSource:
      return "source";
    case Evidence::kReasoning:
      return "reasoning";
  }
  return "?";
}

Differences DifferencesAt(const KernelVersion& version) {
  Differences differences = {};
  for (const DifferenceRow& row : kRows) {
    if (Applies(row, version)) row.apply(differences);
  }
  return differences;
}

absl::Span<const DifferenceField> DifferenceFields() { return kFields; }

std::vector<std::string> DifferingFields(const Differences& a,
                                         const Differences& b) {
  std::vector<std::string> names;
  for (const DifferenceField& field : kFields) {
    if (field.value(a) != field.value(b)) names.emplace_back(field.name);
  }
  return names;
}

absl::Span<const DifferenceRow> DifferenceRows() { return kRows; }

KernelVersion NewestKnownVersion() { return kNewestInTable; }

}  // namespace reapsim
