// The seeds of the fuzz targets: small inputs from which the fuzzer begins.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace kedge::verify {

// No input of the fuzzer is longer (tools/fuzz).
inline constexpr std::size_t fuzz_input_bytes_max = 16384;

// Files below DIRECTORY/TARGET.
class Seeds {
public:
    explicit Seeds(std::filesystem::path directory) : directory_(std::move(directory)) {}

    void add(const std::string& target, const std::string& bytes) {
        std::filesystem::create_directories(directory_ / target);
        std::ofstream(directory_ / target / fmt::format("seed-{}", ++count_), std::ios::binary)
            << bytes.substr(0, fuzz_input_bytes_max);
    }

private:
    const std::filesystem::path directory_;
    int count_ = 0;
};

// Of a real Redis: its snapshot and its append-only files. Of a real PostgreSQL: the small files of a base backup and
// the beginnings of its segments of the log.
void add_redis(Seeds& seeds);
void add_base_backup(Seeds& seeds);

}  // namespace kedge::verify
