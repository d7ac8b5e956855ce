// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/pressure.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "import/read_file.h"
#include "latency/amount.h"
#include "latency/builtin.h"
#include "latency/json_input.h"
#include "mm/mm_types.h"

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMs;
constexpr uint64_t kHour = 3600 * kSecond;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kTiB = uint64_t{1} << 40;
constexpr int64_t kMostCpus = 64;

// The place of a word in a list, as a value of Enum.
template <class Enum, size_t kWords>
void ReadWord(JsonObject* object, absl::string_view name,
              const absl::string_view (&words)[kWords], Enum* out) {
  const JsonValue* value = object->Find(name, Presence::kOptional);
  if (value == nullptr) return;
  const auto* at = std::find(std::begin(words), std::end(words), value->text);
  if (value->kind != JsonValue::Kind::kString || at == std::end(words)) {
    object->reader()->Expected(
        *value, object->PathOf(name),
        absl::StrCat("one of ", absl::StrJoin(words, ", ")));
    return;
  }
  *out = static_cast<Enum>(at - std::begin(words));
}

// "cpus": [0, 1], a bit each.
void ReadCpus(JsonObject* object, absl::string_view name, uint64_t* mask) {
  const absl::Span<const JsonValue> cpus =
      object->List(name, 1, kMostCpus, Presence::kOptional);
  for (size_t i = 0; i < cpus.size(); ++i) {
    uint64_t cpu = 0;
    if (cpus[i].kind != JsonValue::Kind::kNumber ||
        !ParseCount(cpus[i].text, &cpu) || cpu >= kMostCpus) {
      object->reader()->Expected(
          cpus[i], object->PathOf(name, i),
          absl::StrCat("a CPU's number, from 0 to ", kMostCpus - 1));
      return;
    }
    *mask |= uint64_t{1} << cpu;
  }
}

class ScenarioReader {
 public:
  ScenarioReader(const JsonValue& json, absl::string_view file)
      : reader_(file),
        top_(&reader_, json, "",
             {"name", "about", "machine", "profile", "free", "target",
              "time_limit", "foreground", "processes", "lmkd", "earlyoom",
              "oomd"}) {}

  absl::StatusOr<PressureScenario> Run() {
    if (!reader_.ok()) return reader_.status();
    top_.String("name", &s_.name);
    top_.String("about", &s_.about);
    top_.String("machine", &s_.machine);
    top_.String("profile", &s_.profile);
    top_.Size("free", PAGE_SIZE, kTiB, &s_.free);
    top_.Size("target", PAGE_SIZE, kTiB, &s_.target);
    top_.Duration("time_limit", kMs, kHour, &s_.time_limit_ns);
    ReadForeground();
    const absl::Span<const JsonValue> processes =
        top_.List("processes", 1, kMaxPressureProcesses);
    for (size_t i = 0; i < processes.size() && reader_.ok(); ++i) {
      ReadProcess(processes[i], top_.PathOf("processes", i));
    }
    CheckNumbers();
    ReadLmkd();
    ReadEarlyoom();
    ReadOomd();
    if (!reader_.ok()) return reader_.status();
    return std::move(s_);
  }

 private:
  void ReadForeground() {
    const JsonValue* value = top_.Find("foreground");
    if (value == nullptr) return;
    JsonObject object(&reader_, *value, "foreground",
                      {"name", "needs", "step", "rate", "nice", "cpus"});
    if (!reader_.ok()) return;
    Foreground& f = s_.foreground;
    object.String("name", &f.name);
    object.Size("needs", PAGE_SIZE, kTiB, &f.needs);
    object.Size("step", PAGE_SIZE, 64 * kMiB, &f.step, Presence::kOptional);
    // A second's worth.
    object.Size("rate", kMiB, kTiB, &f.rate);
    object.Number("nice", -20, 19, &f.nice, Presence::kOptional);
    ReadCpus(&object, "cpus", &f.affinity);
  }

  void ReadProcess(const JsonValue& value, const std::string& path) {
    JsonObject object(&reader_, value, path,
                      {"name", "count", "shape", "oom_score_adj", "nice",
                       "cpus", "cgroup", "doing", "driver_sleep", "on_sigterm",
                       "cleanup", "device_busy", "device_period"});
    if (!reader_.ok()) return;
    PressureProcess p;
    object.String("name", &p.name);
    object.Number("count", 1, kMaxPressureProcesses, &p.count,
                  Presence::kOptional);
    ReadShape(&object, &p);
    object.Number("oom_score_adj", -1000, 1000, &p.oom_score_adj,
                  Presence::kOptional);
    object.Number("nice", -20, 19, &p.nice, Presence::kOptional);
    ReadCpus(&object, "cpus", &p.affinity);
    ReadCgroup(&object, &p);
    ReadDoing(&object, &p);
    ReadSigterm(&object, &p);
    ReadDevice(&object, &p);
    s_.processes.push_back(std::move(p));
  }

  void ReadShape(JsonObject* object, PressureProcess* p) {
    std::string spec;
    object->String("shape", &spec);
    if (!reader_.ok()) return;
    const JsonValue& at = *object->Find("shape");
    // The parser says where: file, line, column, and this field.
    const std::string path = object->PathOf("shape");
    absl::StatusOr<VictimShape> shape = ParseShape(spec, path);
    if (!shape.ok()) {
      absl::string_view message = shape.status().message();
      absl::ConsumePrefix(&message, absl::StrCat(path, ": "));
      reader_.Fail(at, path, message);
      return;
    }
    p->shape = *shape;
  }

  void ReadCgroup(JsonObject* object, PressureProcess* p) {
    std::string name;
    object->String("cgroup", &name, Presence::kOptional);
    if (name.empty()) return;
    const auto at = std::find(s_.cgroups.begin(), s_.cgroups.end(), name);
    p->cgroup = static_cast<uint32_t>(at - s_.cgroups.begin()) + 1;
    if (at == s_.cgroups.end()) s_.cgroups.push_back(name);
  }

  void ReadDoing(JsonObject* object, PressureProcess* p) {
    constexpr absl::string_view kWords[] = {"sleeps", "computes", "driver",
                                            "frozen"};
    ReadWord(object, "doing", kWords, &p->doing);
    object->Duration(
        "driver_sleep", kMs, kHour, &p->driver_ns,
        p->doing == Doing::kDriver ? Presence::kRequired : Presence::kOptional);
    OnlyWith(object, "driver_sleep", p->doing == Doing::kDriver,
             "only for \"doing\": \"driver\"");
  }

  void ReadSigterm(JsonObject* object, PressureProcess* p) {
    constexpr absl::string_view kWords[] = {"dies", "ignores", "cleans up"};
    ReadWord(object, "on_sigterm", kWords, &p->on_sigterm);
    const bool cleans = p->on_sigterm == OnSigterm::kCleansUp;
    object->Duration("cleanup", 0, kHour, &p->cleanup_ns,
                     cleans ? Presence::kRequired : Presence::kOptional);
    OnlyWith(object, "cleanup", cleans,
             "only for \"on_sigterm\": \"cleans up\"");
    // It would have to be thawed first to see to a signal.
    OnlyWith(
        object, "on_sigterm",
        !cleans || p->doing == Doing::kSleeps || p->doing == Doing::kComputes,
        "\"cleans up\" is for a process that sleeps or computes");
  }

  void ReadDevice(JsonObject* object, PressureProcess* p) {
    object->Duration("device_period", kMs / 100, kHour, &p->device_period_ns,
                     Presence::kOptional);
    const bool has = p->device_period_ns != 0;
    object->Duration("device_busy", 1, has ? p->device_period_ns - 1 : kHour,
                     &p->device_busy_ns,
                     has ? Presence::kRequired : Presence::kOptional);
    OnlyWith(object, "device_busy", has, "only with \"device_period\"");
  }

  // A field that says nothing here is a mistake.
  void OnlyWith(JsonObject* object, absl::string_view name, bool allowed,
                absl::string_view message) {
    const JsonValue* value = object->Find(name, Presence::kOptional);
    if (value == nullptr || allowed || !reader_.ok()) return;
    reader_.Fail(*value, object->PathOf(name), message);
  }

  void CheckNumbers() {
    if (!reader_.ok()) return;
    uint64_t processes = 0;
    for (const PressureProcess& p : s_.processes) processes += p.count;
    if (processes > kMaxPressureProcesses) {
      reader_.Fail(
          *top_.Find("processes"), "processes",
          absl::StrCat("has ", processes, " processes; expected at most ",
                       kMaxPressureProcesses));
    }
    if (s_.foreground.step > s_.foreground.needs) {
      reader_.Fail(*top_.Find("foreground"), "foreground.step",
                   "expected no more than foreground.needs");
    }
  }

  // The object of one client's settings, if it is there.
  template <class Fn>
  void ReadClient(absl::string_view name,
                  std::initializer_list<absl::string_view> names,
                  const Fn& fn) {
    const JsonValue* value = top_.Find(name, Presence::kOptional);
    if (value == nullptr || !reader_.ok()) return;
    JsonObject object(&reader_, *value, std::string(name), names);
    if (reader_.ok()) fn(&object);
  }

  void ReadLmkd() {
    LmkdSettings& c = s_.lmkd;
    ReadClient("lmkd",
               {"partial_stall", "kill_timeout", "min_adj", "threads",
                "reaper_cpus", "look"},
               [&](JsonObject* object) {
                 constexpr auto kOptional = Presence::kOptional;
                 object->Duration("partial_stall", kMs, kSecond,
                                  &c.partial_stall_ns, kOptional);
                 object->Duration("kill_timeout", kMs, kHour,
                                  &c.kill_timeout_ns, kOptional);
                 // It keeps to what is not perceptible.
                 object->Number("min_adj", 201, 1001, &c.min_adj, kOptional);
                 object->Number("threads", 1, kMostThreads, &c.threads,
                                kOptional);
                 ReadCpus(object, "reaper_cpus", &c.reaper_cpus);
                 object->Duration("look", 0, kSecond, &c.look_ns, kOptional);
               });
  }

  void ReadEarlyoom() {
    EarlyoomSettings& c = s_.earlyoom;
    ReadClient(
        "earlyoom",
        {"term_percent", "kill_percent", "look", "process", "other_processes"},
        [&](JsonObject* object) {
          constexpr auto kOptional = Presence::kOptional;
          object->Number("term_percent", 1, 100, &c.term_percent, kOptional);
          object->Number("kill_percent", 0, c.term_percent, &c.kill_percent,
                         kOptional);
          object->Duration("look", 0, kSecond, &c.look_ns, kOptional);
          object->Duration("process", 0, kSecond, &c.process_ns, kOptional);
          object->Number("other_processes", 0, 100'000, &c.other_processes,
                         kOptional);
        });
    if (reader_.ok() && c.kill_percent > c.term_percent) {
      reader_.Fail(
          *top_.Find("earlyoom"), "earlyoom.term_percent",
          absl::StrCat("expected no less than kill_percent, ", c.kill_percent));
    }
  }

  void ReadOomd() {
    OomdSettings& c = s_.oomd;
    ReadClient(
        "oomd",
        {"interval", "pressure_percent", "duration", "post_action_delay",
         "kernelkill", "look", "process"},
        [&](JsonObject* object) {
          constexpr auto kOptional = Presence::kOptional;
          object->Duration("interval", kMs, kHour, &c.interval_ns, kOptional);
          object->Number("pressure_percent", 0, 99, &c.pressure_percent,
                         kOptional);
          object->Duration("duration", 0, kHour, &c.duration_ns, kOptional);
          object->Duration("post_action_delay", 0, kHour, &c.delay_ns,
                           kOptional);
          object->Bool("kernelkill", &c.kernelkill, kOptional);
          object->Duration("look", 0, kSecond, &c.look_ns, kOptional);
          object->Duration("process", 0, kSecond, &c.process_ns, kOptional);
        });
  }

  static constexpr int64_t kMostThreads = 8;

  JsonReader reader_;
  JsonObject top_;
  PressureScenario s_;
};

}  // namespace

absl::StatusOr<PressureScenario> ParsePressure(absl::string_view text,
                                               absl::string_view file) {
  const absl::StatusOr<JsonValue> json = ParseJson(text, file);
  if (!json.ok()) return json.status();
  return ScenarioReader(*json, file).Run();
}

std::vector<absl::string_view> BuiltinScenarios() {
  return BuiltinNames("scenarios");
}

absl::StatusOr<PressureScenario> LoadPressure(const std::string& name_or_path) {
  const absl::string_view text = BuiltinText("scenarios", name_or_path);
  if (!text.empty()) return ParsePressure(text, name_or_path);
  const absl::StatusOr<std::string> file = ReadFile(name_or_path);
  if (!file.ok()) return file.status();
  return ParsePressure(*file, name_or_path);
}

}  // namespace reapsim
