// Texts with ${name} in them, and how an answer is compared with a declared text.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/json.h"

namespace kedge {

using Values = std::map<std::string, std::string>;

// The names that stand in `text` as ${name}.
std::set<std::string> names_in(const std::string& text);
// `text` with every ${name} replaced; what `values` does not have stays.
std::string fill(const std::string& text, const Values& values);
// Every text in `json` filled, at any depth.
Json fill_texts(const Json& json, const Values& values);
std::set<std::string> names_in_texts(const Json& json);

// A text, number, flag as it would be written; nothing for null, a list or an object.
std::optional<std::string> scalar_text(const Json& json);
// Whether `found` is `wanted`: `present`, `one of A, B`, or that text.
bool matches(const std::optional<std::string>& found, const std::string& wanted);

}  // namespace kedge
