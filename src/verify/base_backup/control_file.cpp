#include "verify/base_backup/control_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "verify/crc32c.h"
#include "verify/little_endian.h"
#include "verify/wal/wal_page.h"

namespace kedge::verify {
namespace {

constexpr std::array<std::string_view, 7> states{"starting up",   "shut down",         "shut down in recovery",
                                                 "shutting down", "in crash recovery", "in archive recovery",
                                                 "in production"};

// Versions 13 to 16 share a control version; the catalogue's version, a date, tells them apart.
int major_of(std::uint32_t control, std::uint32_t catalog) {
    if (control == 1800) return 18;
    if (control == 1700) return 17;
    if (control != 1300) return 0;
    // 13 was 202007201, 15 is 202209061; 14 and 16 were released a year apart from them, as always.
    switch (catalog / 100000) {
        case 2020: return 13;
        case 2021: return 14;
        case 2022: return 15;
        case 2023: return 16;
        default: return 0;
    }
}

Moment moment_of(std::int64_t seconds) {
    constexpr std::int64_t seconds_max = 253'402'300'799;  // year 9999
    return Moment(std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, seconds_max)));
}

}  // namespace

std::string_view control_state(std::uint32_t state) {
    return state < states.size() ? states[state] : "unknown";
}

Result<ControlFile> read_control_file(Bytes bytes) {
    const auto wrong = [](std::string says) { return Error{Fault::corrupt, std::move(says)}; };
    if (bytes.size() != control_file_bytes)
        return wrong(fmt::format("it has {} bytes, always are {}", bytes.size(), control_file_bytes));
    const std::byte* at = bytes.data();
    ControlFile file{.system_identifier = load<std::uint64_t>(at),
                     .control_version = load<std::uint32_t>(at + 8),
                     .catalog_version = load<std::uint32_t>(at + 12),
                     .state = load<std::uint32_t>(at + 16),
                     .updated = moment_of(load<std::int64_t>(at + 24)),
                     .checkpoint = Lsn{load<std::uint64_t>(at + 32)},
                     .redo = Lsn{load<std::uint64_t>(at + 40)},
                     .timeline = load<std::uint32_t>(at + 48),
                     .checkpoint_time = moment_of(load<std::int64_t>(at + 104)),
                     .consistent_from = Lsn{load<std::uint64_t>(at + 136)},
                     .page_bytes = load<std::uint32_t>(at + 216),
                     .segment_pages = load<std::uint32_t>(at + 220),
                     .wal_segment_bytes = load<std::uint32_t>(at + 228),
                     .data_checksum_version = load<std::uint32_t>(at + 252)};
    const std::size_t crc_at = file.control_version == 1800 ? 292 : 288;
    if (crc32c(bytes.first(crc_at)) != load<std::uint32_t>(at + crc_at)) return wrong("its checksum does not fit");
    if (!is_zero(bytes.subspan(crc_at + 4))) return wrong("bytes behind its content are always zero and are not");
    file.major = major_of(file.control_version, file.catalog_version);
    if (file.control_version != 1300 && file.major == 0)
        return wrong(fmt::format("control version {} is of no PostgreSQL from 13 to 18", file.control_version));
    if (file.state >= states.size()) return wrong(fmt::format("state {} is none", file.state));
    if (!std::has_single_bit(file.page_bytes) || file.page_bytes > 32768 || file.segment_pages == 0 ||
        !is_segment_size(file.wal_segment_bytes) || file.data_checksum_version > 1)
        return wrong("its sizes are of no server");
    return file;
}

}  // namespace kedge::verify
