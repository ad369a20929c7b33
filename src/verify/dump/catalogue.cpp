#include "verify/dump/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "verify/dump/copy_statement.h"

namespace kedge::verify {
namespace {

constexpr std::string_view table_data = "TABLE DATA", large_object_data = "BLOBS";

std::optional<std::uint32_t> read_oid(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool canonical = !text.empty() && error == std::errc{} && end == text.data() + text.size() &&
                           (text.size() == 1 || text.front() != '0');
    return canonical ? std::optional(value) : std::nullopt;
}

std::string qualified(const TocEntry& entry) {
    return entry.name_space.empty() ? entry.tag : entry.name_space + "." + entry.tag;
}

// Kinds are words in capitals; "pg_largeobject" is what pg_upgrade's dumps have besides.
bool is_kind(std::string_view kind) {
    return kind == "pg_largeobject" ||
           (!kind.empty() && std::ranges::all_of(kind, [](char c) { return (c >= 'A' && c <= 'Z') || c == ' '; }));
}

// The columns that a CREATE TABLE names, each on a line of its own that begins with four blanks. Lines of constraints
// are taken along: one name too many hides nothing that would be found here.
std::vector<std::uint64_t> columns_of(std::string_view definition) {
    constexpr std::string_view line = "\n    ";
    const bool all_written = definition.find("\nINHERITS (") == std::string_view::npos &&
                             definition.find(" PARTITION OF ") == std::string_view::npos &&
                             definition.find(" OF ") == std::string_view::npos &&
                             definition.size() < definition_bytes_max;
    std::vector<std::uint64_t> hashes;
    if (!all_written) return hashes;
    for (std::size_t at = definition.find(line); at != std::string_view::npos; at = definition.find(line, at + 1))
        hashes.push_back(std::hash<std::string_view>{}(leading_identifier(definition.substr(at + line.size()))));
    std::ranges::sort(hashes);
    return hashes;
}

}  // namespace

void Catalogue::complain(Findings& findings, const TocEntry& entry, std::string code, std::string says) const {
    findings.add(
        {Weight::damage, std::move(code),
         fmt::format("entry {} of the table of contents ({} {}): {}", entry.id, entry.kind, qualified(entry), says),
         where_, entry.offset});
}

Result<void> Catalogue::read(ArchiveReader& reader, Findings& findings) {
    const std::uint64_t start = reader.offset();
    const std::int64_t count = TRY(reader.integer());
    // An entry takes more than 60 bytes, whatever is in it.
    constexpr std::uint64_t entry_bytes_min = 60;
    if (count < 0 || static_cast<std::uint64_t>(count) > reader.left() / entry_bytes_min)
        return Error{Fault::corrupt, fmt::format("the table of contents at {} claims {} entries", start, count)};
    TocEntry entry;
    for (std::int64_t i = 0; i < count; ++i) {
        TRY(read_entry(reader, header_, entry).within(fmt::format("entry {} of {}", i + 1, count)));
        add(entry, findings);
        if (ids_.size() > limits_.objects_max || kept_bytes_ > kept_bytes_max)
            return Error{Fault::refused, fmt::format("the table of contents is larger than what is allowed: {} "
                                                     "entries, {} bytes to be remembered",
                                                     ids_.size(), kept_bytes_)};
    }
    end_ = reader.offset();
    check_whole(findings);
    return {};
}

void Catalogue::add(const TocEntry& entry, Findings& findings) {
    ids_.push_back(static_cast<std::int32_t>(entry.id));
    keep(sizeof(std::int32_t));
    check_fields(entry, findings);
    if (is_kind(entry.kind) && (kinds_.size() < 200 || kinds_.contains(entry.kind))) ++kinds_[entry.kind];
    if (entry.kind == "ENCODING") encoding_ = encoding_in(entry.definition);
    if (entry.kind == "TABLE" || entry.kind == "FOREIGN TABLE") add_table(entry);
    if (entry.kind == "BLOB") {
        if (const auto oid = read_oid(entry.tag); oid && keep(sizeof *oid))
            large_objects_.push_back(*oid);
        else
            complain(findings, entry, "toc-field", "its name is no OID");
    }
    if (entry.kind == "BLOB METADATA") {
        std::vector<std::uint32_t>& group = object_groups_[entry.id];
        std::string_view rest = entry.definition;
        while (!rest.empty()) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
            const auto oid = read_oid(line);
            if (!oid) complain(findings, entry, "toc-field", "a line of its definition is no OID");
            if (oid && keep(sizeof *oid)) group.push_back(*oid);
        }
    }
    if (entry.has_data != 0) add_data(entry, findings);
}

void Catalogue::check_fields(const TocEntry& entry, Findings& findings) {
    const auto complain_field = [&](std::string says) { complain(findings, entry, "toc-field", std::move(says)); };
    if (entry.id <= 0) complain_field("its number is not above zero");
    if (entry.has_data != 0 && entry.has_data != 1)
        complain_field(fmt::format("whether it has data is said by {}", entry.has_data));
    if (entry.section < 1 || entry.section > 4) complain_field(fmt::format("its section is {}", entry.section));
    if (!read_oid(entry.catalog_oid)) complain_field("the OID of its catalog is no OID");
    if (!read_oid(entry.oid)) complain_field("its OID is no OID");
    if (!is_kind(entry.kind)) complain_field("its kind is none");
    if (entry.with_oids != "false" && entry.with_oids != "true") complain_field("its flag of OIDs is none");
    constexpr std::string_view relation_kinds = "rpmvfStcIi";
    const auto letter = static_cast<char>(entry.relation_kind);
    if (entry.relation_kind != 0 &&
        (entry.relation_kind < 0 || entry.relation_kind > 127 || relation_kinds.find(letter) == std::string_view::npos))
        complain_field(fmt::format("its kind of relation is {}", entry.relation_kind));
    if (entry.zero_byte_in) complain_field(fmt::format("its {} holds a zero byte", *entry.zero_byte_in));
    if (std::ranges::count(entry.dependencies, entry.id) > 0) complain_field("it depends on itself");
    const bool should_have_data = entry.kind == table_data || entry.kind == large_object_data;
    if (should_have_data != (entry.has_data != 0))
        complain(findings, entry, "toc-data-flag",
                 should_have_data ? "it says that it has no data, as only entries of other kinds do"
                                  : "it says that it has data, as none of its kind does");
    if (header_.format != DumpHeader::Format::custom) return;
    const bool state_fits =
        entry.has_data != 0 ? entry.data.state == 1 || entry.data.state == 2 : entry.data.state == 3;
    if (!state_fits)
        complain(findings, entry, "toc-data-flag",
                 fmt::format("its data has state {}, {}", entry.data.state,
                             entry.has_data != 0 ? "which means none" : "though it has none"));
    if (entry.data.state != 2 && entry.data.position != 0)
        complain_field(fmt::format("its data has position {}, though that is not set", entry.data.position));
}

void Catalogue::add_table(const TocEntry& entry) {
    Table table{qualified(entry), entry.tag, entry.name_space, entry.owner, entry.oid, columns_of(entry.definition)};
    const std::size_t bytes = sizeof table + 64 + table.name.size() + table.tag.size() + table.name_space.size() +
                              table.owner.size() + table.oid.size() + table.columns.size() * sizeof(std::uint64_t);
    if (keep(bytes)) tables_.insert_or_assign(entry.id, std::move(table));
}

void Catalogue::add_data(const TocEntry& entry, Findings& findings) {
    DataEntry data;
    data.id = entry.id;
    data.kind = entry.kind == large_object_data ? DataEntry::Kind::large_objects : DataEntry::Kind::table;
    data.name = qualified(entry);
    data.data = entry.data;
    data.file = entry.file;
    if (data.kind == DataEntry::Kind::table)
        check_table_data(entry, data, findings);
    else
        link_large_objects(entry, data);
    if (keep(sizeof data + data.name.size() + data.file.size() + data.objects.size() * sizeof(std::uint32_t)))
        data_.push_back(std::move(data));
}

void Catalogue::check_table_data(const TocEntry& entry, DataEntry& data, Findings& findings) {
    const auto complain_link = [&](std::string says) { complain(findings, entry, "toc-link", std::move(says)); };
    const auto table = entry.dependencies.empty() ? tables_.end() : tables_.find(entry.dependencies.front());
    const bool through_root = entry.definition.starts_with("-- load via partition root");
    if (table != tables_.end()) {
        const Table& of = table->second;
        if (of.tag != entry.tag || of.name_space != entry.name_space)
            complain_link(fmt::format("the table it depends on is called {}", of.name));
        if (of.owner != entry.owner) complain_link(fmt::format("its table belongs to '{}'", of.owner));
        if (of.oid != entry.oid) complain_link(fmt::format("its table has OID {}", of.oid));
    }
    data.is_copy = entry.copy.has_value();
    if (!entry.copy) return;
    const auto statement = read_copy_statement(*entry.copy);
    if (!statement) return complain(findings, entry, "toc-copy", "its COPY statement is none");
    data.columns = statement->columns.size();
    const std::vector<std::string> expected{entry.name_space, entry.tag};
    if (!through_root && statement->table != expected)
        complain(findings, entry, "toc-copy",
                 fmt::format("its COPY statement names {}", fmt::join(statement->table, ".")));
    if (table == tables_.end() || table->second.columns.empty()) return;
    for (const std::string_view column : statement->columns)
        if (!std::ranges::binary_search(table->second.columns, std::hash<std::string_view>{}(column)))
            complain(findings, entry, "toc-copy", fmt::format("its table has no column {}", column));
}

void Catalogue::link_large_objects(const TocEntry& entry, DataEntry& data) {
    for (const std::int64_t id : entry.dependencies)
        if (const auto group = object_groups_.find(id); group != object_groups_.end())
            data.objects.insert(data.objects.end(), group->second.begin(), group->second.end());
}

void Catalogue::check_whole(Findings& findings) {
    const auto damage = [&](std::string code, std::string says) {
        findings.add({Weight::damage, std::move(code), std::move(says), where_, end_});
    };
    std::ranges::sort(ids_);
    for (auto twin = std::ranges::adjacent_find(ids_); twin != ids_.end();
         twin = std::adjacent_find(twin + 1, ids_.end()))
        damage("toc-duplicate", fmt::format("two entries of the table of contents have number {}", *twin));
    std::ranges::sort(large_objects_);
    if (const auto twin = std::ranges::adjacent_find(large_objects_); twin != large_objects_.end())
        damage("toc-duplicate", fmt::format("two entries are of large object {}", *twin));
    const auto states = [&](int state) {
        return std::ranges::count(data_, state, [](const DataEntry& entry) { return entry.data.state; });
    };
    if (header_.format == DumpHeader::Format::custom && states(1) > 0 && states(2) > 0)
        damage("toc-data-flag", fmt::format("{} of {} entries with data have no position, the others have one",
                                            states(1), data_.size()));
}

}  // namespace kedge::verify
