// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/profile.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "import/read_file.h"
#include "latency/amount.h"
#include "latency/builtin.h"
#include "latency/json_input.h"

namespace reapsim {
namespace {

constexpr absl::string_view kNames[] = {
#define X(name, work, key, what) key,
    REAPSIM_COSTS(X)
#undef X
};

void ReadCost(JsonReader* reader, const JsonValue& value,
              const std::string& path, CostProfile::Entry* entry) {
  JsonObject cost(reader, value, path,
                  {"ns", "stall_ns", "contended", "origin"});
  if (!reader->ok()) return;
  cost.Thousandths("ns", kMaxPricePs, &entry->price.cpu_ps);
  cost.Thousandths("stall_ns", kMaxPricePs, &entry->price.stall_ps,
                   Presence::kOptional);
  cost.Bool("contended", &entry->price.contended, Presence::kOptional);
  cost.String("origin", &entry->origin);
}

std::string PrintCost(const CostProfile::Entry& entry) {
  std::string line =
      absl::StrCat("{\"ns\": ", PrintThousandths(entry.price.cpu_ps));
  if (entry.price.stall_ps != 0) {
    absl::StrAppend(&line,
                    ", \"stall_ns\": ", PrintThousandths(entry.price.stall_ps));
  }
  if (entry.price.contended) line += ", \"contended\": true";
  absl::StrAppend(&line, ", \"origin\": ", JsonQuoted(entry.origin), "}");
  return line;
}

}  // namespace

absl::string_view CostName(Cost kind) { return kNames[static_cast<int>(kind)]; }

Prices CostProfile::ToPrices() const {
  Prices prices;
  for (int kind = 0; kind < kCostKinds; ++kind) {
    prices.of[kind] = costs[kind].price;
  }
  return prices;
}

absl::StatusOr<CostProfile> ParseProfile(absl::string_view text,
                                         absl::string_view file) {
  const absl::StatusOr<JsonValue> json = ParseJson(text, file);
  if (!json.ok()) return json.status();
  JsonReader reader(file);
  CostProfile profile;
  JsonObject top(&reader, *json, "",
                 {"name", "origin", "machine", "memory_access_ns",
                  "contention_permille", "contention_origin", "costs"});
  if (!reader.ok()) return reader.status();
  top.String("name", &profile.name);
  top.String("origin", &profile.origin);
  top.String("machine", &profile.machine);
  top.Thousandths("memory_access_ns", kMaxPricePs, &profile.memory_access_ps,
                  Presence::kOptional);
  top.Number("contention_permille", 0, kMaxContentionPermille,
             &profile.contention_permille);
  top.String("contention_origin", &profile.contention_origin);
  const JsonValue* costs = top.Find("costs");
  if (costs == nullptr) return reader.status();
  JsonObject all(&reader, *costs, "costs", kNames);
  for (int kind = 0; kind < kCostKinds && reader.ok(); ++kind) {
    const JsonValue* cost = all.Find(kNames[kind]);
    if (cost == nullptr) break;
    ReadCost(&reader, *cost, all.PathOf(kNames[kind]), &profile.costs[kind]);
  }
  if (!reader.ok()) return reader.status();
  return profile;
}

std::string PrintProfile(const CostProfile& profile) {
  std::string out = "{\n";
  const auto text = [&out](absl::string_view name, const std::string& value) {
    absl::StrAppend(&out, "  \"", name, "\": ", JsonQuoted(value), ",\n");
  };
  text("name", profile.name);
  text("origin", profile.origin);
  text("machine", profile.machine);
  if (profile.memory_access_ps != 0) {
    absl::StrAppend(&out, "  \"memory_access_ns\": ",
                    PrintThousandths(profile.memory_access_ps), ",\n");
  }
  absl::StrAppend(
      &out, "  \"contention_permille\": ", profile.contention_permille, ",\n");
  text("contention_origin", profile.contention_origin);
  out += "  \"costs\": {\n";
  for (int kind = 0; kind < kCostKinds; ++kind) {
    absl::StrAppend(&out, "    \"", kNames[kind],
                    "\": ", PrintCost(profile.costs[kind]),
                    kind + 1 < kCostKinds ? ",\n" : "\n");
  }
  out += "  }\n}\n";
  return out;
}

std::vector<absl::string_view> BuiltinProfiles() {
  return BuiltinNames("profiles");
}

absl::string_view BuiltinProfileText(absl::string_view name) {
  return BuiltinText("profiles", name);
}

absl::StatusOr<CostProfile> LoadProfile(const std::string& name_or_path) {
  const absl::string_view builtin = BuiltinProfileText(name_or_path);
  if (!builtin.empty()) {
    return ParseProfile(builtin, absl::StrCat(name_or_path, ".json"));
  }
  const absl::StatusOr<std::string> text = ReadFile(name_or_path);
  if (!text.ok()) return text.status();
  return ParseProfile(*text,
                      name_or_path == "-" ? "standard input" : name_or_path);
}

}  // namespace reapsim
