// What the recoveries of `recover_bench` are made from: a database as a company has one, its dump, its base backup and
// the log behind that, the same again in pgBackRest's repository, and people who must stay erased.
#pragma once

#include <cstdint>
#include <string>

namespace kedge::bench {

struct Material {
    std::string kedge;      // the program
    std::string directory;  // holds all of it between runs; its owner is the user that servers run as

    std::string target;  // a moment for recovery_target_time, with what is committed before and after it
    std::string dump, base;
    std::uint64_t dump_bytes = 0, base_bytes = 0, log_bytes = 0;
    std::uint64_t users = 0;
    bool has_pgbackrest = false;

    std::string place() const { return directory + "/place"; }
    // Where a server runs into which is loaded.
    std::string living() const { return directory + "/living"; }
    std::string log() const { return directory + "/store/wal"; }
    std::string pgbackrest_config() const { return directory + "/pgbackrest.conf"; }
    // Without the erasure map, and with it; and with the server that runs.
    std::string estate() const { return directory + "/estate.yaml"; }
    std::string living_estate() const { return directory + "/living-estate.yaml"; }
    std::string filtering_estate() const { return directory + "/filtering-estate.yaml"; }
};

inline constexpr std::uint64_t erased_people = 1000;

// From `megabytes` of rows as text and as many of log. Made once: what lies in `directory` already is used if it is of
// that size. Stops the benchmark where something fails.
Material make_material(const std::string& kedge, const std::string& directory, std::uint64_t megabytes);

}  // namespace kedge::bench
