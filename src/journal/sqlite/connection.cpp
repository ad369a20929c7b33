#include "journal/sqlite/connection.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "os/lock_file.h"

namespace kedge {
namespace {

int flags_of(SqliteConnection::Mode mode) {
    const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI;
    switch (mode) {
        case SqliteConnection::Mode::create: return common | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        case SqliteConnection::Mode::read_write: return common | SQLITE_OPEN_READWRITE;
        case SqliteConnection::Mode::read:
        case SqliteConnection::Mode::read_immutable: return common | SQLITE_OPEN_READONLY;
    }
    return common;
}

// A path as a file: URI (sqlite.org/uri.html), every byte that is not plain escaped.
std::string uri(const std::string& path, SqliteConnection::Mode mode) {
    std::string text = "file:";
    for (const char c : path) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
                           c == '.' || c == '-' || c == '_';
        if (plain) {
            text += c;
        } else {
            text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    if (mode == SqliteConnection::Mode::read_immutable) text += "?immutable=1";
    return text;
}

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path, Mode mode, Span busy_limit,
                                                                 const std::string& vfs) {
    sqlite3* raw = nullptr;
    const int code =
        sqlite3_open_v2(uri(path, mode).c_str(), &raw, flags_of(mode), vfs.empty() ? nullptr : vfs.c_str());
    std::unique_ptr<SqliteConnection> connection(new SqliteConnection(path, raw, busy_limit));
    if (code != SQLITE_OK) return connection->error(code, "cannot open it");
    TRY(connection->configure());
    return connection;
}

Result<void> SqliteConnection::configure() {
    sqlite3* const db = db_.get();
    constexpr std::array settings = {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                     std::pair{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                     std::pair{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                                     std::pair{SQLITE_DBCONFIG_ENABLE_VIEW, 0},
                                     std::pair{SQLITE_DBCONFIG_DQS_DML, 0},
                                     std::pair{SQLITE_DBCONFIG_DQS_DDL, 0},
                                     std::pair{SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0}};
    for (const auto& [option, value] : settings)
        check(sqlite3_db_config(db, option, value, nullptr) == SQLITE_OK, "SQLite 3.40 knows these settings");
    restore_busy_limit();
    TRY(run("PRAGMA synchronous = FULL"));
    TRY(run("PRAGMA temp_store = MEMORY"));
    TRY(run("PRAGMA foreign_keys = ON"));
    TRY(run("PRAGMA cell_size_check = ON"));
    return {};
}

void SqliteConnection::restore_busy_limit() {
    sqlite3_busy_timeout(db_.get(), static_cast<int>(busy_limit_ / std::chrono::milliseconds{1}));
}

Result<void> SqliteConnection::run(const char* sql) {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code, "cannot use it");
    return {};
}

Result<std::int64_t> SqliteConnection::integer(const char* sql) {
    SqliteStatement statement = TRY(prepare(sql));
    if (!TRY(statement.step())) return Error{Fault::corrupt, path_ + ": a question to the database gave no row"};
    return statement.integer(0);
}

Result<std::string> SqliteConnection::text(const char* sql) {
    SqliteStatement statement = TRY(prepare(sql));
    if (!TRY(statement.step())) return Error{Fault::corrupt, path_ + ": a question to the database gave no row"};
    return statement.text(0);
}

Result<SqliteStatement> SqliteConnection::prepare(const char* sql) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) return error(code, "cannot use it");
    return SqliteStatement(raw, this);
}

bool SqliteConnection::is_read_only() const {
    return sqlite3_db_readonly(db_.get(), "main") == 1;
}

Error SqliteConnection::error(int code, std::string_view said) const {
    was_busy_ = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
    failed_ = failed_ || !was_busy_;
    const int number = db_ ? sqlite3_system_errno(db_.get()) : 0;
    const std::string because = fmt::format("{}{}", db_ ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(code),
                                            number == 0 ? "" : fmt::format(" ({})", std::strerror(number)));
    switch (code & 0xff) {
        case SQLITE_FULL:
            return {Fault::unavailable, fmt::format("{}: the disk is full; nothing of this was kept", path_),
                    "make room on its file system, then start again"};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {Fault::unavailable,
                    fmt::format("{}: another process has held the write lock for {}", path_, to_string(busy_limit_)),
                    "see which process has the file open (fuser), and try again"};
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return {Fault::not_allowed, fmt::format("{}: {}: it may only be read: {}", path_, said, because),
                    "run as the owner of the state directory, or name another with --state"};
        case SQLITE_CANTOPEN: {
            const bool missing = !file_identity(path_);
            return {missing ? Fault::not_found : Fault::not_allowed, fmt::format("{}: {}: {}", path_, said, because)};
        }
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return {Fault::corrupt, fmt::format("{}: {}: {}", path_, said, because),
                    "keep the damaged files aside and bring the state directory back from its backup"};
        default: break;
    }
    return {Fault::unavailable, fmt::format("{}: {}: {}", path_, said, because)};
}

SqliteStatement& SqliteStatement::bind(int parameter, std::int64_t value) {
    check(sqlite3_bind_int64(statement_.get(), parameter, value) == SQLITE_OK, "the parameter exists");
    return *this;
}

SqliteStatement& SqliteStatement::bind(int parameter, std::string_view value) {
    check(sqlite3_bind_text(statement_.get(), parameter, value.data(), static_cast<int>(value.size()),
                            SQLITE_TRANSIENT) == SQLITE_OK,
          "the parameter exists and the text has at most body_bytes_max bytes");
    return *this;
}

Result<bool> SqliteStatement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) {
        reset();
        return false;
    }
    Error error = connection_->error(code, "cannot use it");
    reset();
    return error;
}

Result<void> SqliteStatement::run() {
    check(!TRY(step()), "a statement that changes something gives no rows");
    return {};
}

void SqliteStatement::reset() {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
}

std::int64_t SqliteStatement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

std::string_view SqliteStatement::view(int column) const {
    const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string SqliteStatement::text(int column) const {
    return std::string(view(column));
}

bool SqliteStatement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

}  // namespace kedge
