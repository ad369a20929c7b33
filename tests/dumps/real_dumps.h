// Dumps that a real PostgreSQL's pg_dump wrote of a database with tables of all kinds, for tests and benchmarks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "targets/postgres/scratch_cluster.h"

namespace kedge::verify {

class RealDatabase {
public:
    // Starts a server and fills it. What it holds, by the name in a dump's contents, is in `rows`.
    RealDatabase();

    const std::map<std::string, std::uint64_t>& rows() const { return rows_; }
    static constexpr std::uint64_t large_objects = 21;

    // What pg_dump writes with these arguments, to a file that can be sought or into a pipe.
    std::string dump(const Arguments& arguments) const;
    std::string dump_through_pipe(const Arguments& arguments) const;
    // The files of a dump in directory format.
    std::map<std::string, std::string> dump_directory(const Arguments& arguments) const;
    // A table more, of text that compresses to about half: some 100 bytes a row.
    void grow(int rows) const;
    // Rows to tell one sound dump from another.
    void change() const;

private:
    ScratchDirectory directory_;
    std::unique_ptr<ScratchServer> server_;
    std::map<std::string, std::uint64_t> rows_;
};

// What `pg_restore` with these arguments makes of a file: its exit code; nothing if it did not end in time.
std::optional<int> pg_restore_exit(const Arguments& arguments, const std::string& path);

}  // namespace kedge::verify
