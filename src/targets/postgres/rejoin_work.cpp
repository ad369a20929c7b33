#include "targets/postgres/rejoin_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "os/clock.h"
#include "targets/postgres/data_directory.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr Span short_work_max = 60s;  // a few small files, one query
constexpr Span long_work_max = 24h;   // a base backup, a removal
constexpr Span stream_max = 10min;    // until the new standby has caught up so far that it streams
constexpr Span look_interval = 200ms, look_max = 5s;
constexpr Span start_max = 30s;  // a server that is not there so long after its start has ended

constexpr std::array stage_names{"none", "rewinding", "copying", "ready"};

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::string quoted_setting(std::string_view value) {
    std::string text = "'";
    for (const char c : value) text += c == '\'' ? "''" : std::string(1, c);
    return text + "'";
}

std::int64_t to_bytes_count(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

}  // namespace

RejoinWork::RejoinWork(HostServer& own, HostServer& primary, RejoinBy by, std::function<void(std::string)> report)
    : own_(own),
      primary_(primary),
      machine_(own.machine()),
      data_(own.machine().data_directory()),
      by_(by),
      report_(std::move(report)) {}

Until RejoinWork::short_work() const {
    return within(short_work_max, stop_);
}

Until RejoinWork::long_work() const {
    return within(long_work_max, stop_);
}

Result<RejoinWork::Stage> RejoinWork::read_stage(const Until& until) const {
    const auto text = machine_.read(beside("rejoin"), until);
    if (!text && text.error().fault == Fault::not_found) return Stage::none;
    const std::string word = TRY(text);
    for (std::size_t i = 0; i < stage_names.size(); ++i)
        if (word == stage_names[i]) return static_cast<Stage>(i);
    return Error{Fault::corrupt, fmt::format("{}: {} says '{}'", own_.name(), beside("rejoin"), word)};
}

Result<void> RejoinWork::write_stage(Stage stage, const Until& until) const {
    if (stage == Stage::none) return machine_.remove(beside("rejoin"), until);
    return machine_.write(beside("rejoin"), stage_names[static_cast<std::size_t>(stage)], until);
}

// Checks.

Result<void> RejoinWork::check(Moment deadline) {
    if (TRY(own_.is_running(deadline)))
        return Error{Fault::refused, fmt::format("{}: runs", own_.name()), "stop it or raise its fence first"};
    TRY(check_primary(deadline));
    const Stage stage = TRY(read_stage(deadline));
    if (by_ == RejoinBy::rewind && (stage == Stage::rewinding || stage == Stage::copying)) by_ = RejoinBy::base_backup;
    TRY(check_own(deadline));
    if (by_ == RejoinBy::base_backup) TRY(check_room(deadline));
    return {};
}

Result<void> RejoinWork::check_primary(Moment deadline) {
    if (primary_.settings().replication.empty())
        return Error{Fault::refused,
                     fmt::format("{}: the estate does not say how others stream from it", primary_.name()),
                     "give that site a replication source"};
    const DatabaseLook seen = primary_.look(deadline);
    if (seen.primary == Truth::unknown)
        return Error{Fault::unavailable, fmt::format("{}: {}", primary_.name(), seen.says)};
    if (seen.primary == Truth::no)
        return Error{Fault::refused, fmt::format("{}: is no primary: {}", primary_.name(), seen.says)};
    return primary_.require_no_manager(deadline);
}

Result<void> RejoinWork::check_own(Moment deadline) const {
    if (TRY(machine_.exists(data_ + "/patroni.dynamic.json", deadline)))
        return Error{Fault::refused, fmt::format("{}: is run by patroni", own_.name()),
                     "act through that manager: bind the target to its driver"};
    const auto control = own_.control_data(deadline);
    if (!control && by_ == RejoinBy::base_backup && control.error().fault == Fault::not_found) return {};
    if (!control) return control.error();
    const Rows rows =
        TRY(primary_.sql().ask({"SELECT system_identifier::text FROM pg_control_system()", {}}, deadline));
    if (rows.at(0).at(0) != control->system_identifier)
        return Error{Fault::refused,
                     fmt::format("{} and {} are not the same database (system identifiers {} and {})", own_.name(),
                                 primary_.name(), control->system_identifier, rows[0][0].value_or("unknown"))};
    if (by_ == RejoinBy::rewind && !control->wal_log_hints && !control->data_checksums)
        return Error{Fault::refused,
                     fmt::format("{}: cannot be rewound: it has neither data checksums nor wal_log_hints", own_.name()),
                     "rejoin it by base backup"};
    return {};
}

// The old data directory is kept until the new one is a living standby, so both must fit.
Result<void> RejoinWork::check_room(Moment deadline) {
    if (!TRY(machine_.list(data_ + "/pg_tblspc", deadline)).empty())
        return Error{Fault::refused,
                     fmt::format("{}: has tablespaces outside its data directory, which cannot be kept while a new "
                                 "copy is made at the same places",
                                 own_.name()),
                     "rejoin it by rewind, or make its copy by hand"};
    const Rows rows =
        TRY(primary_.sql().ask({"SELECT sum(pg_database_size(oid))::bigint FROM pg_database", {}}, deadline));
    const std::int64_t needed = to_bytes_count(rows.at(0).at(0).value_or("0"));
    const auto parent = data_.substr(0, std::max<std::size_t>(1, data_.rfind('/')));
    const auto answer = TRY(machine_.run_or_fail({"df", "-B1", "--output=avail", "--", parent}, deadline));
    if (const std::int64_t free = to_bytes_count(answer.out); free < needed + needed / 10)
        return Error{Fault::refused,
                     fmt::format("{}: {} bytes are free beside the old copy, the new one needs {} and a tenth more",
                                 own_.name(), free, needed),
                     "make room: the old copy is kept until the new one streams"};
    return {};
}

// Work.

Result<void> RejoinWork::carry_out(std::stop_token stop) {
    stop_ = std::move(stop);
    TRY(await_earlier_tools());
    // The check found no process of the server: whatever the lock file names is not one.
    TRY(machine_.remove(data_ + "/postmaster.pid", short_work()));
    report_("checkpoint on the primary");  // pg_rewind reads the new timeline from its control file
    TRY(primary_.sql().checkpoint(within(10min).deadline));
    TRY(by_ == RejoinBy::rewind ? rewind() : copy());
    report_("putting its own settings back");
    TRY(put_settings_back());
    TRY(become_standby());
    TRY(write_stage(Stage::ready, short_work()));
    if (!own_.settings().fence.lower.empty()) {
        report_("lowering its fence: it can only come up as a standby now");
        TRY(change_fence(own_.settings().fence, FenceChange::lower, own_.name(), short_work().deadline));
    }
    report_("starting");
    TRY(own_.start(short_work()));
    TRY(await_stream());
    return clean_up();
}

// Of a Kedge that was killed; they end with it in place, but not by ssh.
Result<void> RejoinWork::await_earlier_tools() {
    for (const Moment end = long_work().deadline; SystemClock{}.now() < end;) {
        const auto processes = TRY(machine_.run_or_fail({"ps", "-ww", "-e", "-o", "pid=,args="}, short_work()));
        const auto lines = lines_of(processes.out);
        const auto ours = std::ranges::find_if(lines, [&](std::string_view line) {
            return line.find(data_) != line.npos &&
                   (line.find("/pg_rewind ") != line.npos || line.find("/pg_basebackup ") != line.npos);
        });
        if (ours == lines.end()) return {};
        report_(fmt::format("waiting for an earlier {} to end", ours->substr(0, 40)));
        if (!wait_out(within(1s, stop_))) break;
    }
    return Error{Fault::unavailable, fmt::format("{}: an earlier rejoin is still at work", own_.name())};
}

Result<void> RejoinWork::keep_settings() const {
    const Stage stage = TRY(read_stage(short_work()));
    // After a crash the first copy is the true one: the data directory may hold the other server's by now.
    if (stage == Stage::rewinding || stage == Stage::copying)
        if (TRY(machine_.exists(beside("kept"), short_work()))) return {};
    const std::string beginning = beside("kept") + ".new";
    TRY(machine_.remove(beside("kept"), short_work()));
    TRY(machine_.remove(beginning, short_work()));
    TRY(machine_.make_directory(beginning, short_work()));
    for (const std::string& name : TRY(machine_.list(data_, short_work())))
        if (!is_servers_own(name) && !is_log(name))
            TRY(machine_.run_or_fail({"cp", "-a", "--", fmt::format("{}/{}", data_, name), beginning}, long_work()));
    TRY(machine_.rename(beginning, beside("kept"), short_work()));
    return {};
}

Result<void> RejoinWork::move_logs(const std::string& from, const std::string& to) const {
    for (const std::string& name : TRY(machine_.list(from, short_work()))) {
        if (!is_log(name)) continue;
        TRY(machine_.remove(fmt::format("{}/{}", to, name), long_work()));
        TRY(machine_.rename(fmt::format("{}/{}", from, name), fmt::format("{}/{}", to, name), short_work()));
    }
    return {};
}

Result<void> RejoinWork::put_settings_back() const {
    for (const std::string& name : TRY(machine_.list(beside("kept"), short_work()))) {
        TRY(machine_.remove(fmt::format("{}/{}", data_, name), long_work()));
        TRY(machine_.run_or_fail({"cp", "-a", "--", fmt::format("{}/{}", beside("kept"), name), data_}, long_work()));
    }
    return {};
}

// Debian keeps it under /etc, and then nothing in the data directory says where but the line that started the server:
// postgres "-D" "..." "-c" "config_file=/etc/postgresql/15/main/postgresql.conf"
std::string RejoinWork::config_file() const {
    for (const std::string& place : {data_, beside("kept")}) {
        const auto line = machine_.read(place + "/postmaster.opts", short_work());
        for (const std::string_view name : {"config_file=", "config-file="}) {
            const auto at = line ? line->find(name) : std::string::npos;
            if (at == std::string::npos) continue;
            const auto begin = at + name.size();
            return line->substr(begin, line->find('"', begin) - begin);
        }
    }
    return {};
}

std::string RejoinWork::setting(const std::string& name) const {
    Arguments command{machine_.tool("postgres"), "-C", name, "-D", data_};
    if (const std::string file = config_file(); !file.empty()) command.push_back("--config-file=" + file);
    const auto output = machine_.run(command, short_work());
    if (!output || !output->exit.ok()) return {};
    return output->out.substr(0, output->out.find_last_not_of('\n') + 1);
}

// As the sites stream from it, but as the role that may read files, and in a database of its own.
Result<std::string> RejoinWork::rewind_source() const {
    const HostSite& site = primary_.settings();
    std::string source = site.rewind_source;
    if (source.empty()) {
        source = with_keyword(site.replication, "user", user_of(site.connection));
        source = with_keyword(source, "dbname", "postgres");
    }
    if (site.password.empty()) return source;
    TRY(machine_.write(beside("passfile"), "*:*:*:*:" + escaped_for_passfile(site.password) + "\n", short_work()));
    return with_keyword(source, "passfile", beside("passfile"));
}

Result<RunOutput> RejoinWork::run_telling(const Arguments& arguments, const std::string& what) const {
    std::string line;
    report_(what);
    auto output = machine_.run(arguments, long_work(), {.on_errors = [&](std::string_view said) {
                                   for (const char c : said) {
                                       if (c != '\r' && c != '\n') {
                                           line += c;
                                           continue;
                                       }
                                       line.erase(0, line.find_first_not_of(' '));
                                       if (!line.empty() && line.find('%') != std::string::npos)
                                           report_(fmt::format("{}: {}", what, line));
                                       line.clear();
                                   }
                               }});
    (void)machine_.remove(beside("passfile"), short_work()).has_value();
    return output;
}

// No -R: it would note the connection of this run, not the one by which the sites stream.
Result<void> RejoinWork::rewind() {
    report_("keeping its own settings");
    TRY(keep_settings());
    Arguments command{machine_.tool("pg_rewind"), "--progress", "--target-pgdata=" + data_,
                      "--source-server=" + TRY(rewind_source())};
    if (const std::string file = config_file(); !file.empty()) command.push_back("--config-file=" + file);
    if (!setting("restore_command").empty()) command.emplace_back("--restore-target-wal");
    TRY(write_stage(Stage::rewinding, short_work()));
    // It deletes what the other server does not have, logs among it.
    TRY(move_logs(data_, beside("kept")));
    const RunOutput output = TRY(run_telling(command, "pg_rewind"));
    if (!output.exit.ok())
        return Error{Fault::refused, fmt::format("{}: pg_rewind: {}", own_.name(), complaint(output)),
                     "its data directory is not to be trusted any more: rejoin it by base backup"};
    return {};
}

Result<void> RejoinWork::copy() {
    const Stage before = TRY(read_stage(short_work()));
    const bool is_there = TRY(machine_.exists(data_, short_work()));
    if (is_there) {
        report_("keeping its own settings");
        TRY(keep_settings());
    }
    const bool old_is_kept = TRY(machine_.exists(beside("old"), short_work()));
    if (before == Stage::copying && old_is_kept) {
        report_("removing a copy that was cut short");
        TRY(machine_.remove(data_, long_work()));
    } else if (is_there) {
        report_("removing what an earlier rejoin has left");
        TRY(machine_.remove(beside("old"), long_work()));
        TRY(write_stage(Stage::copying, short_work()));
        TRY(machine_.rename(data_, beside("old"), short_work()));
    }
    const auto copied = run_pg_basebackup();
    if (!copied) {
        (void)put_old_back(before).has_value();  // or the next attempt finds it where it is
        return copied;
    }
    return move_logs(beside("old"), data_);
}

// The old copy is the last one there is here.
Result<void> RejoinWork::put_old_back(Stage before) const {
    if (!TRY(machine_.exists(beside("old"), short_work()))) return {};
    TRY(machine_.remove(data_, long_work()));
    TRY(machine_.rename(beside("old"), data_, short_work()));
    return write_stage(before == Stage::none ? Stage::none : Stage::rewinding, short_work());
}

Result<void> RejoinWork::run_pg_basebackup() {
    const RunOutput output = TRY(
        run_telling({machine_.tool("pg_basebackup"), "--pgdata=" + data_, "--dbname=" + primary_.settings().replication,
                     "--wal-method=stream", "--checkpoint=fast", "--progress", "--no-password"},
                    "pg_basebackup"));
    if (output.exit.ok()) return {};
    return Error{Fault::unavailable, fmt::format("{}: pg_basebackup: {}", own_.name(), complaint(output))};
}

Result<void> RejoinWork::become_standby() {
    TRY(machine_.remove(data_ + "/recovery.signal", short_work()));
    TRY(machine_.write(data_ + "/standby.signal", "", short_work()));
    const std::string file = data_ + "/postgresql.auto.conf";
    std::string settings;
    if (TRY(machine_.exists(file, short_work()))) {
        const std::string text = TRY(machine_.read(file, short_work()));
        for (const std::string_view line : lines_of(text))
            if (!line.starts_with("primary_conninfo")) settings += fmt::format("{}\n", line);
    }
    settings += fmt::format("primary_conninfo = {}\n", quoted_setting(primary_.settings().replication));
    TRY(machine_.write(file, settings, short_work()));
    return ensure_slot();
}

// Slots are not copied to standbys: the new primary has none of those that the old one had.
Result<void> RejoinWork::ensure_slot() {
    const std::string slot = setting("primary_slot_name");
    if (slot.empty()) return {};
    TRY(primary_.sql().ask({"SELECT pg_create_physical_replication_slot($1, true)"
                            " WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)",
                            {slot}},
                           short_work().deadline));
    return {};
}

Result<void> RejoinWork::await_stream() {
    const SystemClock clock;
    const Moment started = clock.now();
    DatabaseLook seen;
    while (clock.now() < started + stream_max) {
        seen = own_.look(clock.now() + look_max);
        if (seen.primary == Truth::no && seen.receiving == Truth::yes) return {};
        report_("waiting until it streams: " + seen.says);
        if (seen.primary == Truth::yes)
            return Error{Fault::corrupt, fmt::format("{}: came up as a primary: {}", own_.name(), seen.says),
                         "raise its fence"};
        if (seen.reachable == Truth::no && clock.now() > started + start_max && !TRY(own_.is_running(short_work())))
            return Error{Fault::unavailable, fmt::format("{}: ended after it was started", own_.name()),
                         "its own log says why"};
        if (!wait_out(within(look_interval, stop_)))
            return Error{Fault::unavailable, fmt::format("{}: called off", own_.name())};
    }
    return Error{Fault::unavailable,
                 fmt::format("{}: does not stream from {}: {}", own_.name(), primary_.name(), seen.says),
                 "its own log says why"};
}

Result<void> RejoinWork::clean_up() const {
    TRY(write_stage(Stage::none, short_work()));
    TRY(machine_.remove(beside("kept"), long_work()));
    return machine_.remove_behind(beside("old"));
}

}  // namespace kedge
