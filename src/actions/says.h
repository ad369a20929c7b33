// What actions share: how looks are put together.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "actions/action.h"

namespace kedge {

using namespace std::chrono_literals;

// Clocks of two machines that are kept in time differ by less. What is dated later than that says nothing about how new
// it is.
inline constexpr Span clocks_differ_at_most = 1s;

// A look at a condition.
inline Look condition(Truth holds, std::string says, SharedJson evidence = SharedJson::object()) {
    return {.done = holds, .says = std::move(says), .evidence = std::move(evidence)};
}

// A look at an effect that is not there: may it be applied?
inline Look absent(Truth allowed, std::string says, SharedJson evidence = SharedJson::object()) {
    return {.done = Truth::no, .allowed = allowed, .says = std::move(says), .evidence = std::move(evidence)};
}

// A look that could not tell whether the effect is there; so it may not be applied either.
inline Look unclear(std::string says, SharedJson evidence = SharedJson::object()) {
    return {.says = std::move(says), .evidence = std::move(evidence)};
}

// For an effect that leaves no trace to look at: it is there once the target took the order, and may be repeated.
inline Look traceless(const Call& call, std::string says) {
    if (call.accepted) return condition(Truth::yes, std::move(says));
    return absent(Truth::yes, std::move(says));
}

// `ask(region)` for every region at once: a region that is silent takes its own time, not that of the others. An
// answer needs a default, which nobody sees.
template <class Ask>
auto from_each(const Call& call, const Ask& ask) {
    using Answer = decltype(ask(call.regions.front()));
    std::vector<std::pair<std::string, Answer>> answers;
    for (const std::string& region : call.regions) answers.emplace_back(region, Answer{});
    call.targets.side_by_side(answers.size(), [&](std::size_t i) { answers[i].second = ask(answers[i].first); });
    return answers;
}

inline std::string site(const Call& call) {
    return call.region.empty() ? call.target : call.target + "@" + call.region;
}

}  // namespace kedge
