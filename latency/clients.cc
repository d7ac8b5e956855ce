// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/clients.h"

#include "absl/strings/match.h"
#include "latency/client_world.h"

namespace reapsim {
namespace {

constexpr absl::string_view kClientNames[kClients] = {"lmkd", "oomd",
                                                      "earlyoom"};

struct ChangeInfo {
  Change change;
  absl::string_view name;
  absl::string_view clients;
  absl::string_view what;
};
constexpr ChangeInfo kChanges[] = {
#define X(change, name, clients, what) {Change::change, name, clients, what},
    REAPSIM_CLIENT_CHANGES(X)
#undef X
};

}  // namespace

absl::string_view ClientName(Client client) {
  return kClientNames[static_cast<int>(client)];
}
absl::string_view ChangeName(Change change) {
  return kChanges[static_cast<int>(change)].name;
}
absl::string_view ChangeText(Change change) {
  return kChanges[static_cast<int>(change)].what;
}

std::optional<Client> ClientOf(absl::string_view name) {
  for (int i = 0; i < kClients; ++i) {
    if (kClientNames[i] == name) return static_cast<Client>(i);
  }
  return std::nullopt;
}

std::vector<ClientVariant> VariantsOf(Client client) {
  std::vector<ClientVariant> variants;
  for (const ChangeInfo& info : kChanges) {
    if (absl::StrContains(info.clients, ClientName(client).substr(0, 1))) {
      variants.push_back({client, info.change});
    }
  }
  return variants;
}

absl::StatusOr<ClientRun> RunClient(const PressureScenario& scenario,
                                    const Machine& machine,
                                    const CostProfile& profile,
                                    const ClientVariant& variant,
                                    const ClientOptions& options) {
  const absl::Status status = ClientWorld::Check(scenario, machine);
  if (!status.ok()) return status;
  ClientWorld world(scenario, machine, variant, options);
  return world.Play(profile);
}

}  // namespace reapsim
