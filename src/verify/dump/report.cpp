#include "verify/dump/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::verify {
namespace {

std::string local_time(Moment moment) {
    std::string text = kedge::to_string(moment).substr(0, 19);
    std::ranges::replace(text, 'T', ' ');
    return text;
}

std::string plural(std::uint64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

struct Totals {
    std::uint64_t tables = 0, rows = 0, bytes = 0, objects = 0;
    bool complete = true, checksummed = true;
};

Totals add_up(std::span<const DataEntry> entries, std::span<const DataResult> results) {
    Totals totals;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        totals.tables += entries[i].kind == DataEntry::Kind::table ? 1 : 0;
        totals.rows += results[i].rows.value_or(0);
        totals.bytes += results[i].bytes;
        totals.objects += results[i].objects.size();
        totals.complete &= results[i].complete;
        totals.checksummed &= results[i].seen && results[i].checksummed;
    }
    return totals;
}

void report_contents(std::span<const DataEntry> entries, std::span<const DataResult> results,
                     Examination& examination) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const DataResult& result = results[i];
        const bool is_table = entries[i].kind == DataEntry::Kind::table;
        const std::optional<std::uint64_t> objects =
            result.complete ? std::optional<std::uint64_t>(result.objects.size()) : std::nullopt;
        examination.contents.push_back({is_table ? "table" : "large objects", entries[i].name,
                                        is_table ? result.rows : objects,
                                        result.seen ? std::optional(result.bytes) : std::nullopt});
    }
}

void report_unproved(const Catalogue& catalogue, const Totals& totals, Examination& examination) {
    examination.unproved.push_back(
        "the table of contents carries no checksum: it was held against itself and against the data, but an altered "
        "definition of a function, a comment or a name would not be seen");
    if (!totals.checksummed && catalogue.header().packing != Packing::gzip)
        examination.unproved.push_back(fmt::format(
            "the data carries no checksum (compression {}): an altered value that is still a value would not be seen; "
            "gzip or a digest kept outside would prove it",
            to_string(catalogue.header().packing)));
    examination.unproved.push_back(
        "the time is the dumping host's local time, without its zone: it may be up to 14 hours off");
}

}  // namespace

Result<void> as_finding(Result<void> outcome, const std::string& where, std::uint64_t offset, Findings& findings) {
    if (outcome) return {};
    const Error& error = outcome.error();
    if (error.fault == Fault::corrupt)
        findings.add({Weight::damage, "toc-damaged", error.message, where, offset});
    else if (error.fault == Fault::refused)
        findings.add({Weight::doubt, "toc-unknown", error.message, where, offset});
    else
        return outcome;
    return {};
}

void report_header(const DumpHeader& header, Examination& examination) {
    examination.taken = header.created_local;
    Json& facts = examination.facts;
    facts["archive_version"] = fmt::format("1.{}", header.version_minor);
    facts["database"] = header.database;
    facts["server_version"] = header.server_version;
    facts["dump_version"] = header.dump_version;
    if (header.created_local) facts["created_local_time"] = local_time(*header.created_local);
    facts["compression"] = to_string(header.packing);
    if (header.level) facts["compression_level"] = *header.level;
    if (header.integer_bytes != 4 || header.offset_bytes != 8)
        examination.findings.add({Weight::remark,
                                  "unusual-writer",
                                  fmt::format("integers of {} and offsets of {} bytes: not what pg_dump on 64-bit "
                                              "Linux writes",
                                              header.integer_bytes, header.offset_bytes),
                                  "",
                                  {}});
}

void report_listing(const Catalogue& catalogue, Examination& examination) {
    Json& facts = examination.facts;
    facts["encoding"] = catalogue.encoding();
    facts["toc_entries"] = catalogue.entries();
    facts["objects"] = Json::object();
    for (const auto& [kind, count] : catalogue.kinds()) facts["objects"][kind] = count;
    if (!examination.findings.any(Weight::damage))
        examination.proofs.push_back({Rung::listed, fmt::format("the {} entries of the table of contents were read and "
                                                                "agree with each other",
                                                                catalogue.entries())});
}

void report_data(const Catalogue& catalogue, std::span<const DataResult> results, Examination& examination) {
    const std::span<const DataEntry> entries = catalogue.data();
    const Totals totals = add_up(entries, results);
    for (const DataResult& result : results) examination.findings.merge(result.findings);
    report_contents(entries, results, examination);
    Json& facts = examination.facts;
    facts["tables_with_data"] = totals.tables;
    facts["large_objects"] = totals.objects;
    facts["data_bytes"] = totals.bytes;
    if (totals.complete) facts["rows"] = totals.rows;
    const Findings& findings = examination.findings;
    const bool decoded = totals.complete && !findings.any(Weight::damage) && !findings.any(Weight::doubt);
    if (decoded)
        examination.proofs.push_back(
            {Rung::decoded, fmt::format("the data of {} was decoded to its end: {} rows counted, {} large objects",
                                        plural(totals.tables, "table"), totals.rows, totals.objects)});
    if (decoded && !entries.empty() && totals.checksummed)
        examination.proofs.push_back(
            {Rung::checksummed, fmt::format("all {} of data are covered by the checksums of their streams",
                                            plural(totals.bytes, "byte"))});
    report_unproved(catalogue, totals, examination);
}

}  // namespace kedge::verify
