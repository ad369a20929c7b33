// A custom archive: head, table of contents, blocks, nothing else.
//
// The table of contents says where each block is, unless pg_dump wrote to a pipe. Where its word cannot be taken, one
// walk along the framing finds the blocks. Then they are decoded in parallel, the largest first: each is a stream of
// its own, and one that is broken hides no other.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "verify/dump/blocks.h"
#include "verify/dump/dump.h"
#include "verify/dump/report.h"

namespace kedge::verify {
namespace {

struct Extent {
    std::uint64_t begin = 0, end = 0;
};

// Reads head and table of contents; nothing if that was not possible, which the examination then says.
Result<std::optional<Catalogue>> read_contents(ArchiveReader& reader, const Limits& limits, const std::string& where,
                                               Examination& examination) {
    examination.path = where;
    std::optional<Catalogue> catalogue;
    const auto read = [&]() -> Result<void> {
        const DumpHeader header = TRY(read_header(reader));
        examination.kind = "PostgreSQL dump, custom format";
        report_header(header, examination);
        if (header.format != DumpHeader::Format::custom)
            return Error{Fault::corrupt, "it is the table of contents of a directory or tar, not a whole dump"};
        Catalogue contents(header, limits, where);
        TRY(contents.read(reader, examination.findings));
        report_listing(contents, examination);
        catalogue = std::move(contents);
        return {};
    };
    TRY(as_finding(read(), where, reader.offset(), examination.findings));
    return catalogue;
}

class CustomDump {
public:
    CustomDump(const ByteSource& source, Effort& effort, const Limits& limits)
        : source_(source), effort_(effort), limits_(limits) {}

    Result<Examination> examine() {
        SourceStream stream(source_);
        ArchiveReader reader(stream, effort_, 0, source_.size());
        auto catalogue = TRY(read_contents(reader, limits_, source_.name(), examination_));
        if (catalogue) {
            results_.resize(catalogue->data().size());
            TRY(locate(*catalogue));
            TRY(decode(*catalogue));
            report_data(*catalogue, results_, examination_);
        }
        examination_.bytes = source_.size();
        return std::move(examination_);
    }

private:
    void damage(std::string code, std::string says, std::uint64_t offset) {
        examination_.findings.add({Weight::damage, std::move(code), std::move(says), source_.name(), offset});
    }

    // Fills `extents_`, one for each entry whose block was found.
    Result<void> locate(const Catalogue& catalogue) {
        const std::vector<DataEntry>& entries = catalogue.data();
        extents_.resize(entries.size());
        if (entries.empty()) {
            if (catalogue.end() != source_.size())
                damage("trailing-bytes",
                       fmt::format("{} bytes stand behind the table of contents, which names no data",
                                   source_.size() - catalogue.end()),
                       catalogue.end());
            return {};
        }
        if (TRY(positions_hold(catalogue))) {
            for (std::size_t i = 0; i < entries.size(); ++i)
                extents_[i] = Extent{entries[i].data.position,
                                     i + 1 < entries.size() ? entries[i + 1].data.position : source_.size()};
            return {};
        }
        TRY(walk(catalogue));
        return {};
    }

    // Whether each entry has a position, they follow each other from the table of contents on, and a block of that
    // entry begins at each.
    Result<bool> positions_hold(const Catalogue& catalogue) {
        std::uint64_t least = catalogue.end();
        for (const DataEntry& entry : catalogue.data()) {
            const bool first = &entry == &catalogue.data().front();
            if (entry.data.state != 2 || entry.data.position < least || (first && entry.data.position != least))
                return false;
            if (!TRY(head_at(catalogue, entry.data.position)).value_or(BlockHead{}).fits(entry)) return false;
            least = entry.data.position + 1;
        }
        return true;
    }

    Result<std::optional<BlockHead>> head_at(const Catalogue& catalogue, std::uint64_t offset) {
        std::array<std::byte, 9> bytes{};
        const std::size_t count = TRY(source_.read(offset, bytes));
        const MemorySource memory{Bytes{bytes}.first(count)};
        SourceStream stream(memory);
        ArchiveReader reader(stream, effort_, offset, offset + count);
        reader.set_widths(catalogue.header().integer_bytes, catalogue.header().offset_bytes);
        const auto head = read_block_head(reader);
        return head ? std::optional(*head) : std::nullopt;
    }

    // Along the framing from the table of contents on.
    Result<void> walk(const Catalogue& catalogue) {
        Places places;
        for (std::size_t i = 0; i < catalogue.data().size(); ++i) {
            const DataEntry& entry = catalogue.data()[i];
            places.by_id.emplace(entry.id, i);
            if (entry.data.state == 2) places.by_position.emplace(entry.data.position, i);
        }
        SourceStream stream(source_, catalogue.end());
        ArchiveReader reader(stream, effort_, catalogue.end(), source_.size());
        reader.set_widths(catalogue.header().integer_bytes, catalogue.header().offset_bytes);
        while (!TRY(reader.at_end())) {
            if (effort_.stop) return Error{Fault::unavailable, "called off"};
            const std::uint64_t begin = reader.offset();
            const auto step = [&]() -> Result<void> {
                const BlockHead head = TRY(read_block_head(reader));
                TRY(skip_block(reader, head));
                found(catalogue, places, head, Extent{begin, reader.offset()});
                return {};
            }();
            if (step) continue;
            if (step.error().fault != Fault::corrupt) return step.error();
            damage("block-framing", fmt::format("the data cannot be followed: {}", step.error().message),
                   reader.offset());
            return rescue(catalogue);
        }
        return rescue(catalogue);
    }

    // Which entry has that number, and which should have its block there.
    struct Places {
        std::unordered_map<std::int64_t, std::size_t> by_id;
        std::unordered_map<std::uint64_t, std::size_t> by_position;
    };

    void found(const Catalogue& catalogue, const Places& places, const BlockHead& head, Extent extent) {
        const std::vector<DataEntry>& entries = catalogue.data();
        const auto named = places.by_id.find(head.id);
        if (named == places.by_id.end()) {
            damage("block-unknown",
                   fmt::format("the block at {} belongs to entry {}, which the table of contents does not have as one "
                               "with data",
                               extent.begin, head.id),
                   extent.begin);
            // A block whose number was altered still lies where the table of contents says.
            const auto placed = places.by_position.find(extent.begin);
            if (placed != places.by_position.end()) extents_[placed->second] = extent;
            return;
        }
        const DataEntry& entry = entries[named->second];
        if (extents_[named->second])
            damage("block-twice", fmt::format("there are two blocks of {}", said_of(entry)), extent.begin);
        if (!head.fits(entry))
            damage("block-unknown", fmt::format("the block of {} has type {}", said_of(entry), head.type),
                   extent.begin);
        if (entry.data.state == 2 && entry.data.position != extent.begin)
            damage("toc-position",
                   fmt::format("the block of {} is at {}; the table of contents says {}", said_of(entry), extent.begin,
                               entry.data.position),
                   extent.begin);
        const std::size_t expected = next_in_order_++;
        if (expected < entries.size() && entries[expected].id != head.id)
            damage("block-order",
                   fmt::format("the block of {} stands where that of {} should", said_of(entry),
                               said_of(entries[expected])),
                   extent.begin);
        extents_[named->second] = extent;
    }

    // Blocks that the walk did not reach, by the positions in the table of contents.
    Result<void> rescue(const Catalogue& catalogue) {
        const std::vector<DataEntry>& entries = catalogue.data();
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const DataEntry& entry = entries[i];
            if (extents_[i] || entry.data.state != 2 || entry.data.position < catalogue.end()) continue;
            if (!TRY(head_at(catalogue, entry.data.position)).value_or(BlockHead{}).fits(entry)) continue;
            extents_[i] = Extent{entry.data.position, source_.size()};
            rescued_ = true;
        }
        return {};
    }

    Result<void> decode(const Catalogue& catalogue) {
        std::vector<std::size_t> order(extents_.size());
        std::iota(order.begin(), order.end(), 0);
        const auto bytes = [&](std::size_t i) { return extents_[i] ? extents_[i]->end - extents_[i]->begin : 0; };
        std::ranges::stable_sort(order, std::ranges::greater{}, bytes);
        std::vector<std::optional<Error>> errors(order.size());
        in_parallel(order.size(), effort_.threads, [&](std::size_t i) {
            const auto outcome = decode_one(catalogue, order[i]);
            if (!outcome) errors[order[i]] = outcome.error();
        });
        for (const auto& error : errors)
            if (error) return *error;
        return {};
    }

    Result<void> decode_one(const Catalogue& catalogue, std::size_t i) {
        const DataEntry& entry = catalogue.data()[i];
        DataResult& result = results_[i];
        if (!extents_[i]) {
            result.findings.add(
                {Weight::damage,
                 "block-missing",
                 fmt::format("{}: the table of contents says it has data, and there is none", said_of(entry)),
                 source_.name(),
                 {}});
            return {};
        }
        const Extent extent = *extents_[i];
        SourceStream stream(source_, extent.begin, extent.end);
        ArchiveReader reader(stream, effort_, extent.begin, extent.end);
        reader.set_widths(catalogue.header().integer_bytes, catalogue.header().offset_bytes);
        TRY(read_block_head(reader));  // it was looked at when the block was located
        const DataContext context{catalogue, limits_, packing_of_blocks(catalogue.header())};
        const bool whole = TRY(check_block(reader, context, entry, source_.name(), result));
        if (whole && reader.offset() != extent.end && !rescued_)
            result.findings.add(
                {Weight::damage, "trailing-bytes",
                 fmt::format("{} bytes stand behind the data of {}, where {} should", extent.end - reader.offset(),
                             said_of(entry), extent.end == source_.size() ? "the file's end" : "the next block"),
                 source_.name(), reader.offset()});
        return {};
    }

    const ByteSource& source_;
    Effort& effort_;
    const Limits& limits_;
    Examination examination_;
    std::vector<std::optional<Extent>> extents_;
    std::vector<DataResult> results_;
    std::size_t next_in_order_ = 0;
    bool rescued_ = false;
};

// All blocks from the front, for a stream.
Result<void> decode_in_order(ArchiveReader& reader, const Catalogue& catalogue, const Limits& limits,
                             const std::string& where, std::vector<DataResult>& results, Findings& findings) {
    const std::vector<DataEntry>& entries = catalogue.data();
    const DataContext context{catalogue, limits, packing_of_blocks(catalogue.header())};
    const auto damage = [&](std::string code, std::string says) {
        findings.add({Weight::damage, std::move(code), std::move(says), where, reader.offset()});
    };
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto head = read_block_head(reader);
        if (!head && head.error().fault != Fault::corrupt) return head.error();
        if (!head || !head->fits(entries[i])) {
            damage(head ? "block-unknown" : "block-missing",
                   fmt::format("the block of {} should be here: {}", said_of(entries[i]),
                               head ? fmt::format("there is one of type {} for entry {}", head->type, head->id)
                                    : head.error().message));
            return {};
        }
        if (!TRY(check_block(reader, context, entries[i], where, results[i]))) {
            if (i + 1 < entries.size())
                damage("block-missing", fmt::format("the {} blocks behind that of {} cannot be found in a stream",
                                                    entries.size() - i - 1, said_of(entries[i])));
            return {};
        }
    }
    std::uint64_t behind = 0;
    for (Bytes rest = TRY(reader.peek(SIZE_MAX)); !rest.empty(); rest = TRY(reader.peek(SIZE_MAX))) {
        behind += rest.size();
        reader.take(rest.size());
    }
    if (behind > 0) damage("trailing-bytes", fmt::format("{} bytes stand behind the last block", behind));
    return {};
}

}  // namespace

bool begins_custom_dump(Bytes front) {
    const Bytes magic = as_bytes(dump_magic);
    return front.size() >= magic.size() && std::ranges::equal(front.first(magic.size()), magic);
}

Result<Examination> verify_custom_dump(const ByteSource& source, Effort& effort, const Limits& limits) {
    return CustomDump(source, effort, limits).examine();
}

Result<Examination> verify_custom_dump(ByteStream& stream, const std::string& name, Effort& effort,
                                       const Limits& limits) {
    Examination examination;
    ArchiveReader reader(stream, effort);
    const auto catalogue = TRY(read_contents(reader, limits, name, examination));
    if (catalogue) {
        std::vector<DataResult> results(catalogue->data().size());
        TRY(decode_in_order(reader, *catalogue, limits, name, results, examination.findings));
        report_data(*catalogue, results, examination);
    }
    examination.bytes = reader.offset();
    return examination;
}

}  // namespace kedge::verify
