// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/reap.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/kernel_version.h"
#include "cmd/arguments.h"
#include "cmd/explain.h"
#include "cmd/outcome_report.h"
#include "import/import_mm.h"
#include "import/proc_source.h"
#include "import/smaps.h"
#include "report/reap_report.h"
#include "report/text.h"
#include "sched/signal_types.h"
#include "states/evidence.h"
#include "states/states.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {
    {"smaps", "FILE"},     {"pid", "PID"},
    {"kernel", "VERSION"}, {"signal", "KILL|TERM|none"},
    {"handler", ""},       {"shared-with-live", ""},
    {"state", "ID"},       {"json", ""},
    {"vmas", ""},
};

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

// ---- What to import --------------------------------------------------------

struct Source {
  std::string subject;
  std::string file_name;
  SmapsFile smaps;
  std::vector<VmaPages> pages;  // empty: none are known
  std::optional<ProcStatus> status;
  std::vector<std::string> notes;
};

absl::StatusOr<Source> ReadFileSource(const std::string& path) {
  absl::StatusOr<SmapsFile> smaps = ReadSmaps(path);
  if (!smaps.ok()) return smaps.status();
  Source source;
  source.file_name = path == "-" ? "standard input" : path;
  source.subject = absl::StrCat(smaps->vmas.size(), " mappings from ",
                                Printable(source.file_name));
  source.smaps = *std::move(smaps);
  return source;
}

absl::StatusOr<Source> ReadLiveSource(const std::string& pid,
                                      const std::string& proc) {
  absl::StatusOr<ProcProcess> process = ReadProcess(pid, proc);
  if (!process.ok()) return process.status();
  Source source;
  source.file_name = absl::StrCat(proc, "/", pid, "/smaps");
  source.subject = absl::StrCat(
      Printable(process->comm), ", pid ", process->status.pid, ", ",
      process->smaps.vmas.size(), " mappings, as it was when it was read");
  if (!process->pagemap.ok()) {
    source.notes.push_back(absl::StrCat("Which pages are there is not known (",
                                        Printable(process->pagemap.message()),
                                        "): a rule decides."));
  }
  if (process->status.threads > 1) {
    source.notes.push_back(absl::StrCat("It has ", process->status.threads,
                                        " threads; in the model it has one."));
  }
  source.smaps = std::move(process->smaps);
  source.pages = std::move(process->pages);
  source.status = process->status;
  return source;
}

absl::StatusOr<Source> ReadSource(const Arguments& args,
                                  const Environment& environment) {
  const std::optional<std::string> file = args.Value("smaps");
  const std::optional<std::string> pid = args.Value("pid");
  if (file.has_value() == pid.has_value()) {
    return Bad(file.has_value()
                   ? "--smaps and --pid are both given; expected one of them"
                   : "whose memory? expected --smaps=FILE, --smaps=- for "
                     "standard input, --pid=PID or --pid=self");
  }
  absl::StatusOr<Source> source = file.has_value()
                                      ? ReadFileSource(*file)
                                      : ReadLiveSource(*pid, environment.proc);
  if (source.ok() && !source->smaps.has_vm_flags) {
    source->notes.push_back(
        "The text has no VmFlags lines: flags follow the permissions.");
  }
  return source;
}

// ---- The situation ---------------------------------------------------------

struct Situation {
  const State* state = nullptr;
  std::vector<std::string> notes;
};

absl::StatusOr<Situation> FindSituation(const std::string& id) {
  const State* state = FindState(id);
  if (state != nullptr) return Situation{state, {}};
  std::vector<absl::string_view> ids;
  for (const State& each : States()) ids.push_back(each.id);
  const std::string nearest = DidYouMean(id, ids);
  return Bad(absl::StrCat(
      "unknown state \"", Printable(id), "\"",
      nearest.empty() ? "; reapsim states lists them all" : nearest));
}

// What a real process would do about a SIGTERM.
Situation SigtermOf(const std::optional<ProcStatus>& status) {
  constexpr uint64_t kTerm = uint64_t{1} << (SIGTERM - 1);
  if (status.has_value() && (status->signals_blocked & kTerm) != 0) {
    return {FindState("signal.sigterm_blocked"),
            {"The process blocks SIGTERM (SigBlk in /proc)."}};
  }
  if (status.has_value() && (status->signals_ignored & kTerm) != 0) {
    return {FindState("signal.sigterm_ignored"),
            {"The process ignores SIGTERM (SigIgn in /proc)."}};
  }
  if (status.has_value() && (status->signals_caught & kTerm) != 0) {
    return {FindState("signal.sigterm_handled"),
            {"The process handles SIGTERM (SigCgt in /proc)."}};
  }
  return {FindState("signal.sigterm_default"), {}};
}

// Flags that can't be true together, before anything is read.
absl::Status CheckSituationFlags(const Arguments& args) {
  const std::string signal = args.Value("signal").value_or("KILL");
  if (signal != "KILL" && signal != "TERM" && signal != "none") {
    const absl::string_view known[] = {"KILL", "TERM", "none"};
    return Bad(absl::StrCat("unknown signal \"", Printable(signal),
                            "\"; expected KILL, TERM or none",
                            DidYouMean(signal, known)));
  }
  if (args.Has("state")) {
    for (const char* other : {"signal", "handler", "shared-with-live"}) {
      if (args.Has(other)) {
        return Bad(absl::StrCat("--state and --", other,
                                " are both given; the state alone says what "
                                "happens"));
      }
    }
  }
  if (args.Has("handler") && signal != "TERM") {
    return Bad(absl::StrCat(
        "--handler needs --signal=TERM: ",
        signal == "KILL" ? "SIGKILL cannot be handled" : "no signal is sent"));
  }
  if (args.Has("shared-with-live") && signal != "KILL") {
    return Bad(
        "--shared-with-live needs --signal=KILL; other combinations are "
        "states of their own, see --state and reapsim states");
  }
  return absl::OkStatus();
}

absl::StatusOr<Situation> ChooseSituation(
    const Arguments& args, const std::optional<ProcStatus>& status) {
  if (args.Has("state")) return FindSituation(*args.Value("state"));
  if (args.Has("shared-with-live")) {
    return FindSituation("sharers.clone_vm_live");
  }
  const std::string signal = args.Value("signal").value_or("KILL");
  if (signal == "none") return FindSituation("live.running");
  if (signal == "KILL") return FindSituation("killed.running");
  if (args.Has("handler")) return FindSituation("signal.sigterm_handled");
  return SigtermOf(status);
}

// ---- Playing it ------------------------------------------------------------

absl::StatusOr<ReapReport> PlayIt(const Source& source,
                                  const Situation& situation,
                                  const ResolvedVersion& version) {
  const absl::StatusOr<ImportPlan> plan = ImportPlan::Make(
      source.smaps, {.file_name = source.file_name,
                     .pages = source.pages.empty() ? nullptr : &source.pages});
  if (!plan.ok()) return plan.status();
  KernelOptions machine{.version = version.requested};
  plan->EnlargeMachine(&machine);
  absl::Status imported;
  const auto populate = [&](Kernel& k, Task& victim) {
    imported.Update(plan->Apply(k, victim));
  };
  const absl::StatusOr<Outcome> outcome =
      Play(*situation.state, machine, {.populate = populate});
  if (!imported.ok()) return imported;
  if (!outcome.ok()) return outcome.status();
  if (!outcome->called) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the state ", situation.state->id, " can't exist here with ",
        ToString(version.used), ": ", outcome->unreachable));
  }
  ReapReport report;
  report.subject = source.subject;
  report.kernel = ToString(version.used);
  report.kernel_note = std::string(absl::StripPrefix(version.note, "kernel "));
  report.state = situation.state->id;
  report.situation = situation.state->title;
  report.evidence = EvidenceOfRow(situation.state->id, version).Text();
  report.notes = source.notes;
  report.notes.insert(report.notes.end(), situation.notes.begin(),
                      situation.notes.end());
  report.effect = EffectText(EffectOf(*outcome));
  AddOutcome(*outcome, version.differences, source.smaps, &report);
  return report;
}

absl::StatusOr<std::string> Reap(const Arguments& args,
                                 const Environment& environment) {
  absl::Status status = CheckSituationFlags(args);
  if (!status.ok()) return status;
  const absl::StatusOr<ResolvedVersion> version =
      Resolve(args.Value("kernel").value_or("v6.18"));
  if (!version.ok()) return version.status();
  // An unknown state is known to be one before anything is read.
  if (args.Has("state")) {
    const auto situation = FindSituation(*args.Value("state"));
    if (!situation.ok()) return situation.status();
  }
  // Read before the first Kernel is made: it maps a world into this process,
  // whose own memory may be what is asked for.
  const absl::StatusOr<Source> source = ReadSource(args, environment);
  if (!source.ok()) return source.status();
  const absl::StatusOr<Situation> situation =
      ChooseSituation(args, source->status);
  if (!situation.ok()) return situation.status();
  const absl::StatusOr<ReapReport> report =
      PlayIt(*source, *situation, *version);
  if (!report.ok()) return report.status();
  return args.Has("json") ? ReapJson(*report)
                          : ReapText(*report, args.Has("vmas"));
}

}  // namespace

CommandResult RunReap(absl::Span<const std::string> args,
                      const Environment& environment) {
  const absl::StatusOr<Arguments> parsed = Arguments::Parse(args, kFlags);
  if (!parsed.ok()) return CommandResult::Fails(parsed.status().message());
  const absl::StatusOr<std::string> out = Reap(*parsed, environment);
  if (!out.ok()) return CommandResult::Fails(out.status().message());
  return CommandResult::Ok(*out);
}

}  // namespace reapsim
