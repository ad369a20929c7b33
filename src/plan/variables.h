// `${name}` in the texts of a plan: the inputs of the run, and nothing else. There is no expression language.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kedge {

// The names that stand in `text`, in order. A `${` without its end gives the rest of the text.
std::vector<std::string> variables_in(std::string_view text);

// `text` with every `${name}` replaced by what `value_of` gives for it.
std::string substitute(std::string_view text, const std::function<std::string(const std::string&)>& value_of);

}  // namespace kedge
