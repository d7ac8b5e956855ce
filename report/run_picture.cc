// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/run_picture.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/units.h"
#include "report/axis.h"
#include "report/lane_bins.h"
#include "report/markup.h"
#include "report/text.h"
#include "sched/point.h"

namespace reapsim {
namespace {

// ---- Measures, in pixels of a picture as wide as a laptop's window ----------

constexpr uint32_t kWidth = 1000;
constexpr uint32_t kLeft = 150;  // where the plot begins; names stand before it
constexpr uint32_t kPlot = 836;
constexpr uint32_t kRight = kLeft + kPlot;
constexpr uint32_t kLine = 15;      // from one line of text to the next
constexpr uint32_t kCharacter = 7;  // the widest that text comes to, each

constexpr absl::string_view kSvgStyle =
    "svg{font:12px system-ui,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,"
    "sans-serif;font-variant-numeric:tabular-nums}"
    ".bg{fill:var(--bg)}text{fill:var(--fg)}.m{fill:var(--muted)}"
    ".h{font-size:16px;font-weight:600}.t{font-size:13px;font-weight:600}"
    ".s{font-size:11px}.e{text-anchor:end}.c{text-anchor:middle}"
    ".o{paint-order:stroke;stroke:var(--bg);stroke-width:3px;"
    "stroke-linejoin:round}"
    ".g{stroke:var(--line);fill:none}.x{stroke:var(--fg);fill:none}"
    ".d{stroke:var(--muted);fill:none;stroke-dasharray:4 3}"
    ".mo{stroke:var(--accent);fill:none;stroke-dasharray:2 2}"
    ".mt{fill:var(--accent)}.f{fill:var(--freefill)}"
    ".fl{stroke:var(--free);fill:none;stroke-width:1.5}"
    ".q{stroke:var(--muted);fill:none}"
    ".k0{fill:var(--user)}.k1{fill:var(--kernel)}.k2{fill:var(--spin)}"
    ".k3{fill:var(--queue)}.k4{fill:var(--lock)}.k5{fill:var(--throttled)}"
    ".k6{fill:var(--frozen)}.k7{fill:var(--sleep)}"
    ".in{fill:#fff;font-size:11px}"
    "@media (prefers-color-scheme:dark){.in{fill:#10151b}}"
    ".p{fill:var(--kernel);fill-opacity:.28}.dot{fill:var(--kernel)}"
    ".md{stroke:var(--fg);stroke-width:2}\n";

// What a lane is coloured by: what runs, then what is waited for.
enum Kind : size_t {
  kUser,
  kKernel,
  kSpin,
  kRunEnd,
  kQueue = kRunEnd,
  kLock,
  kThrottled,
  kFrozen,
  kSleep,
  kEnd
};
static_assert(kEnd == LaneBins::kKinds);

struct KindInfo {
  const char* name;
  uint32_t height;  // of its bar in a task's lane
};
constexpr KindInfo kKinds[kEnd] = {
    {"runs its own code", 16},
    {"runs in the kernel", 16},
    {"spins for a lock", 16},
    {"waits for a CPU (run queue)", 9},
    {"waits for a lock, asleep", 9},
    {"throttled by cpu.max", 9},
    {"frozen", 9},
    {"sleeps", 2},
};

Kind KindOf(SliceKind kind) {
  switch (kind) {
    case SliceKind::kUser:
      return kUser;
    case SliceKind::kKernel:
      return kKernel;
    case SliceKind::kSpin:
      return kSpin;
  }
  return kUser;
}

Kind KindOf(WaitKind kind) {
  switch (kind) {
    case WaitKind::kRunQueue:
      return kQueue;
    case WaitKind::kLock:
      return kLock;
    case WaitKind::kThrottled:
      return kThrottled;
    case WaitKind::kFrozen:
      return kFrozen;
    case WaitKind::kSleep:
      return kSleep;
  }
  return kSleep;
}

// ---- Pieces of SVG ---------------------------------------------------------

// The text's first characters, if it is longer than so many.
std::string Shortened(absl::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  return absl::StrCat(text.substr(0, most - 2), "..");
}

std::string Text(uint32_t x, uint32_t y, absl::string_view css,
                 absl::string_view text) {
  return absl::StrCat("<text x=\"", x, "\" y=\"", y, "\"",
                      css.empty() ? "" : absl::StrCat(" class=\"", css, "\""),
                      ">", Escaped(text), "</text>\n");
}

std::string Path(absl::string_view css, absl::string_view data) {
  if (data.empty()) return "";
  return absl::StrCat("<path class=\"", css, "\" d=\"", data, "\"/>\n");
}

std::string Across(absl::string_view css, uint32_t x1, uint32_t x2,
                   uint32_t y) {
  return Path(css, absl::StrCat("M", x1, " ", y, ".5H", x2));
}

std::string Down(absl::string_view css, uint32_t x, uint32_t y1, uint32_t y2) {
  return Path(css, absl::StrCat("M", x, ".5 ", y1, "V", y2));
}

uint32_t WidthOf(absl::string_view text) {
  return static_cast<uint32_t>(text.size()) * kCharacter;
}

// The text in lines as wide as the picture, broken at spaces.
std::vector<std::string> LinesOf(absl::string_view text) {
  std::vector<std::string> lines;
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const bool fits =
        !lines.empty() && WidthOf(lines.back()) + WidthOf(word) < kWidth;
    if (fits) {
      absl::StrAppend(&lines.back(), " ", word);
    } else {
      lines.emplace_back(word);
    }
  }
  return lines;
}

std::string NameOf(const TaskAccount& task) {
  return absl::StrCat(Printable(task.comm), " ", task.pid);
}

// ---- One run ---------------------------------------------------------------

class RunDrawing {
 public:
  // Draws from `top` downwards.
  RunDrawing(const RunPicture& run, uint32_t top) : run_(run), y_(top) {
    scale_.begin_ns = run.begin_ns;
    // A picture of nothing is one of a moment.
    scale_.end_ns = std::max(run.end_ns, run.begin_ns + 10 * kPlot);
    scale_.pixels = kPlot;
  }

  void Draw() {
    DrawTitle();
    PlaceMoments();
    plot_top_ = y_;
    DrawMemory();
    DrawCpus();
    DrawTasks();
    DrawTimes();
    DrawMoments();
  }

  const std::string& svg() const { return svg_; }
  uint32_t bottom() const { return y_; }
  // Which kinds there is something of.
  const std::array<bool, kEnd>& used() const { return used_; }

 private:
  void Add(const std::string& piece) { absl::StrAppend(&svg_, piece); }
  uint32_t XAt(uint64_t ns) const { return kLeft + scale_.PixelAt(ns); }
  bool IsInside(uint64_t ns) const {
    return ns >= scale_.begin_ns && ns <= scale_.end_ns;
  }

  void DrawTitle() {
    y_ += 18;
    Add(Text(0, y_, "t", run_.title));
    if (!run_.about.empty()) {
      y_ += kLine;
      Add(Text(0, y_, "m s", run_.about));
    }
    y_ += 8;
  }

  // ---- Moments: labels above the plot, each beside its line, in as few rows
  // as fit.

  struct Placed {
    uint32_t x;
    uint32_t label_y;
    bool left;  // of its line
    std::string label;
  };

  void PlaceMoments() {
    std::vector<PictureMoment> moments;
    for (const PictureMoment& each : run_.moments) {
      if (IsInside(each.at_ns)) moments.push_back(each);
    }
    std::stable_sort(
        moments.begin(), moments.end(),
        [](const auto& a, const auto& b) { return a.at_ns < b.at_ns; });
    std::vector<uint32_t> free_from;  // of each row
    for (const PictureMoment& each : moments) {
      const std::string label =
          each.at_ns == run_.zero_ns
              ? each.label
              : absl::StrCat(each.label, " ", SignedText(each.at_ns));
      const uint32_t width = WidthOf(label);
      const uint32_t x = XAt(each.at_ns);
      const bool left = x + 4 + width > kWidth;
      const uint32_t begin = left ? x - 4 - std::min(width, x - 4) : x + 4;
      size_t row = 0;
      while (row < free_from.size() && free_from[row] > begin) ++row;
      if (row == free_from.size()) free_from.push_back(0);
      free_from[row] = begin + width + kCharacter;
      placed_.push_back(
          {x, static_cast<uint32_t>(y_ + (row + 1) * kLine), left, label});
    }
    y_ += static_cast<uint32_t>(free_from.size() * kLine) + 6;
  }

  std::string SignedText(uint64_t ns) const {
    return ns < run_.zero_ns
               ? absl::StrCat("-", DurationText(run_.zero_ns - ns))
               : absl::StrCat("+", DurationText(ns - run_.zero_ns));
  }

  void DrawMoments() {
    for (const Placed& each : placed_) {
      Add(Down("mo", each.x, each.label_y - 10, plot_bottom_));
      Add(Text(each.left ? each.x - 4 : each.x + 4, each.label_y,
               each.left ? "mt s e o" : "mt s o", each.label));
    }
  }

  // ---- Memory

  static constexpr uint32_t kMemoryHeight = 96;

  // Free pages by pixel, as of its end.
  std::vector<uint64_t> FreeByPixel() const {
    const std::vector<TimelineGauge>& gauge = run_.timeline.free_pages;
    std::vector<uint64_t> free(kPlot, gauge.front().value);
    size_t next = 0;
    uint64_t now = gauge.front().value;
    for (uint32_t pixel = 0; pixel < kPlot; ++pixel) {
      while (next < gauge.size() &&
             gauge[next].at_ns < scale_.TimeAt(pixel + 1)) {
        now = gauge[next++].value;
      }
      free[pixel] = now;
    }
    return free;
  }

  void DrawMemory() {
    if (run_.timeline.free_pages.empty()) return;
    const std::vector<uint64_t> free = FreeByPixel();
    uint64_t low = *std::min_element(free.begin(), free.end());
    uint64_t high = *std::max_element(free.begin(), free.end());
    for (const PictureLevel& level : run_.levels) {
      low = std::min(low, level.pages);
      high = std::max(high, level.pages);
    }
    const LinearAxis axis = BytesAxis(low * kPageSize, high * kPageSize, 4);
    const uint32_t top = y_;
    const uint32_t base = top + kMemoryHeight;
    const auto y_of = [&](uint64_t pages) {
      return base - axis.PixelOf(pages * kPageSize, kMemoryHeight);
    };
    Add(Text(0, top + 11, "", "free memory"));
    for (const AxisTick& tick : axis.ticks) {
      const uint32_t y = base - axis.PixelOf(tick.value, kMemoryHeight);
      Add(Across("g", kLeft, kRight, y));
      Add(Text(kLeft - 6, y + 4, "m s e", tick.label));
    }
    std::string line;
    for (uint32_t pixel = 0; pixel < kPlot; ++pixel) {
      const uint32_t y = y_of(free[pixel]);
      if (pixel == 0) {
        absl::StrAppend(&line, "M", kLeft, " ", y);
      } else if (y != y_of(free[pixel - 1])) {
        absl::StrAppend(&line, "H", kLeft + pixel, "V", y);
      }
    }
    absl::StrAppend(&line, "H", kRight);
    Add(Path("f", absl::StrCat(line, "V", base, "H", kLeft, "z")));
    Add(Path("fl", line));
    DrawLevels(axis, base);
    Add(Across("g", kLeft, kRight, base));
    y_ = base + 16;
  }

  void DrawLevels(const LinearAxis& axis, uint32_t base) {
    std::vector<PictureLevel> levels = run_.levels;
    std::stable_sort(
        levels.begin(), levels.end(),
        [](const auto& a, const auto& b) { return a.pages < b.pages; });
    // Lines too close for text between them have one label, above them.
    std::string label;
    for (size_t i = 0; i < levels.size(); ++i) {
      const auto y_of = [&](size_t level) {
        return base -
               axis.PixelOf(levels[level].pages * kPageSize, kMemoryHeight);
      };
      Add(Across("d", kLeft, kRight, y_of(i)));
      absl::StrAppend(&label, label.empty() ? "" : ", ", levels[i].label, " ",
                      BytesText(levels[i].pages * kPageSize));
      if (i + 1 < levels.size() && y_of(i) - y_of(i + 1) < kLine) continue;
      Add(Text(kRight - 2, y_of(i) - 4, "s e o", label));
      label.clear();
    }
  }

  // ---- CPUs

  static constexpr uint32_t kCpuHeight = 18;
  static constexpr uint32_t kFrequencyHeight = 8;

  void DrawCpus() {
    std::vector<std::vector<const TimelineSlice*>> by_cpu(run_.cpus.size());
    for (const TimelineSlice& slice : run_.timeline.slices) {
      if (slice.cpu < by_cpu.size()) by_cpu[slice.cpu].push_back(&slice);
    }
    for (uint32_t cpu = 0; cpu < by_cpu.size(); ++cpu) {
      DrawFrequency(cpu);
      DrawCpu(cpu, by_cpu[cpu]);
    }
    y_ += 8;
  }

  void DrawCpu(uint32_t cpu, const std::vector<const TimelineSlice*>& slices) {
    LaneBins bins(scale_);
    uint64_t busy = 0;
    for (const TimelineSlice* slice : slices) {
      bins.Add(KindOf(slice->kind), slice->start_ns, slice->end_ns);
    }
    for (size_t kind = 0; kind < kRunEnd; ++kind) busy += bins.TotalOf(kind);
    const uint32_t base = y_ + kCpuHeight;
    Add("<g>");
    Add(absl::StrCat(
        "<title>",
        Escaped(absl::StrCat(run_.cpus[cpu], ": busy ", DurationText(busy))),
        "</title>\n"));
    Add(Text(kLeft - 6, base - 5, "s e", Shortened(run_.cpus[cpu], 22)));
    Add(Across("g", kLeft, kRight, base));
    DrawBars(bins, kUser, kRunEnd, base, kCpuHeight);
    DrawStints(slices, base);
    Add("</g>\n");
    y_ = base + 6;
  }

  void DrawBars(const LaneBins& bins, size_t first, size_t last, uint32_t base,
                uint32_t height) {
    const std::vector<LaneBins::Run> runs = bins.Runs(first, last);
    for (size_t kind = first; kind < last; ++kind) {
      const std::string path = PathOf(runs, kind, kLeft, base, height);
      if (path.empty()) continue;
      used_[kind] = true;
      Add(Path(absl::StrCat("k", kind), path));
    }
  }

  // Who runs, where it does so for long enough to read it.
  void DrawStints(const std::vector<const TimelineSlice*>& slices,
                  uint32_t base) {
    const uint64_t pixel_ns = scale_.TimeAt(1) - scale_.TimeAt(0);
    for (size_t i = 0; i < slices.size();) {
      const uint32_t task = slices[i]->task;
      const uint64_t start = slices[i]->start_ns;
      uint64_t end = start;
      for (; i < slices.size() && slices[i]->task == task &&
             slices[i]->start_ns <= end + pixel_ns;
           ++i) {
        end = slices[i]->end_ns;
      }
      if (end <= scale_.begin_ns || start >= scale_.end_ns) continue;
      if (task >= run_.tasks.size()) continue;
      const std::string name = NameOf(run_.tasks[task]);
      const uint32_t x1 = XAt(start);
      const uint32_t x2 = XAt(end);
      if (x2 - x1 < WidthOf(name) + 6) continue;
      Add(Text((x1 + x2) / 2, base - 5, "in c", name));
    }
  }

  void DrawFrequency(uint32_t cpu) {
    std::vector<TimelineFrequency> changes;
    for (const TimelineFrequency& each : run_.timeline.frequencies) {
      if (each.cpu != cpu || each.at_ns > scale_.end_ns) continue;
      if (each.at_ns <= scale_.begin_ns) changes.clear();
      changes.push_back(each);
    }
    if (changes.empty()) return;
    uint32_t most = 1;
    for (const TimelineFrequency& each : changes) {
      most = std::max(most, each.mhz);
    }
    const uint32_t base = y_ + kFrequencyHeight;
    std::string line;
    uint32_t free_from = 0;
    for (const TimelineFrequency& each : changes) {
      const uint32_t x = XAt(each.at_ns);
      const uint32_t y = base - each.mhz * kFrequencyHeight / most;
      absl::StrAppend(&line, line.empty() ? "M" : "H", x,
                      line.empty() ? " " : "V", y);
      const std::string label = absl::StrCat(each.mhz, " MHz");
      if (x < free_from || x + WidthOf(label) > kRight) continue;
      Add(Text(x + 1, base + 11, "m s", label));
      free_from = x + WidthOf(label) + 10;
    }
    Add(Path("q", absl::StrCat(line, "H", kRight)));
    Add(Text(kLeft - 6, base + 11, "m s e", "frequency"));
    y_ = base + 15;
  }

  // ---- Tasks

  static constexpr uint32_t kTaskHeight = 16;

  void DrawTasks() {
    const size_t count = std::min(run_.lanes.size(), kMaxLanes);
    std::vector<int64_t> lane_of(run_.tasks.size(), -1);
    std::vector<LaneBins> bins(count, LaneBins(scale_));
    for (size_t i = 0; i < count; ++i) {
      if (run_.lanes[i] < lane_of.size()) {
        lane_of[run_.lanes[i]] = static_cast<int64_t>(i);
      }
    }
    const auto add = [&](uint32_t task, Kind kind, uint64_t from, uint64_t to) {
      if (task >= lane_of.size() || lane_of[task] < 0) return;
      bins[static_cast<size_t>(lane_of[task])].Add(kind, from, to);
    };
    for (const TimelineSlice& each : run_.timeline.slices) {
      add(each.task, KindOf(each.kind), each.start_ns, each.end_ns);
    }
    for (const TimelineWait& each : run_.timeline.waits) {
      add(each.task, KindOf(each.kind), each.start_ns, each.end_ns);
    }
    for (size_t i = 0; i < count; ++i) DrawTask(run_.lanes[i], bins[i]);
    if (count < run_.lanes.size()) {
      y_ += kLine;
      Add(Text(kLeft, y_ - 3, "m s",
               absl::StrCat("and ", run_.lanes.size() - count,
                            " more tasks without a lane")));
    }
  }

  void DrawTask(uint32_t task, const LaneBins& bins) {
    if (task >= run_.tasks.size()) return;
    const std::string name = NameOf(run_.tasks[task]);
    std::string title = name;
    for (size_t kind = 0; kind < kEnd; ++kind) {
      if (bins.TotalOf(kind) == 0) continue;
      absl::StrAppend(&title, title == name ? ": " : ", ", kKinds[kind].name,
                      " ", DurationText(bins.TotalOf(kind)));
    }
    const uint32_t base = y_ + kTaskHeight;
    Add(absl::StrCat("<g><title>", Escaped(title), "</title>\n"));
    Add(Text(kLeft - 6, base - 4, "s e", Shortened(name, 20)));
    Add(Across("g", kLeft, kRight, base));
    for (size_t kind = kQueue; kind < kEnd; ++kind) {
      DrawBars(bins, kind, kind + 1, base, kKinds[kind].height);
    }
    DrawBars(bins, kUser, kRunEnd, base, kTaskHeight);
    DrawMarks(task, base);
    Add("</g>\n");
    y_ = base + 6;
  }

  void DrawMarks(uint32_t task, uint32_t base) {
    uint32_t free_from = 0;
    uint32_t last_x = 0;
    for (const TimelineMark& mark : run_.timeline.marks) {
      if (mark.task != task || !IsInside(mark.at_ns)) continue;
      const uint32_t x = XAt(mark.at_ns);
      if (x == last_x) continue;
      last_x = x;
      Add(Down("x", x, base - kTaskHeight, base));
      const uint32_t width = WidthOf(mark.text);
      if (x < free_from || x + width > kRight) continue;
      Add(Text(x + 3, base - 5, "s o", mark.text));
      free_from = x + width + 8;
    }
  }

  // ---- Time

  void DrawTimes() {
    plot_bottom_ = y_;
    const TimeAxis axis =
        TimeAxisOf(scale_.begin_ns, scale_.end_ns, run_.zero_ns, 8);
    for (const TimeTick& tick : axis.ticks) {
      const uint32_t x = XAt(tick.at_ns);
      Add(Down("g", x, plot_bottom_, plot_bottom_ + 4));
      const bool at_end = x + WidthOf(tick.label) / 2 > kWidth;
      Add(Text(x, plot_bottom_ + 16, at_end ? "m s e" : "m s c", tick.label));
    }
    Add(Text(kLeft - 6, plot_bottom_ + 16, "m s e",
             absl::StrCat("time, ", axis.unit)));
    y_ = plot_bottom_ + 26;
  }

  const RunPicture& run_;
  PixelScale scale_;
  uint32_t y_;
  uint32_t plot_top_ = 0;
  uint32_t plot_bottom_ = 0;
  std::vector<Placed> placed_;
  std::array<bool, kEnd> used_{};
  std::string svg_;
};

// ---- Spreads ---------------------------------------------------------------

// Nearest rank among sorted times, by percent.
uint64_t PercentileOf(const std::vector<uint64_t>& sorted, uint64_t percent) {
  const uint64_t rank = (sorted.size() * percent + 99) / 100;
  return sorted[std::max<uint64_t>(rank, 1) - 1];
}

class SpreadDrawing {
 public:
  SpreadDrawing(const SpreadPicture& spread, uint32_t top)
      : spread_(spread), y_(top) {}

  void Draw() {
    y_ += 18;
    Add(Text(0, y_, "t", spread_.title));
    const uint32_t title_y = y_;
    y_ += 10;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (const SpreadRow& row : spread_.rows) {
      sorted_.emplace_back();
      for (const std::optional<uint64_t>& time : row.times) {
        if (!time.has_value()) continue;
        sorted_.back().push_back(*time);
        least = std::min(least, *time);
        most = std::max(most, *time);
      }
      std::sort(sorted_.back().begin(), sorted_.back().end());
    }
    if (least > most) least = most = 0;
    axis_ = DurationAxis(least, most);
    Add(Text(kWidth, title_y, "m s e",
             axis_.logarithmic
                 ? "a dot for each run, a bar from p1 to p99; logarithmic"
                 : "a dot for each run, a bar from p1 to p99"));
    const uint32_t top = y_;
    for (size_t i = 0; i < spread_.rows.size(); ++i) DrawRow(i);
    DrawAxis(top);
  }

  const std::string& svg() const { return svg_; }
  uint32_t bottom() const { return y_; }

 private:
  static constexpr uint32_t kBegin = 200;
  static constexpr uint32_t kLong = 520;
  static constexpr uint32_t kRow = 24;

  void Add(const std::string& piece) { absl::StrAppend(&svg_, piece); }
  uint32_t XAt(uint64_t ns) const { return kBegin + axis_.PixelOf(ns, kLong); }

  void DrawRow(size_t i) {
    const SpreadRow& row = spread_.rows[i];
    const std::vector<uint64_t>& times = sorted_[i];
    const uint32_t middle = y_ + kRow / 2;
    Add(Text(kBegin - 8, middle + 4, "s e", Shortened(row.label, 28)));
    std::string numbers;
    if (!times.empty()) {
      const uint64_t p1 = PercentileOf(times, 1);
      const uint64_t p50 = PercentileOf(times, 50);
      const uint64_t p99 = PercentileOf(times, 99);
      const uint32_t x1 = XAt(p1);
      Add(absl::StrCat("<rect class=\"p\" x=\"", x1, "\" y=\"", middle - 5,
                       "\" width=\"", std::max(1u, XAt(p99) - x1),
                       "\" height=\"10\"/>\n"));
      uint32_t last = 0;
      for (const uint64_t time : times) {
        const uint32_t x = XAt(time);
        if (x == last) continue;
        last = x;
        Add(absl::StrCat("<circle class=\"dot\" cx=\"", x, "\" cy=\"", middle,
                         "\" r=\"3\"/>\n"));
      }
      Add(Down("md", XAt(p50), middle - 8, middle + 8));
      numbers = times.size() == 1
                    ? DurationText(p50)
                    : absl::StrCat("p50 ", DurationText(p50), ", p99-p1 ",
                                   DurationText(p99 - p1));
    }
    const size_t missing = row.times.size() - times.size();
    if (missing > 0) {
      absl::StrAppend(&numbers, numbers.empty() ? "" : ", ", missing, " of ",
                      row.times.size(), " never");
    }
    Add(Text(kBegin + kLong + 14, middle + 4, "s", numbers));
    y_ += kRow;
  }

  void DrawAxis(uint32_t top) {
    std::string grid;
    for (const AxisTick& tick : axis_.ticks) {
      const uint32_t x = kBegin + axis_.PixelOf(tick.value, kLong);
      absl::StrAppend(&grid, Down("g", x, top, y_ + 4));
      absl::StrAppend(&grid, Text(x, y_ + 16, "m s c", tick.label));
    }
    // Behind the rows.
    svg_ = absl::StrCat(grid, svg_);
    y_ += 26;
  }

  const SpreadPicture& spread_;
  uint32_t y_;
  LinearAxis axis_;
  std::vector<std::vector<uint64_t>> sorted_;
  std::string svg_;
};

// ---- Sheets ----------------------------------------------------------------

// What the colours mean, of those that are used.
std::string Legend(const std::array<bool, kEnd>& used, uint32_t* y) {
  std::string svg;
  uint32_t x = kLeft;
  *y += 14;
  for (size_t kind = 0; kind < kEnd; ++kind) {
    if (!used[kind]) continue;
    const uint32_t width = WidthOf(kKinds[kind].name) + 26;
    if (x + width > kWidth) {
      x = kLeft;
      *y += 18;
    }
    const uint32_t height = std::min(kKinds[kind].height, 12u);
    absl::StrAppend(&svg, "<rect class=\"k", kind, "\" x=\"", x, "\" y=\"",
                    *y - height, "\" width=\"12\" height=\"", height, "\"/>\n",
                    Text(x + 17, *y - 1, "s", kKinds[kind].name));
    x += width;
  }
  *y += 10;
  return svg;
}

std::string OpenSvg(uint32_t height, absl::string_view title,
                    absl::string_view describes, absl::string_view style) {
  return absl::StrCat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", kWidth, " ",
      height, "\" width=\"", kWidth, "\" height=\"", height,
      "\" role=\"img\">\n<title>", Escaped(title), "</title>\n<desc>",
      Escaped(describes), "</desc>\n",
      style.empty() ? "" : absl::StrCat("<style>\n", style, "</style>\n"),
      "<rect class=\"bg\" width=\"", kWidth, "\" height=\"", height, "\"/>\n");
}

// In words, for who can't see it.
std::string Describe(const RunPicture& run) {
  std::string text = absl::StrCat(
      run.cpus.size(), run.cpus.size() == 1 ? " CPU, " : " CPUs, ",
      run.lanes.size(), run.lanes.size() == 1 ? " task, " : " tasks, ",
      DurationText(run.end_ns > run.begin_ns ? run.end_ns - run.begin_ns : 0),
      ".");
  for (const PictureMoment& moment : run.moments) {
    const bool before = moment.at_ns < run.zero_ns;
    absl::StrAppend(&text, " ", moment.label, ": ", before ? "-" : "",
                    DurationText(before ? run.zero_ns - moment.at_ns
                                        : moment.at_ns - run.zero_ns),
                    ".");
  }
  return text;
}

// The picture of a run for itself.
std::string RunSvg(const RunPicture& run) {
  RunDrawing drawing(run, 0);
  drawing.Draw();
  uint32_t y = drawing.bottom();
  const std::string legend = Legend(drawing.used(), &y);
  return absl::StrCat(OpenSvg(y, run.title, Describe(run), ""), drawing.svg(),
                      legend, "</svg>\n");
}

std::string SpreadSvg(const SpreadPicture& spread) {
  SpreadDrawing drawing(spread, 0);
  drawing.Draw();
  return absl::StrCat(
      OpenSvg(drawing.bottom(), spread.title,
              "Times of several runs; the numbers stand behind each row.", ""),
      drawing.svg(), "</svg>\n");
}

// ---- The page --------------------------------------------------------------

constexpr absl::string_view kPageStyle = R"(
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
  font:15px/1.45 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1040px;margin:0 auto;padding:16px 20px 40px}
h1{font-size:22px;margin:0 0 4px}
h2{font-size:16px;margin:26px 0 6px}
p{margin:4px 0;color:var(--muted)}
figure{margin:14px 0;overflow-x:auto}
figure svg{display:block;max-width:none}
pre,td{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,
  "DejaVu Sans Mono",monospace;font-size:12.5px}
pre{background:var(--panel);padding:10px 12px;overflow-x:auto}
.w{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px}
th,td{padding:3px 10px 3px 0;text-align:right;white-space:nowrap}
th{font-weight:400;color:var(--muted);border-bottom:1px solid var(--line)}
th:first-child,td:first-child,.l{text-align:left}
tbody tr:hover{background:var(--panel)}
summary{cursor:pointer;color:var(--muted);margin-top:8px}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
@media (max-width:700px){main{padding:12px}}
)";

std::string TimeCell(uint64_t ns) {
  return absl::StrCat("<td>", ns == 0 ? "&#8211;" : DurationText(ns), "</td>");
}

// What each task paid and waited for, all run long.
std::string AccountsTable(const RunPicture& run) {
  std::string html =
      "<details><summary>What each task ran and waited for, from its start to "
      "its end</summary>\n<div class=\"w\"><table><thead><tr>"
      "<th scope=\"col\">task</th><th scope=\"col\">ran</th>"
      "<th scope=\"col\">own code</th><th scope=\"col\">zap</th>"
      "<th scope=\"col\">free</th><th scope=\"col\">flush</th>"
      "<th scope=\"col\">kernel</th><th scope=\"col\">spin</th>"
      "<th scope=\"col\">run queue</th><th scope=\"col\">lock wait</th>"
      "<th scope=\"col\">throttled</th><th scope=\"col\">frozen</th>"
      "<th scope=\"col\">sleep</th></tr></thead>\n<tbody>\n";
  const size_t count = std::min(run.lanes.size(), kMaxLanes);
  for (size_t i = 0; i < count; ++i) {
    if (run.lanes[i] >= run.tasks.size()) continue;
    const TaskAccount& task = run.tasks[run.lanes[i]];
    const auto of = [&](WorkClass work) {
      return TimeCell(task.by_class_ps[static_cast<int>(work)] / 1000);
    };
    absl::StrAppend(
        &html, "<tr><td>", Escaped(NameOf(task)), "</td>",
        TimeCell(task.run_ns), of(WorkClass::kUser), of(WorkClass::kZap),
        of(WorkClass::kFree), of(WorkClass::kFlush), of(WorkClass::kKernel),
        TimeCell(task.spin_ps / 1000), TimeCell(task.runqueue_ns),
        TimeCell(task.lock_wait_ns), TimeCell(task.throttled_ns),
        TimeCell(task.frozen_ns), TimeCell(task.sleep_ns), "</tr>\n");
  }
  absl::StrAppend(&html, "</tbody></table></div></details>\n");
  return html;
}

// The longest waits that were none of choice.
std::string WaitsTable(const RunPicture& run) {
  std::vector<TimelineWait> waits;
  for (const TimelineWait& wait : run.timeline.waits) {
    const bool drawn = wait.start_ns < run.end_ns &&
                       wait.end_ns > run.begin_ns &&
                       wait.task < run.tasks.size();
    if (wait.kind != WaitKind::kSleep && drawn) waits.push_back(wait);
  }
  if (waits.empty()) return "";
  std::stable_sort(waits.begin(), waits.end(),
                   [](const TimelineWait& a, const TimelineWait& b) {
                     return a.end_ns - a.start_ns > b.end_ns - b.start_ns;
                   });
  constexpr size_t kShown = 12;
  waits.resize(std::min(waits.size(), kShown));
  std::string html =
      "<details><summary>The longest waits</summary>\n<div class=\"w\"><table>"
      "<thead><tr><th scope=\"col\">task</th><th scope=\"col\">from</th>"
      "<th scope=\"col\">for</th><th scope=\"col\" class=\"l\">it</th>"
      "<th scope=\"col\" class=\"l\">before</th></tr></thead>\n<tbody>\n";
  for (const TimelineWait& wait : waits) {
    const bool before = wait.start_ns < run.zero_ns;
    absl::StrAppend(&html, "<tr><td>", Escaped(NameOf(run.tasks[wait.task])),
                    "</td><td>", before ? "-" : "",
                    DurationText(before ? run.zero_ns - wait.start_ns
                                        : wait.start_ns - run.zero_ns),
                    "</td>", TimeCell(wait.end_ns - wait.start_ns),
                    "<td class=\"l\">", Escaped(kKinds[KindOf(wait.kind)].name),
                    "</td><td class=\"l\">", Escaped(PointWhere(wait.point)),
                    "</td></tr>\n");
  }
  absl::StrAppend(&html, "</tbody></table></div></details>\n");
  return html;
}

}  // namespace

RunPicture PictureOf(Timeline timeline, std::vector<TaskAccount> tasks,
                     const std::vector<CpuConfig>& cpus, uint64_t begin_ns,
                     uint64_t end_ns, const std::vector<uint32_t>& first) {
  RunPicture picture;
  picture.begin_ns = begin_ns;
  picture.end_ns = end_ns;
  for (size_t i = 0; i < cpus.size(); ++i) {
    picture.cpus.push_back(absl::StrCat(
        "CPU ", i, cpus[i].kind.empty() || cpus[i].kind == "cpu" ? "" : ", ",
        cpus[i].kind == "cpu" ? "" : cpus[i].kind));
  }
  std::vector<bool> has_lane(tasks.size(), false);
  const auto add = [&](uint32_t task) {
    if (task >= tasks.size() || has_lane[task]) return;
    has_lane[task] = true;
    picture.lanes.push_back(task);
  };
  for (const uint32_t task : first) add(task);
  for (const TimelineSlice& slice : timeline.slices) {
    if (slice.start_ns < end_ns && slice.end_ns > begin_ns) add(slice.task);
  }
  picture.timeline = std::move(timeline);
  picture.tasks = std::move(tasks);
  return picture;
}

std::string SheetSvg(const PictureSheet& sheet) {
  uint32_t y = 24;
  std::string body = Text(0, y, "h", sheet.title);
  std::string describes = sheet.about;
  if (!sheet.about.empty()) {
    y += 3;
    for (const std::string& line : LinesOf(sheet.about)) {
      y += kLine;
      absl::StrAppend(&body, Text(0, y, "m", line));
    }
  }
  y += 8;
  for (const SpreadPicture& spread : sheet.spreads) {
    SpreadDrawing drawing(spread, y);
    drawing.Draw();
    absl::StrAppend(&body, drawing.svg());
    y = drawing.bottom() + 10;
  }
  std::array<bool, kEnd> used{};
  for (const RunPicture& run : sheet.runs) {
    RunDrawing drawing(run, y);
    drawing.Draw();
    absl::StrAppend(&body, drawing.svg());
    absl::StrAppend(&describes, describes.empty() ? "" : " ", run.title,
                    run.title.empty() ? "" : ": ", Describe(run));
    for (size_t kind = 0; kind < kEnd; ++kind) {
      used[kind] = used[kind] || drawing.used()[kind];
    }
    y = drawing.bottom() + 14;
  }
  absl::StrAppend(&body, Legend(used, &y));
  // A margin around all of it.
  constexpr uint32_t kMargin = 14;
  return absl::StrCat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-", kMargin, " 0 ",
      kWidth + 2 * kMargin, " ", y, "\" width=\"", kWidth + 2 * kMargin,
      "\" height=\"", y, "\" role=\"img\">\n<title>", Escaped(sheet.title),
      "</title>\n<desc>", Escaped(describes), "</desc>\n<style>\n",
      Palette(":root"), kSvgStyle, "</style>\n<rect class=\"bg\" x=\"-",
      kMargin, "\" width=\"", kWidth + 2 * kMargin, "\" height=\"", y, "\"/>\n",
      body, "</svg>\n");
}

std::string SheetHtml(const PictureSheet& sheet) {
  std::string body =
      absl::StrCat("<main>\n<h1>", Escaped(sheet.title), "</h1>\n");
  if (!sheet.about.empty()) {
    absl::StrAppend(&body, "<p>", Escaped(sheet.about), "</p>\n");
  }
  for (const SpreadPicture& spread : sheet.spreads) {
    absl::StrAppend(&body, "<figure>\n", SpreadSvg(spread), "</figure>\n");
  }
  for (const RunPicture& run : sheet.runs) {
    absl::StrAppend(&body, "<figure>\n", RunSvg(run), "</figure>\n",
                    AccountsTable(run), WaitsTable(run));
  }
  if (!sheet.text.empty()) {
    absl::StrAppend(&body, "<h2>In numbers</h2>\n<pre>", Escaped(sheet.text),
                    "</pre>\n");
  }
  absl::StrAppend(&body, "</main>\n");
  return HtmlPage(sheet.title, absl::StrCat(kPageStyle, kSvgStyle), body, "");
}

}  // namespace reapsim
