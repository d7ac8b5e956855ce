// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The daemons that call process_mrelease(), each as it really calls it, and
// with one thing changed, in the same pressure scenario: docs/clients.md.
#ifndef REAPSIM_LATENCY_CLIENTS_H_
#define REAPSIM_LATENCY_CLIENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "latency/machine.h"
#include "latency/pressure.h"
#include "latency/profile.h"
#include "sched/timeline.h"

namespace reapsim {

enum class Client : uint8_t { kLmkd, kOomd, kEarlyoom };
inline constexpr int kClients = 3;

// X(enumerator, name, clients by their first letters, what it does)
#define REAPSIM_CLIENT_CHANGES(X)                                             \
  X(kNone, "as it is", "loe", "as its own code has it")                       \
  X(kNoMrelease, "no mrelease", "loe", "kills, and never calls")              \
  X(kRetryEagain, "retry EAGAIN", "loe",                                      \
    "calls again after 1 ms, up to 100 times, as long as the answer is "      \
    "EAGAIN")                                                                 \
  X(kBigCore, "big core", "loe",                                              \
    "who calls stays on the CPUs of the highest capacity")                    \
  X(kWaitLonger, "wait longer", "l",                                          \
    "gives a victim a second, not kill_timeout, before it looks for another") \
  X(kSigkillFirst, "SIGKILL first", "e",                                      \
    "sends SIGKILL where it would send SIGTERM")                              \
  X(kNotAfterSigterm, "not after SIGTERM", "e",                               \
    "kills with SIGTERM without the call")                                    \
  X(kKernelkill, "kernelkill", "o",                                           \
    "its own option: cgroup.freeze and cgroup.kill, not a signal for each")   \
  X(kOpenFirst, "open first", "o",                                            \
    "lists the cgroup and opens its pidfds before it kills, and reaps after " \
    "the first round")                                                        \
  X(kKernelkillOpenFirst, "kernelkill, open first", "o", "both of these")

enum class Change : uint8_t {
#define X(change, name, clients, what) change,
  REAPSIM_CLIENT_CHANGES(X)
#undef X
};

// A client with one change, or with none.
struct ClientVariant {
  Client client;
  Change change;
  bool operator==(const ClientVariant&) const = default;
};

absl::string_view ClientName(Client client);  // "lmkd"
absl::string_view ChangeName(Change change);  // "retry EAGAIN"
absl::string_view ChangeText(Change change);
std::optional<Client> ClientOf(absl::string_view name);
// Those that make sense, of one client, "as it is" first.
std::vector<ClientVariant> VariantsOf(Client client);

struct ClientOptions {
  std::string kernel = "v6.18";
  uint64_t seed = 1;
  bool keep_calls = false;     // ClientRun::calls
  bool keep_timeline = false;  // ClientRun::timeline
};

// A call of the daemon.
struct ClientCall {
  uint64_t at_ns = 0;
  pid_t tid = 0;
  std::string thread;  // "lmkd", "lmkd_reaper0"
  std::string text;    // "process_mrelease(game)"
  int64_t result = 0;  // a value or -errno
};

// What came of one run. Times are from its begin.
struct ClientRun {
  // When less than the target was first free, when the foreground first found
  // no memory, when the first process was killed, and when, after that, less
  // than the target was free no longer. Not set: never.
  std::optional<uint64_t> below_ns;
  std::optional<uint64_t> pressure_ns;
  std::optional<uint64_t> first_kill_ns;
  std::optional<uint64_t> target_ns;
  std::optional<uint64_t> foreground_ns;  // when it had all that it needs
  uint64_t stall_ns = 0;   // for which the foreground stood still
  uint32_t kills = 0;      // decisions; one may kill a whole cgroup
  uint32_t processes = 0;  // killed
  // Decided although the memory of those killed before was on its way, and
  // would have been enough for the client not to kill.
  uint32_t needless = 0;
  // How calls of process_mrelease() ended.
  uint32_t mrelease = 0;
  uint32_t answered_0 = 0;
  uint32_t answered_einval = 0;
  uint32_t answered_esrch = 0;
  uint32_t answered_eagain = 0;
  uint32_t answered_else = 0;
  // What it cost to unmap and free memory, and who paid.
  uint64_t daemon_reclaim_ns = 0;
  uint64_t victims_reclaim_ns = 0;
  uint64_t daemon_run_ns = 0;  // all that the daemon ran
  uint64_t end_ns = 0;
  std::string verdict;   // the kernel broke; else empty
  std::string accounts;  // what does not add up in the machine's books; empty
  std::vector<ClientCall> calls;
  std::vector<TaskAccount> tasks;
  // With keep_timeline. Those to look at first, as places in `tasks`: the
  // daemon, the foreground, the killed.
  std::vector<uint32_t> first_tasks;
  Timeline timeline;  // its gauge counts pages
};

// Plays the scenario with the client on it. Errors are kInvalidArgument: what
// the scenario asks of the machine and it does not have, with the field's name.
absl::StatusOr<ClientRun> RunClient(const PressureScenario& scenario,
                                    const Machine& machine,
                                    const CostProfile& profile,
                                    const ClientVariant& variant,
                                    const ClientOptions& options);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_CLIENTS_H_
