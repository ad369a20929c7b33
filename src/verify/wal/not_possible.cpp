#include "verify/wal/not_possible.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace kedge::verify {
namespace {

using Choices = std::vector<const Reach*>;

// On which side of what can be had from there the target lies, if one can say.
enum class Side { before, after, unknown };
Side side_of(const Window& window, const Reach& reach, const RecoveryTarget& target) {
    switch (target.kind) {
        case RecoveryTarget::Kind::moment:
            return *reach.latest <= target.moment    ? Side::after
                   : *reach.earliest > target.moment ? Side::before
                                                     : Side::unknown;
        case RecoveryTarget::Kind::position:
            return target.position < *window.bases[reach.base].consistent_at ? Side::before : Side::after;
        case RecoveryTarget::Kind::latest: return Side::after;
        case RecoveryTarget::Kind::transaction:
        case RecoveryTarget::Kind::restore_point:
        case RecoveryTarget::Kind::consistent: break;
    }
    return Side::unknown;
}

// What comes nearest to a target that cannot be had.
struct Nearest {
    const Reach *before = nullptr, *after = nullptr;
};

Nearest nearest_to(const Window& window, const Choices& choices, const RecoveryTarget& target) {
    Nearest nearest;
    for (const Reach* reach : choices) {
        if (!reach->earliest) continue;
        const Side side = side_of(window, *reach, target);
        if (side == Side::after && (nearest.before == nullptr || *reach->latest > *nearest.before->latest))
            nearest.before = reach;
        if (side == Side::before && (nearest.after == nullptr || *reach->earliest < *nearest.after->earliest))
            nearest.after = reach;
    }
    return nearest;
}

std::string no_timeline(const WalArchive& archive, std::uint32_t asked) {
    std::vector<std::uint32_t> known;
    for (const auto& [timeline, history] : archive.histories) known.push_back(timeline);
    return known.empty() ? fmt::format("the log has no timeline {}", asked)
                         : fmt::format("the log has no timeline {}, only {}", asked, fmt::join(known, ", "));
}

std::string why_no_choice(const WalArchive& archive, const Window& window, const RecoveryTarget& target) {
    if (window.bases.empty()) return "there is no base backup";
    if (target.timeline && !archive.histories.contains(*target.timeline)) return no_timeline(archive, *target.timeline);
    const auto asked = [&](const Reach& reach) { return target.accepts(reach.timeline); };
    if (target.timeline && std::ranges::none_of(window.reaches, asked))
        return fmt::format("no base backup lies on the way to timeline {}", *target.timeline);
    if (std::ranges::any_of(window.reaches, [&](const Reach& reach) { return asked(reach) && reach.reaches(); }))
        return "every base backup from which anything is reached was passed over";
    std::string why = "no base backup can be restored";
    const auto newest = std::ranges::find_if(window.reaches, asked);
    if (newest != window.reaches.end())
        why += fmt::format("; {}: {}", window.bases[newest->base].name, newest->why_not);
    return why;
}

std::string why_not_moment(const Choices& choices, const Nearest& nearest, Moment moment, Moment now) {
    if (moment > now) return "it has not come yet";
    if (nearest.before == nullptr) return "it is before the first base backup that can be restored was consistent";
    if (nearest.after != nullptr)
        return "the log between two base backups does not reach it: " + nearest.before->path.why_it_ends;
    const WalPath& newest = choices.front()->path;
    return newest.damaged ? fmt::format("the log does not reach it: {}", newest.why_it_ends)
                          : "nothing in the log is later: a server that is asked for it refuses at the end of the log";
}

// Where a server can stop towards the newest timeline: from the first base backup on each side of a break in the log.
std::string where_it_can_stop(const Window& window, const Choices& choices) {
    struct Stretch {
        Lsn first;
        const WalPath* path;
    };
    std::vector<Stretch> stretches;  // newest first
    const std::uint32_t timeline = choices.front()->timeline;
    for (const Reach* reach : choices) {
        if (reach->timeline != timeline) break;
        const Lsn first = *window.bases[reach->base].consistent_at;
        if (stretches.empty() || stretches.back().path->end != reach->path.end)
            stretches.push_back({first, &reach->path});
        else
            stretches.back().first = std::min(stretches.back().first, first);
    }
    std::vector<std::string> clauses;
    for (auto stretch = stretches.rbegin(); stretch != stretches.rend(); ++stretch)
        clauses.push_back(fmt::format("from {} up to {}: {}", to_string(stretch->first), to_string(stretch->path->end),
                                      stretch->path->why_it_ends));
    return fmt::format("towards timeline {} a server can stop {}", timeline, fmt::join(clauses, "; and "));
}

std::string why_not_possible(const Window& window, const Choices& choices, const Nearest& nearest,
                             const RecoveryTarget& target, Moment now) {
    switch (target.kind) {
        case RecoveryTarget::Kind::moment: return why_not_moment(choices, nearest, target.moment, now);
        case RecoveryTarget::Kind::transaction:
            return "no such transaction ends where a server can stop; " + where_it_can_stop(window, choices);
        case RecoveryTarget::Kind::restore_point:
            return "there is no restore point of that name; " + where_it_can_stop(window, choices);
        case RecoveryTarget::Kind::latest:
            return "the log is broken, and what is behind the break cannot be had; " +
                   where_it_can_stop(window, choices);
        case RecoveryTarget::Kind::position:
        case RecoveryTarget::Kind::consistent: break;
    }
    return where_it_can_stop(window, choices);
}

}  // namespace

Recovery not_possible(const WalArchive& archive, const Window& window, const std::vector<const Reach*>& choices,
                      const RecoveryTarget& target, Moment now) {
    Recovery recovery;
    if (choices.empty()) {
        recovery.says = why_no_choice(archive, window, target);
        return recovery;
    }
    const Nearest nearest = nearest_to(window, choices, target);
    if (nearest.before != nullptr) recovery.before = nearest.before->latest;
    // Moments are shown in milliseconds: one that is cut off there would be too early.
    if (nearest.after != nullptr)
        recovery.after = std::chrono::ceil<std::chrono::milliseconds>(*nearest.after->earliest);
    recovery.says = why_not_possible(window, choices, nearest, target, now);
    return recovery;
}

}  // namespace kedge::verify
