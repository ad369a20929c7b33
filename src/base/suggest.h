// "Did you mean": the known name nearest to one that was mistyped.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kedge {

// The nearest of `known` by edit distance with transpositions (Damerau, optimal string alignment), if it
// is near enough to be meant: at most a third of the letters differ, and never more than three.
std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace kedge
