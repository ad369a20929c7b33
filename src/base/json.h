// JSON as the project uses it: nlohmann's type, read only through a door that refuses what the library
// accepts in silence (duplicate keys, unbounded depth), and through getters that never narrow or throw.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kedge {

// Keys keep their order: what we write is read by people, and a digest needs one form.
using Json = nlohmann::ordered_json;

inline constexpr int json_depth_max = 64;

// invalid_input with the byte offset for anything but one well-formed document without duplicate keys
// and at most `json_depth_max` deep.
Result<Json> parse_json(std::string_view text);

// Compact, or indented by two; invalid UTF-8 is replaced, never thrown.
std::string dump(const Json& json);
std::string dump_pretty(const Json& json);

// The member `key` of an object if it is there and of that kind; nothing otherwise.
std::optional<std::string> get_string(const Json& object, std::string_view key);
std::optional<std::int64_t> get_integer(const Json& object, std::string_view key);
std::optional<double> get_number(const Json& object, std::string_view key);
std::optional<bool> get_bool(const Json& object, std::string_view key);
// The member, or a null that outlives every caller.
const Json& get(const Json& object, std::string_view key);
// The value at an RFC 6901 pointer such as /tokens/access_token, or null.
const Json& at_pointer(const Json& document, std::string_view pointer);

}  // namespace kedge
