// For tests: a recovered database and a live one that began as its copy, on real servers.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "backup/servers.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::recover {

// Both are databases of one server that all tests of the program share, unless a test asks for a server of live's own.
class ScratchDatabases {
public:
    // Both hold what `schema` makes.
    explicit ScratchDatabases(const std::string& schema) : name_(fmt::format("test_{}", ++count())) {
        in(server(), "postgres", "CREATE DATABASE " + name_);
        in(server(), name_, schema);
        in(server(), "postgres", fmt::format("CREATE DATABASE {0}_live TEMPLATE {0}", name_));
    }
    ~ScratchDatabases() {
        for (const char* suffix : {"", "_live"})
            in(server(), "postgres", fmt::format("DROP DATABASE {}{} WITH (FORCE)", name_, suffix));
    }
    ScratchDatabases(const ScratchDatabases&) = delete;
    ScratchDatabases& operator=(const ScratchDatabases&) = delete;

    // What psql prints, unaligned. A statement that fails stops the process.
    std::string recovered(const std::string& sql) const { return in(server(), name_, sql); }
    std::string live(const std::string& sql) const { return in(server(), name_ + "_live", sql); }
    backup::PostgresServer recovered_server() const { return access(server(), name_); }
    backup::PostgresServer live_server() const { return access(server(), name_ + "_live"); }
    std::string live_name() const { return name_ + "_live"; }

    static std::string in(const ScratchServer& server, const std::string& database, const std::string& sql) {
        std::string out = directory().run({std::string(scratch_bin_directory) + "/psql", "-X", "-q", "-A", "-t", "-v",
                                           "ON_ERROR_STOP=1", "-d", access(server, database).connection},
                                          sql + ";\n");
        while (!out.empty() && out.back() == '\n') out.pop_back();
        return out;
    }
    static backup::PostgresServer access(const ScratchServer& server, const std::string& database) {
        return {.region = "here",
                .connection = fmt::format("host=127.0.0.1 port={} user=postgres dbname={}", server.port(), database),
                .environment = {},
                .programs = scratch_bin_directory};
    }
    static const ScratchDirectory& directory() {
        static const ScratchDirectory only;
        return only;
    }
    static const ScratchServer& server() {
        static const std::unique_ptr<ScratchServer> only = [] {
            auto started = ScratchServer::initialize(directory(), "both");
            started->start();
            return started;
        }();
        return *only;
    }

private:
    static int& count() {
        static int databases = 0;
        return databases;
    }

    const std::string name_;
};

}  // namespace kedge::recover
