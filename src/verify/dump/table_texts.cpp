#include "verify/dump/table_texts.h"

#include <fmt/format.h>

#include <algorithm>

#include "verify/dump/blocks.h"
#include "verify/dump/copy_statement.h"
#include "verify/dump/files.h"

namespace kedge::verify {
namespace {

constexpr std::int64_t no_section = 1, data_section = 3, behind_data = 4;  // pg_backup.h
constexpr std::string_view copy_begin = "COPY ", copy_end = " FROM stdin;\n";

Error not_as_verified(std::string says) {
    return Error{Fault::corrupt, std::move(says)};
}

// The decoded bytes of a stream that has to be whole.
class WholeText final : public ByteStream {
public:
    // A block of a custom archive, whose head is read.
    WholeText(std::unique_ptr<SourceStream> source, std::unique_ptr<ArchiveReader> reader, Packing packing)
        : source_(std::move(source)),
          reader_(std::move(reader)),
          chunks_(std::make_unique<ChunkStream>(*reader_)),
          unpacker_(unpack(packing, *chunks_, Limits{}, Members::one)) {}
    // A file.
    WholeText(std::unique_ptr<ByteStream> file, Packing packing)
        : file_(std::move(file)), unpacker_(unpack(packing, *file_, Limits{}, Members::one)) {}

    Result<std::size_t> read(std::span<std::byte> into) override {
        const std::size_t count = TRY(unpacker_->read(into));
        if (count == into.size()) return count;
        if (chunks_ != nullptr && chunks_->broken()) return *chunks_->broken();
        if (unpacker_->flaw()) return not_as_verified(unpacker_->flaw()->says);
        return count;
    }

private:
    std::unique_ptr<ByteStream> file_;
    std::unique_ptr<SourceStream> source_;
    std::unique_ptr<ArchiveReader> reader_;
    std::unique_ptr<ChunkStream> chunks_;
    std::unique_ptr<Unpacker> unpacker_;
};

std::vector<std::string> without_quotes(const std::vector<std::string_view>& identifiers) {
    std::vector<std::string> names;
    for (const std::string_view identifier : identifiers) names.push_back(unquoted_identifier(identifier));
    return names;
}

std::unique_ptr<ArchiveReader> reader_at(SourceStream& stream, const ByteSource& source, std::uint64_t offset,
                                         const DumpHeader& header, Effort& effort) {
    auto reader = std::make_unique<ArchiveReader>(stream, effort, offset, source.size());
    reader->set_widths(header.integer_bytes, header.offset_bytes);
    return reader;
}

}  // namespace

Result<TableTexts> TableTexts::of_custom(const ByteSource& source, Effort& effort) {
    TableTexts texts(effort);
    texts.source_ = &source;
    SourceStream stream(source);
    ArchiveReader reader(stream, effort, 0, source.size());
    TRY(texts.read_contents(reader));
    const auto unknown = [](const TableText& table) { return table.block.state != 2; };
    if (std::ranges::any_of(texts.tables_, unknown)) TRY(texts.find_blocks(reader.offset()));
    std::vector<std::uint64_t> begins{source.size()};
    for (const TableText& table : texts.tables_) begins.push_back(table.block.position);
    std::ranges::sort(begins);
    // The last of them may have large objects behind it.
    for (TableText& table : texts.tables_)
        table.bytes = *std::ranges::upper_bound(begins, table.block.position) - table.block.position;
    return texts;
}

Result<TableTexts> TableTexts::of_files(std::vector<Member> files, Effort& effort) {
    TableTexts texts(effort);
    for (Member& file : files) texts.files_.emplace(file.path, std::move(file));
    const auto contents = texts.files_.find("toc.dat");
    if (contents == texts.files_.end()) return not_as_verified("the table of contents is missing");
    const auto stream = TRY(contents->second.open());
    ArchiveReader reader(*stream, effort);
    TRY(texts.read_contents(reader));
    for (TableText& table : texts.tables_) table.bytes = TRY(texts.file_of(table)).file->bytes;
    return texts;
}

Result<void> TableTexts::read_contents(ArchiveReader& reader) {
    header_ = TRY(read_header(reader));
    const std::int64_t count = TRY(reader.integer());
    TocEntry entry;
    for (std::int64_t i = 0; i < count; ++i) {
        TRY(read_entry(reader, header_, entry));
        TRY(take(entry));
    }
    for (TableText& table : tables_)
        if (table.is_alone) table.keys = made_.at(table.made_by).keys;
    return {};
}

Result<void> TableTexts::take(const TocEntry& entry) {
    if (entry.section != no_section) section_ = entry.section;
    if (entry.kind == "ENCODING") encoding_ = encoding_in(entry.definition);
    if (entry.kind == "TABLE") made_[entry.id] = {entry.name_space, entry.tag};
    if (section_ == behind_data) take_key(entry);
    if (section_ != data_section) return {};
    if (entry.kind != "TABLE DATA" || !entry.copy) {
        others_.push_back(entry.id);
        has_statements_ |= entry.kind == "TABLE DATA";
        return {};
    }
    const auto statement = read_copy_statement(*entry.copy);
    if (!statement) return not_as_verified(fmt::format("the COPY statement of {} is none", entry.tag));
    const std::string_view written = *entry.copy;
    const bool goes_elsewhere = entry.definition.starts_with("-- load via partition root");
    const bool is_made = !entry.dependencies.empty() && made_.contains(entry.dependencies.front());
    tables_.push_back(
        {.id = entry.id,
         .schema = entry.name_space,
         .table = entry.tag,
         .target = std::string(written.substr(copy_begin.size(), written.size() - copy_begin.size() - copy_end.size())),
         .columns = without_quotes(statement->columns),
         .is_alone = is_made && !goes_elsewhere,
         .made_by = is_made ? entry.dependencies.front() : 0,
         .block = entry.data,
         .file = entry.file});
    return {};
}

// What depends on something else behind the data, such as the index that it is attached to, waits for it.
void TableTexts::take_key(const TocEntry& entry) {
    behind_.push_back(entry.id);
    if (entry.kind != "INDEX" && entry.kind != "CONSTRAINT") return;
    MadeTable* of = nullptr;
    for (const std::int64_t id : entry.dependencies) {
        if (std::ranges::count(behind_, id) > 0) return;
        const auto table = made_.find(id);
        if (table == made_.end()) continue;
        // pg_dump names a table once for each column that an index has of it.
        if (of != nullptr && of != &table->second) return;
        of = &table->second;
    }
    if (of != nullptr) of->keys.push_back(entry.id);
}

Result<void> TableTexts::find_blocks(std::uint64_t begin) {
    SourceStream stream(*source_, begin);
    const auto reader = reader_at(stream, *source_, begin, header_, *effort_);
    while (!TRY(reader->at_end())) {
        const BlockHead head = TRY(read_block_head(*reader));
        const auto table = std::ranges::find(tables_, head.id, &TableText::id);
        if (table != tables_.end()) table->block = {.state = 2, .position = head.offset};
        TRY(skip_block(*reader, head));
    }
    for (const TableText& table : tables_)
        if (table.block.state != 2) return not_as_verified(fmt::format("the rows of {} are missing", table.table));
    return {};
}

Result<TableTexts::PackedFile> TableTexts::file_of(const TableText& table) const {
    if (const auto plain = files_.find(table.file); plain != files_.end())
        return PackedFile{&plain->second, Packing::none};
    for (const PackedSuffix& suffix : packed_suffixes)
        if (const auto packed = files_.find(table.file + std::string(suffix.text)); packed != files_.end())
            return PackedFile{&packed->second, suffix.packing};
    return not_as_verified(fmt::format("the file of the rows of {} is missing", table.table));
}

Result<std::unique_ptr<ByteStream>> TableTexts::open(const TableText& table) const {
    if (source_ != nullptr) {
        const std::uint64_t at = table.block.position;
        auto stream = std::make_unique<SourceStream>(*source_, at);
        auto reader = reader_at(*stream, *source_, at, header_, *effort_);
        const BlockHead head = TRY(read_block_head(*reader));
        if (head.type != BlockHead::rows || head.id != table.id)
            return not_as_verified(fmt::format("the rows of {} are not where they should be", table.table));
        return std::unique_ptr<ByteStream>(
            std::make_unique<WholeText>(std::move(stream), std::move(reader), packing_of_blocks(header_)));
    }
    const PackedFile packed = TRY(file_of(table));
    return std::unique_ptr<ByteStream>(std::make_unique<WholeText>(TRY(packed.file->open()), packed.packing));
}

}  // namespace kedge::verify
