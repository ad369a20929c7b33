// The reading side of the SQLite journal: a connection of its own, so that a long read never waits for an
// append nor an append for it. Not safe for two threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/journal.h"
#include "journal/sqlite/connection.h"
#include "os/lock_file.h"

namespace kedge {

// The columns of a request, and one row of them (the first column is the request's id).
inline constexpr const char* request_columns = "id, run, step, login, verb, text, digest, played_as, time";
Request request_of(const SqliteStatement& row);

class SqliteReader {
public:
    // not_found if there is no journal. Where not even the index of the log may be made (a directory that may
    // only be read, closed in good order and copied), the file is read as one that does not change.
    static Result<std::unique_ptr<SqliteReader>> open(const std::string& path, const std::string& vfs);

    // Each entry is checked against its digest and the one before it; corrupt names the first that does not fit.
    Result<std::vector<Entry>> entries(const RunId& run, Position after, std::size_t limit);
    Result<std::vector<Request>> inbox(const RunId& run);
    // `controller` is the last that claimed, alive or not.
    Result<std::vector<RunRecord>> runs();
    // Everything that journal.h's `verify` promises, in one snapshot; `directory` holds the claims.
    Result<std::uint64_t> verify(const std::string& directory);
    // corrupt if the database is older than what claims in `directory` know to be durable.
    Result<void> is_not_older_than_claims(const std::string& directory);

private:
    SqliteReader(std::string path, std::string vfs) : path_(std::move(path)), vfs_(std::move(vfs)) {}
    Result<void> connect();
    Result<void> connect_as(SqliteConnection::Mode mode);
    // Opens anew when the file was replaced, or when somebody began to write one that was read as unchanging.
    Result<void> stay_current();

    const std::string path_, vfs_;
    bool immutable_ = false;
    std::optional<FileIdentity> file_;
    std::unique_ptr<SqliteConnection> db_;
    std::optional<SqliteStatement> all_entries_, run_entries_, inbox_, runs_, digest_at_;
};

}  // namespace kedge
