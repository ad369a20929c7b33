#include "verify/redis/rdb.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "verify/figures.h"
#include "verify/redis/aof_tell.h"
#include "verify/redis/rdb_walk.h"

namespace kedge::verify {
namespace {

constexpr unsigned newest_known_version = 12;

std::string_view field(const RdbSummary& summary, std::string_view name) {
    const auto found = summary.fields.find(std::string(name));
    return found == summary.fields.end() ? std::string_view() : found->second;
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string_view checksum_word(RdbSummary::Checksum checksum) {
    switch (checksum) {
        case RdbSummary::Checksum::absent: return "absent";
        case RdbSummary::Checksum::disabled: return "unverified";
        case RdbSummary::Checksum::fits: return "valid";
        case RdbSummary::Checksum::differs: return "invalid";
    }
    return "absent";
}

// By the names of `TYPE key`.
Json types_of(const DatabaseTally& tally) {
    Json types = Json::object();
    for (const std::string_view name : {"string", "list", "set", "zset", "hash", "stream", "module"}) {
        std::uint64_t keys = 0;
        for (std::size_t type = 0; type < value_types; ++type)
            if (name_of(static_cast<ValueType>(type)) == name) keys += tally.by_type[type];
        if (keys > 0) types[std::string(name)] = keys;
    }
    return types;
}

Json facts_of(const RdbSummary& summary) {
    Json facts = {{"rdb_version", summary.version}, {"checksum", checksum_word(summary.checksum)}};
    const std::pair<const char*, const char*> named[] = {
        {"redis-ver", "redis_version"}, {"valkey-ver", "valkey_version"}, {"repl-id", "replication_id"}};
    for (const auto& [name, key] : named)
        if (const std::string_view text = field(summary, name); !text.empty()) facts[key] = std::string(text);
    const std::pair<const char*, const char*> numbered[] = {
        {"used-mem", "used_memory_bytes"}, {"repl-offset", "replication_offset"}, {"redis-bits", "word_bits"}};
    for (const auto& [name, key] : numbered)
        if (const auto value = number(field(summary, name))) facts[key] = *value;
    Json databases = Json::array();
    for (const auto& [database, tally] : summary.databases)
        databases.push_back({{"number", database},
                             {"keys", tally.keys},
                             {"expiring", tally.expiring},
                             {"expired", tally.expired},
                             {"empty", tally.empty},
                             {"value_bytes", tally.value_bytes},
                             {"types", types_of(tally)}});
    facts["databases"] = std::move(databases);
    Json biggest = Json::array();
    for (const BigKey& key : summary.biggest)
        biggest.push_back(
            {{"database", key.database}, {"key", key.name}, {"type", std::string(key.type)}, {"bytes", key.bytes}});
    facts["biggest_keys"] = std::move(biggest);
    if (!summary.libraries.empty()) facts["function_libraries"] = summary.libraries;
    if (!summary.modules.empty()) facts["modules"] = summary.modules;
    return facts;
}

DatabaseTally total_of(const RdbSummary& summary) {
    DatabaseTally total;
    for (const auto& [database, tally] : summary.databases) {
        total.keys += tally.keys;
        total.expiring += tally.expiring;
        total.expired += tally.expired;
        total.empty += tally.empty;
    }
    return total;
}

void tell_contents(const RdbSummary& summary, Examination& examination) {
    for (const auto& [database, tally] : summary.databases)
        examination.contents.push_back({"database", std::to_string(database), tally.keys, tally.value_bytes});
    for (const std::string& library : summary.libraries)
        examination.contents.push_back({"function library", library, std::nullopt, std::nullopt});
}

void tell_hints(const RdbSummary& summary, Examination& examination) {
    for (const auto& [database, tally] : summary.databases) {
        if (!tally.stated_keys || summary.fault) continue;
        if (*tally.stated_keys != tally.keys || *tally.stated_expiring != tally.expiring)
            examination.findings.add(
                {Weight::remark,
                 "size-hint",
                 fmt::format("database {} was said to hold {} ({} of them expiring) and holds {} ({})", database,
                             counted(*tally.stated_keys, "key"), counted(*tally.stated_expiring), counted(tally.keys),
                             counted(tally.expiring)),
                 {},
                 {}});
    }
}

void tell_checksum(const RdbSummary& summary, Examination& examination) {
    switch (summary.checksum) {
        case RdbSummary::Checksum::absent:
            if (!summary.fault)
                examination.unproved.push_back("that no byte changed: this version of the format has no checksum");
            break;
        case RdbSummary::Checksum::disabled:
            examination.unproved.push_back(
                "that no byte changed: the server wrote it without a checksum (rdbchecksum no)");
            break;
        case RdbSummary::Checksum::fits:
            examination.proofs.push_back(
                {Rung::checksummed, fmt::format("the checksum over all {} bytes is {:016x}, "
                                                "as the file states",
                                                counted(summary.bytes - 8), summary.computed_crc)});
            break;
        case RdbSummary::Checksum::differs:
            examination.findings.add({Weight::damage,
                                      "checksum",
                                      fmt::format("the checksum over the {} bytes before it is {:016x}, the file "
                                                  "states {:016x}: at least one of them changed",
                                                  counted(summary.bytes - 8), summary.computed_crc, summary.stated_crc),
                                      {},
                                      summary.bytes - 8});
            break;
    }
}

// What the rest of a file says about a fault in it.
struct Rest {
    std::uint64_t bytes = 0;       // of the whole file
    bool has_end_mark = false;     // where it has to be
    bool states_checksum = false;  // behind it
    bool checksum_fits = false;    // over the whole file
};

Rest look_at_rest(Intake& intake) {
    intake.skip_all();
    const Bytes tail = intake.tail();
    const bool is_long_enough = tail.size() == Intake::tail_bytes;
    Rest rest{.bytes = intake.bytes(), .has_end_mark = is_long_enough && tail.front() == std::byte{0xff}};
    rest.states_checksum =
        rest.has_end_mark && std::ranges::any_of(tail.subspan(1), [](std::byte byte) { return byte != std::byte{0}; });
    // Nothing is added to this checksum at its end, so that over a text and its own checksum it becomes zero.
    rest.checksum_fits = intake.crc() == 0 && rest.states_checksum;
    return rest;
}

Finding finding_of(const WalkFault& fault, const RdbSummary& summary, const Rest& rest) {
    const bool is_newer = summary.version > newest_known_version || summary.dialect == RdbSummary::Dialect::valkey;
    const bool may_be_sound = rest.checksum_fits || (rest.has_end_mark && !rest.states_checksum);
    const auto found = [&](Weight weight, const char* code, std::string says) {
        return Finding{weight, code, std::move(says), {}, fault.offset};
    };
    const auto not_understood = [&] {
        return found(Weight::doubt, "not-understood",
                     fmt::format("from here on the file is not understood ({}){}", fault.says,
                                 rest.checksum_fits ? "; its checksum fits, so it is as it was written" : ""));
    };
    const auto ended = [&](std::string_view where) {
        if (rest.has_end_mark)
            return found(
                Weight::damage, "overlong",
                fmt::format("a length leads over the end of the file, {}; the file's own end is there", where));
        return found(Weight::damage, "truncated", fmt::format("the file ends {}: it is not whole", where));
    };
    switch (fault.kind) {
        case WalkFault::Kind::ended: return rest.checksum_fits ? not_understood() : ended(fault.says);
        case WalkFault::Kind::wrong:
            return rest.checksum_fits ? not_understood() : found(Weight::damage, "structure", fault.says);
        case WalkFault::Kind::unknown:
            return may_be_sound && (is_newer || rest.checksum_fits) ? not_understood()
                                                                    : found(Weight::damage, "structure", fault.says);
        case WalkFault::Kind::limit:
            if (fault.bytes > rest.bytes - fault.offset) return ended("in a container");
            return may_be_sound ? found(Weight::doubt, "limit", fault.says)
                                : found(Weight::damage, "structure", fault.says);
    }
    return found(Weight::damage, "structure", fault.says);
}

// Until 7.0 the append-only file was one, with a snapshot in front of the commands. Its checksum covers only that.
void tell_commands_behind(const AofSummary& commands, Examination& examination) {
    examination.kind = "Redis append-only file with a snapshot in front";
    examination.contents.push_back({"commands", "", commands.commands, commands.end - commands.begin});
    tell_aof(commands, Tail::may_be_cut, examination);
    std::erase_if(examination.proofs, [](const Proof& proof) { return proof.rung > Rung::listed; });
    if (!examination.findings.any(Weight::damage))
        examination.proofs.push_back({Rung::decoded, fmt::format("the snapshot and {} behind it read to the end",
                                                                 counted(commands.commands, "command"))});
    examination.unproved.push_back(keys_are_not_counted);
}

}  // namespace

RdbSummary walk_rdb(Intake& intake, const RdbOptions& options) {
    return RdbWalk(intake, options.now, options.biggest_max).walk();
}

void tell_rdb(const RdbSummary& summary, Examination& examination) {
    const bool is_valkey = summary.dialect == RdbSummary::Dialect::valkey;
    if (summary.version == 0) return;
    examination.kind = fmt::format("{} RDB, version {}", is_valkey ? "Valkey" : "Redis", summary.version);
    if (const auto ctime = number(field(summary, "ctime")); ctime && *ctime > 0 && *ctime < (std::int64_t{1} << 40))
        examination.taken = Moment(std::chrono::seconds(*ctime));
    examination.facts.update(facts_of(summary));
    tell_contents(summary, examination);
    tell_hints(summary, examination);
    const std::string_view server = field(summary, is_valkey ? "valkey-ver" : "redis-ver");
    examination.proofs.push_back(
        {Rung::listed, server.empty() ? fmt::format("the header names version {} of the format", summary.version)
                                      : fmt::format("the header names version {} of the format and {} {}",
                                                    summary.version, is_valkey ? "Valkey" : "Redis", server)});
    if (!summary.fault && !examination.findings.any(Weight::damage)) {
        const DatabaseTally total = total_of(summary);
        examination.proofs.push_back(
            {Rung::decoded, fmt::format("{} in {} decoded to the end mark, {} with an expiry, {} of these past it",
                                        counted(total.keys, "key"), counted(summary.databases.size(), "database"),
                                        counted(total.expiring), counted(total.expired))});
    }
    tell_checksum(summary, examination);
    if (!summary.modules.empty())
        examination.unproved.push_back(fmt::format("what is inside the values of {}: gone past by their framing",
                                                   counted(summary.modules.size(), "module")));
    if (summary.unlooked_pending > 0)
        examination.unproved.push_back(fmt::format("that what consumers hold is pending in their group, for {}",
                                                   counted(summary.unlooked_pending, "very long list")));
}

Result<Examination> examine_rdb(ByteStream& stream, const RdbOptions& options, Effort& effort) {
    Intake intake(stream, effort);
    const RdbSummary summary = walk_rdb(intake, options);
    const std::uint64_t end = intake.offset();
    std::optional<AofSummary> commands;
    if (!summary.fault && field(summary, "aof-preamble") == "1") commands = walk_aof(intake);
    const Rest rest = look_at_rest(intake);
    if (intake.error()) return *intake.error();
    Examination examination;
    examination.bytes = intake.bytes();
    examination.findings.merge(intake.findings());
    tell_rdb(summary, examination);
    if (summary.fault) {
        examination.findings.add(finding_of(*summary.fault, summary, rest));
        examination.facts["whole_file_checksum"] = rest.checksum_fits ? "valid" : "invalid";
    } else if (commands) {
        tell_commands_behind(*commands, examination);
    } else if (examination.bytes > end) {
        examination.findings.add(
            {Weight::damage,
             "trailing",
             fmt::format("{} follow the end of the snapshot", counted(examination.bytes - end, "byte")),
             {},
             end});
    }
    return examination;
}

}  // namespace kedge::verify
