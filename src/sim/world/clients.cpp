#include "sim/world/clients.h"

namespace kedge::sim {
namespace {

constexpr Span write_period = 100ms;
constexpr std::int64_t rows_each = 5, sessions_each = 2, reads_each = 8;
constexpr std::uint64_t connected_each = 4;  // of the writes, one in so many
constexpr Span held_max = 2s;                // so long an instance holds a write, then it is refused
constexpr Span unbroken = 10s;

}  // namespace

Clients::Clients(Ground& ground, ApplicationModel& application, EntranceModel& entrance)
    : ground_(ground), application_(application), entrance_(entrance), last_sent_(ground.regions().size()) {
    served_since_ = ground_.now();
    ground_.schedule().after(write_period, [this] { write(); });
}

void Clients::write() {
    ground_.schedule().after(write_period, [this] { write(); });
    try_held();
    const std::int64_t first = next_row_;
    next_row_ += rows_each;
    const auto place = where_to();
    if (!place) return judge(false);
    last_sent_[*place] = ground_.now();
    const Written became = application_.write(*place, first, rows_each);
    application_.count(*place, rows_each + reads_each, became == Written::failed ? rows_each : 0);
    switch (became) {
        case Written::acknowledged:
            acknowledged_ += rows_each;
            judge(true);
            break;
        case Written::held: held_.push_back({*place, first, rows_each, ground_.now()}); break;
        case Written::failed:
        case Written::in_doubt: judge(false); break;
    }
    if (became != Written::failed && application_.write_session(*place, next_session_, sessions_each))
        sessions_acknowledged_ += sessions_each;
    next_session_ += sessions_each;
}

// To somebody who stays connected a shift means nothing, until their session is cut or what they talk to fails.
std::optional<Place> Clients::where_to() {
    if (++writes_ % connected_each != 0) return entrance_.route();
    if (!connected_ || !entrance_.keeps(*connected_)) connected_ = entrance_.route();
    return connected_;
}

void Clients::try_held() {
    for (std::size_t left = held_.size(); left > 0; --left) {
        const Held one = held_.front();
        held_.pop_front();
        const Written became = application_.write(one.place, one.first, one.count);
        if (became == Written::acknowledged) {
            acknowledged_ += one.count;
            judge(true);
        } else if (became == Written::held && ground_.now() - one.since < held_max) {
            held_.push_back(one);
        } else {
            judge(false);
        }
    }
}

void Clients::judge(bool served) {
    const Moment now = ground_.now();
    if (!served) {
        served_since_.reset();
        if (are_served()) outages_.push_back({.from = now});
        return;
    }
    if (!served_since_) served_since_ = now;
    if (!are_served() && now - *served_since_ >= unbroken) outages_.back().until = served_since_;
}

}  // namespace kedge::sim
