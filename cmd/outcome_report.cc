// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/outcome_report.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errno_names.h"
#include "cmd/explain.h"
#include "mm/mm_types.h"
#include "mm/smaps.h"
#include "sched/verdict.h"

namespace reapsim {
namespace {

constexpr uint64_t kKib = 1024;

int64_t Kib(uint64_t bytes) { return static_cast<int64_t>(bytes / kKib); }

MemoryKib MemoryOf(const MemoryReport& report) {
  return {.rss = Kib(report.rss),
          .anon = Kib(report.anon),
          .file = Kib(report.file),
          .shmem = Kib(report.shmem),
          .swap = Kib(report.swap),
          .hugetlb = Kib(report.hugetlb),
          .page_tables = Kib(report.page_tables_bytes)};
}

uint64_t Used(const VmaReport& vma) {
  return vma.rss + vma.swap_entries + vma.hugetlb;
}

struct FateWords {
  VmaFate fate;
  const char* verdict;
  const char* reason;  // null: nothing stays
  const char* text;
};

// In the order in which reports list what stays.
constexpr FateWords kFates[] = {
    {VmaFate::kKeptShared, "kept: shared (VM_SHARED)", "shared",
     "shared (VM_SHARED): not only this process's"},
    {VmaFate::kKeptHugetlb, "kept: hugetlb", "hugetlb",
     "hugetlb (VM_HUGETLB): never walked"},
    {VmaFate::kKeptPfnmap, "kept: pfnmap", "pfnmap",
     "pfnmap (VM_PFNMAP): a device's frames, no RSS"},
    {VmaFate::kKeptMlocked, "kept: mlocked (up to v5.17)", "mlocked",
     "mlocked (VM_LOCKED): skipped up to v5.17"},
    {VmaFate::kKeptNotifier, "kept: a notifier is busy", "notifier",
     "an mmu notifier would have had to sleep"},
    {VmaFate::kKeptNoWalk, "kept: not walked", "not_walked",
     "all of it: the call did not walk the memory"},
    {VmaFate::kReleased, "released", nullptr, nullptr},
    {VmaFate::kNothingMapped, "nothing mapped", nullptr, nullptr},
    {VmaFate::kFreedByExit, "freed by exit", nullptr, nullptr},
    {VmaFate::kUnknown, "unknown", nullptr, nullptr},
};

const FateWords& WordsOf(VmaFate fate) {
  for (const FateWords& words : kFates) {
    if (words.fate == fate) return words;
  }
  return kFates[0];
}

// Judges the VMAs of one outcome.
class Judge {
 public:
  Judge(const Outcome& outcome, const Differences& differences)
      : outcome_(outcome),
        differences_(differences),
        walked_(outcome.decision == MreleaseDecision::kReaped ||
                outcome.decision == MreleaseDecision::kNotifier) {
    for (const VmaReport& vma : outcome.after.vmas) after_[vma.start] = &vma;
  }

  // The VMA after the call, or null if it is gone.
  const VmaReport* After(const VmaReport& before) const {
    const auto found = after_.find(before.start);
    return found == after_.end() ? nullptr : found->second;
  }

  VmaFate FateOf(const VmaReport& before) const {
    if (outcome_.verdict) return VmaFate::kUnknown;
    const VmaReport* after = outcome_.mm_after ? After(before) : nullptr;
    if (after == nullptr) return VmaFate::kFreedByExit;
    const VmaFate kept = ReasonToKeep(before);
    const bool untouched = Used(before) == Used(*after);
    // Only exit takes what a walk must leave.
    if (kept != VmaFate::kReleased && !untouched) return VmaFate::kFreedByExit;
    if (kept == VmaFate::kKeptPfnmap && walked_) return kept;
    if (Used(before) == 0) return VmaFate::kNothingMapped;
    if (!walked_) return untouched ? VmaFate::kKeptNoWalk : VmaFate::kReleased;
    if (kept != VmaFate::kReleased) return kept;
    return untouched ? VmaFate::kKeptNotifier : VmaFate::kReleased;
  }

 private:
  // Why the walk leaves the VMA alone: can_madv_lru_vma() and its forerunners.
  VmaFate ReasonToKeep(const VmaReport& vma) const {
    if ((vma.vm_flags & VM_HUGETLB) != 0) return VmaFate::kKeptHugetlb;
    if ((vma.vm_flags & VM_PFNMAP) != 0) return VmaFate::kKeptPfnmap;
    if ((vma.vm_flags & VM_LOCKED) != 0 && !differences_.reaps_mlocked) {
      return VmaFate::kKeptMlocked;
    }
    const bool shared =
        vma.vm_ops != VmOps::kAnonymous && (vma.vm_flags & VM_SHARED) != 0;
    return shared ? VmaFate::kKeptShared : VmaFate::kReleased;
  }

  const Outcome& outcome_;
  const Differences& differences_;
  const bool walked_;
  absl::btree_map<uint64_t, const VmaReport*> after_;
};

// Adds up what stays, by reason.
void AddKept(const Judge& judge, const Outcome& outcome, ReapReport* report) {
  if (outcome.verdict || !outcome.mm_after) return;
  absl::btree_map<VmaFate, ReapKept> by_fate;
  for (const VmaReport& vma : outcome.before.vmas) {
    const VmaFate fate = judge.FateOf(vma);
    if (WordsOf(fate).reason == nullptr) continue;
    ReapKept& kept = by_fate[fate];
    kept.vmas++;
    kept.kib += Kib(Used(*judge.After(vma)));
  }
  for (const FateWords& words : kFates) {
    const auto found = by_fate.find(words.fate);
    if (found == by_fate.end()) continue;
    found->second.reason = words.reason;
    found->second.text = words.text;
    report->kept.push_back(found->second);
  }
  if (const int64_t kib = Kib(outcome.after.page_tables_bytes); kib > 0) {
    report->kept.push_back({.reason = "page_tables",
                            .text = "page tables: exit_mmap() frees them",
                            .vmas = 0,
                            .kib = kib});
  }
}

ReapVma VmaOf(const Judge& judge, const Outcome& outcome,
              const VmaReport& before, const SmapsVma* text) {
  const VmaFate fate = judge.FateOf(before);
  ReapVma vma{.start = before.start,
              .end = before.end,
              .permissions = PermissionsText(before.vm_flags),
              .name = text == nullptr ? "" : text->name,
              .flags = text == nullptr ? VmFlagsText(before.vm_flags)
                                       : absl::StrJoin(text->vm_flags, " "),
              .rss_before = Kib(before.rss),
              .rss_after = 0,
              .verdict = WordsOf(fate).verdict};
  if (outcome.verdict) {
    vma.rss_after.reset();
  } else if (outcome.mm_after) {
    const VmaReport* after = judge.After(before);
    vma.rss_after = after == nullptr ? 0 : Kib(after->rss);
  }
  return vma;
}

void AddVmas(const Judge& judge, const Outcome& outcome, const SmapsFile& smaps,
             bool imported, ReapReport* report) {
  int64_t shared = 0;
  for (size_t i = 0; i < outcome.before.vmas.size(); ++i) {
    const VmaReport& before = outcome.before.vmas[i];
    const SmapsVma* text = imported ? &smaps.vmas[i] : nullptr;
    report->vmas.push_back(VmaOf(judge, outcome, before, text));
    if (text != nullptr && judge.FateOf(before) == VmaFate::kReleased) {
      shared +=
          static_cast<int64_t>(text->kib.shared_clean + text->kib.shared_dirty);
    }
  }
  if (!imported) return;
  report->released_shared = shared;
  for (const SmapsGate& gate : smaps.gates) {
    report->vmas.push_back({.start = gate.start,
                            .end = gate.end,
                            .permissions = "",
                            .name = gate.name,
                            .flags = "",
                            .rss_before = 0,
                            .rss_after = 0,
                            .verdict = "gate"});
  }
}

void AddAnswer(const Outcome& outcome, const Differences& differences,
               ReapReport* report) {
  if (!outcome.ret.never()) report->ret = outcome.ret.kernel();
  if (const int error = outcome.ret.error(); error != 0) {
    report->errno_name = ErrnoName(error);
    report->errno_text = ErrnoText(error);
  }
  report->decided_by = DecidedBy(outcome.decision, outcome.why);
  report->checks = ChecksOf(outcome, differences);
  report->advice = AdviceFor(outcome);
  if (outcome.verdict) {
    report->broken = absl::StrCat(VerdictName(outcome.verdict.kind), ": ",
                                  outcome.verdict.what);
    report->decided_by.clear();
    report->checks.clear();
    report->advice =
        "Use a kernel without this bug: from v5.17 on exit_mmap() and the call "
        "keep out of each other's way.";
  }
}

void AddMemory(const Outcome& outcome, ReapReport* report) {
  report->before = MemoryOf(outcome.before);
  if (outcome.verdict) return;
  // An mm that is gone has nothing: an empty report.
  report->after = MemoryOf(outcome.after);
  const Effect effect = EffectOf(outcome);
  if (effect == Effect::kGone) {
    report->released_note =
        "The memory was gone before the call: there was nothing to release.";
  } else if (effect == Effect::kGoneDuring) {
    report->released_note =
        "The process's own exit freed all of it, beside the call.";
  }
}

}  // namespace

bool IsImported(const MemoryReport& report, const SmapsFile& smaps) {
  return std::equal(report.vmas.begin(), report.vmas.end(), smaps.vmas.begin(),
                    smaps.vmas.end(),
                    [](const VmaReport& vma, const SmapsVma& text) {
                      return vma.start == text.start && vma.end == text.end;
                    });
}

void AddOutcome(const Outcome& outcome, const Differences& differences,
                const SmapsFile& smaps, ReapReport* report) {
  const Judge judge(outcome, differences);
  const bool imported = IsImported(outcome.before, smaps);
  if (outcome.mm_before && !imported) {
    report->notes.push_back(
        "This row is about another process than the imported one: the memory "
        "below is that one's.");
  }
  AddAnswer(outcome, differences, report);
  AddMemory(outcome, report);
  AddKept(judge, outcome, report);
  AddVmas(judge, outcome, smaps, imported, report);
}

}  // namespace reapsim
