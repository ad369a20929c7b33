#include "estate/estate.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge {
namespace {

// The element with that name, or null.
template <class T>
const T* named(const std::vector<T>& list, std::string_view name) {
    const auto found = std::ranges::find(list, name, &T::name);
    return found != list.end() ? &*found : nullptr;
}

}  // namespace

std::string_view to_string(TargetKind kind) {
    switch (kind) {
        case TargetKind::database: return "database";
        case TargetKind::cache: return "cache";
        case TargetKind::application: return "application";
        case TargetKind::traffic: return "traffic";
        case TargetKind::store: return "store";
        case TargetKind::channel: return "channel";
        case TargetKind::metrics: return "metrics";
        case TargetKind::logs: return "logs";
        case TargetKind::migration: return "migration";
        case TargetKind::index: return "index";
    }
    return {};
}

std::optional<std::string> Settings::text(std::string_view key) const {
    return get_string(json_, key);
}

std::optional<std::int64_t> Settings::integer(std::string_view key) const {
    return get_integer(json_, key);
}

std::optional<double> Settings::number(std::string_view key) const {
    return get_number(json_, key);
}

std::optional<bool> Settings::flag(std::string_view key) const {
    return get_bool(json_, key);
}

std::optional<Span> Settings::span(std::string_view key) const {
    const auto written = text(key);
    if (!written) return std::nullopt;
    const auto span = parse_span(*written);
    return span ? std::optional{*span} : std::nullopt;
}

std::vector<std::string> Settings::texts(std::string_view key) const {
    std::vector<std::string> texts;
    for (const Json& item : get(json_, key))
        if (item.is_string()) texts.push_back(item.get<std::string>());
    return texts;
}

Settings Settings::section(std::string_view key) const {
    const Json& section = get(json_, key);
    return section.is_object() ? Settings{section} : Settings{};
}

std::vector<Settings> Settings::sections(std::string_view key) const {
    std::vector<Settings> sections;
    for (const Json& item : get(json_, key)) sections.emplace_back(item);
    return sections;
}

const Site* Target::site(std::string_view region) const {
    const auto found = std::ranges::find(sites, region, &Site::region);
    return found != sites.end() ? &*found : nullptr;
}

const Region* Estate::region(std::string_view wanted) const {
    return named(regions, wanted);
}

const Tier* Estate::tier(std::string_view wanted) const {
    return named(tiers, wanted);
}

const Target* Estate::target(std::string_view wanted) const {
    return named(targets, wanted);
}

const Service* Estate::service(std::string_view wanted) const {
    return named(services, wanted);
}

const BackupPolicy* Estate::backup(std::string_view wanted) const {
    return named(backups, wanted);
}

const Person* Estate::person(std::string_view wanted) const {
    return named(people, wanted);
}

const Person* Estate::person_by_login(std::string_view login) const {
    if (login.empty()) return nullptr;
    const auto found = std::ranges::find(people, login, &Person::login);
    return found != people.end() ? &*found : nullptr;
}

Result<void> Estate::require_armed(const std::vector<std::string>& not_armed) const {
    if (not_armed.empty()) return {};
    return Error{Fault::refused, fmt::format("not armed, so Kedge only looks at: {}", fmt::join(not_armed, ", ")),
                 fmt::format("set `armed: true` in {} once their owner agrees", path)};
}

Result<void> Estate::require_armed(const Target& target) const {
    return target.armed ? Result<void>() : require_armed(std::vector{target.name});
}

}  // namespace kedge
