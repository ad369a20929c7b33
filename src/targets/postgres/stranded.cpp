#include "targets/postgres/stranded.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <utility>

#include "base/wal_history.h"
#include "os/files.h"
#include "targets/postgres/wal_listing.h"

namespace kedge {
namespace {

constexpr std::uint32_t default_tablespace = 1663;

// The old primary's log as it lies there.
struct OldLog {
    std::string directory;
    std::vector<std::string> names;  // sorted
    ControlData control;
    TimelineHistory history;

    std::uint32_t timeline() const { return history.back().timeline; }
    bool has(const std::string& name) const { return std::ranges::binary_search(names, name); }
    std::string file_at(std::uint32_t timeline, Lsn position) const {
        return segment_name(timeline, position, control.wal_segment_bytes);
    }
};

Result<OldLog> find_log(const HostServer& old, const Until& until) {
    OldLog log;
    log.directory = old.machine().data_directory() + "/pg_wal";
    log.control = TRY(old.control_data(until));
    log.names = TRY(old.machine().list(log.directory, until));
    std::uint32_t timeline = log.control.timeline;  // of the last checkpoint; a promotion may be newer
    for (const std::string& name : log.names)
        if (is_segment_name(name)) timeline = std::max(timeline, timeline_of_segment(name));
    std::string text;
    if (timeline > 1)
        text = TRY(old.machine().read(fmt::format("{}/{}", log.directory, history_file_name(timeline)), until));
    log.history = TRY(parse_history(text, timeline).within(old.name()));
    return log;
}

Result<TimelineHistory> history_of(HostServer& primary, std::uint32_t timeline, Moment deadline) {
    if (timeline == 1) return parse_history("", 1);
    const Rows rows = TRY(primary.sql().ask(
        {"SELECT convert_from(pg_read_binary_file('pg_wal/' || $1), 'UTF8')", {history_file_name(timeline)}},
        deadline));
    return parse_history(rows.at(0).at(0).value_or(""), timeline).within(primary.name());
}

Result<Fork> find_fork_of(const HostServer& old, const OldLog& log, HostServer& primary, Moment deadline) {
    const DatabaseLook seen = primary.look(deadline);
    if (seen.reachable != Truth::yes || !seen.timeline || !seen.system_identifier)
        return Error{Fault::unavailable, fmt::format("{}: {}", primary.name(), seen.says)};
    if (seen.primary != Truth::yes)
        return Error{Fault::refused, fmt::format("{}: is no primary: {}", primary.name(), seen.says)};
    if (*seen.system_identifier != log.control.system_identifier)
        return Error{Fault::refused,
                     fmt::format("{} and {} are not the same database (system identifiers {} and {})", old.name(),
                                 primary.name(), log.control.system_identifier, *seen.system_identifier)};
    const TimelineHistory theirs = TRY(history_of(primary, *seen.timeline, deadline));
    const Fork fork = TRY(find_fork(log.history, theirs).within(old.name()));
    if (fork.stretch + 1 == theirs.size())
        return Error{Fault::refused,
                     fmt::format("{}: still on timeline {}, the old primary's own: nobody was promoted since",
                                 primary.name(), *seen.timeline)};
    return fork;
}

// Has pg_waldump list one timeline's records into `file`, from one log file before `from` on, if that is there.
Result<void> list_records(const HostServer& old, const OldLog& log, const TimelineStretch& stretch, Lsn from,
                          const std::string& file, const Until& until) {
    const std::uint64_t size = log.control.wal_segment_bytes;
    Lsn start{from.value / size * size};
    if (!log.has(log.file_at(stretch.timeline, start))) {
        if (log.control.checkpoint < from) return {};  // the log ends with the file before: nothing is beyond
        return Error{Fault::not_found,
                     fmt::format("{}: log file {}, in which the fork at {} lies, is no longer there", old.name(),
                                 log.file_at(stretch.timeline, start), to_string(from)),
                     "copy it back from the archive into pg_wal, with all that follow it"};
    }
    if (start.value >= size && log.has(log.file_at(stretch.timeline, Lsn{start.value - size}))) start.value -= size;
    if (start < stretch.begin) start = stretch.begin;
    Arguments command{old.machine().tool("pg_waldump"), "-p", log.directory,   "-t",
                      std::to_string(stretch.timeline), "-s", to_string(start)};
    if (stretch.end < TimelineStretch{}.end) command.insert(command.end(), {"-e", to_string(stretch.end)});
    // It ends with an error where the log ends, as every log does: what it listed is judged by `check_end`.
    TRY(old.machine().run(command, until, {.output_file = file}));
    return {};
}

Result<WalTally> tally(const std::string& file, Lsn from) {
    WalTally tally{from};
    std::ifstream lines{file};
    for (std::string line; std::getline(lines, line);)
        if (const auto record = parse_wal_record(line)) tally.add(*record);
    if (lines.bad()) return Error{Fault::unavailable, fmt::format("{}: cannot be read back", file)};
    return tally;
}

// The server knows one position that its log reaches: that of its last checkpoint.
Result<Lsn> check_end(const HostServer& old, const OldLog& log, const WalTally& tally, Lsn from) {
    const Lsn end =
        tally.last() ? end_of_record(tally.last()->position, tally.last()->bytes, log.control.wal_segment_bytes) : from;
    if (log.control.checkpoint >= from && end <= log.control.checkpoint)
        return Error{Fault::corrupt,
                     fmt::format("{}: its log is readable up to {} only, but its last checkpoint is at {}", old.name(),
                                 to_string(end), to_string(log.control.checkpoint)),
                     "keep the data directory as it is, and look for the missing log in the archive"};
    return end;
}

std::string path_of(const RelationFile& file) {
    if (file.database == 0) return fmt::format("global/{}", file.number);
    if (file.tablespace == default_tablespace) return fmt::format("base/{}/{}", file.database, file.number);
    return fmt::format("pg_tblspc/{}/{}/{}", file.tablespace, file.database, file.number);
}

// Names by file, as the new primary has them; "" for the side tables of long values, whose rows are counted with the
// table's own. Best effort: without an answer there are no names.
std::map<RelationFile, std::string> names_of(HostServer& primary, const WalTally& tally, Moment deadline) {
    std::string spaces, databases, numbers;
    for (const auto& [file, rows] : tally.changes()) {
        if (tally.created().contains(file)) continue;
        const char* const comma = spaces.empty() ? "" : ",";
        spaces += fmt::format("{}{}", comma, file.tablespace);
        databases += fmt::format("{}{}", comma, file.database);
        numbers += fmt::format("{}{}", comma, file.number);
    }
    const auto array = [](const std::string& items) { return "{" + items + "}"; };
    const auto rows = primary.sql().ask(
        {"SELECT f.space, f.database, f.number, CASE WHEN c.relkind <> 't' THEN format('%I.%I', n.nspname, c.relname) "
         "ELSE '' END FROM unnest($1::oid[], $2::oid[], $3::oid[]) AS f (space, database, number)"
         " JOIN pg_class c ON c.oid = pg_filenode_relation(f.space, f.number)"
         " JOIN pg_namespace n ON n.oid = c.relnamespace"
         " WHERE f.database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))",
         {array(spaces), array(databases), array(numbers)}},
        deadline);
    std::map<RelationFile, std::string> names;
    if (!rows) return names;
    const auto number = [](const std::optional<std::string>& text) {
        return static_cast<std::uint32_t>(std::stoul(text.value_or("0")));
    };
    for (const Row& row : *rows) names[{number(row[0]), number(row[1]), number(row[2])}] = row[3].value_or("");
    return names;
}

std::vector<std::pair<std::string, std::int64_t>> by_table(HostServer& primary, const WalTally& tally,
                                                           Moment deadline) {
    const auto names = names_of(primary, tally, deadline);
    std::vector<std::pair<std::string, std::int64_t>> tables;
    for (const auto& [file, rows] : tally.changes()) {
        const auto name = names.find(file);
        if (name == names.end())
            tables.emplace_back(path_of(file), rows);
        else if (!name->second.empty())
            tables.emplace_back(name->second, rows);
    }
    std::ranges::sort(tables);
    return tables;
}

Result<void> copy_log(const HostServer& old, const OldLog& log, const Fork& fork, Lsn to, const std::string& into,
                      const Until& until) {
    const std::uint64_t size = log.control.wal_segment_bytes;
    std::vector<std::string> names;
    if (log.timeline() > 1) names.push_back(history_file_name(log.timeline()));
    for (std::size_t i = fork.stretch; i < log.history.size(); ++i) {
        const TimelineStretch& stretch = log.history[i];
        const Lsn last = std::min(to, stretch.end);
        for (Lsn at{std::max(fork.at, stretch.begin).value / size * size}; at < last; at.value += size)
            names.push_back(log.file_at(stretch.timeline, at));
    }
    for (const std::string& name : names) {
        const auto copied = TRY(old.machine().run_or_fail({"cat", "--", fmt::format("{}/{}", log.directory, name)},
                                                          until, {.output_bytes_max = size + 1}));
        if (copied.truncated || (is_segment_name(name) && copied.out.size() != size))
            return Error{Fault::corrupt, fmt::format("{}: log file {} is not {} bytes long", old.name(), name, size)};
        TRY(write_file_atomically(fmt::format("{}/{}", into, name), copied.out));
    }
    return {};
}

std::string summarize(const HostServer& old, const HostServer& primary, const StrandedTail& tail) {
    std::string text =
        fmt::format("What {} holds beyond its fork from {}\n\nfork          {}\nend           {}\ntransactions  {}\n\n",
                    old.name(), primary.name(), to_string(tail.from), to_string(tail.to), tail.transactions);
    for (const auto& [table, rows] : tail.changes_by_table) text += fmt::format("{:>12}  {}\n", rows, table);
    return text +
           "\nRows changed, by table. The log files are here too; records.txt lists every record, from at most one\n"
           "log file before the fork on.\n";
}

std::string directory_name(const HostServer& old, Lsn fork) {
    std::string name = fmt::format("{}-{}", old.name(), to_string(fork));
    std::ranges::replace(name, '/', '-');
    return name;
}

}  // namespace

Result<StrandedTail> export_stranded_tail(const HostServer& old, HostServer& primary, const std::string& keep_under,
                                          const Until& until) {
    if (TRY(old.is_running(until)))
        return Error{Fault::refused, fmt::format("{}: runs, so that its log has no end yet", old.name()),
                     "stop it or raise its fence first"};
    const OldLog log = TRY(find_log(old, until));
    const Fork fork = TRY(find_fork_of(old, log, primary, until.deadline));

    StrandedTail tail{.from = fork.at, .to = fork.at};
    const std::string directory = fmt::format("{}/{}", keep_under, directory_name(old, fork.at));
    const std::string records = directory + "/records.txt";
    TRY(remove_tree(directory));
    TRY(make_directories(directory));
    for (std::size_t i = fork.stretch; i < log.history.size(); ++i)
        if (const Lsn from = std::max(fork.at, log.history[i].begin); from < log.history[i].end)
            TRY(list_records(old, log, log.history[i], from, records, until));
    const WalTally counted = TRY(tally(records, fork.at));
    tail.to = TRY(check_end(old, log, counted, fork.at));
    if (!counted.last()) {
        TRY(remove_tree(directory));
        return tail;
    }
    tail.transactions = counted.transactions();
    tail.changes_by_table = by_table(primary, counted, until.deadline);
    tail.kept_at = directory;
    TRY(copy_log(old, log, fork, tail.to, directory, until));
    TRY(write_file_atomically(directory + "/summary.txt", summarize(old, primary, tail)));
    return tail;
}

Result<std::optional<Lsn>> stopped_at(const HostServer& server, const Until& until) {
    const ControlData control = TRY(server.control_data(until));
    if (!control.is_shut_down()) return std::optional<Lsn>{};
    const auto listed = TRY(
        server.machine().run({server.machine().tool("pg_waldump"), "-p", server.machine().data_directory() + "/pg_wal",
                              "-t", std::to_string(control.timeline), "-s", to_string(control.checkpoint), "-n", "1"},
                             until));
    const auto record = parse_wal_record(listed.out);
    if (!record || record->position != control.checkpoint)
        return Error{Fault::corrupt, fmt::format("{}: its log does not hold its shutdown checkpoint at {}: {}",
                                                 server.name(), to_string(control.checkpoint), complaint(listed))};
    return std::optional{end_of_record(record->position, record->bytes, control.wal_segment_bytes)};
}

}  // namespace kedge
