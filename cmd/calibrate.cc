// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/calibrate.h"

#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/kernel_version.h"
#include "calibrate/live.h"
#include "calibrate/shapes.h"
#include "cmd/arguments.h"
#include "conform/host_machine.h"
#include "latency/profile.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr FlagSpec kFlags[] = {
    {"out", "FILE"}, {"check", ""}, {"profile", "FILE"}, {"seed", "S"}};

// Some of them turn out to be short, and do not count.
constexpr size_t kDrawnShapes = 20;
// No new round of victims after that.
constexpr double kMostSeconds = 240;

struct Request {
  std::optional<std::string> out;
  bool check = false;
  std::optional<CostProfile> profile;
  uint64_t seed = 1;

  bool Fits() const { return !profile.has_value(); }
};

absl::StatusOr<Request> ReadRequest(const Arguments& args) {
  Request request;
  request.out = args.Value("out");
  request.check = args.Has("check");
  if (!request.out.has_value() && !request.check) {
    return absl::InvalidArgumentError("expected --out=FILE or --check");
  }
  for (const char* flag : {"profile", "seed"}) {
    if (request.check || !args.Has(flag)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag, " goes with --check"));
  }
  if (args.Has("profile") && request.out.has_value()) {
    return absl::InvalidArgumentError(
        "--profile says what to check, --out measures anew: only one of them");
  }
  if (const std::optional<std::string> seed = args.Value("seed");
      seed.has_value() && !absl::SimpleAtoi(*seed, &request.seed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--seed: expected a number below 2^64, got \"",
                     Tail(Printable(*seed), 40), "\""));
  }
  if (const std::optional<std::string> file = args.Value("profile")) {
    absl::StatusOr<CostProfile> profile = LoadProfile(*file);
    if (!profile.ok()) return profile.status();
    request.profile = *std::move(profile);
  }
  return request;
}

absl::Status WriteFile(const std::string& path, absl::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--out: cannot write ", Printable(path)));
}

std::string Heading(const CalibrateHost& host, size_t timed, size_t known,
                    size_t rounds) {
  const HostDescription& d = host.description;
  std::string out =
      Wrapped("", absl::StrCat("Linux ", d.kernel, " on ", d.cpu, ": ", timed,
                               " of ", known, " shapes timed, ", rounds,
                               " times each; the host can't have the others. "
                               "Times are medians, spreads the distance of the "
                               "quartiles."));
  for (const std::string& note : host.notes) {
    absl::StrAppend(&out, Wrapped("Note: ", note));
  }
  return out;
}

std::string ScaleText(const MemoryScale& scale) {
  return Wrapped(
      "", absl::StrFormat(
              "A random access to memory took %.1f ns (median). %.0f %% of "
              "prices go with that; times are scaled to it.",
              scale.reference_ps / 1000, 100 * scale.share));
}

absl::StatusOr<CommandResult> Calibrate(const Request& request,
                                        const Environment& environment,
                                        CalibrateHost host) {
  std::vector<VictimShape> shapes;
  if (request.Fits()) shapes = FitShapes();
  const size_t to_fit = shapes.size();
  if (request.check) {
    for (const VictimShape& shape : DrawShapes(request.seed, kDrawnShapes)) {
      shapes.push_back(shape);
    }
  }
  const absl::StatusOr<ResolvedVersion> version =
      Resolve(host.description.kernel);
  if (!version.ok()) return version.status();
  host.description.version = version->requested;
  GatherOptions options;
  options.fitted = to_fit;
  const std::time_t start = std::time(nullptr);
  options.enough = [start] {
    return std::difftime(std::time(nullptr), start) > kMostSeconds;
  };
  if (environment.progress != nullptr) {
    options.progress = [&environment](size_t done, size_t all) {
      environment.progress(absl::StrCat(done, " of ", all, " victims timed"));
    };
  }
  absl::StatusOr<std::vector<Timing>> timings =
      Gather(host.side, shapes, options);
  if (environment.progress != nullptr) environment.progress("");
  if (!timings.ok()) return timings.status();
  CommandResult result;
  result.out = Heading(host, timings->size(), shapes.size(),
                       timings->empty() ? 0 : timings->front().called.size());
  std::vector<Timing> fitted;
  std::vector<Timing> drawn;
  for (Timing& timing : *timings) {
    (request.Fits() && !timing.alone.empty() ? fitted : drawn)
        .push_back(std::move(timing));
  }
  CostProfile profile;
  if (request.Fits()) {
    const absl::StatusOr<Calibration> calibration =
        FitProfile(fitted, host.description);
    if (!calibration.ok()) return calibration.status();
    profile = calibration->profile;
    absl::StrAppend(&result.out, ScaleText(calibration->scale), "\n",
                    ResidualsText(*calibration));
  } else {
    profile = *request.profile;
  }
  if (request.out.has_value()) {
    const absl::Status written = WriteFile(*request.out, PrintProfile(profile));
    if (!written.ok()) return written;
  }
  if (request.check) {
    const absl::StatusOr<CheckReport> report =
        CheckProfile(drawn, profile, host.description.version);
    if (!report.ok()) return report.status();
    absl::StrAppend(&result.out, "\nShapes drawn with seed ", request.seed,
                    ", predicted by timed mode:\n", CheckText(*report));
    if (!report->Passes()) result.exit_code = kExitFinding;
  }
  return result;
}

// ---- The host itself -------------------------------------------------------

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) != 0 || colon == std::string::npos) {
      continue;
    }
    return Printable(line.substr(colon + 2));
  }
  return "an unnamed CPU";
}

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  (void)gmtime_r(&now, &utc);
  return absl::StrFormat("%04d-%02d-%02d", utc.tm_year + 1900, utc.tm_mon + 1,
                         utc.tm_mday);
}

CalibrateHost TheHost() {
  CalibrateHost host;
  absl::StatusOr<std::unique_ptr<LiveHost>> made =
      LiveHost::Make(kMostFileBytes);
  host.can = made.status();
  if (!host.can.ok()) return host;
  const std::shared_ptr<LiveHost> live = *std::move(made);
  host.side.can = [live](const VictimShape& shape) { return live->Can(shape); };
  host.side.time = [live](const VictimShape& shape, bool call) {
    return live->Time(shape, call);
  };
  host.notes = live->notes();
  // What a builder has added to the number says nothing to others.
  const std::string release = HostRelease();
  host.description = {.kernel = release.substr(0, release.find('-')),
                      .cpu = CpuName(),
                      .date = Today(),
                      .version = "",
                      .syscall_ns = live->TimeSyscall(),
                      .switch_ns = live->TimeSwitch()};
  return host;
}

}  // namespace

CommandResult RunCalibrateOn(absl::Span<const std::string> args,
                             const Environment& environment,
                             const std::function<CalibrateHost()>& make_host) {
  const absl::StatusOr<Arguments> parsed = Arguments::Parse(args, kFlags);
  if (!parsed.ok()) return CommandResult::Fails(parsed.status().message());
  const absl::StatusOr<Request> request = ReadRequest(*parsed);
  if (!request.ok()) return CommandResult::Fails(request.status().message());
  CalibrateHost host = make_host();
  if (!host.can.ok()) {
    return CommandResult::Fails(
        absl::StrCat("nothing is timed: ", host.can.message()));
  }
  absl::StatusOr<CommandResult> result =
      Calibrate(*request, environment, std::move(host));
  if (!result.ok()) return CommandResult::Fails(result.status().message());
  return *std::move(result);
}

CommandResult RunCalibrate(absl::Span<const std::string> args,
                           const Environment& environment) {
  return RunCalibrateOn(args, environment, TheHost);
}

}  // namespace reapsim
