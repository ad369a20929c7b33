#include "sim/world/simulated_migration.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Connecting to every address in turn, until one takes writes.
constexpr Span program_takes = 20ms;
constexpr Span migration_least = 50ms, migration_most = 3s;

}  // namespace

Result<MigrationLook> SimulatedMigration::look(Moment deadline) {
    ground_.spend(program_takes, deadline);
    MigrationLook look;
    const DatabaseModel::Server* const server = writable_from_outside(ground_, model_.database());
    if (server == nullptr) {
        look.says = model_.name() + ": no server takes writes";
        return look;
    }
    const Passage passage = ground_.visit(Port::migration, server->part, deadline);
    if (passage != Passage::through) {
        look.says = not_through(passage, model_.name()).message;
        return look;
    }
    look.reachable = Truth::yes;
    look.version = model_.version;
    look.sound = truth(model_.sound);
    look.says = fmt::format("the schema has version {}{}", model_.version,
                            model_.sound ? "" : "; it is not what that version says");
    return look;
}

// One transaction: it is there or it is not.
Result<void> SimulatedMigration::migrate(std::int64_t version, Span lock_timeout, Moment deadline) {
    ground_.spend(program_takes, deadline);
    const DatabaseModel::Server* const server = writable_from_outside(ground_, model_.database());
    if (server == nullptr) return Error{Fault::refused, model_.name() + ": no server takes writes"};
    const bool known =
        std::ranges::any_of(model_.releases(), [&](const auto& one) { return one.second.holds(version); });
    if (!known) return Error{Fault::refused, fmt::format("{}: there is no version {}", model_.name(), version)};
    const Passage passage = ground_.visit(Port::migration, server->part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, model_.name());
    const Span locked = model_.locked_until - ground_.call_time();
    if (locked > lock_timeout) {
        ground_.spend(lock_timeout, deadline);
        return Error{Fault::refused, model_.name() + ": canceling statement due to lock timeout"};
    }
    ground_.note(EffectKind::migrate, server->part.place, model_.index(), version);
    model_.version = version;
    ground_.changed();
    ground_.spend(std::max<Span>(locked, Span{0}) + ground_.random().between(migration_least, migration_most),
                  deadline);
    if (passage != Passage::through) return not_through(passage, model_.name());
    return {};
}

}  // namespace kedge::sim
