// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Linux versions, and what they change about reaping.
//
// Modelled code never compares version numbers. It asks a `Differences`, a
// plain record of named differences, for the one it cares about:
//
//   if (differences.reaps_mlocked) ...
//
// The record is made from a table with one row per change (`DifferenceRows`),
// which also says which commit made the change and how we know.
#ifndef REAPSIM_BASE_KERNEL_VERSION_H_
#define REAPSIM_BASE_KERNEL_VERSION_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace reapsim {

// What exit_mmap() does about mmap_lock (mm/mmap.c:exit_mmap()).
enum class ExitMmapProtocol : uint8_t {
  // Up to v5.16: page tables and VMAs are freed under no lock. Only an mm that
  // the OOM killer marked is reaped first and gets a write lock pulse.
  kUnlocked,
  // v5.17-rc1 to rc5: all of it under the write lock, but the mm still points
  // at its freed VMAs afterwards.
  kWriteLockDangling,
  // v5.17-rc6 to v6.0: all of it under the write lock, the VMA list emptied
  // before the lock is dropped.
  kWriteLock,
  // v6.1 on: pages are unmapped under the read lock, then MMF_OOM_SKIP is set,
  // then page tables and VMAs are freed under the write lock.
  kReadThenWrite,
};

// How a page fault may do without mmap_lock.
enum class PerVmaLock : uint8_t {
  kNone,      // Up to v6.3.
  kRwsem,     // v6.4 to v6.14: a rw-semaphore in each VMA.
  kRefcount,  // v6.15 on: a reference count in each VMA.
};

// Which negative pidfds mean the caller itself.
enum class PidfdSelf : uint8_t {
  kNone,         // Up to v6.14.
  kFirstValues,  // v6.15 and v6.16: -10000 thread, -20000 thread group.
  kFinalValues,  // v6.17 on: -10000 thread, -10001 thread group.
};

// The named differences between kernel versions that change an answer, an
// effect or the reachable interleavings of the reap path. Each field is one
// byte; what it means and since when is in its rows (`DifferenceRows()`), the
// comment here says only what true means.
struct Differences {
  // The call itself.
  bool has_process_mrelease;        // Number 448 exists; else ENOSYS.
  bool mrelease_original_form;      // The code of the first patch.
  bool mrelease_pins_mm_users;      // The caller holds mm_users, not mm_count.
  bool mrelease_rechecks_oom_skip;  // MMF_OOM_SKIP again under mmap_lock.
  bool pidfd_get_task_drops_pid_early;  // The pid is put right after lookup.
  bool has_pidfd_thread;                // pidfd_open() knows PIDFD_THREAD.
  PidfdSelf pidfd_self;
  bool pidfd_open_nonleader_enoent;  // ENOENT for a thread's id, else EINVAL.

  // Who counts as dying, and core dumps.
  bool dying_vetoed_by_group_coredump_flag;  // SIGNAL_GROUP_COREDUMP, else
                                             // signal->core_state, vetoes.
  bool coredump_sets_group_exit;             // A dump sets SIGNAL_GROUP_EXIT.
  bool coredump_kills_mm_sharers;  // Other processes of the mm die with it.
  bool coredump_waits_in_exit_mm;  // Threads park there, PF_EXITING set.
  bool guarantees_group_exit;      // The last thread's exit(2) is one, too.
  bool group_exit_one_siglock_section;   // ... in one siglock section.
  bool thread_group_empty_needs_leader;  // Only a leader can be alone.

  // Tearing an address space down.
  ExitMmapProtocol exit_mmap_protocol;
  bool has_mmf_oom_victim;               // mark_oom_victim() marks the mm.
  bool uses_maple_tree;                  // VMAs in a maple tree, not in a list.
  bool locks_hugetlb_around_exit_unmap;  // hugetlb_zap_begin/end in exit.
  bool failed_dup_mmap_leaves_marker;    // A failed fork's tree has a marker.
  bool failed_dup_mmap_hides_mm;         // ... and is MMF_UNSTABLE, OOM_SKIP.
  bool frees_tables_by_rcu;              // Page-table pages wait for RCU (x86).
  bool exec_defers_old_mm;               // exec drops the old mm later.

  // The walk.
  bool reaps_mlocked;                // VM_LOCKED VMAs are eligible.
  bool walks_in_reverse;             // VMAs from the highest to the lowest.
  bool notifies_clear;               // MMU_NOTIFY_CLEAR, not _UNMAP.
  bool uffd_wp_anon_marker_cleared;  // In an anonymous VMA.
  bool uffd_wp_markers;              // Write protection of shmem; markers.
  bool has_uffd_wp_async;            // ... of any memory, resolved by itself.
  bool has_uffd_poison;              // UFFDIO_POISON.
  bool has_guard_markers;            // They exist and outlive the reaper.
  bool guards_any_mapping;           // ... in files and read-only, too.
  bool has_droppable;                // MAP_DROPPABLE.
  bool ksm_counts_zero_pages;        // Zero pages that KSM placed.
  bool device_exclusive_keeps_rmap;  // Such an entry counts as a mapping.
  bool zap_batches_ptes;             // A folio's run of PTEs is one unit.
  bool zap_batches_swap_entries;     // So is a run of swap entries.
  bool gather_full_early;            // A gather batch is full at max - 1.
  bool zap_checks_resched_on_none;   // need_resched() at empty PTEs, too.
  bool delays_rmap;                  // Dirty file pages: rmap after TLB flush.
  bool pte_map_may_fail;             // pte_offset_map_lock() may, PMD retried.
  bool retracts_tables_under_read_lock;  // khugepaged removes file PTE tables.
  bool madvise_reclaims_empty_tables;  // MADV_DONTNEED frees empty PTE tables.
  bool rss_percpu;                     // rss_stat in per-CPU counters.
  PerVmaLock per_vma_lock;
  bool stack_grows_under_write_lock;  // And munmap() downgrades below one.
  bool madvise_locks_vma;  // MADV_DONTNEED and MADV_FREE of a single VMA.

  // The OOM killer and its reaper.
  bool use_pf_oom_killer;          // A page fault's VM_FAULT_OOM calls it.
  bool oom_ignores_zero_gfp_mask;  // gfp_mask 0 passes the __GFP_FS test.
  bool oom_reaper_delayed;         // 2*HZ between queueing and reaping.
  bool mark_victim_has_fields;     // The trace event has more than the pid.
  bool exact_rss_sums;             // Badness and messages use exact sums.
  bool thaws_whole_process;        // Not only the marked thread.
  bool freezer_has_frozen_state;   // TASK_FROZEN exists.
  bool reclaim_skips_reaped_mm;    // Page reclaim looks at MMF_UNSTABLE.
  bool swapoff_skips_unstable;     // So does swapoff.
  bool memcg_fails_charges_of_reaped_victim;  // ENOMEM at once.

  bool operator==(const Differences&) const = default;
};
static_assert(std::is_trivially_copyable_v<Differences> &&
              std::is_standard_layout_v<Differences>);

// A Linux version: "v5.15-rc1", "v6.18", "v6.18.44".
struct KernelVersion {
  int major = 0;
  int minor = 0;
  int stable = 0;  // The 44 of 6.18.44; 0 for the release itself.
  int rc = 0;      // The 1 of 5.15-rc1; 0 for a release.

  bool operator==(const KernelVersion&) const = default;
};

// In order of development: every release candidate is before its release, and
// that is before its stable releases.
bool operator<(const KernelVersion& a, const KernelVersion& b);
std::string ToString(const KernelVersion& version);
std::ostream& operator<<(std::ostream& out, const KernelVersion& version);

// Reads "v5.15-rc1", "5.15", "v6.18", "6.18.44" or what `uname -r` prints
// ("6.1.0-47-cloud-amd64"). What follows the numbers in the latter is accepted
// and ignored. A text that is no version, and a version that was never released
// (5.51), are kInvalidArgument with a sentence that says what was expected.
absl::StatusOr<KernelVersion> ParseKernelVersion(absl::string_view text);

// The same, but a version after NewestKnownVersion() is an error, too: for
// comparisons and claims, which would be about nothing.
absl::StatusOr<KernelVersion> ParseKnownVersion(absl::string_view text);

// The table's differences at any version. Versions after the last one that was
// looked at are like that one.
Differences DifferencesAt(const KernelVersion& version);

// A field of `Differences`, by name.
struct DifferenceField {
  absl::string_view name;
  // "true", "false" or an enumerator such as "kReadThenWrite".
  absl::string_view (*value)(const Differences&);
  // Whether it changes what process_mrelease returns or releases, or beside
  // what it may safely run. False for new things to ask for (PIDFD_THREAD): a
  // version that lacks one can't be asked.
  bool decides_call;
  // Why no modelled code asks for it: what it changes does not exist in the
  // model. Empty for the others, which modelled code asks for.
  absl::string_view not_modelled;
  // The test that shows the difference, as "//target Suite.Name"; empty: none.
  absl::string_view shown_by;

  constexpr bool modelled() const { return not_modelled.empty(); }
};

// All fields, in the order of their declaration.
absl::Span<const DifferenceField> DifferenceFields();

// Names of the fields in which the two differ, in the order of declaration.
std::vector<std::string> DifferingFields(const Differences& a,
                                         const Differences& b);

// What a row of the table rests on, the strongest first.
enum class Evidence : uint8_t {
  kRecorded,   // A real kernel that was run showed it.
  kSource,     // It was read in the source of versions with it and without it.
  kReasoning,  // Neither; inferred, or known from memory.
};

// "recorded", "source", "reasoning".
absl::string_view ToString(Evidence evidence);

// One row of the table: from `since` on, and before `until`, `field` has
// `value`. Where no row of a field applies, it is false or its first
// enumerator.
struct DifferenceRow {
  absl::string_view field;
  absl::string_view value;
  KernelVersion since;  // {} : from the beginning.
  KernelVersion until;  // {} : to this day.
  // The hash and title of the commit at which the row begins or, for a row
  // from the beginning, at which it ends. Where the hash was not established it
  // is empty, and the title may be a description of ours.
  absl::string_view commit;
  absl::string_view title;
  Evidence evidence;
  // Which kernels or sources those were, and what of the row rests on less.
  absl::string_view rests_on;
  // Whether stable releases before `since` are known that have it, too.
  bool backported;
  absl::string_view changes;  // what it does, for people
  void (*apply)(Differences&);
};

// All rows, by field in the order of declaration, then by version.
absl::Span<const DifferenceRow> DifferenceRows();

// What the model takes a version for that a user asked for.
struct ResolvedVersion {
  std::string requested;    // As it was asked for.
  KernelVersion version;    // As it was understood.
  KernelVersion used;       // The same, or the newest that is known.
  Differences differences;  // That of the version used.
  std::string note;         // A sentence for people, always there.
};

// Every version has its own differences, which are those of the table. `text`
// may be anything that ParseKernelVersion() takes; a version after
// NewestKnownVersion() is taken for that one. The note says what is not known:
// what is newer, and what stable releases and distributions have changed.
absl::StatusOr<ResolvedVersion> Resolve(absl::string_view text);

// The newest version of which the table knows the differences.
KernelVersion NewestKnownVersion();

// A span of versions with one protocol between process_mrelease and exit_mmap,
// named as in docs, and a version that stands for it.
struct Epoch {
  absl::string_view name;     // "E2x"
  absl::string_view version;  // "v5.17-rc1"
  absl::string_view what;     // half a sentence
};

// Oldest first; a long epoch may have several versions.
absl::Span<const Epoch> Epochs();

}  // namespace reapsim

#endif  // REAPSIM_BASE_KERNEL_VERSION_H_
