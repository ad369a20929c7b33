#include "sim/world/simulated_database.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// A receiver that has heard nothing for so long is no stream any more, whatever it says of itself.
constexpr Span receiver_silent_max = 15s;
constexpr std::uint64_t written_row_bytes = 180, commit_bytes = 34;
constexpr std::string_view system_identifier = "7311111111111111111";

Heartbeat to_heartbeat(const Record& record) {
    return {.sequence = record.first, .written = record.at, .position = record.end};
}

Truth receives(const DatabaseModel& model, const DatabaseModel::Server& server, Moment now) {
    if (server.connected) return Truth::yes;
    if (!server.stream_silent_since) return Truth::no;
    const bool sender_dead = model.at(server.follows).part.health == Health::dead;
    return truth(!sender_dead && now - server.heard <= receiver_silent_max);
}

void show_primary(DatabaseLook& look, const DatabaseModel& model, const DatabaseModel::Server& server, Moment now) {
    look.written = server.held.position;
    look.archiving = Truth::yes;
    for (const DatabaseModel::Server& other : model.servers()) {
        if (!other.standby || other.follows != server.part.place || &other == &server) continue;
        // A sender does not learn that its way was cut until its timeout.
        const bool taken_for_alive = other.stream_silent_since && now - *other.stream_silent_since < 60s;
        if (!other.connected && !taken_for_alive) continue;
        look.standbys.push_back({.name = other.part.name,
                                 .state = "streaming",
                                 .sync_state = "async",
                                 .sent = server.held.position,
                                 .flushed = other.held.position,
                                 .replayed = other.applied});
    }
    look.says = fmt::format("primary on timeline {}", *look.timeline);
}

}  // namespace

DatabaseLook look_at(DatabaseModel& model, const DatabaseModel::Server& server, Moment now) {
    model.settle();
    const Log& log = model.log();
    DatabaseLook look;
    look.reachable = Truth::yes;
    look.primary = truth(!server.standby);
    look.writable = truth(model.accepts_writes(server));
    look.timeline = log.timeline(server.held);
    look.system_identifier = std::string(system_identifier);
    look.manager = server.manager;
    look.retrieve_retry = model.pace().retrieve_retry;
    look.synchronous_standby_names = "";
    const Point visible{server.held.branch, server.standby ? server.applied : server.held.position};
    if (const auto beat = log.newest(visible, RecordKind::heartbeat)) look.heartbeat = to_heartbeat(*beat);
    if (server.standby) {
        look.received = server.held.position;
        look.replayed = server.applied;
        look.receiving = receives(model, server, now);
        look.replay_paused = truth(server.replay_paused);
        look.says = fmt::format("standby on timeline {}, its stream is {}", *look.timeline,
                                look.receiving == Truth::yes ? "alive" : "not alive");
    } else {
        look.receiving = Truth::no;
        show_primary(look, model, server, now);
    }
    look.serves = truth(!model.gone);
    if (model.gone) {
        look.heartbeat.reset();
        look.says += fmt::format("; its database {} is not there", model.name());
    }
    if (server.rejoin_failure && look.receiving != Truth::yes)
        look.says += "; its last rejoin failed: " + *server.rejoin_failure;
    return look;
}

Result<SimulatedDatabase::Server*> SimulatedDatabase::find(const std::string& region) {
    const auto place = ground_.place_of(region);
    if (!place) return Error{Fault::not_found, fmt::format("{} has no copy in {}", model_.name(), region)};
    return &model_.at(*place);
}

Passage SimulatedDatabase::reach(Server& server, Moment deadline) {
    const Passage passage = ground_.visit(Port::database, server.part, deadline);
    if (passage != Passage::through) return passage;
    return server.starting ? Passage::refused : Passage::through;
}

Passage SimulatedDatabase::enter(Server& server, Moment deadline) {
    const Passage passage = reach(server, deadline);
    return passage == Passage::through && model_.gone ? Passage::refused : passage;
}

Result<DatabaseLook> SimulatedDatabase::look(const std::string& region, Moment deadline) {
    Server& server = *TRY(find(region));
    const Passage passage = reach(server, deadline);
    if (passage == Passage::through) {
        server.looked_at = ground_.now();
        DatabaseLook look = look_at(model_, server, ground_.now());
        look.rejoin = server.rejoining;
        return look;
    }
    DatabaseLook look{.reachable = passage == Passage::refused ? Truth::no : Truth::unknown,
                      .says = not_through(passage, server.part.name).message};
    look.rejoin = server.rejoining;
    if (server.rejoin_failure) look.says += "; its last rejoin failed: " + *server.rejoin_failure;
    return look;
}

Result<void> SimulatedDatabase::promote(const std::string& region, Moment deadline) {
    Server& server = *TRY(find(region));
    const Passage passage = enter(server, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, server.part.name);
    if (!server.standby)
        return Error{Fault::refused, server.part.name + ": recovery is not in progress: it is a primary"};
    if (!server.manager.empty())
        return Error{Fault::refused, fmt::format("{}: is run by {}", server.part.name, server.manager)};
    ground_.note(EffectKind::promote, server.part.place, model_.index());
    model_.promote(server);
    if (passage != Passage::through) return not_through(passage, server.part.name);
    return {};
}

Result<void> SimulatedDatabase::switch_over(const std::string& region, Moment) {
    return Error{Fault::refused, fmt::format("{}: no manager switches it", TRY(find(region))->part.name)};
}

// As the host driver: through the machine's own tools, not by SQL.
Result<void> SimulatedDatabase::shut_down(const std::string& region, Moment deadline) {
    Server& server = *TRY(find(region));
    const Passage passage = ground_.visit(Port::database, server.part, deadline);
    if (passage == Passage::silent) return not_through(passage, server.part.name);
    if (server.part.health == Health::dead) return {};
    if (!server.manager.empty())
        return Error{Fault::refused, fmt::format("{}: is run by {}", server.part.name, server.manager)};
    if (!server.stopping) ground_.note(EffectKind::shut_down, server.part.place, model_.index());
    model_.shut_down(server);
    if (passage != Passage::through) return not_through(passage, server.part.name);
    return {};
}

// What is asked of the machine, whose server need not run.
Result<void> SimulatedDatabase::start(const std::string& region, Moment deadline) {
    Server& server = *TRY(find(region));
    const Part machine{.name = server.part.name, .place = server.part.place};
    const Passage passage = ground_.visit(Port::database, machine, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, machine.name);
    if (server.fenced != Truth::no)
        return Error{Fault::refused, fmt::format("{}: not started: its fence is {}", machine.name,
                                                 server.fenced == Truth::yes ? "up" : "not known to be down")};
    if (server.rejoining) return Error{Fault::refused, machine.name + ": not started: " + *server.rejoining};
    if (server.part.health == Health::dead) ground_.note(EffectKind::start, server.part.place, model_.index());
    model_.start(server);
    if (passage != Passage::through) return not_through(passage, machine.name);
    return {};
}

Result<std::optional<Lsn>> SimulatedDatabase::stopped_at(const std::string& region, Moment deadline) {
    Server& server = *TRY(find(region));
    const Part machine{.name = server.part.name, .place = server.part.place};
    const Passage passage = ground_.visit(Port::database, machine, deadline);
    if (passage != Passage::through)
        return Error{Fault::unavailable, fmt::format("{}: its control file cannot be read: no answer", machine.name)};
    if (server.part.health != Health::dead || !server.stopped_clean || server.standby) return std::optional<Lsn>{};
    return std::optional{server.held.position};
}

Result<FenceLook> SimulatedDatabase::look_at_fence(const std::string& region, Moment deadline) {
    Server& server = *TRY(find(region));
    const Passage passage = ground_.visit(Port::fence, server.fence_control, deadline);
    if (passage != Passage::through)
        return FenceLook{.fenced = Truth::unknown, .proof = not_through(passage, server.fence_control.name).message};
    switch (server.fenced) {
        case Truth::yes: return FenceLook{Truth::yes, "no process of " + server.part.name + " is left"};
        case Truth::no: return FenceLook{Truth::no, "the fence of " + server.part.name + " is down"};
        case Truth::unknown: break;
    }
    return FenceLook{Truth::unknown, "the fence of " + server.part.name + " does not know"};
}

Result<void> SimulatedDatabase::raise_fence(const std::string& region, Moment deadline) {
    Server& server = *TRY(find(region));
    const Passage passage = ground_.visit(Port::fence, server.fence_control, deadline);
    if (passage == Passage::silent || passage == Passage::refused)
        return not_through(passage, server.fence_control.name);
    if (server.fenced != Truth::yes) ground_.note(EffectKind::raise_fence, server.part.place, model_.index());
    model_.raise_fence(server);
    if (passage != Passage::through) return not_through(passage, server.fence_control.name);
    return {};
}

Result<void> SimulatedDatabase::lower_fence(const std::string& region, Moment deadline) {
    Server& server = *TRY(find(region));
    const Passage passage = ground_.visit(Port::fence, server.fence_control, deadline);
    if (passage == Passage::silent || passage == Passage::refused)
        return not_through(passage, server.fence_control.name);
    if (server.fenced != Truth::no) ground_.note(EffectKind::lower_fence, server.part.place, model_.index());
    server.fenced = Truth::no;
    ground_.changed();
    if (passage != Passage::through) return not_through(passage, server.fence_control.name);
    return {};
}

Result<void> SimulatedDatabase::write_row(Server& server, RecordKind kind, std::int64_t number, Moment deadline) {
    const Passage passage = enter(server, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, server.part.name);
    if (server.standby || server.stopping)
        return Error{Fault::refused, server.part.name + ": cannot execute INSERT in a read-only transaction"};
    model_.write(server, kind, number, 1, written_row_bytes + commit_bytes);
    if (passage != Passage::through) return not_through(passage, server.part.name);
    model_.log().acknowledge(server.held.branch);
    return {};
}

Result<Canary> SimulatedDatabase::write_canary(const std::string& region, const std::string& key, Moment deadline) {
    Server& server = *TRY(find(region));
    Result<void> written = write_row(server, RecordKind::canary, 0, deadline);
    if (written || written.error().fault == Fault::outcome_unknown)
        ground_.note(EffectKind::canary, server.part.place, model_.index());
    TRY(std::move(written));
    return Canary{.key = key, .position = server.held.position, .timeline = model_.log().timeline(server.held)};
}

Result<Heartbeat> SimulatedDatabase::write_heartbeat(const std::string& region, std::int64_t sequence,
                                                     Moment deadline) {
    Server& server = *TRY(find(region));
    const auto newest = model_.log().newest(server.held, RecordKind::heartbeat);
    if (!server.standby && newest && newest->first == sequence) {
        const Passage passage = enter(server, deadline);
        if (passage != Passage::through) return not_through(passage, server.part.name);
        Heartbeat same = to_heartbeat(*newest);
        same.position = server.held.position;
        return same;
    }
    TRY(write_row(server, RecordKind::heartbeat, sequence, deadline));
    return Heartbeat{.sequence = sequence,
                     .written = model_.log().newest(server.held, RecordKind::heartbeat)->at,
                     .position = server.held.position};
}

// Nothing in this world recovers to a name: what matters is that it is a write, which a standby refuses.
Result<Lsn> SimulatedDatabase::create_restore_point(const std::string& region, const std::string& name,
                                                    Moment deadline) {
    Server& server = *TRY(find(region));
    const Passage passage = enter(server, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, server.part.name);
    if (server.standby || server.stopping)
        return Error{Fault::refused,
                     fmt::format("{}: restore point {}: recovery is in progress", server.part.name, name)};
    ground_.note(EffectKind::restore_point, server.part.place, model_.index());
    if (passage != Passage::through) return not_through(passage, server.part.name);
    return server.held.position;
}

Result<void> SimulatedDatabase::checkpoint(const std::string& region, Moment deadline) {
    Server& server = *TRY(find(region));
    const Passage passage = enter(server, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, server.part.name);
    ground_.note(EffectKind::checkpoint, server.part.place, model_.index());
    ground_.spend(ground_.random().between(10ms, 120ms), deadline);
    if (passage != Passage::through) return not_through(passage, server.part.name);
    return {};
}

Result<StrandedTail> SimulatedDatabase::export_stranded(const std::string& region, const std::string& primary,
                                                        const std::string& keep_under, Moment deadline) {
    Server& server = *TRY(find(region));
    const Server& other = *TRY(find(primary));
    const Part machine{.name = server.part.name, .place = server.part.place};
    const Passage passage = ground_.visit(Port::database, machine, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, machine.name);
    if (server.part.health != Health::dead) return Error{Fault::refused, machine.name + ": runs"};
    if (!model_.is_primary(other) || other.part.health != Health::up)
        return Error{Fault::unavailable, other.part.name + ": does not answer as primary"};
    ground_.spend(ground_.random().between(100ms, 900ms), deadline);
    StrandedTail tail;
    tail.to = server.held.position;
    tail.from = std::min(model_.log().fork_of(server.held, other.held.branch), tail.to);
    std::int64_t rows = 0;
    model_.log().each(server.held, [&](const Record& record) {
        if (record.end <= tail.from || record.kind != RecordKind::rows) return;
        ++tail.transactions;
        rows += record.count;
    });
    if (rows > 0) tail.changes_by_table.emplace_back("public.orders", rows);
    tail.kept_at = keep_under + "/" + region;
    ++server.exported;
    ground_.note(EffectKind::export_stranded, server.part.place, model_.index(), rows);
    if (passage != Passage::through) return not_through(passage, machine.name);
    return tail;
}

Result<void> SimulatedDatabase::rejoin(const std::string& region, const std::string& primary, RejoinBy by,
                                       Moment deadline) {
    Server& server = *TRY(find(region));
    Server& other = *TRY(find(primary));
    if (&server == &other) return Error{Fault::invalid_input, server.part.name + ": cannot rejoin itself"};
    const Part machine{.name = server.part.name, .place = server.part.place};
    const Passage passage = ground_.visit(Port::database, machine, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, machine.name);
    if (server.rejoining) return {};
    if (server.part.health != Health::dead)
        return Error{Fault::refused, machine.name + ": runs", "stop it or raise its fence first"};
    const Passage to_primary = ground_.visit(Port::database, other.part, deadline);
    if (to_primary == Passage::refused) return Error{Fault::refused, other.part.name + ": is no primary: it refuses"};
    if (to_primary != Passage::through)
        return Error{Fault::unavailable, other.part.name + ": does not answer as primary"};
    if (!model_.is_primary(other)) return Error{Fault::refused, other.part.name + ": is no primary"};
    if (by == RejoinBy::rewind && server.rewind_impossible && !server.rewind_broken)
        return Error{Fault::refused, machine.name + ": cannot be rewound: log back to the fork is missing"};
    ground_.note(EffectKind::rejoin, server.part.place, model_.index());
    model_.rejoin(server, other, by);
    if (passage != Passage::through) return not_through(passage, machine.name);
    return {};
}

}  // namespace kedge::sim
