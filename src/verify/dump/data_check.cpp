#include "verify/dump/data_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "verify/dump/data_text.h"

namespace kedge::verify {
namespace {

Finding finding_of(const Flaw& flaw, const std::string& where) {
    const auto code = [&] {
        switch (flaw.kind) {
            case Flaw::Kind::truncated: return "data-truncated";
            case Flaw::Kind::damaged: return "data-damaged";
            case Flaw::Kind::checksum: return "data-checksum";
            case Flaw::Kind::trailing: return "data-trailing";
            case Flaw::Kind::limit: return "data-limit";
        }
        return "data-damaged";
    };
    const Weight weight = flaw.kind == Flaw::Kind::limit ? Weight::doubt : Weight::damage;
    return {weight, code(), fmt::format("{}: {}", where, flaw.says), where, flaw.offset};
}

// What an end of the stream says about the whole of it.
void conclude(const Unpacker& unpacker, const std::string& where, DataResult& result) {
    result.bytes += unpacker.bytes_out();
    result.checksummed = result.checksummed && unpacker.checksummed();
    if (unpacker.flaw()) {
        result.findings.add(finding_of(*unpacker.flaw(), where));
        result.complete = false;
    }
}

}  // namespace

std::string said_of(const DataEntry& entry) {
    return entry.kind == DataEntry::Kind::table ? "table " + entry.name : "large objects";
}

Result<void> check_table(ByteStream& packed, const DataContext& context, const DataEntry& entry, DataResult& result) {
    result.seen = result.complete = true;
    const auto unpacker = unpack(context.packing, packed, context.limits, Members::one);
    const auto text = entry.is_copy ? copy_text(entry.columns, context.catalogue.encoding()) : insert_text();
    for (;;) {
        const std::span<std::byte> room = text->room();
        const std::size_t count = TRY(unpacker->read(room));
        text->took(count);
        if (count < room.size()) break;
    }
    const std::string where = said_of(entry);
    conclude(*unpacker, where, result);
    if (unpacker->flaw()) return {};  // the text ends where the stream broke, which says nothing more about it
    for (const TextFault& fault : text->finish()) {
        result.findings.add(
            {Weight::damage, fault.code, fmt::format("{}: {}", where, fault.says), where, fault.offset});
        result.complete = false;
    }
    if (result.complete) result.rows = text->rows();
    return {};
}

Result<void> check_large_object(ByteStream& packed, const DataContext& context, std::uint32_t oid, DataResult& result) {
    const auto unpacker = unpack(context.packing, packed, context.limits, Members::one);
    const auto piece = std::make_unique_for_overwrite<std::array<std::byte, 64u << 10>>();
    while (TRY(unpacker->read(*piece)) == piece->size()) {
    }
    if (result.objects.size() >= context.limits.objects_max)
        return Error{Fault::refused, fmt::format("it holds more than {} large objects", context.limits.objects_max)};
    result.objects.push_back(oid);
    conclude(*unpacker, fmt::format("large object {}", oid), result);
    return {};
}

void check_object_list(const Catalogue& catalogue, const DataEntry& entry, DataResult& result) {
    std::vector<std::uint32_t> expected =
        catalogue.header().version_minor < 16 ? catalogue.large_objects() : entry.objects;
    std::vector<std::uint32_t> found = result.objects;
    std::ranges::sort(expected);
    std::ranges::sort(found);
    const auto report = [&](std::string code, const std::vector<std::uint32_t>& which, std::string_view says) {
        if (which.empty()) return;
        result.findings.add({Weight::damage,
                             std::move(code),
                             fmt::format("{} large objects {}; the first is {}", which.size(), says, which.front()),
                             said_of(entry),
                             {}});
        result.complete = false;
    };
    std::vector<std::uint32_t> missing, unknown;
    std::ranges::set_difference(expected, found, std::back_inserter(missing));
    std::ranges::set_difference(found, expected, std::back_inserter(unknown));
    report("objects-missing", missing, "are in the table of contents and have no data");
    report("objects-unknown", unknown, "have data and are not in the table of contents, or have it twice");
}

}  // namespace kedge::verify
