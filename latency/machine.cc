// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/machine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/kernel_version.h"
#include "import/read_file.h"
#include "latency/amount.h"
#include "latency/builtin.h"
#include "latency/json_input.h"
#include "mm/mm_types.h"

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kHour = 3600 * 1000 * kMs;
constexpr uint64_t kMaxMemory = uint64_t{1} << 40;
constexpr uint64_t kMaxSwap = uint64_t{256} << 30;
constexpr size_t kMostPoints = 64;  // of operation
constexpr size_t kMostCgroups = 64;
constexpr size_t kMostLoads = 64;
constexpr int64_t kMostOfALoad = 1000;
constexpr int64_t kMostMhz = 100'000;
constexpr int64_t kMostFifo = 99;

constexpr absl::string_view kGovernors[] = {"fixed", "stepped"};

class Reader {
 public:
  Reader(const JsonValue& json, absl::string_view file)
      : reader_(file),
        top_(&reader_, json, "",
             {"name", "origin", "kernel", "memory", "swap", "watermarks",
              "cpus", "slice", "wakeup_granularity", "contention_permille",
              "stall_permille", "throttle_in_kernel", "cgroups",
              "background"}) {}

  absl::StatusOr<Machine> Run() {
    if (!reader_.ok()) return reader_.status();
    top_.String("name", &m_.name);
    top_.String("origin", &m_.origin);
    ReadKernel();
    // No world is made of less, and none is smaller than its parts.
    top_.Size("memory", uint64_t{16} << 20, kMaxMemory, &m_.memory);
    top_.Size("swap", 0, kMaxSwap, &m_.swap, Presence::kOptional);
    ReadWatermarks();
    ReadCpus();
    ReadSched();
    ReadCgroups();
    ReadLoads();
    if (!reader_.ok()) return reader_.status();
    return std::move(m_);
  }

 private:
  void ReadKernel() {
    top_.String("kernel", &m_.kernel, Presence::kOptional);
    if (m_.kernel.empty()) return;
    const absl::StatusOr<ResolvedVersion> version = Resolve(m_.kernel);
    if (version.ok()) return;
    reader_.Fail(*top_.Find("kernel"), "kernel", version.status().message());
  }

  void ReadWatermarks() {
    const JsonValue* value = top_.Find("watermarks", Presence::kOptional);
    if (value == nullptr) return;
    JsonObject marks(&reader_, *value, "watermarks", {"min", "low", "high"});
    if (!reader_.ok()) return;
    marks.Size("min", 0, m_.memory, &m_.watermarks.min);
    marks.Size("low", m_.watermarks.min, m_.memory, &m_.watermarks.low);
    marks.Size("high", m_.watermarks.low, m_.memory, &m_.watermarks.high);
  }

  void ReadCpus() {
    const absl::Span<const JsonValue> cpus = top_.List("cpus", 1, kMaxCpus);
    m_.config.cpus.clear();
    for (size_t i = 0; i < cpus.size() && reader_.ok(); ++i) {
      ReadCpu(cpus[i], top_.PathOf("cpus", i));
    }
    if (reader_.ok() && m_.config.cpus.size() > kMaxCpus) {
      reader_.Fail(*top_.Find("cpus"), "cpus",
                   absl::StrCat("has ", m_.config.cpus.size(),
                                " CPUs; expected at most ", kMaxCpus));
    }
  }

  void ReadCpu(const JsonValue& value, const std::string& path) {
    JsonObject object(
        &reader_, value, path,
        {"kind", "count", "capacity", "mhz", "start_mhz", "governor"});
    if (!reader_.ok()) return;
    CpuConfig cpu;
    uint32_t count = 1;
    object.String("kind", &cpu.kind, Presence::kOptional);
    object.Number("count", 1, kMaxCpus, &count, Presence::kOptional);
    object.Number("capacity", 1, 1024 * 16, &cpu.capacity, Presence::kOptional);
    ReadPoints(&object, &cpu);
    if (!reader_.ok()) return;
    cpu.opp = static_cast<uint32_t>(cpu.mhz.size() - 1);
    ReadStart(&object, &cpu);
    const JsonValue* governor = object.Find("governor", Presence::kOptional);
    if (governor != nullptr) {
      const auto known = std::find(std::begin(kGovernors), std::end(kGovernors),
                                   governor->text);
      if (governor->kind != JsonValue::Kind::kString ||
          known == std::end(kGovernors)) {
        reader_.Expected(*governor, object.PathOf("governor"),
                         "\"fixed\" or \"stepped\"");
      } else {
        cpu.governor = known == std::begin(kGovernors) ? Governor::kFixed
                                                       : Governor::kStepped;
      }
    }
    m_.config.cpus.insert(m_.config.cpus.end(), count, cpu);
  }

  // The table of frequencies.
  void ReadPoints(JsonObject* object, CpuConfig* cpu) {
    const absl::Span<const JsonValue> list =
        object->List("mhz", 1, kMostPoints, Presence::kOptional);
    if (list.empty()) return;
    cpu->mhz.clear();
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string path = object->PathOf("mhz", i);
      uint64_t mhz = 0;
      if (list[i].kind != JsonValue::Kind::kNumber ||
          !ParseCount(list[i].text, &mhz) || mhz < 1 || mhz > kMostMhz) {
        reader_.Expected(list[i], path,
                         absl::StrCat("a whole number from 1 to ", kMostMhz));
      } else if (!cpu->mhz.empty() && mhz <= cpu->mhz.back()) {
        reader_.Expected(
            list[i], path,
            absl::StrCat("more than the ", cpu->mhz.back(), " MHz before it"));
      }
      cpu->mhz.push_back(static_cast<uint32_t>(mhz));
    }
  }

  void ReadStart(JsonObject* object, CpuConfig* cpu) {
    const JsonValue* value = object->Find("start_mhz", Presence::kOptional);
    if (value == nullptr) return;
    uint64_t mhz = 0;
    const bool number = value->kind == JsonValue::Kind::kNumber &&
                        ParseCount(value->text, &mhz);
    const auto at = std::find(cpu->mhz.begin(), cpu->mhz.end(), mhz);
    if (!number || at == cpu->mhz.end()) {
      reader_.Expected(*value, object->PathOf("start_mhz"),
                       absl::StrCat("one of ", absl::StrJoin(cpu->mhz, ", ")));
      return;
    }
    cpu->opp = static_cast<uint32_t>(at - cpu->mhz.begin());
  }

  void ReadSched() {
    constexpr uint64_t kSecond = 1000 * kMs;
    top_.Duration("slice", kMs / 10, kSecond, &m_.config.slice_ns,
                  Presence::kOptional);
    top_.Duration("wakeup_granularity", 0, kSecond,
                  &m_.config.wakeup_granularity_ns, Presence::kOptional);
    top_.Number("stall_permille", 0, 1'000'000, &m_.config.stall_permille,
                Presence::kOptional);
    if (top_.Find("contention_permille", Presence::kOptional) != nullptr) {
      m_.contention_permille = 0;
      top_.Number("contention_permille", 0, 100'000, &*m_.contention_permille);
    }
    if (top_.Find("throttle_in_kernel", Presence::kOptional) != nullptr) {
      m_.throttle_in_kernel = false;
      top_.Bool("throttle_in_kernel", &*m_.throttle_in_kernel);
    }
  }

  void ReadCgroups() {
    const absl::Span<const JsonValue> list =
        top_.List("cgroups", 0, kMostCgroups, Presence::kOptional);
    for (size_t i = 0; i < list.size(); ++i) {
      JsonObject object(&reader_, list[i], top_.PathOf("cgroups", i),
                        {"name", "quota", "period"});
      if (!reader_.ok()) return;
      MachineCgroup cgroup;
      object.String("name", &cgroup.name);
      if (m_.CgroupOf(cgroup.name).has_value()) {
        reader_.Fail(list[i], object.PathOf("name"),
                     "another cgroup has that name");
      }
      object.Duration("quota", kMs, kHour, &cgroup.quota_ns,
                      Presence::kOptional);
      // As the kernel has it.
      object.Duration("period", kMs, 1000 * kMs, &cgroup.period_ns,
                      Presence::kOptional);
      m_.cgroups.push_back(cgroup);
      if (cgroup.quota_ns == 0) continue;
      m_.config.bandwidth.push_back({.cgroup = static_cast<uint32_t>(i + 1),
                                     .quota_ns = cgroup.quota_ns,
                                     .period_ns = cgroup.period_ns});
    }
  }

  void ReadLoads() {
    const absl::Span<const JsonValue> list =
        top_.List("background", 0, kMostLoads, Presence::kOptional);
    for (size_t i = 0; i < list.size() && reader_.ok(); ++i) {
      ReadLoad(list[i], top_.PathOf("background", i));
    }
  }

  void ReadLoad(const JsonValue& value, const std::string& path) {
    JsonObject object(
        &reader_, value, path,
        {"name", "count", "nice", "fifo", "cpus", "busy", "sleep", "cgroup"});
    if (!reader_.ok()) return;
    BackgroundLoad load;
    object.String("name", &load.name);
    object.Number("count", 1, kMostOfALoad, &load.count, Presence::kOptional);
    object.Number("nice", -20, 19, &load.nice, Presence::kOptional);
    object.Number("fifo", 0, kMostFifo, &load.fifo, Presence::kOptional);
    object.Duration("busy", 1'000, kHour, &load.busy_ns);
    object.Duration("sleep", 0, kHour, &load.sleep_ns, Presence::kOptional);
    const absl::Span<const JsonValue> cpus =
        object.List("cpus", 1, m_.config.cpus.size(), Presence::kOptional);
    for (size_t i = 0; i < cpus.size(); ++i) {
      uint64_t cpu = 0;
      if (cpus[i].kind != JsonValue::Kind::kNumber ||
          !ParseCount(cpus[i].text, &cpu) || cpu >= m_.config.cpus.size()) {
        reader_.Expected(cpus[i], object.PathOf("cpus", i),
                         absl::StrCat("a CPU's number, from 0 to ",
                                      m_.config.cpus.size() - 1));
        return;
      }
      load.affinity |= uint64_t{1} << cpu;
    }
    ReadCgroupOf(&object, &load);
    m_.background.push_back(load);
  }

  void ReadCgroupOf(JsonObject* object, BackgroundLoad* load) {
    std::string name;
    object->String("cgroup", &name, Presence::kOptional);
    if (name.empty()) return;
    const std::optional<uint32_t> cgroup = m_.CgroupOf(name);
    if (cgroup.has_value()) {
      load->cgroup = *cgroup;
      return;
    }
    std::vector<absl::string_view> names;
    for (const MachineCgroup& each : m_.cgroups) names.push_back(each.name);
    reader_.Fail(*object->Find("cgroup"), object->PathOf("cgroup"),
                 absl::StrCat("there is no cgroup ", JsonQuoted(name),
                              MeantName(name, names)));
  }

  JsonReader reader_;
  JsonObject top_;
  Machine m_;
};

// ---- Printing --------------------------------------------------------------

// Members of an object in one line.
class Line {
 public:
  void Raw(absl::string_view name, absl::string_view value) {
    absl::StrAppend(&text_, text_.empty() ? "" : ", ", "\"", name,
                    "\": ", value);
  }
  void Text(absl::string_view name, absl::string_view value) {
    Raw(name, JsonQuoted(value));
  }
  std::string Object() const { return absl::StrCat("{", text_, "}"); }

 private:
  std::string text_;
};

std::string PrintCpu(const CpuConfig& cpu, size_t count) {
  Line line;
  line.Text("kind", cpu.kind);
  line.Raw("count", absl::StrCat(count));
  line.Raw("capacity", absl::StrCat(cpu.capacity));
  line.Raw("mhz", absl::StrCat("[", absl::StrJoin(cpu.mhz, ", "), "]"));
  line.Raw("start_mhz", absl::StrCat(cpu.mhz[cpu.opp]));
  line.Text("governor", kGovernors[cpu.governor == Governor::kFixed ? 0 : 1]);
  return line.Object();
}

bool SameCpu(const CpuConfig& a, const CpuConfig& b) {
  return a.kind == b.kind && a.capacity == b.capacity && a.mhz == b.mhz &&
         a.opp == b.opp && a.governor == b.governor;
}

// Neighbours that are alike share a line.
std::vector<std::string> PrintCpus(const std::vector<CpuConfig>& cpus) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < cpus.size();) {
    size_t end = i + 1;
    while (end < cpus.size() && SameCpu(cpus[i], cpus[end])) ++end;
    lines.push_back(PrintCpu(cpus[i], end - i));
    i = end;
  }
  return lines;
}

std::string PrintCgroup(const MachineCgroup& cgroup) {
  Line line;
  line.Text("name", cgroup.name);
  if (cgroup.quota_ns != 0) line.Text("quota", PrintDuration(cgroup.quota_ns));
  line.Text("period", PrintDuration(cgroup.period_ns));
  return line.Object();
}

std::string PrintLoad(const Machine& machine, const BackgroundLoad& load) {
  Line line;
  line.Text("name", load.name);
  line.Raw("count", absl::StrCat(load.count));
  line.Raw("nice", absl::StrCat(load.nice));
  if (load.fifo != 0) line.Raw("fifo", absl::StrCat(load.fifo));
  if (load.affinity != 0) {
    std::vector<size_t> cpus;
    for (size_t i = 0; i < machine.config.cpus.size(); ++i) {
      if ((load.affinity >> i & 1) != 0) cpus.push_back(i);
    }
    line.Raw("cpus", absl::StrCat("[", absl::StrJoin(cpus, ", "), "]"));
  }
  line.Text("busy", PrintDuration(load.busy_ns));
  line.Text("sleep", PrintDuration(load.sleep_ns));
  if (load.cgroup != 0) {
    line.Text("cgroup", machine.cgroups[load.cgroup - 1].name);
  }
  return line.Object();
}

void AppendList(absl::string_view name, const std::vector<std::string>& lines,
                std::vector<std::string>* members) {
  if (lines.empty()) return;
  members->push_back(absl::StrCat("\"", name, "\": [\n    ",
                                  absl::StrJoin(lines, ",\n    "), "\n  ]"));
}

}  // namespace

uint64_t Machine::CpusOfKind(absl::string_view kind) const {
  uint64_t mask = 0;
  for (size_t i = 0; i < config.cpus.size(); ++i) {
    if (config.cpus[i].kind == kind) mask |= uint64_t{1} << i;
  }
  return mask;
}

std::optional<uint32_t> Machine::CgroupOf(absl::string_view name) const {
  for (size_t i = 0; i < cgroups.size(); ++i) {
    if (cgroups[i].name == name) return static_cast<uint32_t>(i + 1);
  }
  return std::nullopt;
}

absl::StatusOr<Machine> ParseMachine(absl::string_view text,
                                     absl::string_view file) {
  const absl::StatusOr<JsonValue> json = ParseJson(text, file);
  if (!json.ok()) return json.status();
  return Reader(*json, file).Run();
}

std::string PrintMachine(const Machine& machine) {
  std::vector<std::string> members;
  const auto raw = [&members](absl::string_view name, absl::string_view value) {
    members.push_back(absl::StrCat("\"", name, "\": ", value));
  };
  const auto text = [&raw](absl::string_view name, absl::string_view value) {
    raw(name, JsonQuoted(value));
  };
  text("name", machine.name);
  text("origin", machine.origin);
  if (!machine.kernel.empty()) text("kernel", machine.kernel);
  text("memory", PrintSize(machine.memory));
  text("swap", PrintSize(machine.swap));
  if (machine.watermarks != Watermarks{}) {
    Line line;
    line.Text("min", PrintSize(machine.watermarks.min));
    line.Text("low", PrintSize(machine.watermarks.low));
    line.Text("high", PrintSize(machine.watermarks.high));
    raw("watermarks", line.Object());
  }
  AppendList("cpus", PrintCpus(machine.config.cpus), &members);
  text("slice", PrintDuration(machine.config.slice_ns));
  text("wakeup_granularity",
       PrintDuration(machine.config.wakeup_granularity_ns));
  if (machine.contention_permille.has_value()) {
    raw("contention_permille", absl::StrCat(*machine.contention_permille));
  }
  raw("stall_permille", absl::StrCat(machine.config.stall_permille));
  if (machine.throttle_in_kernel.has_value()) {
    raw("throttle_in_kernel", *machine.throttle_in_kernel ? "true" : "false");
  }
  std::vector<std::string> lines;
  for (const MachineCgroup& each : machine.cgroups) {
    lines.push_back(PrintCgroup(each));
  }
  AppendList("cgroups", lines, &members);
  lines.clear();
  for (const BackgroundLoad& each : machine.background) {
    lines.push_back(PrintLoad(machine, each));
  }
  AppendList("background", lines, &members);
  return absl::StrCat("{\n  ", absl::StrJoin(members, ",\n  "), "\n}\n");
}

MachineConfig ConfigOf(const Machine& machine, uint32_t contention_permille,
                       absl::string_view kernel) {
  MachineConfig config = machine.config;
  config.contention_permille =
      machine.contention_permille.value_or(contention_permille);
  const absl::StatusOr<KernelVersion> version = ParseKernelVersion(kernel);
  REAP_CHECK(version.ok(), "latency: not a version");
  // From here on it stops only where it would go back to user mode
  // (kernel/sched/fair.c:throttle_cfs_rq_work()).
  constexpr KernelVersion kOnReturn = {.major = 6, .minor = 18, .rc = 1};
  config.throttle_in_kernel =
      machine.throttle_in_kernel.value_or(*version < kOnReturn);
  return config;
}

void SetMachine(const Machine& machine, KernelOptions* options) {
  options->memory = machine.memory;
  options->swap = machine.swap;
  options->cpus = static_cast<int>(machine.config.cpus.size());
}

uint64_t GaugeFreePages(const void* kernel) {
  return static_cast<const Kernel*>(kernel)->free_pages();
}

std::vector<absl::string_view> BuiltinMachines() {
  return BuiltinNames("machines");
}

absl::string_view BuiltinMachineText(absl::string_view name) {
  return BuiltinText("machines", name);
}

absl::StatusOr<Machine> LoadMachine(const std::string& name_or_path) {
  const absl::string_view builtin = BuiltinMachineText(name_or_path);
  if (!builtin.empty()) {
    return ParseMachine(builtin, absl::StrCat(name_or_path, ".json"));
  }
  const absl::StatusOr<std::string> text = ReadFile(name_or_path);
  if (!text.ok()) return text.status();
  return ParseMachine(*text,
                      name_or_path == "-" ? "standard input" : name_or_path);
}

}  // namespace reapsim
