// A database that runs, at one moment: rows of its tables as texts for load_rows.h, and a name by which pg_dump reads
// the same moment. It may be written to meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backup/servers.h"
#include "base/result.h"
#include "os/wait.h"
#include "targets/postgres/copy_out.h"
#include "verify/dump/row_texts.h"

namespace kedge::recover {

class DatabaseSnapshot {
public:
    // As a superuser. Everything that is asked of it ends at `until`.
    static Result<std::unique_ptr<DatabaseSnapshot>> take(const backup::PostgresServer& server, const Until& until);

    // For `pg_dump --snapshot`, as long as this lives.
    const std::string& id() const { return id_; }
    const std::string& encoding() const { return encoding_; }  // of the database, and of the texts
    std::uint64_t major() const { return major_; }             // of the server
    // The tables that people made and that hold rows themselves, those that take longest first. Binary are those that a
    // server of the same version reads alike. Without those of extensions (only
    // pg_dump knows which of their rows belong to a copy), and without partitions whose rows a copy may have to put
    // into others: by the hash of an enum, which differs from database to database.
    const std::vector<verify::TableText>& tables() const { return tables_; }
    // As verify::RowTexts::open. The stream is gone before this is.
    Result<std::unique_ptr<verify::ByteStream>> open(const verify::TableText& table);

private:
    class Rows;
    DatabaseSnapshot(const backup::PostgresServer& server, Until until, CopyLink holder)
        : server_(server), until_(std::move(until)), holder_(std::move(holder)) {}
    static Result<CopyLink> connect(const backup::PostgresServer& server, const Until& until);
    Result<void> look();
    Result<std::uint64_t> cost_of(std::uint64_t stored, const std::string& unpacked_query);
    Result<std::unique_ptr<CopyOut>> take_reader();
    void give_back(std::unique_ptr<CopyOut> reader);

    const backup::PostgresServer server_;
    const Until until_;
    CopyLink holder_;  // of the snapshot
    std::string id_, encoding_;
    std::uint64_t major_ = 0;
    std::vector<verify::TableText> tables_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<CopyOut>> idle_;  // guarded by the mutex
};

}  // namespace kedge::recover
