#include "recover/better.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;

// A dump dates itself by the second. More than that is lost for good; time is not.
constexpr Span alike = 1s;

std::optional<Span> loss_of(const Offer& offer, Moment point) {
    if (!offer.until) return std::nullopt;
    return std::max(Span{0}, point - *offer.until);
}

// Whether `a` loses clearly less than `b`. What does not say how much it loses, loses more.
bool loses_less(const std::optional<Span>& a, const std::optional<Span>& b) {
    if (!a || !b) return a.has_value() && !b;
    return *a + alike < *b;
}

std::string why_not(const std::vector<Offer>& offers) {
    std::string text;
    for (const Offer& offer : offers)
        if (!offer.possible) text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", offer.from, offer.says);
    return text;
}

}  // namespace

Json as_json(const Offer& offer) {
    return {{"from", offer.from},
            {"possible", offer.possible},
            {"path", offer.path},
            {"says", offer.says},
            {"until", offer.until ? Json(kedge::to_string(*offer.until)) : Json()},
            {"takes_seconds", seconds(offer.takes)},
            {"takes_by", offer.takes_by},
            {"detail", offer.detail}};
}

Offer offer_of(const Choice& choice) {
    const verify::Recovery& recovery = choice.recovery;
    Offer offer{.from = "a base backup and the log",
                .possible = recovery.possible,
                .path = choice.base,
                .says = recovery.says,
                .takes = recovery.takes,
                .takes_by = origin(recovery.rates.are_measured),
                .detail = as_json(choice)};
    const bool reached = choice.target.kind == verify::RecoveryTarget::Kind::moment && !recovery.to_the_end;
    if (reached)
        offer.until = choice.target.moment;
    else
        offer.until = recovery.last ? std::optional(recovery.last->time) : choice.taken;
    return offer;
}

Offer offer_of(const DumpChoice& choice, const Pace& pace) {
    const auto bytes = get_integer(choice.examination.facts, "data_bytes").value_or(0);
    return {.from = "a dump",
            .possible = !choice.path.empty(),
            .path = choice.path,
            .says = choice.says,
            .until = choice.taken,
            .takes = Span(static_cast<std::int64_t>(static_cast<double>(bytes) / pace.dump_bytes * 1e6)),
            .takes_by = origin(pace.dump_is_measured),
            .detail = as_json(choice)};
}

Better better_of(const std::vector<Offer>& offers, Moment point) {
    Better better;
    for (std::size_t i = 0; i < offers.size(); ++i) {
        const Offer& offer = offers[i];
        if (!offer.possible) continue;
        if (!better.index) {
            better = {i, "the only one that serves: " + why_not(offers)};
            continue;
        }
        const Offer& other = offers[*better.index];
        const auto loss = loss_of(offer, point), others = loss_of(other, point);
        const bool less = loses_less(loss, others), more = loses_less(others, loss);
        const bool takes_over = less || (!more && offer.takes < other.takes);
        const Offer& winner = takes_over ? offer : other;
        if (less || more)
            better.why = loss && others ? fmt::format("{} loses {} less", winner.from,
                                                      readable(std::max(*loss, *others) - std::min(*loss, *others)))
                                        : fmt::format("{} says what it loses, the other does not", winner.from);
        else
            better.why =
                fmt::format("they lose the same to within {}, and {} is there sooner", readable(alike), winner.from);
        if (takes_over) better.index = i;
    }
    if (!better.index) better.why = why_not(offers);
    return better;
}

}  // namespace kedge::recover
