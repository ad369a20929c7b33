// Brings tables or rows of a recovered database back into the live one.
//
// All of it is one transaction of the live primary: it is there whole, or not at all. What is brought:
//
// - the chosen rows that live lacks. Rows are the same when they have the same key; of a table without a key, when
//   they have the same content. A row that live has with other content is a conflict, and `on_conflict` decides;
// - the rows that those refer to by foreign keys, and so on, as far as live lacks them; a row that live has is left as
//   it is;
// - tables that live no longer has, with their definition, indexes, constraints, privileges and triggers, and the
//   foreign keys of other tables that pointed to them.
//
// Triggers that people made do not fire for what is brought, and are then exactly as they were. Sequences owned by the
// columns are moved on to the furthest of live, recovered, and what the column holds. The tables that are written to
// are locked against other writers until the end; readers go on.
//
// The rows are found in one snapshot of the recovered database, in work tables of a transaction there that is rolled
// back: nothing is left in it either.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/servers.h"
#include "base/time.h"

namespace kedge::recover {

enum class OnConflict {
    stop,     // nothing is brought
    keep,     // live's row stays
    replace,  // live's row gets the recovered content
};

struct Chosen {
    std::string table;    // as people write it
    std::string where{};  // a condition of SQL over its columns, evaluated in the recovered database; empty: all rows
};

// What became of one table, or would.
struct ExtractedTable {
    std::string name;
    bool chosen = false;      // else rows of it are brought only because others refer to them
    bool made_again = false;  // live no longer had it
    std::uint64_t rows = 0;   // that were chosen, or are referred to and were looked for in live
    std::uint64_t same = 0;   // live has them
    std::uint64_t inserted = 0, replaced = 0, kept = 0;
    std::uint64_t conflicts = 0;
    std::vector<std::string> conflict_keys{};  // the first of them

    bool operator==(const ExtractedTable&) const = default;
};

struct MovedSequence {
    std::string name;
    std::optional<std::int64_t> from;  // the last value it had given; nothing: none yet
    std::int64_t to = 0;

    bool operator==(const MovedSequence&) const = default;
};

enum class ExtractEnd {
    committed,
    rolled_back,  // as the dry run asked
    conflicts,    // rolled back, since live has rows with other content
};

struct Extraction {
    ExtractEnd end = ExtractEnd::rolled_back;
    std::vector<ExtractedTable> tables;     // by name
    std::vector<std::string> foreign_keys;  // of other tables, made again: "lines_order_fkey of public.lines"
    std::vector<MovedSequence> sequences;
    std::size_t triggers_off = 0;
    std::vector<std::string> notes;  // what was left out, and has to be looked after by somebody
    std::string transaction;         // of the live database: pg_xact_status tells of it
};

struct ExtractOptions {
    std::vector<Chosen> chosen;
    OnConflict on_conflict = OnConflict::stop;
    bool dry_run = false;       // does all of it, and rolls back
    std::size_t keys_max = 10;  // of conflicts that are shown, for each table
    Span lock_limit = std::chrono::seconds{5};
    Span limit = std::chrono::hours{1};  // for all of it
    std::optional<std::vector<ExtractedTable>>
        expected{};  // conflict if the numbers are others: what a person agreed to
    std::stop_token stop{};
    std::function<void(const std::string& step)> on_step{};
};

// `live` is a primary. invalid_input or not_found for a table or a condition that cannot be; refused, with the server's
// words, where what was asked breaks a constraint or cannot be done; conflict for locks, deadlocks and a live database
// that has changed since `expected`; unavailable for a server that does not answer: in all of these nothing was
// changed. outcome_unknown when the connection was lost while it was committed and nobody could be asked what came of
// it: the message tells how to find out.
Result<Extraction> extract(const backup::PostgresServer& recovered, const backup::PostgresServer& live,
                           const ExtractOptions& options);

}  // namespace kedge::recover
