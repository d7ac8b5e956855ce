// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/conform.h"

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/errno_names.h"
#include "conform/host_states.h"
#include "conform/predict.h"
#include "conform/victim_memory.h"
#include "states/states.h"

namespace reapsim {
namespace {

using Agree = ConformLine::Agree;

// How the victims with one kind of memory are killed and held.
constexpr char kKindState[] = "killed.event_exit";
constexpr char kKindPrefix[] = "kind.";
constexpr char kEverything[] = "kind.everything";

const HostState& HostStateOf(absl::string_view id) {
  for (const HostState& state : HostStates()) {
    if (id == state.id) return state;
  }
  REAP_CHECK(false, "conform: no such state on the host");
  return HostStates().front();
}

const VictimKind* KindOf(absl::string_view row) {
  for (const VictimKind& kind : VictimKinds()) {
    if (row == absl::StrCat(kKindPrefix, kind.id)) return &kind;
  }
  return nullptr;
}

// All kinds that the host has, in one process.
HostOutcome PlayEverything() {
  std::vector<const VictimKind*> kinds;
  for (const VictimKind& kind : VictimKinds()) {
    if (kind.alone) continue;
    HostMachine machine;
    kind.make(machine.Spawn());
    if (!IsLack(machine.status())) kinds.push_back(&kind);
  }
  return PlayOnHost(HostStateOf(kKindState), [&kinds](HostTask& task) {
    for (const VictimKind* kind : kinds) kind->make(task);
  });
}

std::vector<ConformRow>* MakeRows() {
  auto* rows = new std::vector<ConformRow>;
  for (const HostState& state : HostStates()) {
    const State* modelled = FindState(state.id);
    REAP_CHECK(modelled != nullptr, "conform: the model knows no such state");
    rows->push_back({state.id, modelled->title});
  }
  for (const VictimKind& kind : VictimKinds()) {
    rows->push_back({absl::StrCat(kKindPrefix, kind.id), kind.title});
  }
  rows->push_back({kEverything, "all of these in one process"});
  return rows;
}

}  // namespace

const std::vector<ConformRow>& ConformRows() {
  static const std::vector<ConformRow>* rows = MakeRows();
  return *rows;
}

const State& StateOf(const ConformRow& row) {
  const bool is_kind = row.id == kEverything || KindOf(row.id) != nullptr;
  const State* state = FindState(is_kind ? kKindState : row.id);
  REAP_CHECK(state != nullptr, "conform: the model knows no such state");
  return *state;
}

HostOutcome PlayOnHost(const ConformRow& row) {
  if (row.id == kEverything) return PlayEverything();
  const VictimKind* kind = KindOf(row.id);
  if (kind != nullptr) return PlayOnHost(HostStateOf(kKindState), kind->make);
  return PlayOnHost(HostStateOf(row.id), MakeMixedMemory);
}

ConformLine Judge(const ConformRow& row, const HostOutcome& host,
                  const std::string& version) {
  ConformLine line{.state = row.id, .title = row.title};
  const auto fail = [&line](absl::string_view where,
                            const absl::Status& status) {
    line.agree = Agree::kNo;
    line.differs = {absl::StrCat(where, ": ", status.message())};
  };
  if (IsLack(host.status)) {
    line.agree = Agree::kSkipped;
    line.skipped = std::string(host.status.message());
    return line;
  }
  if (!host.status.ok()) {
    fail("the host", host.status);
    return line;
  }
  line.host = ResultText(host.ret);
  const absl::StatusOr<Prediction> model =
      Predict(StateOf(row), version, host.has_memory ? &host.before : nullptr);
  if (!model.ok()) {
    fail("the model", model.status());
    return line;
  }
  if (model->broken.empty()) line.model = ResultText(model->ret);
  line.differs = Compare(host, *model);
  line.agree = line.differs.empty() ? Agree::kYes : Agree::kNo;
  return line;
}

}  // namespace reapsim
