#include "recover/live_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <type_traits>
#include <vector>

namespace kedge::recover {
namespace {

constexpr Span answer_limit = std::chrono::seconds(10);

// What its sites say, in their order. Side by side: one that is silent takes its own time, not that of the others.
template <class Ask>
auto ask_sites(const Target& target, const Ask& ask) {
    std::vector<std::future<std::invoke_result_t<Ask, const Site&>>> answers;
    for (const Site& site : target.sites)
        answers.push_back(std::async(std::launch::async, [&ask, &site] { return ask(site); }));
    std::vector<std::invoke_result_t<Ask, const Site&>> said;
    for (auto& answer : answers) said.push_back(answer.get());
    return said;
}

}  // namespace

Result<backup::PostgresServer> find_live_primary(const Target& target, const std::stop_token& stop) {
    auto answers =
        ask_sites(target, [&](const Site& site) { return backup::find_postgres(target, site.region, stop); });
    std::optional<backup::PostgresServer> primary;
    std::string others;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const Site& site = target.sites[i];
        Result<backup::PostgresServer>& server = answers[i];
        if (!server || server->is_standby) {
            others += fmt::format("; {}: {}", site.region, server ? "a standby" : server.error().message);
            continue;
        }
        if (primary)
            return Error{Fault::refused,
                         fmt::format("{}: {} and {} both take writes", target.name, primary->region, site.region),
                         "fence the one that must not serve first"};
        primary = std::move(*server);
    }
    if (!primary)
        return Error{Fault::unavailable, fmt::format("{}: no copy of it takes writes{}", target.name, others)};
    return std::move(*primary);
}

std::string live_database(const Target& target, const Recovery& recovery) {
    return target.settings.text("database").value_or(recovery.database);
}

bool all_read_lz4(const Target& target, const std::stop_token& stop) {
    const auto reads = [&](const Site& site) {
        const auto server = backup::find_postgres(target, site.region, stop);
        if (!server) return false;
        const auto says = backup::ask_postgres(
            *server, "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'",
            answer_limit, stop);
        return says && *says == "t";
    };
    return std::ranges::all_of(ask_sites(target, reads), std::identity{});
}

}  // namespace kedge::recover
