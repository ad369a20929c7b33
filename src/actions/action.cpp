#include "actions/action.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/check.h"

namespace kedge {
namespace {

template <class Map>
auto find_target(const Map& map, const std::string& name) -> Result<decltype(map.begin()->second.get())> {
    const auto found = map.find(name);
    if (found == map.end())
        return Error{Fault::not_found, fmt::format("target {}: no driver of that kind is bound to it", name)};
    return found->second.get();
}

// Parameters come as they were written: text, or a JSON number or flag.
std::string as_text(const Json& value) {
    return value.is_string() ? value.get<std::string>() : dump(value);
}

}  // namespace

std::string Call::text(std::string_view name) const {
    const Json& value = get(with, name);
    return value.is_null() ? "" : as_text(value);
}
std::int64_t Call::integer(std::string_view name) const {
    return std::strtoll(text(name).c_str(), nullptr, 10);
}
double Call::number(std::string_view name) const {
    return std::strtod(text(name).c_str(), nullptr);
}
bool Call::flag(std::string_view name) const {
    return text(name) == "true";
}
bool Call::has(std::string_view name) const {
    return !text(name).empty();
}

Span Call::span(std::string_view name) const {
    const Result<Span> span = parse_span(text(name));
    check(span.has_value(), "binding a plan has checked every span");
    return *span;
}

Result<Database*> Call::database() const {
    return find_target(targets.databases, target);
}
Result<Cache*> Call::cache() const {
    return find_target(targets.caches, target);
}
Result<Application*> Call::application() const {
    return find_target(targets.applications, target);
}
Result<Traffic*> Call::traffic() const {
    return find_target(targets.traffic, target);
}
Result<Store*> Call::store() const {
    return find_target(targets.stores, target);
}
Result<Channel*> Call::channel() const {
    return find_target(targets.channels, target);
}
Result<Metrics*> Call::metrics() const {
    return find_target(targets.metrics, target);
}
Result<Logs*> Call::logs() const {
    return find_target(targets.logs, target);
}

Result<Migration*> Call::migration() const {
    return find_target(targets.migrations, target);
}

Result<Index*> Call::index() const {
    return find_target(targets.indexes, target);
}

Result<Backups*> Call::backups() const {
    if (targets.backups == nullptr) return Error{Fault::not_found, "no backups are bound: the estate has no policies"};
    return targets.backups.get();
}

Result<Recoveries*> Call::recoveries() const {
    if (targets.recoveries == nullptr)
        return Error{Fault::not_found, "nothing can be recovered: the estate has no backup policies"};
    return targets.recoveries.get();
}

const Action* find_action(std::string_view name) {
    for (const Action& action : actions())
        if (action.type.name == name) return &action;
    return nullptr;
}

Catalogue catalogue() {
    static const std::vector<ActionType> types = [] {
        std::vector<ActionType> all;
        for (const Action& action : actions()) all.push_back(action.type);
        return all;
    }();
    return types;
}

}  // namespace kedge
