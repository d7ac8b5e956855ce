// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/predict.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errno_names.h"
#include "import/import_mm.h"
#include "mm/pagemap.h"
#include "mm/smaps.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint8_t kScanFlags = kPageHuge | kPageZero;

// ---- Images ----------------------------------------------------------------

// Joins neighbours of the same flags, of which only `kept` count.
class Runs {
 public:
  explicit Runs(uint8_t kept) : kept_(kept) {}

  void Add(uint64_t start, uint64_t pages, uint8_t flags) {
    flags &= kept_;
    // Up to v7.0 the huge zero page looks like a file's.
    if ((flags & kPageZero) != 0) {
      flags &= static_cast<uint8_t>(~kPageFileOrShmem);
    }
    const bool is_file = (flags & kPageFileOrShmem) != 0;
    if (is_file && (flags & kPageZero) == 0) {
      flags &= static_cast<uint8_t>(~kPageHuge);
    }
    if (flags == 0) return;
    if (!runs_.empty() && runs_.back().flags == flags &&
        runs_.back().start + runs_.back().pages * kPageBytes == start) {
      runs_.back().pages += pages;
      return;
    }
    runs_.push_back({start, pages, flags});
  }

  std::vector<PageRun> Take() { return std::move(runs_); }

 private:
  const uint8_t kept_;
  std::vector<PageRun> runs_;
};

constexpr uint8_t kCompared = static_cast<uint8_t>(~kPageExclusive);

// The flags of import/proc_source.h for the bits of mm/pagemap.h.
uint8_t FlagsOf(uint64_t bits) {
  constexpr struct {
    uint64_t bit;
    uint8_t flag;
  } kFlags[] = {
      {PM_PRESENT, kPagePresent},  {PM_SWAP, kPageSwapped},
      {PM_FILE, kPageFileOrShmem}, {PM_MMAP_EXCLUSIVE, kPageExclusive},
      {PM_UFFD_WP, kPageUffdWp},   {PM_GUARD_REGION, kPageGuard},
      {PAGE_IS_HUGE, kPageHuge},   {PAGE_IS_PFNZERO, kPageZero},
  };
  uint8_t flags = 0;
  for (const auto& each : kFlags) {
    if ((bits & each.bit) != 0) flags |= each.flag;
  }
  return flags;
}

MemoryImage ImageOf(const MemoryReport& report,
                    const std::vector<std::vector<PagemapRun>>& pages,
                    uint8_t kept) {
  MemoryImage image;
  for (size_t i = 0; i < report.vmas.size(); ++i) {
    const VmaReport& vma = report.vmas[i];
    Runs runs(kept);
    for (const PagemapRun& run : pages[i]) {
      runs.Add(run.start, run.pages, FlagsOf(run.bits));
    }
    image.vmas.push_back({.start = vma.start,
                          .end = vma.end,
                          .rss_kib = vma.rss >> 10,
                          .anonymous_kib = vma.anonymous >> 10,
                          .swap_kib = vma.swap >> 10,
                          .anon_huge_kib = vma.anon_huge >> 10,
                          .pages = runs.Take()});
  }
  image.page_tables_kib = static_cast<int64_t>(report.page_tables_bytes >> 10);
  image.locked_kib = static_cast<int64_t>(report.locked >> 10);
  return image;
}

// Which flags the host knows: an old one can't tell huge and zero pages.
uint8_t FlagsKnown(const ProcProcess& process) {
  const bool scanned = std::all_of(
      process.pages.begin(), process.pages.end(),
      [](const VmaPages& vma) { return vma.scanned || vma.runs.empty(); });
  return scanned ? kCompared : static_cast<uint8_t>(kCompared & ~kScanFlags);
}

// ---- Words -----------------------------------------------------------------

std::string FlagsText(uint8_t flags) {
  constexpr struct {
    uint8_t flag;
    const char* word;
  } kWords[] = {
      {kPagePresent, "present"},  {kPageSwapped, "swap"},
      {kPageFileOrShmem, "file"}, {kPageUffdWp, "uffd-wp"},
      {kPageGuard, "guard"},      {kPageHuge, "huge"},
      {kPageZero, "zero"},
  };
  std::vector<const char*> words;
  for (const auto& each : kWords) {
    if ((flags & each.flag) != 0) words.push_back(each.word);
  }
  return words.empty() ? "nothing" : absl::StrJoin(words, " ");
}

// The flags of the page at `address`, 0 for none.
uint8_t FlagsAt(const std::vector<PageRun>& runs, uint64_t address) {
  for (const PageRun& run : runs) {
    if (address >= run.start && address - run.start < run.pages * kPageBytes) {
      return run.flags;
    }
  }
  return 0;
}

struct Difference {
  uint64_t address;
  uint8_t host;
  uint8_t model;
};

// The first page that differs.
std::optional<Difference> FirstDifference(const std::vector<PageRun>& host,
                                          const std::vector<PageRun>& model) {
  // Something changes only where a run begins or ends.
  std::vector<uint64_t> places;
  for (const auto* runs : {&host, &model}) {
    for (const PageRun& run : *runs) {
      places.push_back(run.start);
      places.push_back(run.start + run.pages * kPageBytes);
    }
  }
  std::sort(places.begin(), places.end());
  for (const uint64_t at : places) {
    const uint8_t here = FlagsAt(host, at);
    const uint8_t there = FlagsAt(model, at);
    if (here != there) return Difference{at, here, there};
  }
  return std::nullopt;
}

// ---- Comparing -------------------------------------------------------------

class Comparison {
 public:
  explicit Comparison(const ProcProcess& process) : process_(process) {}

  void Vmas(const char* when, const MemoryImage& host,
            const MemoryImage& model) {
    if (host.vmas.size() != model.vmas.size()) {
      Say(when, ": ", host.vmas.size(), " mappings, in the model ",
          model.vmas.size());
      return;
    }
    for (size_t i = 0; i < host.vmas.size(); ++i) {
      Vma(when, i, host.vmas[i], model.vmas[i]);
    }
  }

  void Change(const char* what, int64_t host, int64_t model) {
    if (host == model) return;
    Say(what, " changes by ", host, " KiB, in the model by ", model, " KiB");
  }

  template <class... Parts>
  void Say(const Parts&... parts) {
    lines_.push_back(absl::StrCat(parts...));
  }

  std::vector<std::string> Take() { return std::move(lines_); }

 private:
  std::string NameOf(size_t i) const {
    const SmapsVma& vma = process_.smaps.vmas[i];
    const std::string name = Printable(Tail(vma.name, 40));
    return absl::StrCat(absl::Hex(vma.start), "-", absl::Hex(vma.end), " ",
                        name.empty() ? "anonymous" : name);
  }

  void Vma(const char* when, size_t i, const VmaImage& host,
           const VmaImage& model) {
    if (host == model) return;
    const std::string name = NameOf(i);
    if (host.start != model.start || host.end != model.end) {
      Say(when, ": ", name, " is ", absl::Hex(host.start), "-",
          absl::Hex(host.end), ", in the model ", absl::Hex(model.start), "-",
          absl::Hex(model.end));
      return;
    }
    const struct {
      const char* name;
      uint64_t host;
      uint64_t model;
    } sums[] = {
        {"Rss", host.rss_kib, model.rss_kib},
        {"Anonymous", host.anonymous_kib, model.anonymous_kib},
        {"Swap", host.swap_kib, model.swap_kib},
        {"AnonHugePages", host.anon_huge_kib, model.anon_huge_kib},
    };
    for (const auto& sum : sums) {
      if (sum.host == sum.model) continue;
      Say(when, ": ", name, ": ", sum.name, " ", sum.host,
          " KiB, in the model ", sum.model, " KiB");
    }
    const std::optional<Difference> page =
        FirstDifference(host.pages, model.pages);
    if (page.has_value()) {
      Say(when, ": ", name, ": page ", absl::Hex(page->address), " is ",
          FlagsText(page->host), ", in the model ", FlagsText(page->model));
    }
  }

  const ProcProcess& process_;
  std::vector<std::string> lines_;
};

}  // namespace

MemoryImage ImageOf(const ProcProcess& process) {
  MemoryImage image;
  const uint8_t kept = FlagsKnown(process);
  for (size_t i = 0; i < process.smaps.vmas.size(); ++i) {
    const SmapsVma& vma = process.smaps.vmas[i];
    Runs runs(kept);
    for (const PageRun& run : process.pages[i].runs) {
      runs.Add(run.start, run.pages, run.flags);
    }
    image.vmas.push_back({.start = vma.start,
                          .end = vma.end,
                          .rss_kib = vma.kib.rss,
                          .anonymous_kib = vma.kib.anonymous,
                          .swap_kib = vma.kib.swap,
                          .anon_huge_kib = vma.kib.anon_huge_pages,
                          .pages = runs.Take()});
  }
  image.page_tables_kib = static_cast<int64_t>(process.status.page_tables_kib);
  image.locked_kib = static_cast<int64_t>(process.status.locked_kib);
  return image;
}

MemoryImage ImageOf(const mm_struct* mm, const ProcProcess& host) {
  return ImageOf(ReportMemory(mm), ReportPagemap(mm), FlagsKnown(host));
}

absl::StatusOr<Prediction> Predict(const State& state,
                                   const std::string& version,
                                   const ProcProcess* before) {
  KernelOptions machine{.version = version};
  SceneMemory memory;
  absl::Status imported;
  ImportPlan plan;
  if (before != nullptr) {
    if (!before->pagemap.ok()) {
      return absl::FailedPreconditionError(before->pagemap.message());
    }
    absl::StatusOr<ImportPlan> made = ImportPlan::Make(
        before->smaps, {.file_name = "smaps", .pages = &before->pages});
    if (!made.ok()) return made.status();
    plan = *std::move(made);
    plan.EnlargeMachine(&machine);
    memory.live = true;
    memory.populate = [&](Kernel& k, Task& task) {
      imported.Update(plan.Apply(k, task));
    };
  }
  const absl::StatusOr<Outcome> outcome =
      Play(state, machine, std::move(memory));
  if (!outcome.ok()) return outcome.status();
  if (!imported.ok()) return imported;
  if (!outcome->called) {
    return absl::UnimplementedError(absl::StrCat(
        "the model can't reach the state: ", outcome->unreachable));
  }
  Prediction prediction;
  if (outcome->verdict) {
    prediction.broken = outcome->verdict.ToString();
    return prediction;
  }
  prediction.ret = outcome->ret.kernel();
  if (before == nullptr || !outcome->mm_before) return prediction;
  const uint8_t kept = FlagsKnown(*before);
  prediction.has_memory = outcome->mm_after;
  prediction.before = ImageOf(outcome->before, outcome->pages_before, kept);
  if (outcome->mm_after) {
    prediction.after = ImageOf(outcome->after, outcome->pages_after, kept);
  }
  return prediction;
}

std::vector<std::string> Compare(const HostOutcome& host,
                                 const Prediction& model) {
  Comparison comparison(host.before);
  if (!model.broken.empty()) {
    comparison.Say("the model breaks: ", model.broken);
    return comparison.Take();
  }
  if (host.ret != model.ret) {
    comparison.Say("returns ", ResultText(host.ret), ", in the model ",
                   ResultText(model.ret));
  }
  if (!host.has_memory) return comparison.Take();
  if (!model.has_memory) {
    comparison.Say("the memory is there, in the model it is gone");
    return comparison.Take();
  }
  const MemoryImage before = ImageOf(host.before);
  const MemoryImage after = ImageOf(host.after);
  comparison.Vmas("imported", before, model.before);
  comparison.Vmas("after", after, model.after);
  comparison.Change("VmPTE", after.page_tables_kib - before.page_tables_kib,
                    model.after.page_tables_kib - model.before.page_tables_kib);
  comparison.Change("VmLck", after.locked_kib - before.locked_kib,
                    model.after.locked_kib - model.before.locked_kib);
  return comparison.Take();
}

}  // namespace reapsim
