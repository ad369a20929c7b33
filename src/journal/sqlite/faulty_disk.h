// For tests: a way to the disk for SQLite (sqlite.org/vfs.html) that passes everything on to the ordinary one,
// remembers each write, truncation, removal and sync of the journal's files, and can fail the n-th write or sync.
//
// From what it remembers it builds the disk as a loss of power at any moment would have left it: what was
// synced is there; of what was not, each write may be there, missing or torn at a sector.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace kedge {

class FaultyDisk {
public:
    // Registers itself with SQLite under `name`, which is then given to SqliteSettings::vfs.
    explicit FaultyDisk(std::string name);
    FaultyDisk(const FaultyDisk&) = delete;
    FaultyDisk& operator=(const FaultyDisk&) = delete;
    ~FaultyDisk();

    const std::string& name() const { return name_; }

    // The n-th write or sync from now on (1 = the next) gives this SQLite code; with `lasting` all after it too.
    void fail_write(int nth, int code, bool lasting = false) { write_ = {nth, code, lasting}; }
    void fail_sync(int nth, int code, bool lasting = false) { sync_ = {nth, code, lasting}; }
    void heal() { write_ = sync_ = {}; }
    // How many operations have been remembered.
    std::size_t operations() const { return operations_.size(); }

    // Writes into `directory` what a loss of power after the first `count` operations leaves.
    void leave_after(std::size_t count, std::mt19937& random, const std::string& directory) const;

private:
    struct Operation {
        enum class Kind { write, truncate, remove, sync } kind;
        std::string file;  // its last component
        std::int64_t offset = 0;
        std::string bytes;
    };
    struct Planted {
        int nth = 0;
        int code = SQLITE_OK;
        bool lasting = false;
        int strikes() {
            if (nth == 0) return SQLITE_OK;
            if (nth > 1) {
                --nth;
                return SQLITE_OK;
            }
            if (!lasting) nth = 0;
            return code;
        }
    };
    struct File {
        sqlite3_file base;
        FaultyDisk* disk;
        sqlite3_file* real;
        char name[64];
    };

    static File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
    static sqlite3_file* real(sqlite3_file* file) { return of(file)->real; }
    static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags);
    static int remove(sqlite3_vfs* vfs, const char* path, int sync_directory);
    static int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset);
    static int truncate(sqlite3_file* file, sqlite3_int64 size);
    static int sync(sqlite3_file* file, int flags);
    static const sqlite3_io_methods& methods();

    std::string name_;
    sqlite3_vfs* parent_;
    sqlite3_vfs vfs_;
    std::vector<Operation> operations_;
    Planted write_, sync_;
};

}  // namespace kedge
