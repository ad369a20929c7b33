#include "verify/dump/toc.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace kedge::verify {
namespace {

constexpr std::size_t name_bytes_max = 64u << 10;  // of an object's name with its arguments, an owner, a version

Error corrupt(std::string says) {
    return Error{Fault::corrupt, std::move(says)};
}

Result<std::string> short_text(ArchiveReader& reader, std::string_view what) {
    ArchiveReader::Text text = TRY(reader.text(name_bytes_max));
    if (text.has_zero_byte) return corrupt(fmt::format("the {} holds a zero byte", what));
    if (text.bytes > name_bytes_max) return corrupt(fmt::format("the {} has {} bytes", what, text.bytes));
    return std::move(text.text).value_or("");
}

// Seven integers as in struct tm: second, minute, hour, day, month from 0, year from 1900, summer time.
Result<Moment> creation_time(ArchiveReader& reader) {
    std::array<std::int64_t, 7> field{};
    for (std::int64_t& value : field) value = TRY(reader.integer());
    const std::chrono::year_month_day day{std::chrono::year{static_cast<int>(field[5] + 1900)},
                                          std::chrono::month{static_cast<unsigned>(field[4] + 1)},
                                          std::chrono::day{static_cast<unsigned>(field[3])}};
    const bool in_range = field[0] >= 0 && field[0] <= 60 && field[1] >= 0 && field[1] < 60 && field[2] >= 0 &&
                          field[2] < 24 && field[3] > 0 && field[4] >= 0 && field[4] < 12 && field[5] >= 100 &&
                          field[5] < 300 && day.ok() && field[6] >= -1 && field[6] <= 1;
    if (!in_range) return corrupt("its time of creation is no time");
    return Moment{std::chrono::sys_days{day}} + std::chrono::hours{field[2]} + std::chrono::minutes{field[1]} +
           std::chrono::seconds{field[0]};
}

Result<void> read_packing(ArchiveReader& reader, DumpHeader& header) {
    if (header.version_minor < 15) {
        const std::int64_t level = TRY(reader.integer());
        if (level < -1 || level > 9) return corrupt(fmt::format("its level of compression is {}", level));
        header.packing = level == 0 ? Packing::none : Packing::gzip;
        header.level = static_cast<int>(level);
        return {};
    }
    constexpr std::array known{Packing::none, Packing::gzip, Packing::lz4, Packing::zstd};
    const std::uint8_t number = TRY(reader.byte());
    if (number >= known.size()) return corrupt(fmt::format("its compression has the unknown number {}", number));
    header.packing = known[number];
    return {};
}

// Canonical decimal digits.
std::optional<std::int64_t> digits(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool canonical = error == std::errc{} && end == text.data() + text.size() && text.front() != '-' &&
                           (text.size() == 1 || text.front() != '0');
    return canonical ? std::optional(value) : std::nullopt;
}

Result<void> read_dependencies(ArchiveReader& reader, TocEntry& entry) {
    for (std::size_t count = 0;; ++count) {
        const ArchiveReader::Text text = TRY(reader.text(20));
        if (!text.text) return {};
        const auto id = text.bytes > 10 || text.text->empty() ? std::nullopt : digits(*text.text);
        if (!id) return corrupt(fmt::format("the entry at {} depends on something that is no number", entry.offset));
        if (count < dependencies_max) entry.dependencies.push_back(*id);
    }
}

}  // namespace

std::string encoding_in(std::string_view definition) {
    const std::size_t first = definition.find('\''), last = definition.rfind('\'');
    return first < last && last != std::string_view::npos ? std::string(definition.substr(first + 1, last - first - 1))
                                                          : "";
}

Result<DumpHeader> read_header(ArchiveReader& reader) {
    std::array<std::byte, dump_magic.size()> magic{};
    TRY(reader.read(magic));
    if (!std::ranges::equal(magic, as_bytes(dump_magic))) return corrupt("it does not begin as a dump does");
    DumpHeader header;
    const int major = TRY(reader.byte());
    header.version_minor = TRY(reader.byte());
    const int revision = TRY(reader.byte());
    if (major != 1 || header.version_minor < 12 || header.version_minor > 16)
        return Error{Fault::refused, fmt::format("its archive version is {}.{}; known here are 1.12 to 1.16", major,
                                                 header.version_minor)};
    if (revision != 0) return corrupt(fmt::format("the revision of its archive version is {}", revision));
    header.integer_bytes = TRY(reader.byte());
    header.offset_bytes = TRY(reader.byte());
    const auto width = [](int bytes) { return bytes == 4 || bytes == 8; };
    if (!width(header.integer_bytes) || !width(header.offset_bytes))
        return corrupt(
            fmt::format("its integers have {} bytes and its offsets {}", header.integer_bytes, header.offset_bytes));
    reader.set_widths(header.integer_bytes, header.offset_bytes);
    const int format = TRY(reader.byte());
    if (format != 1 && format != 3 && format != 5) return corrupt(fmt::format("its format has number {}", format));
    header.format = static_cast<DumpHeader::Format>(format);
    TRY(read_packing(reader, header));
    header.created_local = TRY(creation_time(reader));
    header.database = TRY(short_text(reader, "name of the database"));
    header.server_version = TRY(short_text(reader, "version of the server"));
    header.dump_version = TRY(short_text(reader, "version of pg_dump"));
    return header;
}

Result<void> read_entry(ArchiveReader& reader, const DumpHeader& header, TocEntry& entry) {
    entry = TocEntry{};
    entry.offset = reader.offset();
    const auto text = [&](std::string_view what) -> Result<std::optional<std::string>> {
        ArchiveReader::Text read = TRY(reader.text(definition_bytes_max));
        if (read.has_zero_byte && !entry.zero_byte_in) entry.zero_byte_in = what;
        return std::move(read.text);
    };
    const auto into = [&](std::string& field, std::string_view what) -> Result<void> {
        field = TRY(text(what)).value_or("");
        return {};
    };
    entry.id = TRY(reader.integer());
    entry.has_data = TRY(reader.integer());
    TRY(into(entry.catalog_oid, "catalog"));
    TRY(into(entry.oid, "OID"));
    TRY(into(entry.tag, "name"));
    TRY(into(entry.kind, "kind"));
    entry.section = TRY(reader.integer());
    TRY(into(entry.definition, "definition"));
    TRY(into(entry.drop, "drop statement"));
    entry.copy = TRY(text("copy statement"));
    TRY(into(entry.name_space, "schema"));
    TRY(into(entry.tablespace, "tablespace"));
    std::string access_method;
    if (header.version_minor >= 14) TRY(into(access_method, "access method"));
    if (header.version_minor >= 16) entry.relation_kind = TRY(reader.integer());
    TRY(into(entry.owner, "owner"));
    TRY(into(entry.with_oids, "flag of OIDs"));
    TRY(read_dependencies(reader, entry));
    if (header.format == DumpHeader::Format::custom)
        entry.data = TRY(reader.position());
    else
        TRY(into(entry.file, "file name"));
    return {};
}

}  // namespace kedge::verify
