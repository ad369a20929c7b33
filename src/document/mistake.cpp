#include "document/mistake.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/suggest.h"

namespace kedge {

void Mistakes::add(Place place, std::string what, std::string hint) {
    const auto after = std::ranges::upper_bound(list_, place, {}, &Mistake::place);
    for (auto it = after; it != list_.begin() && std::prev(it)->place == place; --it)
        if (std::prev(it)->what == what) return;
    if (list_.size() == mistakes_max) {
        ++dropped_;
        return;
    }
    list_.insert(after, Mistake{place, std::move(what), std::move(hint)});
}

std::vector<std::string> Mistakes::lines() const {
    std::vector<std::string> lines;
    for (const Mistake& mistake : list_) {
        std::string line = path_;
        if (mistake.place.line > 0) line += fmt::format(":{}:{}", mistake.place.line, mistake.place.column);
        line += ": " + mistake.what;
        if (!mistake.hint.empty()) line += "; " + mistake.hint;
        lines.push_back(std::move(line));
    }
    if (dropped_ > 0) lines.push_back(fmt::format("{}: {} more mistakes", path_, dropped_));
    return lines;
}

Error Mistakes::error() const {
    check(!empty(), "an error is made only of mistakes");
    return Error{Fault::invalid_input, fmt::format("{}", fmt::join(lines(), "\n"))};
}

std::string suggestion(std::string_view name, const std::vector<std::string>& known) {
    if (const auto near = nearest(name, known)) return fmt::format("did you mean `{}`?", *near);
    if (known.empty()) return {};
    return fmt::format("known: {}", fmt::join(known, ", "));
}

}  // namespace kedge
