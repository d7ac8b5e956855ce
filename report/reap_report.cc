// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/reap_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "report/json.h"
#include "report/text.h"

namespace reapsim {
namespace {

struct MemoryRow {
  const char* json;
  const char* text;
  int64_t MemoryKib::*member;
};

constexpr MemoryRow kMemoryRows[] = {
    {"rss", "RSS", &MemoryKib::rss},
    {"anon", "  anonymous", &MemoryKib::anon},
    {"file", "  file", &MemoryKib::file},
    {"shmem", "  shared memory", &MemoryKib::shmem},
    {"swap", "swap", &MemoryKib::swap},
    {"hugetlb", "hugetlb", &MemoryKib::hugetlb},
    {"page_tables", "page tables", &MemoryKib::page_tables},
};

constexpr Table::Align kLeft = Table::Align::kLeft;
constexpr Table::Align kRight = Table::Align::kRight;

// ---- Text ------------------------------------------------------------------

std::string ReturnText(const ReapReport& report) {
  if (!report.ret.has_value()) return "nothing: the call never comes back";
  if (report.errno_name.empty()) return absl::StrCat(*report.ret);
  return absl::StrCat("-1, errno ", report.errno_name, " (", report.errno_text,
                      "); the kernel returns ", *report.ret);
}

std::string HeadText(const ReapReport& report) {
  std::string out = Wrapped("process    ", report.subject);
  absl::StrAppend(&out, Wrapped("kernel     ", report.kernel_note));
  absl::StrAppend(&out, Wrapped("situation  ", absl::StrCat(report.state, ": ",
                                                            report.situation)));
  absl::StrAppend(&out, Wrapped("evidence   ", report.evidence));
  for (const std::string& note : report.notes) {
    absl::StrAppend(&out, Wrapped("           ", note));
  }
  return out;
}

std::string AnswerText(const ReapReport& report) {
  std::string out = Wrapped("returns    ", ReturnText(report));
  if (!report.broken.empty()) {
    absl::StrAppend(&out, Wrapped("broken     ", report.broken));
  }
  const char* lead = "decided by ";
  for (const ReapCheck& check : report.checks) {
    absl::StrAppend(
        &out, Wrapped(lead, absl::StrCat(check.where, ":")),
        Wrapped("           ", check.text),
        Wrapped("           ", absl::StrCat("[", check.condition, "]")));
    lead = "after      ";
  }
  absl::StrAppend(&out, Wrapped("effect     ", report.effect));
  if (!report.advice.empty()) {
    absl::StrAppend(&out, Wrapped("advice     ", report.advice));
  }
  return out;
}

std::string MemoryText(const ReapReport& report) {
  Table table({kLeft, kRight, kRight, kRight});
  table.Add({"KiB", "before", "after", "released"});
  for (const MemoryRow& row : kMemoryRows) {
    const int64_t before = report.before.*row.member;
    std::string after = "?";
    std::string released = "?";
    if (report.after.has_value()) {
      after = Grouped(*report.after.*row.member);
      released = Grouped(before - *report.after.*row.member);
    }
    table.Add({row.text, Grouped(before), after, released});
  }
  std::string out = table.ToString();
  if (!report.released_note.empty()) {
    absl::StrAppend(&out, Wrapped("", report.released_note));
  }
  if (report.released_shared.value_or(0) > 0) {
    absl::StrAppend(
        &out,
        Wrapped("", absl::StrCat(
                        "Released is what this process no longer maps. Of it, ",
                        Grouped(*report.released_shared),
                        " KiB are mapped elsewhere, too, and stay in memory "
                        "for as long as they are.")));
  }
  return out;
}

std::string KeptText(const ReapReport& report) {
  if (report.kept.empty()) return "";
  Table table({kLeft, kRight, kRight});
  table.Add({"stays", "mappings", "KiB"});
  for (const ReapKept& kept : report.kept) {
    table.Add({kept.text, kept.vmas == 0 ? "" : Grouped(kept.vmas),
               Grouped(kept.kib)});
  }
  return absl::StrCat("\n", table.ToString());
}

// Neighbours of one name share a heading, as the parts of one file do.
std::string VmasText(const ReapReport& report) {
  std::string out = absl::StrFormat("\n  %-25s %4s %8s %8s  %s\n", "mapping",
                                    "", "RSS KiB", "after", "verdict");
  const std::string* heading = nullptr;
  for (const ReapVma& vma : report.vmas) {
    if (heading == nullptr || *heading != vma.name) {
      heading = &vma.name;
      const std::string name =
          vma.name.empty() ? "(no name)" : Printable(vma.name);
      absl::StrAppend(&out, Tail(name, kColumns), "\n");
    }
    const std::string range = absl::StrFormat("%08x-%08x", vma.start, vma.end);
    if (vma.permissions.empty()) {
      absl::StrAppendFormat(&out, "  %-48s  %s\n", range, vma.verdict);
      continue;
    }
    const std::string after =
        vma.rss_after.has_value() ? Grouped(*vma.rss_after) : "?";
    absl::StrAppendFormat(&out, "  %-25s %4s %8s %8s  %s\n", range,
                          vma.permissions, Grouped(vma.rss_before), after,
                          vma.verdict);
  }
  return out;
}

// ---- JSON ------------------------------------------------------------------

Json MemoryJson(const MemoryKib& memory) {
  Json object;
  for (const MemoryRow& row : kMemoryRows)
    object[row.json] = memory.*row.member;
  return object;
}

MemoryKib Released(const MemoryKib& before, const MemoryKib& after) {
  MemoryKib released;
  for (const MemoryRow& row : kMemoryRows) {
    released.*row.member = before.*row.member - after.*row.member;
  }
  return released;
}

Json VmaJson(const ReapVma& vma) {
  Json object;
  object["start"] = absl::StrFormat("%08x", vma.start);
  object["end"] = absl::StrFormat("%08x", vma.end);
  object["name"] = vma.name;
  object["flags"] = vma.flags;
  object["rss_before_kib"] = vma.rss_before;
  object["rss_after_kib"] = OrNull(vma.rss_after);
  object["verdict"] = vma.verdict;
  return object;
}

}  // namespace

std::string ReapText(const ReapReport& report, bool vmas) {
  std::string out =
      "process_mrelease() in the model; nothing is done to a real process.\n\n";
  absl::StrAppend(&out, HeadText(report), "\n", AnswerText(report), "\n",
                  MemoryText(report), KeptText(report));
  if (vmas) absl::StrAppend(&out, VmasText(report));
  return out;
}

std::string ReapJson(const ReapReport& report) {
  Json object;
  object["kernel"] = report.kernel;
  object["evidence"] = report.evidence;
  object["return"] = OrNull(report.ret);
  object["errno"] =
      report.errno_name.empty() ? Json() : Json(report.errno_name);
  object["decided_by"] =
      report.decided_by.empty() ? Json() : Json(report.decided_by);
  object["before_kib"] = MemoryJson(report.before);
  object["after_kib"] =
      report.after.has_value() ? MemoryJson(*report.after) : Json();
  object["released_kib"] =
      report.after.has_value()
          ? MemoryJson(Released(report.before, *report.after))
          : Json();
  object["kept"] = Json::array();
  for (const ReapKept& kept : report.kept) {
    Json entry;
    entry["reason"] = kept.reason;
    entry["vmas"] = kept.vmas;
    entry["kib"] = kept.kib;
    object["kept"].push_back(std::move(entry));
  }
  object["vmas"] = Json::array();
  for (const ReapVma& vma : report.vmas) {
    object["vmas"].push_back(VmaJson(vma));
  }
  return Dump(object);
}

}  // namespace reapsim
