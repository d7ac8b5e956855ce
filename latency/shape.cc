// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/shape.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/units.h"
#include "latency/amount.h"
#include "latency/json_input.h"
#include "mm/mmap.h"
#include "mm/populate.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr uint64_t kTableSpan = uint64_t{2} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
// Above what the standard image maps.
constexpr uint64_t kBase = 4 * kGiB;

struct Field {
  absl::string_view name;
  uint64_t unit;  // bytes; 0: a count
  uint64_t VictimShape::*value;
};

constexpr Field kFields[] = {
#define X(field, unit, what) {#field, unit, &VictimShape::field},
    REAPSIM_SHAPE(X)
#undef X
};

// ---- Limits ----------------------------------------------------------------

struct Limit {
  uint64_t value;
  uint64_t most;
  absl::string_view what;  // "X is more than Y: WHAT"
  bool bytes;
};

uint64_t ResidentBytes(const VictimShape& s) {
  return s.anon + s.thp + s.mlock + s.forked + s.file + s.cow + s.dirty +
         s.memfd + s.shmem;
}

uint64_t MoreVmas(const VictimShape& s) {
  return s.vmas + s.untouched + s.shared + s.threads;
}

absl::Status CheckLimits(const VictimShape& s, absl::string_view where) {
  // Each field is small enough that sums do not wrap.
  const Limit limits[] = {
      {ResidentBytes(s), kMaxShapeBytes, "of memory in all", true},
      {s.swap, kMaxShapeSwap, "in swap", true},
      {MoreVmas(s), kMaxShapeVmas, "mappings in all", false},
      {s.sparse, kMaxShapeSparse, "sparse pages", false},
      {s.scattered, kMaxShapeScattered, "scattered pages", false},
      {s.threads + s.sharers, kMaxShapeTasks, "threads and sharers", false},
  };
  for (const Limit& limit : limits) {
    if (limit.value <= limit.most) continue;
    const auto shown = [&limit](uint64_t n) {
      return limit.bytes ? PrintSize(n) : absl::StrCat(n);
    };
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", shown(limit.value), " ", limit.what,
                     "; expected at most ", shown(limit.most)));
  }
  return absl::OkStatus();
}

// ---- Parsing ---------------------------------------------------------------

class SpecParser {
 public:
  SpecParser(absl::string_view spec, absl::string_view where)
      : spec_(spec), where_(where) {}

  absl::StatusOr<VictimShape> Run() {
    if (spec_.empty()) {
      return Bad("expected fields such as anon=64MiB,vmas=600, got nothing");
    }
    for (absl::string_view part : absl::StrSplit(spec_, ',')) {
      const absl::Status status = ReadPart(part);
      if (!status.ok()) return status;
    }
    const absl::Status status = CheckLimits(shape_, where_);
    if (!status.ok()) return status;
    if (shape_ == VictimShape{}) return Bad("has no memory at all");
    return shape_;
  }

 private:
  absl::Status Bad(absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat(where_, ": ", message));
  }
  static std::string Shown(absl::string_view text) {
    constexpr size_t kMost = 40;
    return absl::StrCat("\"", Printable(text.substr(0, kMost)),
                        text.size() > kMost ? "..." : "", "\"");
  }

  absl::Status ReadPart(absl::string_view part) {
    const size_t equals = part.find('=');
    if (equals == absl::string_view::npos) {
      return Bad(absl::StrCat("expected FIELD=AMOUNT, got ", Shown(part)));
    }
    const absl::string_view name = part.substr(0, equals);
    const auto field =
        std::find_if(std::begin(kFields), std::end(kFields),
                     [name](const Field& each) { return each.name == name; });
    if (field == std::end(kFields)) return UnknownField(name);
    if (std::find(seen_.begin(), seen_.end(), name) != seen_.end()) {
      return Bad(absl::StrCat(name, ": is given twice"));
    }
    seen_.push_back(name);
    return ReadAmount(*field, part.substr(equals + 1));
  }

  absl::Status UnknownField(absl::string_view name) const {
    std::vector<absl::string_view> names;
    for (const Field& each : kFields) names.push_back(each.name);
    const std::string meant = MeantName(name, names);
    return Bad(absl::StrCat(
        "unknown field ", Shown(name),
        meant.empty() ? absl::StrCat("; expected ", absl::StrJoin(names, ", "))
                      : meant));
  }

  absl::Status ReadAmount(const Field& field, absl::string_view text) {
    const bool is_size = field.unit != 0;
    uint64_t amount = 0;
    if (is_size ? !ParseSize(text, &amount) : !ParseCount(text, &amount)) {
      return Bad(absl::StrCat(field.name, ": expected ",
                              is_size ? "a size such as 64MiB" : "a number",
                              ", got ", Shown(text)));
    }
    if (is_size && amount % field.unit != 0) {
      return Bad(absl::StrCat(field.name, ": expected a multiple of ",
                              PrintSize(field.unit), ", got ", Shown(text)));
    }
    // What limits the sum limits each.
    if (amount > (is_size ? kMaxShapeBytes : kMaxShapeVmas)) {
      return Bad(absl::StrCat(
          field.name, ": expected at most ",
          is_size ? PrintSize(kMaxShapeBytes) : absl::StrCat(kMaxShapeVmas),
          ", got ", Shown(text)));
    }
    shape_.*field.value = amount;
    return absl::OkStatus();
  }

  const absl::string_view spec_;
  const absl::string_view where_;
  VictimShape shape_;
  std::vector<absl::string_view> seen_;
};

// ---- Building --------------------------------------------------------------

// Pages to fill: `count` runs of `pages`, `step` bytes apart.
struct Runs {
  uint64_t start;
  uint64_t count = 1;
  uint64_t pages = 1;
  uint64_t step = 0;
};

class Builder {
 public:
  Builder(Kernel& k, const VictimShape& shape, const std::string& comm)
      : k_(k), shape_(shape) {
    victim_.task = &k.Spawn(comm);
  }

  BuiltVictim Run() {
    // First, so that the child has nothing else.
    if (shape_.forked != 0) {
      Anon(shape_.forked, PopulateKind::kAnon);
      victim_.children.push_back(&k_.TaskOf(Pid(Me().fork())));
    }
    if (shape_.anon != 0) Anon(shape_.anon, PopulateKind::kAnon);
    if (shape_.thp != 0) Huge();
    if (shape_.mlock != 0) {
      const uint64_t at = Anon(shape_.mlock, PopulateKind::kAnon);
      Must(Me().mlock(at, Bytes(shape_.mlock)), "mlock");
    }
    if (shape_.swap != 0) Anon(shape_.swap, PopulateKind::kSwap);
    Files();
    Vmas();
    Sparse(shape_.sparse, kTableSpan);
    Sparse(shape_.scattered, kGiB);
    Threads();
    for (uint64_t i = 0; i < shape_.sharers; ++i) {
      victim_.sharers.push_back(&k_.TaskOf(Pid(Me().clone_vm())));
    }
    return victim_;
  }

 private:
  User Me() { return k_.As(*victim_.task); }
  static uint64_t Must(const SysResult& result, const char* what) {
    REAP_CHECK(result.ok(), what);
    return static_cast<uint64_t>(result.kernel());
  }
  static pid_t Pid(const SysResult& result) {
    return static_cast<pid_t>(Must(result, "shape: no task is left"));
  }

  // A place for `span` bytes, a gap behind it.
  uint64_t Place(uint64_t span) {
    const uint64_t at = next_;
    next_ += (span + 2 * kGiB - 1) / kGiB * kGiB;
    return at;
  }
  uint64_t Map(uint64_t at, uint64_t span, const Mapping& mapping) {
    return Must(Me().mmap(Bytes(span), mapping.With(MAP_FIXED), at),
                "shape: mmap");
  }

  void Fill(const Runs& runs, PopulateKind kind) {
    const SysResult filled = k_.Call(
        victim_.task->raw(), [runs, kind]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
          // Nobody else has the mm.
          uint64_t done = 0;
          for (uint64_t i = 0; i < runs.count; ++i) {
            const uint64_t at = runs.start + i * runs.step;
            vm_area_struct* vma = find_vma(current()->mm, at);
            done += PopulatePresent(vma, at, runs.pages, kind);
          }
          return static_cast<int64_t>(done);
        });
    REAP_CHECK_EQ(filled.kernel(),
                  static_cast<int64_t>(runs.count * runs.pages),
                  "shape: the machine is too small");
  }

  uint64_t Anon(uint64_t span, PopulateKind kind) {
    const uint64_t at = Map(Place(span), span, Anonymous());
    Fill({.start = at, .pages = span / PAGE_SIZE}, kind);
    return at;
  }

  void Huge() {
    const uint64_t at = Map(Place(shape_.thp), shape_.thp, Anonymous());
    Must(Me().madvise(at, Bytes(shape_.thp), MADV_HUGEPAGE), "shape: madvise");
    Fill({.start = at, .pages = shape_.thp / PAGE_SIZE}, PopulateKind::kHuge);
  }

  void Files() {
    const auto file = [this](uint64_t span, uint64_t kind, bool writable) {
      return Me().open_file(Inode(kind, span), Pages(span / PAGE_SIZE),
                            writable);
    };
    const auto memfd = [this](uint64_t span) {
      return Me().memfd_create(Pages(span / PAGE_SIZE));
    };
    if (const uint64_t span = shape_.file; span != 0) {
      OfFile(span, file(span, 1, false), &ReadOnly, PopulateKind::kFileClean);
    }
    if (const uint64_t span = shape_.cow; span != 0) {
      OfFile(span, file(span, 2, false), &Private, PopulateKind::kAnon);
    }
    if (const uint64_t span = shape_.dirty; span != 0) {
      OfFile(span, file(span, 3, true), &Shared, PopulateKind::kFileDirty);
    }
    if (const uint64_t span = shape_.memfd; span != 0) {
      OfFile(span, memfd(span), &ReadOnly, PopulateKind::kFileClean);
    }
    if (const uint64_t span = shape_.shmem; span != 0) {
      OfFile(span, memfd(span), &Shared, PopulateKind::kShmem);
    }
  }

  static Mapping ReadOnly(int fd) { return File(fd).ReadOnly(); }
  static Mapping Private(int fd) { return File(fd); }
  static Mapping Shared(int fd) { return File(fd).Shared(); }

  void OfFile(uint64_t span, const SysResult& opened, Mapping (*mapping)(int),
              PopulateKind kind) {
    const int fd = static_cast<int>(Must(opened, "shape: open"));
    const uint64_t at = Map(Place(span), span, mapping(fd));
    Must(Me().close(fd), "shape: close");
    Fill({.start = at, .pages = span / PAGE_SIZE}, kind);
  }

  // Victims of one shape have the same files: the model knows only so many.
  static uint64_t Inode(uint64_t kind, uint64_t span) {
    return kind << 32 | span / PAGE_SIZE;
  }

  void Vmas() {
    constexpr uint64_t kStep = 2 * PAGE_SIZE;
    const auto map = [this](uint64_t count, const Mapping& mapping) {
      const uint64_t at = Place(count * kStep);
      for (uint64_t i = 0; i < count; ++i) {
        Map(at + i * kStep, PAGE_SIZE, mapping);
      }
      return at;
    };
    if (const uint64_t count = shape_.vmas; count != 0) {
      const uint64_t at = map(count, Anonymous());
      Fill({.start = at, .count = count, .step = kStep}, PopulateKind::kAnon);
    }
    if (const uint64_t count = shape_.untouched; count != 0) {
      map(count, Anonymous());
    }
    if (const uint64_t count = shape_.shared; count != 0) {
      const int fd = static_cast<int>(
          Must(Me().memfd_create(Pages(1)), "shape: memfd_create"));
      map(count, File(fd).Shared());
      Must(Me().close(fd), "shape: close");
    }
  }

  void Sparse(uint64_t count, uint64_t step) {
    if (count == 0) return;
    const uint64_t span = count * step;
    // Far more than the machine has: nobody means to fill it.
    const uint64_t at = Map(Place(span), span, Anonymous().With(MAP_NORESERVE));
    Fill({.start = at, .count = count, .step = step}, PopulateKind::kAnon);
  }

  void Threads() {
    if (shape_.threads == 0) return;
    constexpr uint64_t kStep = 2 * kShapeThreadStack;
    const uint64_t at = Place(shape_.threads * kStep);
    for (uint64_t i = 0; i < shape_.threads; ++i) {
      Map(at + i * kStep, kShapeThreadStack, Anonymous());
    }
    Fill({.start = at + kShapeThreadStack - PAGE_SIZE,
          .count = shape_.threads,
          .step = kStep},
         PopulateKind::kAnon);
    for (uint64_t i = 0; i < shape_.threads; ++i) {
      victim_.threads.push_back(&k_.TaskOf(Pid(Me().clone_thread())));
    }
  }

  Kernel& k_;
  const VictimShape& shape_;
  BuiltVictim victim_;
  uint64_t next_ = kBase;
};

}  // namespace

absl::StatusOr<VictimShape> ParseShape(absl::string_view spec,
                                       absl::string_view where) {
  return SpecParser(spec, where).Run();
}

std::string PrintShape(const VictimShape& shape) {
  std::vector<std::string> parts;
  for (const Field& field : kFields) {
    const uint64_t amount = shape.*field.value;
    if (amount == 0) continue;
    parts.push_back(absl::StrCat(
        field.name, "=",
        field.unit != 0 ? PrintSize(amount) : absl::StrCat(amount)));
  }
  return absl::StrJoin(parts, ",");
}

uint64_t ShapePages(const VictimShape& shape) {
  return ResidentBytes(shape) / PAGE_SIZE + shape.vmas + shape.sparse +
         shape.scattered + shape.threads;
}

void EnlargeMachine(const VictimShape& shape, KernelOptions* options,
                    uint64_t victims) {
  constexpr uint64_t kSpare = uint64_t{256} << 20;
  // The model has a page table for every 256 frames: mm/init.cc.
  constexpr uint64_t kFramesOfATable = 256;
  const uint64_t pages = ShapePages(shape);
  // Of levels 1 and 2, with the rest of a table at each end of a mapping.
  const uint64_t tables =
      (pages + (shape.swap + shape.forked) / PAGE_SIZE) / 512 +
      2 * (shape.sparse + shape.scattered) + MoreVmas(shape) / 16 + 64;
  const uint64_t frames = std::max(pages + tables, tables * kFramesOfATable);
  options->memory =
      std::max(options->memory, victims * frames * PAGE_SIZE + kSpare);
  if (shape.swap == 0) return;
  options->swap = std::max(options->swap, victims * shape.swap + kSpare);
}

BuiltVictim BuildVictim(Kernel& k, const VictimShape& shape,
                        const std::string& comm) {
  return Builder(k, shape, comm).Run();
}

}  // namespace reapsim
