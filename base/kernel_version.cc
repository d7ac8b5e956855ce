// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/kernel_version.h"

#include <array>
#include <climits>
#include <cstddef>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"

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
constexpr DifferenceField Field(absl::string_view name) {
  return {.name = name,
          .value = &Value<kMember>,
          .decides_call = false,
          .modelled = true};
}

template <auto kMember>
constexpr DifferenceField CallField(absl::string_view name) {
  return {.name = name,
          .value = &Value<kMember>,
          .decides_call = true,
          .modelled = true};
}

template <auto kMember>
constexpr DifferenceField TabledField(absl::string_view name) {
  return {.name = name,
          .value = &Value<kMember>,
          .decides_call = false,
          .modelled = false};
}

constexpr DifferenceField kFields[] = {
    CallField<&D::has_process_mrelease>("has_process_mrelease"),
    CallField<&D::mrelease_original_form>("mrelease_original_form"),
    CallField<&D::mrelease_pins_mm_users>("mrelease_pins_mm_users"),
    CallField<&D::mrelease_rechecks_oom_skip>("mrelease_rechecks_oom_skip"),
    Field<&D::pidfd_get_task_drops_pid_early>("pidfd_get_task_drops_pid_early"),
    Field<&D::has_pidfd_thread>("has_pidfd_thread"),
    Field<&D::pidfd_self>("pidfd_self"),
    Field<&D::pidfd_open_nonleader_enoent>("pidfd_open_nonleader_enoent"),
    CallField<&D::dying_vetoed_by_group_coredump_flag>(
        "dying_vetoed_by_group_coredump_flag"),
    Field<&D::coredump_sets_group_exit>("coredump_sets_group_exit"),
    CallField<&D::coredump_kills_mm_sharers>("coredump_kills_mm_sharers"),
    CallField<&D::coredump_waits_in_exit_mm>("coredump_waits_in_exit_mm"),
    CallField<&D::guarantees_group_exit>("guarantees_group_exit"),
    Field<&D::group_exit_one_siglock_section>("group_exit_one_siglock_section"),
    Field<&D::thread_group_empty_needs_leader>(
        "thread_group_empty_needs_leader"),
    CallField<&D::exit_mmap_protocol>("exit_mmap_protocol"),
    Field<&D::has_mmf_oom_victim>("has_mmf_oom_victim"),
    Field<&D::uses_maple_tree>("uses_maple_tree"),
    TabledField<&D::locks_hugetlb_around_exit_unmap>(
        "locks_hugetlb_around_exit_unmap"),
    Field<&D::failed_dup_mmap_leaves_marker>("failed_dup_mmap_leaves_marker"),
    Field<&D::failed_dup_mmap_hides_mm>("failed_dup_mmap_hides_mm"),
    Field<&D::frees_tables_by_rcu>("frees_tables_by_rcu"),
    Field<&D::exec_defers_old_mm>("exec_defers_old_mm"),
    CallField<&D::reaps_mlocked>("reaps_mlocked"),
    Field<&D::walks_in_reverse>("walks_in_reverse"),
    Field<&D::notifies_clear>("notifies_clear"),
    CallField<&D::uffd_wp_anon_marker_cleared>("uffd_wp_anon_marker_cleared"),
    Field<&D::uffd_wp_markers>("uffd_wp_markers"),
    Field<&D::has_uffd_wp_async>("has_uffd_wp_async"),
    Field<&D::has_uffd_poison>("has_uffd_poison"),
    Field<&D::has_guard_markers>("has_guard_markers"),
    Field<&D::guards_any_mapping>("guards_any_mapping"),
    Field<&D::has_droppable>("has_droppable"),
    Field<&D::ksm_counts_zero_pages>("ksm_counts_zero_pages"),
    Field<&D::device_exclusive_keeps_rmap>("device_exclusive_keeps_rmap"),
    Field<&D::zap_batches_ptes>("zap_batches_ptes"),
    Field<&D::zap_batches_swap_entries>("zap_batches_swap_entries"),
    Field<&D::gather_full_early>("gather_full_early"),
    Field<&D::zap_checks_resched_on_none>("zap_checks_resched_on_none"),
    Field<&D::delays_rmap>("delays_rmap"),
    Field<&D::pte_map_may_fail>("pte_map_may_fail"),
    TabledField<&D::retracts_tables_under_read_lock>(
        "retracts_tables_under_read_lock"),
    TabledField<&D::madvise_reclaims_empty_tables>(
        "madvise_reclaims_empty_tables"),
    Field<&D::rss_percpu>("rss_percpu"),
    Field<&D::per_vma_lock>("per_vma_lock"),
    Field<&D::stack_grows_under_write_lock>("stack_grows_under_write_lock"),
    Field<&D::madvise_locks_vma>("madvise_locks_vma"),
    TabledField<&D::use_pf_oom_killer>("use_pf_oom_killer"),
    Field<&D::oom_ignores_zero_gfp_mask>("oom_ignores_zero_gfp_mask"),
    Field<&D::oom_reaper_delayed>("oom_reaper_delayed"),
    Field<&D::mark_victim_has_fields>("mark_victim_has_fields"),
    Field<&D::exact_rss_sums>("exact_rss_sums"),
    Field<&D::thaws_whole_process>("thaws_whole_process"),
    Field<&D::freezer_has_frozen_state>("freezer_has_frozen_state"),
    TabledField<&D::reclaim_skips_reaped_mm>("reclaim_skips_reaped_mm"),
    TabledField<&D::swapoff_skips_unstable>("swapoff_skips_unstable"),
    TabledField<&D::memcg_fails_charges_of_reaped_victim>(
        "memcg_fails_charges_of_reaped_victim"),
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
  absl::string_view evidence;
};

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
constexpr Source kIntroduceCall = {
    "884a7e5964e0", "mm: introduce process_mrelease system call", "S T"};
constexpr Source kPinMmUsers = {"337546e83fc7",
                                "mm/oom_kill.c: prevent a race between "
                                "process_mrelease and exit_mmap",
                                "S T"};
constexpr Source kRunUnderMmapLock = {"ba535c1caf3e",
                                      "mm/oom_kill: allow process_mrelease to "
                                      "run under mmap_lock protection",
                                      "S T"};
constexpr Source kGroupExitInZapProcess = {
    "752dc9707567",
    "signal: Have the oom killer detect coredumps by "
    "core_state; set SIGNAL_GROUP_EXIT in zap_process "
    "(series with 98b24b16b2ae, 2f824d4d197e)",
    "S T"};
constexpr Source kDropOomCode = {"bf3980c85212",
                                 "mm: drop oom code from exit_mmap", "S T"};
constexpr Source kPidfdSelfSentinels = {
    "f08d0c3a7111",
    "pidfd: add PIDFD_SELF* sentinels to refer to own "
    "thread/process",
    "S T L"};
constexpr Source kFoldedUnmap = {
    "10ebac4f95e7", "mm/memory: optimize unmap/zap with PTE-mapped THP", "S T"};
constexpr Source kReclaimTables = {
    "6375e95f381e",
    "mm: pgtable: reclaim empty PTE page in madvise(MADV_DONTNEED)", "S M"};
constexpr Source kPageFaultOom = {
    "60e2793d440a", "mm, oom: do not trigger out_of_memory from the #PF",
    "S M"};

constexpr DifferenceRow kRows[] = {
    // The call itself.
    Since<&D::has_process_mrelease>(
        "has_process_mrelease", Candidate(5, 15, 1), kIntroduceCall,
        "Number 448 exists (wired up by dce491039628); before, ENOSYS whatever "
        "the arguments"),
    Row<&D::mrelease_original_form, true>(
        "mrelease_original_form", Candidate(5, 15, 1), Candidate(5, 15, 7),
        kIntroduceCall,
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
        {"ee9955d61a0a", "mm: use pidfd_get_task()", "S T"},
        "The reference to struct pid is put when the task is found (helper "
        "from e9bdcdbf6936); before, at the very end. No visible change"),
    Since<&D::has_pidfd_thread>(
        "has_pidfd_thread", Merged(6, 9),
        {"64bef697d33b", "pidfd: implement PIDFD_THREAD flag for pidfd_open()",
         "S T L"},
        "A pidfd may name a thread; of one that leads no group the call says "
        "ESRCH, always"),
    Row<&D::pidfd_self, PidfdSelf::kFirstValues>(
        "pidfd_self", Merged(6, 15), Merged(6, 17), kPidfdSelfSentinels,
        "-10000 (thread) and -20000 (thread group) name the caller: EINVAL "
        "instead of EBADF. Observed on v6.16; v6.15 could not be run"),
    Row<&D::pidfd_self, PidfdSelf::kFinalValues>(
        "pidfd_self", Merged(6, 17), {},
        {"", "pidfd: the sentinel for the thread group becomes -10001", "S L"},
        "-10000 and -10001 name the caller, -20000 is EBADF again"),
    Since<&D::pidfd_open_nonleader_enoent>(
        "pidfd_open_nonleader_enoent", Merged(6, 15),
        {"", "pidfd: what pidfd_open() says to a thread's id", "S L"},
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
         "S M"},
        "Other processes that share the mm are killed and wait with the "
        "dumper; since, they run on. core_state was the mm's until then"),
    Until<&D::coredump_waits_in_exit_mm>(
        "coredump_waits_in_exit_mm", Merged(5, 16),
        {"92307383082d",
         "coredump: Don't perform any cleanups before dumping core", "S M"},
        "Threads wait for the dump inside exit_mm(), PF_EXITING set; since, at "
        "the top of do_exit(), before PTRACE_EVENT_EXIT"),
    Since<&D::guarantees_group_exit>(
        "guarantees_group_exit", Merged(6, 1),
        {"d80f7d7b2c75",
         "signal: Guarantee that SIGNAL_GROUP_EXIT is set on process exit",
         "S T L"},
        "The last thread in exit(2) sets SIGNAL_GROUP_EXIT at the top of "
        "do_exit() (with cbe9dac37904), so it counts as dying from there on"),
    Since<&D::group_exit_one_siglock_section>(
        "group_exit_one_siglock_section", Merged(6, 15),
        {"", "exit: the wait for a core dump joins synchronize_group_exit()",
         "S"},
        "Group exit and core_state are looked at under one siglock section; "
        "before, in two. Somewhere between v6.13 and v6.17"),
    Since<&D::thread_group_empty_needs_leader>(
        "thread_group_empty_needs_leader", Merged(6, 7),
        {"", "kill task_struct->thread_group", "S"},
        "thread_group_empty() asks for a leader that is last on the thread "
        "list; before, for any task that is linked to no other"),

    // Tearing an address space down.
    Row<&D::exit_mmap_protocol, ExitMmapProtocol::kWriteLockDangling>(
        "exit_mmap_protocol", Merged(5, 17), Candidate(5, 17, 6),
        {"64591e8605d6",
         "mm: protect free_pgtables with mmap_lock write lock in exit_mmap",
         "S T"},
        "Page tables and VMAs go under mmap_lock for writing; mm->mmap keeps "
        "pointing at the freed VMAs: a use after free for who waited"),
    Row<&D::exit_mmap_protocol, ExitMmapProtocol::kWriteLock>(
        "exit_mmap_protocol", Candidate(5, 17, 6), Merged(6, 1),
        {"f798a1d4f94d",
         "mm: fix use-after-free bug when mm->mmap is reused after being freed",
         "S T; rc6 M"},
        "mm->mmap is cleared before the write lock is dropped"),
    Row<&D::exit_mmap_protocol, ExitMmapProtocol::kReadThenWrite>(
        "exit_mmap_protocol", Merged(6, 1), {}, kDropOomCode,
        "Pages are unmapped under mmap_lock for reading, beside any reaper; "
        "then MMF_OOM_SKIP for every mm that had a VMA; then page tables go "
        "under the write lock"),
    Until<&D::has_mmf_oom_victim>(
        "has_mmf_oom_victim", Merged(6, 1),
        {"b3541d912a84", "mm: delete unused MMF_OOM_VICTIM flag", "S T"},
        "mark_oom_victim() marks the mm, and exit_mmap() reaps and hides "
        "(MMF_OOM_SKIP) only an mm so marked"),
    Since<&D::uses_maple_tree>(
        "uses_maple_tree", Merged(6, 1),
        {"", "mm: start tracking VMAs with maple tree (series)", "S"},
        "VMAs are found in a tree that can be walked under RCU; before, in a "
        "sorted list and a red-black tree"),
    Since<&D::locks_hugetlb_around_exit_unmap>(
        "locks_hugetlb_around_exit_unmap", Merged(6, 7),
        {"2820b0f09be9",
         "hugetlbfs: close race between MADV_DONTNEED and page fault", "S M"},
        "exit_mmap() takes the hugetlb VMA lock around its unmap; the reaper "
        "never looks at such VMAs"),
    Row<&D::failed_dup_mmap_leaves_marker, true>(
        "failed_dup_mmap_leaves_marker", Merged(6, 8), Merged(7, 2),
        {"d24062914837",
         "fork: use __mt_dup() to duplicate maple tree in dup_mmap()",
         "S M; end between v6.18 and v7.2"},
        "The tree of a fork that failed half-way holds a marker at which "
        "exit_mmap() stops; without it, dup_mmap() tears down itself"),
    Since<&D::failed_dup_mmap_hides_mm>(
        "failed_dup_mmap_hides_mm", Merged(6, 14),
        {"64c37e134b12",
         "kernel: be more careful about dup_mmap() failures and uprobe "
         "registering",
         "S T; also in stable releases before"},
        "The mm of a failed fork is MMF_UNSTABLE and MMF_OOM_SKIP, and uprobe "
        "registration skips unstable ones (CVE-2025-21709)"),
    Since<&D::frees_tables_by_rcu>(
        "frees_tables_by_rcu", Merged(6, 14), kReclaimTables,
        "x86: page-table pages are freed after an RCU grace period; before, "
        "only in a paravirtualised guest"),
    Since<&D::exec_defers_old_mm>(
        "exec_defers_old_mm", Merged(7, 2),
        {"", "exec: release the old mm in setup_new_exec()",
         "S; between v6.18 and v7.2"},
        "The old mm is put after exec_update_lock is dropped; before, inside "
        "exec_mmap() with the lock held"),

    // The walk.
    Since<&D::reaps_mlocked>(
        "reaps_mlocked", Merged(5, 18),
        {"a213e5cf71cb",
         "mm/munlock: delete munlock_vma_pages_all(), allow oomreap", "S T L"},
        "VM_LOCKED VMAs are reaped, locked_vm unchanged; before, skipped, and "
        "exit_mmap() unlocked them in a step of its own"),
    Since<&D::walks_in_reverse>(
        "walks_in_reverse", Merged(6, 18),
        {"",
         "mm/oom_kill: the OOM reaper traverses the VMA maple tree in "
         "reverse order",
         "S T L"},
        "VMAs are reaped from the highest to the lowest, away from "
        "exit_mmap(); inside a VMA still upwards"),
    Since<&D::notifies_clear>(
        "notifies_clear", Merged(7, 1),
        {"",
         "mm/oom_kill: use MMU_NOTIFY_CLEAR in __oom_reap_task_mm(); "
         "factor out zap_vma_for_reaping()",
         "S T; v7.1 M"},
        "mmu notifiers are told MMU_NOTIFY_CLEAR instead of MMU_NOTIFY_UNMAP; "
        "uprobes are left alone explicitly"),
    Since<&D::uffd_wp_anon_marker_cleared>(
        "uffd_wp_anon_marker_cleared", Merged(6, 4),
        {"", "mm/uffd: write protection of unpopulated anonymous memory",
         "S; between v6.2 and v6.5"},
        "A uffd-wp marker in an anonymous VMA is cleared by the reaper; in a "
        "file or shmem VMA it is kept in every version"),
    Since<&D::uffd_wp_markers>(
        "uffd_wp_markers", Merged(5, 19),
        {"", "mm/shmem: handle uffd-wp during fork(), and its series",
         "S (present in v6.1); version M"},
        "userfaultfd write-protects shmem, too; where a protected page goes, "
        "a marker stays"),
    Since<&D::has_uffd_wp_async>(
        "has_uffd_wp_async", Merged(6, 7),
        {"", "userfaultfd: UFFD_FEATURE_WP_ASYNC",
         "S (absent v6.1, present v6.12); version M"},
        "userfaultfd write-protects any private memory if the fault may "
        "resolve itself"),
    Since<&D::has_uffd_poison>(
        "has_uffd_poison", Merged(6, 6),
        {"", "mm: userfaultfd: add new UFFDIO_POISON ioctl",
         "S (absent v6.1, present v6.12); version M"},
        "A monitor may leave poison markers, which the reaper clears"),
    Since<&D::has_guard_markers>(
        "has_guard_markers", Merged(6, 13),
        {"", "mm: add PTE_MARKER_GUARD PTE marker", "S L"},
        "Guard regions exist; the reaper keeps their markers, exit drops "
        "them"),
    Since<&D::guards_any_mapping>(
        "guards_any_mapping", Merged(6, 15),
        {"", "mm: allow guard regions in file-backed and read-only mappings",
         "L (v6.18); version M"},
        "Guard regions in files, shmem and read-only memory; before, in "
        "writable anonymous memory only"),
    Since<&D::has_droppable>(
        "has_droppable", Merged(6, 11),
        {"",
         "mm: add MAP_DROPPABLE for designating always lazily freeable "
         "mappings",
         "S (absent v6.1, present v6.12) L (v6.18); version M"},
        "Mappings whose pages reclaim may drop; the reaper treats them as "
        "other anonymous memory"),
    Since<&D::ksm_counts_zero_pages>(
        "ksm_counts_zero_pages", Merged(6, 6),
        {"", "ksm: support unsharing and counting of KSM-placed zero pages",
         "S (absent v6.1, present v6.12); version M"},
        "Zero pages that KSM placed are dirty, and counted; unmapping counts "
        "them down"),
    Since<&D::device_exclusive_keeps_rmap>(
        "device_exclusive_keeps_rmap", Merged(6, 15),
        {"", "mm/rmap: keep mapcount untouched for device-exclusive entries",
         "S (absent v6.12, present v7.2); version M"},
        "A device-exclusive entry counts as a mapping of its page; before, "
        "only as a reference"),
    Since<&D::zap_batches_ptes>(
        "zap_batches_ptes", Merged(6, 9), kFoldedUnmap,
        "The present PTEs of one folio are cleared and counted as a unit"),
    Since<&D::zap_batches_swap_entries>(
        "zap_batches_swap_entries", Merged(6, 10),
        {"a62fb92ac12e",
         "mm: swap: free_swap_and_cache_nr() as batched free_swap_and_cache()",
         "S; hash, version M"},
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
         "S T"},
        "Dirty file pages leave the rmap after the flush, and at most one "
        "extra batch is used while any waits for that"),
    Since<&D::pte_map_may_fail>(
        "pte_map_may_fail", Merged(6, 5),
        {"", "mm/pgtable: allow pte_offset_map[_lock]() to fail (series)", "S"},
        "A PTE table may be gone when it is to be locked: the PMD is looked "
        "at again"),
    Since<&D::retracts_tables_under_read_lock>(
        "retracts_tables_under_read_lock", Merged(6, 6),
        {"",
         "mm/khugepaged: retract page tables without mmap or vma lock "
         "(series)",
         "M"},
        "File PTE tables may vanish while mmap_lock is held for reading"),
    Since<&D::madvise_reclaims_empty_tables>(
        "madvise_reclaims_empty_tables", Merged(6, 14), kReclaimTables,
        "MADV_DONTNEED may free empty PTE tables; the reaper never does"),
    Since<&D::rss_percpu>(
        "rss_percpu", Merged(6, 2),
        {"f1a7941243c1", "mm: convert mm's rss stats into percpu_counter",
         "S T L"},
        "rss_stat is per CPU and cheap reads are approximate; before, threads "
        "kept up to 64 events for themselves"),
    Row<&D::per_vma_lock, PerVmaLock::kRwsem>(
        "per_vma_lock", Merged(6, 4), Merged(6, 15),
        {"5e31275cc997", "mm: add per-VMA lock and helper functions", "S M"},
        "Page faults need no mmap_lock; free_pgtables() drains them VMA by "
        "VMA"),
    Row<&D::per_vma_lock, PerVmaLock::kRefcount>(
        "per_vma_lock", Merged(6, 15), {},
        {"", "mm: replace vm_lock and detached flag with a reference count",
         "S"},
        "The same, by a reference count instead of a rw-semaphore"),
    Since<&D::stack_grows_under_write_lock>(
        "stack_grows_under_write_lock", Merged(6, 5),
        {"8d7071af8907",
         "mm: always expand the stack with the mmap write lock held", "S M"},
        "A fault below a stack takes mmap_lock for writing, killably; before, "
        "for reading. So munmap() always downgrades; before, not below a stack "
        "(with e4bd84c069f2)"),
    Since<&D::madvise_locks_vma>(
        "madvise_locks_vma", Merged(6, 17),
        {"", "mm: use per_vma lock for MADV_DONTNEED", "S"},
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
         "S; between v6.1 and v6.12"},
        "A gfp_mask of 0, which only a page fault passed, goes on although it "
        "lacks __GFP_FS"),
    Since<&D::oom_reaper_delayed>(
        "oom_reaper_delayed", Candidate(5, 18, 4),
        {"e4a38402c36e",
         "oom_kill.c: futex: delay the OOM reaper to allow time for proper "
         "futex cleanup",
         "S T L; also in stable releases before"},
        "A victim is queued for the reaper two seconds after it is marked; "
        "before, at once"),
    Since<&D::mark_victim_has_fields>(
        "mark_victim_has_fields", Merged(6, 9),
        {"72ba14deb40a", "mm: update mark_victim tracepoints fields",
         "S M; also in stable releases before"},
        "The trace event oom:mark_victim shows sizes, uid and oom_score_adj; "
        "before, only the pid"),
    Since<&D::exact_rss_sums>(
        "exact_rss_sums", Merged(7, 2),
        {"", "mm/oom_kill: use get_mm_*_sum()", "S; between v6.19 and v7.2"},
        "Badness and messages count exactly; before, off by what the CPUs keep "
        "for themselves"),
    Since<&D::thaws_whole_process>(
        "thaws_whole_process", Merged(6, 18),
        {"", "mm/oom_kill: thaw the entire OOM victim process", "S T"},
        "Every thread of a frozen victim is thawed and stays so; before, the "
        "marked one only"),
    Since<&D::freezer_has_frozen_state>(
        "freezer_has_frozen_state", Merged(6, 1),
        {"", "freezer,sched: Rewrite core freezer logic", "S"},
        "Frozen is a task state of its own; before, uninterruptible sleep in a "
        "loop"),
    Since<&D::reclaim_skips_reaped_mm>(
        "reclaim_skips_reaped_mm", Merged(6, 11),
        {"c495b97624d0", "mm: shrink skip folio mapped by an exiting process",
         "S M; between v6.9 and v6.12, also in v6.8 stable"},
        "Page reclaim leaves pages alone that only an exiting or reaped mm "
        "maps"),
    Since<&D::swapoff_skips_unstable>(
        "swapoff_skips_unstable", Merged(6, 18),
        {"1367da7eb875",
         "mm: swap: check for stable address space before operating on the VMA",
         "S T; also in stable releases before"},
        "swapoff leaves an mm alone that is MMF_UNSTABLE (CVE-2025-39992)"),
    Since<&D::memcg_fails_charges_of_reaped_victim>(
        "memcg_fails_charges_of_reaped_victim", Merged(7, 2),
        {"", "memcg: OOM victims whose mm has MMF_OOM_SKIP fail charges",
         "S; between v6.18 and v7.2"},
        "A thread of such a victim gets ENOMEM at once"),
};

// The newest version whose source or behaviour the table was made from.
constexpr KernelVersion kNewestInTable = {.major = 7, .minor = 3};

bool Applies(const DifferenceRow& row, const KernelVersion& version) {
  if (version < row.since) return false;
  return row.until == KernelVersion{} || version < row.until;
}

// --------------------------------------------------------------------------
// Parsing
// --------------------------------------------------------------------------

// A version and whatever `uname -r` has after it.
struct ParsedVersion {
  KernelVersion version;
  std::string suffix;
};

// The longest string uname(2) can give, without its terminator.
constexpr size_t kMaxReleaseLength = 64;

absl::Status BadVersion(absl::string_view text, absl::string_view why) {
  std::string shown(text.substr(0, kMaxReleaseLength));
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown kernel version \"", shown,
      text.size() > kMaxReleaseLength ? "...\": " : "\": ", why,
      "; expected a version such as v6.18, 5.15-rc1 or 6.18.44, or what "
      "uname -r prints"));
}

// Takes a number of at most four digits from the front of `text`.
bool ConsumeNumber(absl::string_view& text, int& number) {
  constexpr size_t kMaxDigits = 4;
  size_t length = 0;
  while (length < text.size() && absl::ascii_isdigit(text[length])) ++length;
  if (length == 0 || length > kMaxDigits) return false;
  number = 0;
  for (char digit : text.substr(0, length)) {
    number = number * 10 + (digit - '0');
  }
  text.remove_prefix(length);
  return true;
}

bool IsSuffix(absl::string_view text) {
  if (text.empty()) return true;
  // A distribution's part starts with a separator: "6.18x" is a typing error.
  if (!absl::StrContains(".-+~_", text.front())) return false;
  return absl::c_all_of(text, [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains(".-+~_", c);
  });
}

// The last minor number of each closed series, -1 for one that never was.
int LastMinor(int major) {
  constexpr int kLastMinors[] = {-1, 3, 6, 19, 20, 19, 19};
  if (major < 0) return -1;
  if (static_cast<size_t>(major) < std::size(kLastMinors)) {
    return kLastMinors[major];
  }
  return INT_MAX;
}

absl::StatusOr<ParsedVersion> ParseWithSuffix(absl::string_view text) {
  const absl::string_view whole = text;
  if (text.size() > kMaxReleaseLength) return BadVersion(whole, "too long");
  absl::ConsumePrefix(&text, "v");
  KernelVersion version;
  if (!ConsumeNumber(text, version.major)) {
    return BadVersion(whole, "its major number cannot be read");
  }
  if (!absl::ConsumePrefix(&text, ".") || !ConsumeNumber(text, version.minor)) {
    return BadVersion(whole, "its minor number cannot be read");
  }
  if (text.size() > 1 && text[0] == '.' && absl::ascii_isdigit(text[1])) {
    text.remove_prefix(1);
    if (!ConsumeNumber(text, version.stable)) {
      return BadVersion(whole, "its third number cannot be read");
    }
  }
  // "6.12.3-rc1" is a candidate of a stable release, not of 6.12.
  if (version.stable == 0 && (absl::ConsumePrefix(&text, "-rc") ||
                              absl::ConsumePrefix(&text, "~rc"))) {
    if (!ConsumeNumber(text, version.rc) || version.rc == 0) {
      return BadVersion(whole, "-rc needs a number from 1");
    }
  }
  if (!IsSuffix(text)) {
    return BadVersion(
        whole, absl::StrCat("cannot read what follows ", ToString(version)));
  }
  if (version.minor > LastMinor(version.major)) {
    return BadVersion(whole, "there was never such a release of Linux");
  }
  return ParsedVersion{version, std::string(text)};
}

// --------------------------------------------------------------------------
// Resolving
// --------------------------------------------------------------------------

constexpr absl::string_view kBeforeTheCall =
    "before v5.15 (no process_mrelease)";

constexpr SupportedVersion kSupported[] = {
    {.name = kBeforeTheCall, .version = {.major = 5, .minor = 14}},
    {.name = "v5.15-rc1", .version = Candidate(5, 15, 1)},
    {.name = "v6.18", .version = {.major = 6, .minor = 18}},
};

// How unlike two versions are: what the call itself hangs on comes first, all
// the rest only tells equals apart.
using Distance = std::pair<size_t, size_t>;

Distance DistanceBetween(const Differences& a, const Differences& b) {
  Distance distance = {0, 0};
  for (const DifferenceField& field : kFields) {
    if (field.value(a) == field.value(b)) continue;
    if (field.decides_call) ++distance.first;
    ++distance.second;
  }
  return distance;
}

const SupportedVersion& NearestSupported(const Differences& wanted) {
  const SupportedVersion* nearest = nullptr;
  Distance least;
  for (const SupportedVersion& candidate : kSupported) {
    const Differences offered = DifferencesAt(candidate.version);
    // An answer of ENOSYS and a walk have nothing in common, however few the
    // other differences are.
    if (offered.has_process_mrelease != wanted.has_process_mrelease) continue;
    const Distance distance = DistanceBetween(offered, wanted);
    if (nearest == nullptr || distance <= least) {
      nearest = &candidate;
      least = distance;
    }
  }
  return *nearest;
}

// What the note says about how good the match is.
std::string Comparison(const ResolvedVersion& resolved) {
  if (!resolved.differences.has_process_mrelease) {
    return "the call is ENOSYS there";
  }
  if (resolved.differing.empty()) {
    return "no difference between them is known";
  }
  std::vector<absl::string_view> deciding;
  for (const DifferenceField& field : kFields) {
    if (field.decides_call &&
        absl::c_linear_search(resolved.differing, field.name)) {
      deciding.push_back(field.name);
    }
  }
  const size_t others = resolved.differing.size() - deciding.size();
  if (deciding.empty()) {
    return absl::StrCat("they differ in nothing that decides the call, and in ",
                        others, " other points");
  }
  const std::string more =
      others == 0 ? "" : absl::StrCat(", and in ", others, " other points");
  return absl::StrCat("of what decides the call they differ in ",
                      absl::StrJoin(deciding, ", "), more);
}

// The version as it was understood, and what was asked if that says more.
std::string Shown(const ResolvedVersion& resolved) {
  const std::string version = ToString(resolved.version);
  if (resolved.requested == version ||
      resolved.requested == absl::StripPrefix(version, "v")) {
    return version;
  }
  return absl::StrCat(version, " (from \"", resolved.requested, "\")");
}

// What the note says of what the table can't know.
// Without what makes it a stable release.
KernelVersion SeriesOf(const KernelVersion& version) {
  return {.major = version.major, .minor = version.minor};
}

std::string Unknown(const ResolvedVersion& resolved, absl::string_view suffix) {
  std::string note;
  if (!suffix.empty() || resolved.version.stable > 0) {
    absl::StrAppend(
        &note, "; what distributions and stable releases changed is not known");
  }
  if (kNewestInTable < SeriesOf(resolved.version)) {
    absl::StrAppend(&note, "; changes after ", ToString(kNewestInTable),
                    " are not known");
  }
  return note;
}

std::string Note(const ResolvedVersion& resolved, absl::string_view suffix) {
  std::string note = absl::StrCat("kernel ", Shown(resolved));
  if (ToString(resolved.version) != resolved.supported) {
    absl::StrAppend(&note, ": ", resolved.supported, " is used; ",
                    Comparison(resolved));
  }
  return note + Unknown(resolved, suffix);
}

// The fields that a version sets and no modelled code asks for.
std::vector<std::string> NotModelled(const Differences& differences) {
  std::vector<std::string> names;
  for (const DifferenceField& field : kFields) {
    if (!field.modelled && field.value(differences) != field.value({})) {
      names.emplace_back(field.name);
    }
  }
  return names;
}

constexpr Epoch kEpochs[] = {
    {.name = "E0",
     .version = "v5.15-rc1",
     .what = "the first form: exit_mmap() takes no lock"},
    {.name = "E1",
     .version = "v5.15",
     .what = "the caller holds mm_users, exit_mmap() takes no lock"},
    {.name = "E2x",
     .version = "v5.17-rc1",
     .what = "exit_mmap() under the write lock leaves the VMAs linked"},
    {.name = "E2",
     .version = "v5.17",
     .what = "exit_mmap() under the write lock"},
    {.name = "E3",
     .version = "v6.1",
     .what = "exit_mmap() unmaps under the read lock, frees under the write "
             "lock"},
    {.name = "E4",
     .version = "v6.4",
     .what = "the same with a rw-semaphore in each VMA"},
    {.name = "E4",
     .version = "v6.12",
     .what = "the same; page-table pages may vanish under readers"},
    {.name = "E4",
     .version = "v6.17",
     .what = "the same with a reference count in each VMA"},
    {.name = "E5",
     .version = "v6.18",
     .what = "the walk goes down, whole processes are thawed"},
    {.name = "E6",
     .version = "v7.2",
     .what = "exec drops the old address space later, sums are exact"},
};

}  // namespace

bool operator<(const KernelVersion& a, const KernelVersion& b) {
  const auto key = [](const KernelVersion& version) {
    return std::make_tuple(version.major, version.minor, version.stable,
                           version.rc == 0 ? INT_MAX : version.rc);
  };
  return key(a) < key(b);
}

std::string ToString(const KernelVersion& version) {
  std::string text = absl::StrCat("v", version.major, ".", version.minor);
  if (version.stable > 0) absl::StrAppend(&text, ".", version.stable);
  if (version.rc > 0) absl::StrAppend(&text, "-rc", version.rc);
  return text;
}

std::ostream& operator<<(std::ostream& out, const KernelVersion& version) {
  return out << ToString(version);
}

absl::StatusOr<KernelVersion> ParseKernelVersion(absl::string_view text) {
  absl::StatusOr<ParsedVersion> parsed = ParseWithSuffix(text);
  if (!parsed.ok()) return parsed.status();
  return parsed->version;
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

absl::Span<const SupportedVersion> SupportedVersions() { return kSupported; }

absl::StatusOr<ResolvedVersion> Resolve(absl::string_view text) {
  absl::StatusOr<ParsedVersion> parsed = ParseWithSuffix(text);
  if (!parsed.ok()) return parsed.status();
  const Differences wanted = DifferencesAt(parsed->version);
  const SupportedVersion& used = NearestSupported(wanted);
  ResolvedVersion resolved = {
      .requested = std::string(text),
      .version = parsed->version,
      .supported = std::string(used.name),
      .differences = DifferencesAt(used.version),
      .differing = DifferingFields(DifferencesAt(used.version), wanted),
      .note = ""};
  resolved.note = Note(resolved, parsed->suffix);
  return resolved;
}

absl::StatusOr<ResolvedVersion> ResolveExactly(absl::string_view text) {
  absl::StatusOr<ParsedVersion> parsed = ParseWithSuffix(text);
  if (!parsed.ok()) return parsed.status();
  if (kNewestInTable < SeriesOf(parsed->version)) {
    return absl::InvalidArgumentError(
        absl::StrCat("what ", ToString(parsed->version),
                     " does is not known; expected a version up to ",
                     ToString(kNewestInTable)));
  }
  const Differences differences = DifferencesAt(parsed->version);
  ResolvedVersion resolved = {.requested = std::string(text),
                              .version = parsed->version,
                              .supported = ToString(parsed->version),
                              .differences = differences,
                              .differing = NotModelled(differences),
                              .note = ""};
  const std::string lacks =
      resolved.differing.empty()
          ? "all of it modelled"
          : absl::StrCat("not modelled: ",
                         absl::StrJoin(resolved.differing, ", "));
  resolved.note = absl::StrCat("kernel ", Shown(resolved),
                               " as the table of differences has it; ", lacks,
                               Unknown(resolved, parsed->suffix));
  return resolved;
}

KernelVersion NewestKnownVersion() { return kNewestInTable; }

absl::Span<const Epoch> Epochs() { return kEpochs; }

}  // namespace reapsim
