// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// JSON as this project writes it: members in the order they were put in,
// indented by two, names that are no UTF-8 with U+FFFD for what can't be said.
#ifndef REAPSIM_REPORT_JSON_H_
#define REAPSIM_REPORT_JSON_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace reapsim {

using Json = nlohmann::ordered_json;

template <class T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json();
}

inline std::string Dump(const Json& json) {
  return json.dump(/*indent=*/2, ' ', /*ensure_ascii=*/false,
                   Json::error_handler_t::replace) +
         "\n";
}

}  // namespace reapsim

#endif  // REAPSIM_REPORT_JSON_H_
