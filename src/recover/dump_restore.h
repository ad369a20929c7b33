// A dump that fills a database section by section: what it defines by pg_restore, the rows of tables by load_rows.h,
// wherever they come from, and then what stands on rows, by pg_restore again: indexes, keys, triggers. Of a table that
// is in, indexes and keys are built while others still load, by whoever has none left to load.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "backup/servers.h"
#include "base/result.h"
#include "recover/load_rows.h"
#include "verify/dump/table_texts.h"

namespace kedge::recover {

struct DumpRestoreOptions {
    std::string dump;             // its path
    bool is_for_several = true;   // several can read it at once
    backup::PostgresServer into;  // the database
    std::string lists;            // a directory of ours: for what pg_restore is told to take
    Arguments words;              // of every pg_restore
    std::string settings{};       // of its sessions: "-c maintenance_work_mem=1GB"
    Fault fault{};                // of what pg_restore says no to
    std::size_t threads = 1;
    std::uint64_t worth_building = usually_worth_building;
    std::stop_token stop{};
};

// In this order. Each stops at the first error.
class DumpRestore {
public:
    explicit DumpRestore(DumpRestoreOptions options) : options_(std::move(options)) {}

    // pg_restore, with `what` of it. `words` follow those of the options.
    Result<void> run(const Arguments& words) const { return run(words, options_.settings, options_.stop); }
    Result<void> make_tables() const;
    // `rows`, and beside them what else the dump's section of data holds. Keys of `rows` are entries of the dump.
    Result<LoadedRows> load(const verify::TableTexts& dump, const verify::RowTexts& rows, FilterPlan& plan) const;
    // What `load` has not built.
    Result<void> build_the_rest(const verify::TableTexts& dump, const LoadedRows& loaded) const;

private:
    Result<void> run(const Arguments& words, const std::string& settings, const std::stop_token& stop) const;
    Result<void> run_into(Arguments words, const std::string& settings, const std::stop_token& stop) const;
    Result<void> load_others(const verify::TableTexts& dump, const std::stop_token& stop) const;
    Result<void> build(std::int64_t key, const std::string& settings, const std::stop_token& stop) const;
    // Entries of the dump as `pg_restore -L` reads them.
    Result<std::string> write_list(const std::string& name, const std::vector<std::int64_t>& entries) const;

    const DumpRestoreOptions options_;
};

}  // namespace kedge::recover
