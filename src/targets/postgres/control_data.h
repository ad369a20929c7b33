// What pg_controldata says of a data directory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/lsn.h"
#include "base/result.h"

namespace kedge {

struct ControlData {
    std::string state;  // "shut down", "in production", "shut down in recovery", ...
    Lsn checkpoint;     // where the record of the latest checkpoint begins
    std::uint32_t timeline = 0;
    std::string system_identifier;
    std::uint64_t wal_segment_bytes = 0;
    bool wal_log_hints = false;
    bool data_checksums = false;

    bool is_shut_down() const { return state == "shut down"; }
};

// corrupt if a line that every version 13 to 17 prints is missing. `text` is pg_controldata's output, untranslated.
Result<ControlData> parse_control_data(std::string_view text);

}  // namespace kedge
