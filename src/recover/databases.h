// The databases of a running server: made, filled, closed and renamed, while the server goes on serving others.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/servers.h"
#include "base/result.h"
#include "recover/sql_session.h"
#include "targets/database.h"

namespace kedge::recover {

// One to the other, in this order.
struct Renaming {
    std::string from, to;
    bool open = true;  // whether anybody gets into it afterwards
};

// One thread. Speaks from a database that is none of those: `postgres`, or template1 where `live` is that; in one
// conversation, since the server may be far away.
class Databases {
public:
    // `live` is the one that it is about.
    Databases(backup::PostgresServer server, const std::string& live, std::stop_token stop)
        : server_(std::move(server)), maintenance_(other_database(live)), stop_(std::move(stop)) {}

    // Another conversation with the server, of a minute, which nobody calls off, after the one here has failed. The
    // server has ended the one here by then: nothing of it can come about any more. unavailable if that cannot be seen.
    Result<Databases> after_failure();

    // `name` on this server; a name that PostgreSQL would cut off (63 bytes) is refused by check_database_name.
    backup::PostgresServer reached(const std::string& name) const;
    Result<std::set<std::string>> names();
    Result<std::int64_t> major();
    // Why it cannot change its name: replication slots, prepared transactions or subscriptions that are bound to it.
    // Empty: it can.
    Result<std::string> bound_by(const std::string& name);

    // Empty, with the encoding, the locale and the owner of `copy`'s database, which may lie on another server.
    Result<void> create(const std::string& name, const backup::PostgresServer& copy) const;
    // With whoever is in it. Nothing of that name is success.
    Result<void> drop(const std::string& name) const;

    // Nobody, superusers included, gets into it any more, and who is in it is put out.
    Result<void> close(const std::string& name);
    // Who is in it; whoever comes may come.
    Result<void> put_out(const std::string& name);
    Result<void> open(const std::string& name);
    Result<bool> is_open(const std::string& name);
    // All of them or none, at one moment. refused if somebody is in one of them for five
    // seconds. If `like` is not empty, the last one gets owner, rights, settings, connection limit and comment of
    // `like`, a name before.
    Result<void> rename(const std::vector<Renaming>& renamings, const std::string& like);

private:
    Result<std::string> ask(const std::string& sql);
    Result<void> begin();

    backup::PostgresServer server_;
    std::string maintenance_;
    std::stop_token stop_;
    Span limit_ = std::chrono::hours(48);  // of all that is asked while a copy is loaded
    std::optional<SqlSession> session_;
    std::string backend_;  // which one the server has for the conversation, as a condition
};

// refused for one that PostgreSQL would cut off.
Result<void> check_database_name(const std::string& name);

}  // namespace kedge::recover
