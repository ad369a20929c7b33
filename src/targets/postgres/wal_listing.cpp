#include "targets/postgres/wal_listing.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace kedge {
namespace {

// Page headers of the log (PostgreSQL: xlog_internal.h): the first page of a file has the long one.
constexpr std::uint64_t page_bytes = 8192, short_header = 24, long_header = 40;

// The text after `label` up to one of `ends`.
std::string_view after(std::string_view line, std::string_view label, std::string_view ends) {
    const auto at = line.find(label);
    if (at == std::string_view::npos) return {};
    line.remove_prefix(at + label.size());
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    return line.substr(0, line.find_first_of(ends));
}

template <class Number>
Number to_number(std::string_view text) {
    Number number{};
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// "1663/5/16384"
std::optional<RelationFile> parse_relation(std::string_view text) {
    std::array<std::uint32_t, 3> parts{};
    for (std::uint32_t& part : parts) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part);
        if (error != std::errc{}) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.starts_with('/')) text.remove_prefix(1);
    }
    return RelationFile{parts[0], parts[1], parts[2]};
}

// "base/5/16384", "global/1260" of a record that creates a file.
std::optional<RelationFile> parse_path(std::string_view path) {
    constexpr std::uint32_t default_space = 1663, global_space = 1664;
    if (path.starts_with("global/")) return RelationFile{global_space, 0, to_number<std::uint32_t>(path.substr(7))};
    if (!path.starts_with("base/")) return std::nullopt;
    path.remove_prefix(5);
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    return RelationFile{default_space, to_number<std::uint32_t>(path.substr(0, slash)),
                        to_number<std::uint32_t>(path.substr(slash + 1))};
}

// How many rows a heap record changes; locks, hints, pruning and freezing change none.
std::int64_t rows_of(std::string_view manager, std::string_view operation, std::string_view line) {
    const std::string_view verb = operation.substr(0, operation.find('+'));
    if (manager == "Heap" && (verb == "INSERT" || verb == "UPDATE" || verb == "HOT_UPDATE" || verb == "DELETE"))
        return 1;
    if (manager != "Heap2" || verb != "MULTI_INSERT") return 0;
    if (const auto count = after(line, "ntuples:", " ,"); !count.empty()) return to_number<std::int64_t>(count);
    return to_number<std::int64_t>(after(line, operation, " "));  // up to 15: "MULTI_INSERT+INIT 3 tuples"
}

// "... COMMIT 2026-11-23 07:00:00.1 UTC; subxacts: 735 736; inval msgs: ..."
std::vector<std::uint32_t> subtransactions_of(std::string_view line) {
    std::vector<std::uint32_t> found;
    std::string_view list = after(line, "subxacts:", ";");
    while (!list.empty()) {
        const auto end = std::min(list.find(' '), list.size());
        if (const auto number = to_number<std::uint32_t>(list.substr(0, end)); number != 0) found.push_back(number);
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return found;
}

bool is_commit(const WalRecord& record) {
    return record.manager == "Transaction" && record.operation.starts_with("COMMIT");
}

bool is_end(const WalRecord& record) {
    return is_commit(record) || (record.manager == "Transaction" && record.operation.starts_with("ABORT"));
}

}  // namespace

std::optional<WalRecord> parse_wal_record(std::string_view line) {
    if (!line.starts_with("rmgr: ")) return std::nullopt;
    WalRecord record;
    record.manager = after(line, "rmgr:", " ");
    const std::string_view lengths = after(line, "(rec/tot):", ",");  // "54/    54"
    record.bytes = to_number<std::uint32_t>(after(lengths, "/", ","));
    record.transaction = to_number<std::uint32_t>(after(line, " tx:", ","));
    const auto position = parse_lsn(after(line, " lsn:", ","));
    if (!position) return std::nullopt;
    record.position = *position;
    record.operation = after(line, " desc:", " ");
    record.rows = rows_of(record.manager, record.operation, line);
    if (record.manager == "Storage")
        record.relation = parse_path(after(line, record.operation, " "));
    else
        record.relation = parse_relation(after(line, "rel ", " "));
    if (is_end(record)) {
        record.subtransactions = subtransactions_of(line);
        // A prepared transaction is ended by another: "COMMIT_PREPARED 731: ...".
        if (record.operation.ends_with("_PREPARED"))
            record.subtransactions.push_back(to_number<std::uint32_t>(after(line, record.operation, ":")));
    }
    return record;
}

void WalTally::add(const WalRecord& record) {
    const bool beyond = record.position >= from_;
    if (beyond) last_ = Last{record.position, record.bytes};
    if (record.rows > 0 && record.relation) open_[record.transaction][*record.relation] += record.rows;
    if (beyond && record.manager == "Storage" && record.operation == "CREATE" && record.relation)
        created_.insert(*record.relation);
    if (!is_end(record)) return;
    const bool counts = beyond && is_commit(record);
    if (counts) ++transactions_;
    std::vector<std::uint32_t> numbers = record.subtransactions;
    numbers.push_back(record.transaction);
    for (const std::uint32_t number : numbers) {
        const auto node = open_.extract(number);
        if (node.empty() || !counts) continue;
        for (const auto& [relation, rows] : node.mapped()) changes_[relation] += rows;
    }
}

Lsn end_of_record(Lsn position, std::uint32_t bytes, std::uint64_t segment_bytes) {
    std::uint64_t at = position.value, left = (bytes + 7u) / 8u * 8u;
    for (;;) {
        const std::uint64_t room = page_bytes - at % page_bytes;
        if (left <= room) return Lsn{at + left};
        left -= room;
        at += room;
        at += at % segment_bytes == 0 ? long_header : short_header;
    }
}

}  // namespace kedge
