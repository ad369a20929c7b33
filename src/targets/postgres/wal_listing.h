// Reads what pg_waldump prints and counts what committed transactions changed.
//
// It works line by line, so that a listing of any length costs only memory for the transactions that are open.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "base/lsn.h"

namespace kedge {

// A table or index as the log names it. Tablespace 1663 is the default one; database 0 holds the shared catalogues.
struct RelationFile {
    std::uint32_t tablespace = 0, database = 0, number = 0;
    friend auto operator<=>(const RelationFile&, const RelationFile&) = default;
};

// One line of pg_waldump (versions 13 to 17), as far as it matters here.
struct WalRecord {
    std::string_view manager;  // Heap, Heap2, Transaction, Storage, ...
    std::string_view operation;
    std::uint32_t transaction = 0;  // 0: none
    std::uint32_t bytes = 0;        // of the whole record
    Lsn position;
    std::int64_t rows = 0;                       // of a heap: how many it inserts, updates or deletes
    std::optional<RelationFile> relation;        // of the first block it touches, or that it creates
    std::vector<std::uint32_t> subtransactions;  // of a commit or an abort, and the prepared one that it ends
};
std::optional<WalRecord> parse_wal_record(std::string_view line);

class WalTally {
public:
    // Commits before `from` are known to the other side; changes are remembered from the first line on, since a
    // transaction may have begun before and committed after.
    explicit WalTally(Lsn from) : from_(from) {}

    void add(const WalRecord& record);

    std::int64_t transactions() const { return transactions_; }
    const std::map<RelationFile, std::int64_t>& changes() const { return changes_; }
    // Files that came into being after `from`: their numbers mean something else elsewhere.
    const std::set<RelationFile>& created() const { return created_; }
    // Where the last record begins, and its length; nothing if none is at or after `from`.
    struct Last {
        Lsn position;
        std::uint32_t bytes = 0;
    };
    std::optional<Last> last() const { return last_; }

private:
    using Changes = std::map<RelationFile, std::int64_t>;
    const Lsn from_;
    std::map<std::uint32_t, Changes> open_;  // by transaction
    std::int64_t transactions_ = 0;
    Changes changes_;
    std::set<RelationFile> created_;
    std::optional<Last> last_;
};

// Where the record that begins at `position` and has `bytes` ends: the log continues at the next multiple of eight,
// and each page that it enters begins with a header.
Lsn end_of_record(Lsn position, std::uint32_t bytes, std::uint64_t segment_bytes);

}  // namespace kedge
