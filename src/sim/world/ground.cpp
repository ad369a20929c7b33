#include "sim/world/ground.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kedge::sim {
namespace {

// A Monday noon, so that reports read like one.
constexpr Moment beginning{std::chrono::seconds{1'763'985'600}};

// The lab's round trip between regions is 65 ms; whoever stands outside has about the same to each.
constexpr Span far_delay = 30ms, far_jitter = 5ms, near_delay = 200us, near_jitter = 200us;

}  // namespace

std::string_view to_string(Port port) {
    static constexpr std::array<std::string_view, port_count> names{
        "database", "fence", "cache",   "sentinel",  "application", "traffic",    "channel", "metrics",
        "logs",     "store", "samples", "migration", "backups",     "recoveries", "index"};
    return names[static_cast<std::size_t>(port)];
}

std::string_view to_string(EffectKind kind) {
    switch (kind) {
        case EffectKind::promote: return "promote";
        case EffectKind::shut_down: return "shut down";
        case EffectKind::start: return "start";
        case EffectKind::raise_fence: return "raise fence";
        case EffectKind::lower_fence: return "lower fence";
        case EffectKind::canary: return "canary";
        case EffectKind::checkpoint: return "checkpoint";
        case EffectKind::restore_point: return "restore point";
        case EffectKind::export_stranded: return "export stranded";
        case EffectKind::rejoin: return "rejoin";
        case EffectKind::cache_pause: return "pause cache writes";
        case EffectKind::cache_resume: return "resume cache writes";
        case EffectKind::cache_fail_over: return "cache fail-over";
        case EffectKind::cache_follow: return "cache follow";
        case EffectKind::cache_canary: return "cache canary";
        case EffectKind::cache_take_over: return "cache take-over";
        case EffectKind::cache_lead: return "cache lead";
        case EffectKind::sentinels_told: return "tell Sentinels";
        case EffectKind::set_writes: return "set writes";
        case EffectKind::scale: return "scale";
        case EffectKind::deploy: return "deploy";
        case EffectKind::migrate: return "migrate";
        case EffectKind::degrade_index: return "degrade index";
        case EffectKind::serve_index: return "serve index";
        case EffectKind::rebuild_index: return "rebuild index";
        case EffectKind::shift: return "shift traffic";
        case EffectKind::cut_sessions: return "cut sessions";
        case EffectKind::announce: return "announce";
        case EffectKind::backups: return "work on backups";
        case EffectKind::recoveries: return "work on a recovery";
        case EffectKind::swap_in: return "swap in";
        case EffectKind::exchange: return "exchange";
    }
    return "";
}

Ground::Ground(std::vector<std::string> regions, std::uint64_t seed)
    : regions_(std::move(regions)),
      random_(seed),
      schedule_(beginning, random_.fork()),
      ways_((regions_.size() + 1) * (regions_.size() + 1)) {}

std::optional<Place> Ground::place_of(std::string_view region) const {
    const auto found = std::find(regions_.begin(), regions_.end(), region);
    if (found == regions_.end()) return std::nullopt;
    return static_cast<Place>(found - regions_.begin());
}

std::string_view Ground::name_of(Place place) const {
    return place < regions_.size() ? std::string_view(regions_[place]) : std::string_view("outside");
}

void Ground::cut(Place from, Place to) {
    ++ways_[from * (regions_.size() + 1) + to].cuts;
    changed();
}

void Ground::mend(Place from, Place to) {
    int& cuts = ways_[from * (regions_.size() + 1) + to].cuts;
    cuts = std::max(0, cuts - 1);
    changed();
}

void Ground::mend_all() {
    for (Way& way : ways_) way = {};
    changed();
}

void Ground::slow_down(Place from, Place to, Span by) {
    ways_[from * (regions_.size() + 1) + to].slower = by;
}

Span Ground::delay(Place from, Place to) {
    if (from == to) return random_.between(near_delay, near_delay + near_jitter);
    return random_.between(far_delay, far_delay + far_jitter) + ways_[from * (regions_.size() + 1) + to].slower;
}

void Ground::changed() {
    ++changes_;
    for (const std::function<void()>& told : told_) told();
}

void Ground::set_health(Part& part, Health health) {
    if (part.health == health) return;
    part.health = health;
    changed();
}

Passage Ground::visit(Port port, const Part& part, Moment deadline) {
    const std::uint64_t nth = ++visits_[static_cast<std::size_t>(port)];
    std::optional<Passage> fate = meddle_ ? meddle_(port, nth) : std::nullopt;
    Passage passage = Passage::through;
    if (fate)
        passage = *fate;
    else if (!open(outside(), part.place) || part.health == Health::frozen)
        passage = Passage::silent;
    else if (!open(part.place, outside()))
        passage = Passage::answer_lost;
    else if (part.health == Health::dead)
        passage = Passage::refused;
    // A lost answer of somebody who is not there is silence; so is one that nobody is there to give.
    if (passage == Passage::answer_lost && part.health != Health::up) passage = Passage::silent;
    if (fate == Passage::through && part.health != Health::up)
        passage = part.health == Health::dead ? Passage::refused : Passage::silent;
    const Span takes = delay(outside(), part.place) + delay(part.place, outside());
    const bool waited = passage == Passage::silent || passage == Passage::answer_lost;
    if (!waited && caller_time() + takes > deadline) {
        spend(deadline - caller_time(), deadline);
        return passage == Passage::through ? Passage::answer_lost : Passage::silent;
    }
    spend(waited ? std::max<Span>(deadline - caller_time(), Span{0}) : takes, deadline);
    return passage;
}

void Ground::spend(Span span, Moment deadline) {
    const Span left = std::max<Span>(deadline - caller_time(), Span{0});
    span = std::clamp<Span>(span, Span{0}, left);
    if (errand_)
        spent_ += span;
    else
        schedule_.run_until(schedule_.now() + span);
}

void Ground::begin_call(const Errand& errand, Span ahead) {
    check(!errand_, "calls happen one after the other");
    errand_ = errand;
    spent_ = Span{0};
    caller_ahead_ = ahead;
}

Span Ground::end_call() {
    errand_.reset();
    caller_ahead_ = Span{0};
    return std::exchange(spent_, Span{0});
}

// Each begins when they all do; together they take as long as the longest.
void Ground::side_by_side(std::size_t count, const std::function<void(std::size_t)>& call) {
    if (!errand_) {
        for (std::size_t i = 0; i < count; ++i) call(i);
        return;
    }
    const Span before = spent_;
    Span longest = before;
    for (std::size_t i = 0; i < count; ++i) {
        spent_ = before;
        call(i);
        longest = std::max(longest, spent_);
    }
    spent_ = longest;
}

void Ground::note(EffectKind kind, Place place, std::size_t of, std::int64_t detail) {
    ++changes_;
    effects_.push_back({schedule_.now(), kind, place, of, detail, errand_});
}

Error not_through(Passage passage, const std::string& name) {
    check(passage != Passage::through, "only what did not get through is an error");
    if (passage == Passage::answer_lost)
        return {Fault::outcome_unknown, fmt::format("{}: no answer came in time", name)};
    return {Fault::unavailable, passage == Passage::refused ? fmt::format("{}: refuses the connection", name)
                                                            : fmt::format("{}: silent, nothing reached it", name)};
}

}  // namespace kedge::sim
