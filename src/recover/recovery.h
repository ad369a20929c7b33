// A database that was recovered beside production: a server of its own, reached through a socket in a directory of its
// own, that stays until somebody discards it.
//
// What is known of each lies in one file below the state directory, recoveries/NAME.json (docs/formats/recovery.md).
// Who changes it holds its lock. Functions may be called from several threads.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backup/servers.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"
#include "os/lock_file.h"

namespace kedge::recover {

// How far it has come.
enum class Stage {
    chosen,     // what it would be made from is known; nothing was made
    working,    // it is being made. If nobody holds its lock, whoever made it was interrupted
    gated,      // it stands, and may hold people who must stay erased: nothing may be taken from it (gate.h)
    recovered,  // it stands, and may be used
    prepared,   // its server is stopped, and it is ready to be swapped in for production (promote.h)
    promoted,   // it is production; what was production is kept
    failed,     // it could not be made; nothing of it is left but the server's log
};
std::string_view to_string(Stage stage);

struct Recovery {
    std::string name;       // "before-the-import": letters, digits, `-`; at most 40
    std::string target;     // the estate's database
    std::string policy;     // the base backups that it is made from
    std::string asked;      // where it should end: "before 2026-11-24T03:05:07.000Z"
    std::string database;   // that the estate's target names; empty: it is a cache
    std::string directory;  // holds all of it: data, log, socket
    std::string who;        // asked for it
    Moment begun{};
    std::optional<Moment> ended{};
    Stage stage = Stage::chosen;
    std::string says;                  // why it failed, or how far it is
    int major = 0;                     // of PostgreSQL; 0 = not known yet
    Json choice = Json::object();      // choose.h
    Json proof = Json::object();       // beside.h
    Json comparison = Json::object();  // what production and it differ in, as a step of a run asked (compare.h)
    std::string key{};                 // of the step of a run that asked for it; empty: a person did
    std::string address{};             // of a recovered cache that answers: HOST:PORT

    // A Redis data set, which has no database.
    bool is_cache() const { return database.empty(); }
    // How psql reaches it. Its superuser is `postgres`.
    backup::PostgresServer server() const;
};

// invalid_input for what is no name.
Result<void> check_recovery_name(const std::string& name);
// invalid_input for a directory below which no server could have its socket, or psql be told of it: relative, with
// characters that would have to be quoted, or too long with the longest name.
Result<void> check_place(const std::string& place);

// not_found if there is none of that name, corrupt if its file cannot be read as one.
Result<Recovery> find_recovery(const std::string& state_directory, const std::string& name);
// All there are, by name.
Result<std::vector<Recovery>> recoveries(const std::string& state_directory);
Result<void> write_recovery(const std::string& state_directory, const Recovery& recovery);

// Held while one is made, used or discarded. conflict if somebody else holds it.
Result<LockFile> lock_recovery(const std::string& state_directory, const std::string& name);
Result<bool> is_recovery_locked(const std::string& state_directory, const std::string& name);

// Of one that was loaded into the running server, or took the place of a database there (exchange.h).
bool is_exchanged(const Recovery& recovery);

// Whether its server answers: no = it does not run or refuses, with `says`.
struct ServerLook {
    Truth answers = Truth::unknown;
    std::string says;
};
ServerLook look_at_server(const Recovery& recovery, const std::stop_token& stop);

// Stops its server, removes its directory, then forgets it; what cannot be removed keeps it known. The caller holds its
// lock. Nothing there is success. Of one that was swapped in, what was production before is removed; conflict if it is
// half swapped in, or if databases of it are in the running server (exchange.h removes those).
Result<void> discard(const std::string& state_directory, const Recovery& recovery, const std::stop_token& stop);
// Marks the directory, before it is made, as one that Kedge makes: by a file beside it.
Result<void> mark_directory(const Recovery& recovery);
// Stops its server if it runs, and removes its directory. refused if something lies there that is not marked.
Result<void> clear_directory(const Recovery& recovery, const std::stop_token& stop);

// "/var/tmp/kedge-recover-0": where recoveries lie if nobody says otherwise, one place for each user.
std::string usual_place();

}  // namespace kedge::recover
