// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Fuzz target of the .reap language: whatever the bytes, they are read or
// refused as the headers promise.
//
//   found=$(mktemp -d); corpus=$PWD/litmus/examples
//   ./bazelw run --config=fuzz //litmus:reap_fuzz -- "$found" "$corpus"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/fuzz_checks.h"
#include "litmus/checker.h"
#include "litmus/code.h"

namespace reapsim {
namespace {

// What was accepted can be turned into code.
void CheckScenario(const Scenario& scenario) {
  const ReapFile& file = scenario.file;
  REAP_CHECK(!file.programs.empty() && !file.promises.empty(), "fuzz: empty");
  REAP_CHECK_EQ(file.programs.size(), scenario.registers.size(),
                "fuzz: registers");
  absl::btree_map<std::string, int64_t> values;
  for (const auto& [name, symbol] : scenario.symbols) values[name] = 1;
  for (size_t i = 0; i < file.programs.size(); ++i) {
    Compiler compiler(file.file_name, values, scenario.registers[i]);
    for (const Statement& each : file.programs[i].statements) {
      if (const absl::Status added = compiler.Add(each); !added.ok()) {
        CheckPlacedError(added);
        return;
      }
    }
    for (const Instruction& each : compiler.code()) {
      REAP_CHECK(each.target < compiler.registers(), "fuzz: target");
      for (const Operand& operand : each.operands) {
        REAP_CHECK(
            !operand.is_register ||
                (operand.value >= 0 && operand.value < compiler.registers()),
            "fuzz: operand");
      }
    }
  }
  REAP_CHECK(!file.condition.ToString().empty(), "fuzz: condition");
}

}  // namespace
}  // namespace reapsim

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<reapsim::Scenario> scenario = reapsim::ReadScenario(
      {reinterpret_cast<const char*>(data), size}, "fuzz");
  if (scenario.ok()) {
    reapsim::CheckScenario(*scenario);
  } else {
    reapsim::CheckPlacedError(scenario.status());
  }
  return 0;
}
