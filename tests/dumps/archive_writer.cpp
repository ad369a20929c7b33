#include "archive_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

namespace kedge::verify {
namespace {

enum class Layout { custom, files, tar };

class Writer {
public:
    void byte(int value) { out += static_cast<char>(value); }
    void integer(std::int64_t value) {
        byte(value < 0 ? 1 : 0);
        const auto magnitude = static_cast<std::uint64_t>(value < 0 ? -value : value);
        for (int i = 0; i < 4; ++i) byte(static_cast<int>(magnitude >> (8 * i) & 0xff));
    }
    void text(const std::optional<std::string>& value) {
        integer(value ? static_cast<std::int64_t>(value->size()) : -1);
        out += value.value_or("");
    }
    void position(int state, std::uint64_t at) {
        byte(state);
        for (int i = 0; i < 8; ++i) byte(static_cast<int>(at >> (8 * i) & 0xff));
    }

    std::string out;
};

struct Entry {
    int id = 0;
    std::string kind, tag;
    int section = 2;
    std::string oid = "0";
    std::optional<std::string> definition, copy, name_space;
    std::vector<int> dependencies;
    int relation_kind = 0;
    std::string file;
    std::string block;  // of custom archives, when it has data

    bool has_data() const { return kind == "TABLE DATA" || kind == "BLOBS"; }
};

std::string data_text(const WrittenTable& table) {
    return table.text + (table.terminated ? "\\.\n\n\n" : "");
}

std::string stream_of(const WrittenDump& dump, const std::string& plain, Layout layout) {
    const bool zlib = dump.packing == Packing::gzip && layout == Layout::custom;
    return pack(zlib ? Packing::zlib : dump.packing, plain, dump.checksum);
}

std::string chunks_of(const WrittenDump& dump, const std::string& plain) {
    const std::string stream = stream_of(dump, plain, Layout::custom);
    Writer writer;
    for (std::size_t at = 0; at < stream.size(); at += dump.chunk_bytes) {
        const std::string chunk = stream.substr(at, dump.chunk_bytes);
        writer.integer(static_cast<std::int64_t>(chunk.size()));
        writer.out += chunk;
    }
    writer.integer(0);
    return writer.out;
}

std::string block_of(const WrittenDump& dump, const Entry& entry, const WrittenTable* table) {
    Writer writer;
    writer.byte(table != nullptr ? 1 : 3);
    writer.integer(entry.id);
    if (table != nullptr) return writer.out + chunks_of(dump, data_text(*table));
    for (const auto& [oid, bytes] : dump.objects) {
        writer.integer(static_cast<std::int32_t>(oid));
        writer.out += chunks_of(dump, bytes);
    }
    writer.integer(0);
    return writer.out;
}

void add_objects(const WrittenDump& dump, std::vector<Entry>& entries) {
    std::string lines;
    int id = 300;
    for (const auto& [oid, bytes] : dump.objects) {
        lines += fmt::format("{}\n", oid);
        if (dump.minor < 16)
            entries.push_back({id++, "BLOB", std::to_string(oid), 2, std::to_string(oid), "SELECT lo_create;\n"});
    }
    if (dump.minor >= 16) entries.push_back({id, "BLOB METADATA", "1..9", 3, "0", lines});
}

std::vector<Entry> entries_of(const WrittenDump& dump, Layout layout) {
    std::vector<Entry> entries{
        {1, "ENCODING", "ENCODING", 2, "0", fmt::format("SET client_encoding = '{}';\n", dump.encoding)},
        {2, "STDSTRINGS", "STDSTRINGS", 2, "0", "SET standard_conforming_strings = 'on';\n"}};
    int id = 100;
    for (const WrittenTable& table : dump.tables) {
        const std::string columns = fmt::format("\n    {} text", fmt::join(table.columns, " text,\n    "));
        entries.push_back(
            {id,
             "TABLE",
             table.name,
             2,
             std::to_string(id),
             fmt::format("CREATE TABLE public.{} ({}\n);\n", table.name, table.columns.empty() ? "" : columns),
             std::nullopt,
             "public",
             {},
             'r'});
        ++id;
    }
    if (!dump.objects.empty()) add_objects(dump, entries);
    id = 200;
    for (const WrittenTable& table : dump.tables) {
        const std::string list = table.columns.empty() ? "" : fmt::format("({})", fmt::join(table.columns, ", "));
        Entry entry{id,
                    "TABLE DATA",
                    table.name,
                    3,
                    std::to_string(id - 100),
                    std::nullopt,
                    fmt::format("COPY public.{} {} FROM stdin;\n", table.name, list),
                    "public",
                    {id - 100},
                    'r',
                    fmt::format("{}.dat", id)};
        if (layout == Layout::custom) entry.block = block_of(dump, entry, &table);
        entries.push_back(std::move(entry));
        ++id;
    }
    if (!dump.objects.empty()) {
        Entry entry{400, "BLOBS", "BLOBS", 3};
        if (dump.minor >= 16) entry.dependencies = {300};
        entry.file = layout == Layout::tar ? "400.dat" : dump.minor >= 16 ? "blobs_400.toc" : "blobs.toc";
        if (layout == Layout::custom) entry.block = block_of(dump, entry, nullptr);
        entries.push_back(std::move(entry));
    }
    return entries;
}

void write_header(const WrittenDump& dump, Layout layout, Writer& writer) {
    writer.out = "PGDMP";
    for (const int value : {1, dump.minor, 0, 4, 8, layout == Layout::custom ? 1 : 3}) writer.byte(value);
    if (dump.minor < 15)
        writer.integer(dump.packing == Packing::none ? 0 : 6);
    else
        writer.byte(dump.packing == Packing::none   ? 0
                    : dump.packing == Packing::gzip ? 1
                    : dump.packing == Packing::lz4  ? 2
                                                    : 3);
    for (const int value : {12, 34, 5, 24, 10, 126, 0}) writer.integer(value);  // 2026-11-24 05:34:12
    for (const char* value : {"sample", "18.6", "18.6"}) writer.text(value);
}

std::string toc_of(const WrittenDump& dump, const std::vector<Entry>& entries, Layout layout, std::uint64_t first) {
    Writer writer;
    write_header(dump, layout, writer);
    writer.integer(static_cast<std::int64_t>(entries.size()));
    for (const Entry& entry : entries) {
        writer.integer(entry.id);
        writer.integer(entry.has_data() ? 1 : 0);
        writer.text(entry.kind == "TABLE" ? "1259" : "0");
        writer.text(entry.oid);
        writer.text(entry.tag);
        writer.text(entry.kind);
        writer.integer(entry.section);
        writer.text(entry.definition);
        writer.text("");
        writer.text(entry.copy);
        writer.text(entry.name_space);
        writer.text(std::nullopt);
        if (dump.minor >= 14) writer.text(entry.kind == "TABLE" ? "heap" : "");
        if (dump.minor >= 16) writer.integer(entry.relation_kind);
        writer.text("postgres");
        writer.text("false");
        for (const int id : entry.dependencies) writer.text(std::to_string(id));
        writer.text(std::nullopt);
        if (layout == Layout::custom) {
            const int state = !entry.has_data() ? 3 : dump.positions ? 2 : 1;
            writer.position(state, state == 2 ? first : 0);
            first += entry.block.size();
        } else {
            writer.text(entry.file);
        }
    }
    return writer.out;
}

}  // namespace

WrittenDump sample_dump() {
    WrittenDump dump;
    std::string rows;
    for (int i = 0; i < 3000; ++i) rows += fmt::format("{}\tname {}\t{}\n", i, i * 7919 % 1000, i % 3 ? "x" : "\\N");
    dump.tables = {{"people", {"id", "name", "\"odd, \"\"one\"\"\""}, rows}, {"empty", {"id"}, ""}};
    dump.objects = {{16400, std::string(10'000, 'a') + "end"}, {4'000'000'000u, ""}};
    return dump;
}

std::string custom_archive(const WrittenDump& dump) {
    const std::vector<Entry> entries = entries_of(dump, Layout::custom);
    std::string archive = toc_of(dump, entries, Layout::custom, 0);
    archive = toc_of(dump, entries, Layout::custom, archive.size());
    for (const Entry& entry : entries) archive += entry.block;
    return archive;
}

namespace {

std::vector<std::pair<std::string, std::string>> files_of(const WrittenDump& dump, Layout layout) {
    std::string suffix;
    if (layout == Layout::files)
        suffix = dump.packing == Packing::none   ? ""
                 : dump.packing == Packing::gzip ? ".gz"
                 : dump.packing == Packing::lz4  ? ".lz4"
                                                 : ".zst";
    std::vector<std::pair<std::string, std::string>> files{
        {"toc.dat", toc_of(dump, entries_of(dump, layout), layout, 0)}};
    int id = 200;
    for (const WrittenTable& table : dump.tables)
        files.emplace_back(fmt::format("{}.dat{}", id++, suffix), stream_of(dump, data_text(table), layout));
    std::string list;
    for (const auto& [oid, bytes] : dump.objects) {
        files.emplace_back(fmt::format("blob_{}.dat{}", oid, suffix), stream_of(dump, bytes, layout));
        list += fmt::format("{} blob_{}.dat\n", oid, oid);
    }
    if (!dump.objects.empty()) files.emplace_back(dump.minor >= 16 ? "blobs_400.toc" : "blobs.toc", list);
    return files;
}

}  // namespace

std::map<std::string, std::string> directory_dump(const WrittenDump& dump) {
    const auto files = files_of(dump, Layout::files);
    return {files.begin(), files.end()};
}

std::string tar_dump(const WrittenDump& dump) {
    WrittenDump plain = dump;
    plain.packing = Packing::none;
    auto files = files_of(plain, Layout::tar);
    files.emplace_back("restore.sql", "-- restores\n");
    return tar_of(files);
}

std::string tar_of(const std::vector<std::pair<std::string, std::string>>& members) {
    std::string tar;
    for (const auto& [name, content] : members) {
        std::string head(512, '\0');
        const auto put = [&](std::size_t at, const std::string& text) {
            std::ranges::copy(text, head.begin() + static_cast<std::ptrdiff_t>(at));
        };
        put(0, name);
        put(100, "0000600");
        put(108, "0000000");
        put(116, "0000000");
        put(124, fmt::format("{:011o}", content.size()));
        put(136, "15137000000");
        put(148, "        ");
        put(156, "0");
        put(257, std::string("ustar\00000", 8));
        std::uint64_t sum = 0;
        for (const char c : head) sum += static_cast<unsigned char>(c);
        put(148, fmt::format("{:06o}", sum) + '\0');
        tar += head + content;
        tar.resize((tar.size() + 511) / 512 * 512, '\0');
    }
    return tar + std::string(1024, '\0');
}

}  // namespace kedge::verify
