#include "targets/postgres/look_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace kedge {
namespace {

// Which other program believes that it alone decides who is primary: "" for none, NULL when this role may not see
// enough to tell. Signs, each left behind by the manager while it runs the server, not by a mere package:
//   cnpg               the parameter cnpg.config_sha256, or /controller/manager as its archive command
//   patroni            its session's application_name, or its way to start the server: these three parameters
//                      given on the command line (patroni/postgresql/postmaster.py); they stay when Patroni is killed
//   repmgr             its library preloaded, or its daemon's session
//   pg_auto_failover   its extension's library preloaded, or the role it streams with
constexpr std::string_view manager_expression = R"sql(
CASE
WHEN current_setting('cnpg.config_sha256', true) <> '' THEN 'cloudnativepg'
WHEN NOT pg_has_role('pg_monitor', 'MEMBER') THEN NULL
WHEN current_setting('archive_command') LIKE '/controller/manager %'
  OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'cnpg\_%') THEN 'cloudnativepg'
WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'Patroni')
  OR 3 = (SELECT count(*) FROM pg_settings WHERE source = 'command line'
          AND name IN ('cluster_name', 'track_commit_timestamp', 'max_prepared_transactions')) THEN 'patroni'
WHEN current_setting('shared_preload_libraries') ~ '\mrepmgr\M'
  OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'repmgrd') THEN 'repmgr'
WHEN current_setting('shared_preload_libraries') ~ '\mpgautofailover\M'
  OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'pgautofailover_replicator') THEN 'pg_auto_failover'
ELSE '' END)sql";

// The columns in the order of `Column`.
//
// Timeline: pg_control_checkpoint() shows the old one until the next checkpoint, so the log itself is asked: on a
// primary the name of the file it writes; on a standby its receiver, or the newest file in pg_wal when no receiver
// runs. Received: what a receiver got, or what was replayed from the archive if that is more.
// The receiver is alive when it streams and heard its sender: a silent sender is asked for a sign of life after
// half of wal_receiver_timeout, so more than that and a second has passed only when the path is dead.
constexpr std::string_view look_expression = R"sql(
SELECT pg_is_in_recovery(),
       current_setting('transaction_read_only')::bool,
       CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
            ELSE coalesce(lpad(to_hex(r.received_tli), 8, '0'),
                          (SELECT max(substr(name, 1, 8)) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{{24}}$')) END,
       CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END,
       CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) END,
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END,
       CASE WHEN pg_is_in_recovery() THEN r.pid IS NOT NULL END,
       r.status,
       extract(epoch FROM clock_timestamp() - r.last_msg_receipt_time),
       extract(epoch FROM nullif(current_setting('wal_receiver_timeout')::interval, '0') / 2) + 1,
       CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END,
       (SELECT system_identifier FROM pg_control_system()),
       {},
       extract(epoch FROM current_setting('wal_retrieve_retry_interval')::interval),
       current_setting('synchronous_standby_names'),
       CASE WHEN pg_is_in_recovery() THEN NULL
            WHEN current_setting('archive_mode') = 'off' THEN false
            WHEN current_setting('archive_command') IN ('', '(disabled)')
             AND coalesce(current_setting('archive_library', true), '') = '' THEN false
            WHEN a.last_failed_time IS NULL AND a.last_archived_time IS NULL THEN NULL
            ELSE a.last_failed_time IS NULL OR coalesce(a.last_archived_time > a.last_failed_time, false) END,
       to_regclass('{}.heartbeat') IS NOT NULL
  FROM pg_stat_archiver a LEFT JOIN pg_stat_wal_receiver r ON true)sql";

enum Column : std::size_t {
    in_recovery,
    read_only,
    timeline,
    written,
    received,
    replayed,
    receiver_exists,
    receiver_status,
    receiver_heard_s,
    receiver_limit_s,
    replay_paused,
    system_identifier,
    manager,
    retrieve_retry_s,
    synchronous_standby_names,
    archiving,
    heartbeats_exist,
    column_count
};

constexpr double receiver_limit_default_s = 31;  // when wal_receiver_timeout is off: half of its default and one

std::optional<bool> to_bool(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    return *text == "t";
}

std::optional<double> to_number(const std::optional<std::string>& text) {
    double number = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{} ||
        !std::isfinite(number))
        return std::nullopt;
    return number;
}

std::optional<Span> to_span(const std::optional<std::string>& text) {
    const auto number = to_number(text);
    if (!number) return std::nullopt;
    return Span{std::llround(*number * 1e6)};
}

std::optional<Lsn> to_lsn(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    const auto lsn = parse_lsn(*text);
    return lsn ? std::optional{*lsn} : std::nullopt;
}

std::optional<std::uint32_t> to_timeline(const std::optional<std::string>& text) {
    std::uint32_t number = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), number, 16).ec != std::errc{})
        return std::nullopt;
    return number;
}

Truth is_receiving(const Row& row) {
    const auto exists = to_bool(row[receiver_exists]);
    if (!exists) return Truth::unknown;
    if (!*exists) return Truth::no;
    const auto heard = to_number(row[receiver_heard_s]);
    if (!row[receiver_status] || !heard) return Truth::unknown;  // the role may not see it
    return truth(*row[receiver_status] == "streaming" &&
                 *heard <= to_number(row[receiver_limit_s]).value_or(receiver_limit_default_s));
}

std::string text_of(const std::optional<Lsn>& lsn) {
    return lsn ? to_string(*lsn) : "unknown";
}

std::string describe(const DatabaseLook& look, const Row& row) {
    const std::string on = look.timeline ? fmt::format(" on timeline {}", *look.timeline) : "";
    if (look.primary == Truth::yes)
        return fmt::format("primary{} at {}{}", on, text_of(look.written),
                           look.writable == Truth::no ? ", held read-only" : "");
    std::string receiver = "no receiver";
    if (to_bool(row[receiver_exists]).value_or(false)) {
        receiver = fmt::format("receiver {}", row[receiver_status].value_or("hidden from this role"));
        if (const auto heard = to_span(row[receiver_heard_s])) receiver += ", heard " + readable(*heard) + " ago";
    }
    return fmt::format("standby{}, received {}, replayed {}, {}{}", on, text_of(look.received), text_of(look.replayed),
                       receiver, look.replay_paused == Truth::yes ? ", replay paused" : "");
}

void read_row(const Row& row, DatabaseLook& look) {
    look.primary = negated(truth(to_bool(row[in_recovery])));
    look.writable = both(look.primary, negated(truth(to_bool(row[read_only]))));
    look.timeline = to_timeline(row[timeline]);
    look.written = to_lsn(row[written]);
    look.received = to_lsn(row[received]);
    look.replayed = to_lsn(row[replayed]);
    look.receiving = is_receiving(row);
    look.replay_paused = truth(to_bool(row[replay_paused]));
    look.system_identifier = row[system_identifier];
    look.manager = row[manager];
    look.retrieve_retry = to_span(row[retrieve_retry_s]);
    look.synchronous_standby_names = row[synchronous_standby_names];
    look.archiving = truth(to_bool(row[archiving]));
    look.says = describe(look, row);
}

const Row* state_row(const TransactionAnswer& state) {
    const bool is_there = !state.rows.empty() && state.rows[0].size() == 1 && state.rows[0][0].size() == column_count;
    return is_there ? &state.rows[0][0] : nullptr;
}

StandbyLink to_link(const Row& row) {
    return {.name = row[0].value_or(""),
            .state = row[1].value_or(""),
            .sync_state = row[2].value_or(""),
            .sent = to_lsn(row[3]),
            .flushed = to_lsn(row[4]),
            .replayed = to_lsn(row[5])};
}

}  // namespace

Transaction state_transaction(const std::string& probe_schema) {
    return {Statement{fmt::format(look_expression, manager_expression, probe_schema), {}},
            Statement{"SELECT application_name, state, sync_state, sent_lsn, flush_lsn, replay_lsn"
                      " FROM pg_stat_replication ORDER BY application_name, pid",
                      {}}};
}

Transaction heartbeat_transaction(const std::string& probe_schema) {
    return {Statement{fmt::format("SELECT sequence, floor(extract(epoch FROM written) * 1000000)::bigint, position"
                                  " FROM {}.heartbeat ORDER BY sequence DESC LIMIT 1",
                                  probe_schema),
                      {}}};
}

std::optional<Heartbeat> read_heartbeat(const Row& row) {
    std::int64_t sequence = 0, written_us = 0;
    const auto read = [](const std::optional<std::string>& text, std::int64_t& into) {
        return text && std::from_chars(text->data(), text->data() + text->size(), into).ec == std::errc{};
    };
    if (!read(row[0], sequence) || !read(row[1], written_us)) return std::nullopt;
    return Heartbeat{sequence, Moment{Span{written_us}}, to_lsn(row[2])};
}

DatabaseLook read_state(const TransactionAnswer& state, const std::optional<LostContact>& lost) {
    DatabaseLook look;
    look.reachable = lost ? lost->reachable : Truth::yes;
    if (lost) look.says = lost->says;
    if (state.error) look.says = fmt::format("answered: {} (SQLSTATE {})", state.error->message, state.error->state);
    if (const Row* row = state_row(state)) {
        look.reachable = Truth::yes;
        read_row(*row, look);
    }
    if (state.rows.size() > 1)
        for (const Row& row : state.rows[1]) look.standbys.push_back(to_link(row));
    return look;
}

std::optional<bool> has_heartbeats(const TransactionAnswer& state) {
    const Row* row = state_row(state);
    return row == nullptr ? std::nullopt : to_bool((*row)[heartbeats_exist]);
}

Statement promote_statement() {
    return {fmt::format("SELECT set_config('kedge.promotion', CASE WHEN NOT pg_is_in_recovery() THEN 'is no standby'"
                        " WHEN m.manager IS NULL THEN 'manager unknown' WHEN m.manager <> '' THEN 'is run by ' ||"
                        " m.manager WHEN pg_promote(false) THEN 'asked' END, false) FROM (SELECT {} AS manager) m",
                        manager_expression),
            {}};
}

// A request to promote is a flag and a set latch. The startup process uses the latch up when it looks at its stream;
// if the stream then turns out to have failed twice within wal_retrieve_retry_interval, it sleeps out the rest of that
// (5 s by default) before it looks at the flag: docs/design/0003-promotion-wait.md. Asking again sets the latch again.
Statement wake_statement(Span longest) {
    constexpr Span step = std::chrono::milliseconds{5};
    return {fmt::format(R"sql(
WITH RECURSIVE wake (step, asked) AS (
    SELECT 0, NULL::bool WHERE current_setting('kedge.promotion', true) = 'asked'
    UNION ALL
    SELECT step + 1,
           CASE WHEN pg_sleep({}) IS NULL THEN NULL
                WHEN pg_is_in_recovery() AND EXISTS (
                     SELECT FROM pg_stat_activity
                      WHERE backend_type = 'startup' AND wait_event = 'RecoveryRetrieveRetryInterval')
                THEN pg_promote(false) END
      FROM wake WHERE step < {} AND pg_is_in_recovery())
SELECT count(asked) FROM wake)sql",
                        seconds(step), std::max<Span::rep>(longest / step, 0)),
            {}};
}

}  // namespace kedge
