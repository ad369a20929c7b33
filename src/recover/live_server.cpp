#include "recover/live_server.h"

#include <fmt/format.h>

#include <cctype>
#include <future>
#include <vector>

namespace kedge::recover {
namespace {

backup::PostgresServer in_its_database(const Target& target, backup::PostgresServer server) {
    if (const auto database = target.settings.text("database"))
        server.connection = to_database(server.connection, *database);
    return server;
}

}  // namespace

// Of a keyword that stands twice libpq takes the last (PostgreSQL manual, 34.1.1 has both forms).
std::string to_database(const std::string& connection, const std::string& database) {
    if (connection.starts_with("postgresql://") || connection.starts_with("postgres://")) {
        std::string encoded;
        for (const char letter : database) {
            const auto byte = static_cast<unsigned char>(letter);
            encoded += std::isalnum(byte) != 0 ? std::string(1, letter) : fmt::format("%{:02X}", byte);
        }
        return fmt::format("{}{}dbname={}", connection, connection.find('?') == std::string::npos ? '?' : '&', encoded);
    }
    std::string quoted;
    for (const char letter : database) {
        if (letter == '\'' || letter == '\\') quoted += '\\';
        quoted += letter;
    }
    return fmt::format("{} dbname='{}'", connection, quoted);
}

Result<backup::PostgresServer> find_live_copy(const Target& target, const std::optional<std::string>& region,
                                              const std::stop_token& stop) {
    return in_its_database(target, TRY(backup::find_postgres(target, region, stop)));
}

Result<backup::PostgresServer> find_live_primary(const Target& target, const std::stop_token& stop) {
    // Side by side: one that is silent takes its own time, not that of the others.
    std::vector<std::future<Result<backup::PostgresServer>>> answers;
    for (const Site& site : target.sites)
        answers.push_back(
            std::async(std::launch::async, [&] { return backup::find_postgres(target, site.region, stop); }));
    std::optional<backup::PostgresServer> primary;
    std::string others;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const Site& site = target.sites[i];
        auto server = answers[i].get();
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
    return in_its_database(target, std::move(*primary));
}

}  // namespace kedge::recover
