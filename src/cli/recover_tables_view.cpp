#include "cli/recover_tables_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/table.h"
#include "verify/figures.h"

namespace kedge {
namespace {

using recover::Comparison;
using recover::Difference;
using recover::ExtractedTable;
using recover::Extraction;
using recover::TableComparison;

std::string value_text(const std::optional<std::int64_t>& value) {
    return value ? std::to_string(*value) : "nothing yet";
}

Json value_json(const std::optional<std::int64_t>& value) {
    return value ? Json(*value) : Json();
}

std::string joined(const std::vector<std::string>& texts, const char* between = ", ") {
    std::string out;
    for (const std::string& text : texts) out += (out.empty() ? "" : between) + text;
    return out;
}

Cell count_cell(std::uint64_t rows, Tone tone) {
    return rows == 0 ? Cell("") : Cell(std::to_string(rows), tone);
}

// What a table's rows do not say.
std::string remarks(const TableComparison& table) {
    std::vector<std::string> remarks;
    if (table.key.empty()) remarks.emplace_back("no key: by content");
    for (const std::string& column : table.columns_only_recovered)
        remarks.push_back("only the recovered has " + column);
    for (const std::string& column : table.columns_only_live) remarks.push_back("only live has " + column);
    for (const std::string& column : table.columns_of_other_type) remarks.push_back(column);
    return joined(remarks, "; ");
}

std::string keys_text(const TableComparison& table) {
    std::string text;
    const auto add = [&](const char* what, const Difference& difference) {
        if (!difference.keys.empty())
            text += fmt::format("  {} {} ({}): {}{}\n", printable(table.name), what, printable(joined(table.key)),
                                printable(joined(difference.keys, " ")),
                                difference.rows > difference.keys.size() ? " ..." : "");
    };
    add("only in the recovered", table.only_recovered);
    add("only in live", table.only_live);
    add("changed", table.changed);
    return text;
}

std::string sequences_text(const Comparison& comparison) {
    std::string text;
    for (const recover::SequenceComparison& sequence : comparison.sequences)
        text += fmt::format("  {} has given {} in the recovered, {} in live\n", printable(sequence.name),
                            value_text(sequence.recovered), value_text(sequence.live));
    for (const std::string& name : comparison.sequences_only_recovered)
        text += fmt::format("  {} is only in the recovered\n", printable(name));
    for (const std::string& name : comparison.sequences_only_live)
        text += fmt::format("  {} is only in live\n", printable(name));
    return text.empty() ? "" : "sequences:\n" + text;
}

Json difference_json(const Difference& difference) {
    return {{"rows", difference.rows}, {"keys", difference.keys}};
}

Json lone_json(const std::vector<recover::LoneTable>& tables) {
    Json items = Json::array();
    for (const recover::LoneTable& table : tables) items.push_back({{"name", table.name}, {"rows", table.rows}});
    return items;
}

const char* word_of(recover::ExtractEnd end) {
    switch (end) {
        case recover::ExtractEnd::committed: return "committed";
        case recover::ExtractEnd::rolled_back: return "rolled_back";
        case recover::ExtractEnd::conflicts: return "conflicts";
    }
    return "";
}

std::string last_line(const Extraction& extraction) {
    std::uint64_t rows = 0;
    for (const ExtractedTable& table : extraction.tables) rows += table.inserted + table.replaced;
    const std::string counted = verify::counted(rows, "row");
    switch (extraction.end) {
        case recover::ExtractEnd::committed:
            return fmt::format("{} brought back in transaction {}\n", counted, extraction.transaction);
        case recover::ExtractEnd::rolled_back:
            return fmt::format("{} would be brought back; nothing was changed\n", counted);
        case recover::ExtractEnd::conflicts:
            return "nothing was changed: live has rows with other content; --on-conflict keep leaves live's, replace "
                   "takes the recovered\n";
    }
    return {};
}

}  // namespace

std::string rendered(const Comparison& comparison, const std::string& with, const Surface& surface) {
    if (comparison.live_is_gone)
        return fmt::format("{} has no database {} any more: what it had and the recovered has not cannot be listed\n",
                           with, comparison.live);
    Table table({{"TABLE"},
                 {"ONLY RECOVERED", Align::right},
                 {"ONLY LIVE", Align::right},
                 {"CHANGED", Align::right},
                 {"SAME", Align::right},
                 {"REMARKS"}});
    std::string keys;
    std::size_t equal = 0;
    for (const recover::LoneTable& lone : comparison.only_recovered)
        table.add({lone.name, count_cell(lone.rows, Tone::bad), "", "", "", "live has no such table"});
    for (const recover::LoneTable& lone : comparison.only_live)
        table.add({lone.name, "", count_cell(lone.rows, Tone::strong), "", "", "the recovered has no such table"});
    for (const TableComparison& one : comparison.tables) {
        if (one.equal()) {
            ++equal;
            continue;
        }
        table.add({one.name, count_cell(one.only_recovered.rows, Tone::bad),
                   count_cell(one.only_live.rows, Tone::strong), count_cell(one.changed.rows, Tone::bad),
                   std::to_string(one.same), remarks(one)});
        keys += keys_text(one);
    }
    std::string text = table.rendered(surface) + keys + sequences_text(comparison);
    for (const std::string& name : comparison.not_compared)
        text += fmt::format("{} is unlogged, which a recovery empties: not compared\n", printable(name));
    return text + fmt::format("{} the same; compared with {}\n", verify::counted(equal, "table"), with);
}

Json as_json(const Comparison& comparison, const std::string& with) {
    Json tables = Json::array();
    for (const TableComparison& table : comparison.tables)
        tables.push_back({{"name", table.name},
                          {"equal", table.equal()},
                          {"key", table.key},
                          {"only_recovered", difference_json(table.only_recovered)},
                          {"only_live", difference_json(table.only_live)},
                          {"changed", difference_json(table.changed)},
                          {"same", table.same},
                          {"columns_only_recovered", table.columns_only_recovered},
                          {"columns_only_live", table.columns_only_live},
                          {"columns_of_other_type", table.columns_of_other_type}});
    Json sequences = Json::array();
    for (const recover::SequenceComparison& sequence : comparison.sequences)
        sequences.push_back({{"name", sequence.name},
                             {"recovered", value_json(sequence.recovered)},
                             {"live", value_json(sequence.live)}});
    return {{"equal", comparison.equal()},
            {"live_is_gone", comparison.live_is_gone},
            {"compared_with", with},
            {"tables", std::move(tables)},
            {"tables_only_recovered", lone_json(comparison.only_recovered)},
            {"tables_only_live", lone_json(comparison.only_live)},
            {"sequences", std::move(sequences)},
            {"sequences_only_recovered", comparison.sequences_only_recovered},
            {"sequences_only_live", comparison.sequences_only_live},
            {"not_compared", comparison.not_compared}};
}

Json differences(const Comparison& comparison, const std::string& with) {
    Json tables = Json::object();
    const auto add = [&](const std::string& name, std::uint64_t production, std::uint64_t copy, std::uint64_t changed,
                         const std::string& says) {
        tables[name] = {{"only_production", production}, {"only_copy", copy}, {"changed", changed}, {"says", says}};
    };
    for (const TableComparison& table : comparison.tables)
        if (!table.equal())
            add(table.name, table.only_live.rows, table.only_recovered.rows, table.changed.rows, remarks(table));
    for (const recover::LoneTable& table : comparison.only_live)
        add(table.name, table.rows, 0, 0, "the copy has no such table");
    for (const recover::LoneTable& table : comparison.only_recovered)
        add(table.name, 0, table.rows, 0, "production has no such table");
    for (const std::string& name : comparison.not_compared) add(name, 0, 0, 0, "unlogged: not compared");
    return {{"with", with},
            {"equal", comparison.equal()},
            {"live_is_gone", comparison.live_is_gone},
            {"tables", std::move(tables)}};
}

std::string rendered(const Extraction& extraction, const Surface& surface) {
    Table table({{"TABLE"},
                 {"ROWS", Align::right},
                 {"SAME", Align::right},
                 {"INSERTED", Align::right},
                 {"REPLACED", Align::right},
                 {"KEPT", Align::right},
                 {"CONFLICTS", Align::right},
                 {"REMARKS"}});
    std::string more;
    for (const ExtractedTable& one : extraction.tables) {
        const char* remark = one.made_again ? "made again" : one.chosen ? "" : "others refer to them";
        const bool stops = extraction.end == recover::ExtractEnd::conflicts;
        table.add({one.name, std::to_string(one.rows), count_cell(one.same, Tone::plain),
                   count_cell(one.inserted, Tone::good), count_cell(one.replaced, Tone::strong),
                   count_cell(one.kept, Tone::plain), count_cell(one.conflicts, stops ? Tone::bad : Tone::plain),
                   remark});
        if (!one.conflict_keys.empty())
            more += fmt::format("  {}: live has other content in {}{}\n", printable(one.name),
                                printable(joined(one.conflict_keys, " ")),
                                one.conflicts > one.conflict_keys.size() ? " ..." : "");
    }
    for (const std::string& key : extraction.foreign_keys)
        more += fmt::format("  the foreign key {} is made again\n", printable(key));
    for (const recover::MovedSequence& sequence : extraction.sequences)
        more += fmt::format("  {} goes on after {}; it had given {}\n", printable(sequence.name), sequence.to,
                            value_text(sequence.from));
    for (const std::string& note : extraction.notes) more += fmt::format("  note: {}\n", printable(note));
    return table.rendered(surface) + more + last_line(extraction);
}

Json as_json(const Extraction& extraction) {
    Json tables = Json::array();
    for (const ExtractedTable& table : extraction.tables)
        tables.push_back({{"name", table.name},
                          {"chosen", table.chosen},
                          {"made_again", table.made_again},
                          {"rows", table.rows},
                          {"same", table.same},
                          {"inserted", table.inserted},
                          {"replaced", table.replaced},
                          {"kept", table.kept},
                          {"conflicts", table.conflicts},
                          {"conflict_keys", table.conflict_keys}});
    Json sequences = Json::array();
    for (const recover::MovedSequence& sequence : extraction.sequences)
        sequences.push_back({{"name", sequence.name}, {"from", value_json(sequence.from)}, {"to", sequence.to}});
    return {{"end", word_of(extraction.end)},    {"transaction", extraction.transaction},
            {"tables", std::move(tables)},       {"foreign_keys", extraction.foreign_keys},
            {"sequences", std::move(sequences)}, {"triggers_off", extraction.triggers_off},
            {"notes", extraction.notes}};
}

}  // namespace kedge
