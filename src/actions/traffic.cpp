// Traffic: where users go. A region of weight 0 is closed, so that no fallback reaches it.

#include <algorithm>

#include "actions/catalogue.h"
#include "actions/says.h"

namespace kedge {
namespace {

Json weights_of(const TrafficLook& look) {
    Json weights = Json::object();
    for (const auto& [region, share] : look) weights[region] = share.weight;
    return weights;
}

// Whether the entrance sends traffic as `wanted` says: weights as given, closed where they are 0, open elsewhere.
Look compare(const TrafficLook& look, const std::map<std::string, int>& wanted, const Call& call) {
    Json evidence = {{"now", weights_of(look)}};
    if (get(call.evidence, "before").is_null() && !call.accepted) evidence["before"] = weights_of(look);
    std::string says;
    Truth same = Truth::yes;
    for (const auto& [region, weight] : wanted) {
        const auto share = look.find(region);
        if (share == look.end())
            return unclear(fmt::format("{} knows no region {}", call.target, region), std::move(evidence));
        same = both(same, truth(share->second.weight == weight));
        same = both(same, weight == 0 ? negated(share->second.open) : share->second.open);
        says += fmt::format("{}{} {}", says.empty() ? "" : ", ", region, share->second.weight);
    }
    if (same == Truth::yes) return condition(Truth::yes, "weights are " + says, std::move(evidence));
    return {.done = same,
            .allowed = same == Truth::unknown ? Truth::unknown : Truth::yes,
            .says = "weights are " + says,
            .evidence = std::move(evidence)};
}

std::map<std::string, int> wanted_shares(const Call& call) {
    const int share = static_cast<int>(call.integer("share"));
    std::map<std::string, int> wanted;
    wanted[call.text("from")] = 100 - share;
    wanted[call.text("to")] = share;
    return wanted;
}

// A shift takes users away from `from`. Where fewer are left there than it would leave, somebody moved them by hand,
// and it would send them back to a region that they were to leave.
Result<Look> look_shift(const Call& call) {
    const Result<TrafficLook> look = TRY(call.traffic())->look(call.deadline);
    if (!look) return unclear(look.error().message);
    const std::map<std::string, int> wanted = wanted_shares(call);
    Look compared = compare(*look, wanted, call);
    const std::string from = call.text("from");
    const auto present = look->find(from);
    if (compared.done == Truth::yes || present == look->end() || present->second.weight >= wanted.at(from))
        return compared;
    compared.allowed = Truth::no;
    compared.says +=
        fmt::format("; it would send users back to {}: set the weights by hand, or say that it is done", from);
    return compared;
}

Result<Json> apply_shift(const Call& call) {
    TRY(TRY(call.traffic())->shift(wanted_shares(call), call.deadline));
    return Json::object();
}

// What stood before this step acted, as its first look found it.
std::map<std::string, int> before(const Call& call) {
    std::map<std::string, int> weights;
    for (const auto& [region, weight] : get(call.evidence, "before").items())
        if (weight.is_number_integer()) weights[region] = weight.get<int>();
    return weights;
}

Result<Look> look_restore(const Call& call) {
    const Result<TrafficLook> look = TRY(call.traffic())->look(call.deadline);
    if (!look) return unclear(look.error().message);
    if (before(call).empty()) return absent(Truth::no, "what the weights were before is not known");
    return compare(*look, before(call), call);
}

Result<Json> apply_restore_weights(const Call& call) {
    TRY(TRY(call.traffic())->shift(before(call), call.deadline));
    return Json::object();
}

Result<Look> look_drained(const Call& call) {
    const Result<TrafficLook> look = TRY(call.traffic())->look(call.deadline);
    if (!look) return unclear(look.error().message);
    const auto share = look->find(call.text("region"));
    if (share == look->end() || !share->second.sessions) return unclear("how many sessions are open there is unknown");
    return condition(truth(*share->second.sessions <= call.integer("sessions-max")),
                     fmt::format("{} sessions still go to {}", *share->second.sessions, call.text("region")),
                     {{"sessions", *share->second.sessions}});
}

Result<Look> look_cut(const Call& call) {
    const Result<TrafficLook> look = TRY(call.traffic())->look(call.deadline);
    if (!look) return unclear(look.error().message);
    const auto share = look->find(call.text("region"));
    if (share == look->end()) return unclear("the entrance knows no region " + call.text("region"));
    if (call.accepted || share->second.sessions == 0)
        return condition(Truth::yes, "no session is left open to " + call.text("region"));
    return absent(negated(share->second.open), share->second.open == Truth::no ? "closed; old sessions are left"
                                                                               : "it is still open to new sessions");
}

Result<Json> apply_cut(const Call& call) {
    TRY(TRY(call.traffic())->cut_sessions(call.text("region"), call.deadline));
    return Json::object();
}

}  // namespace

std::vector<Action> traffic_actions() {
    constexpr TargetKind traffic = TargetKind::traffic;
    using P = ParameterType;
    const std::vector<Parameter> shares = {{"from", P::region, true, "", "the region that gets the rest"},
                                           {"to", P::region, true, "", "the region that gets the share"},
                                           {"share", P::integer, true, "", "percent of the traffic that goes to `to`"}};
    const Parameter region{"region", P::region, true, "", "which region"};
    return {
        {{.name = "traffic.shift",
          .on = traffic,
          .needs_region = false,
          .says = "the entrance sends the stated share to one region and the rest to the other; a share of 0 closes a "
                  "region",
          .effect = Effect::idempotent,
          .parameters = shares,
          .undo = "traffic.restore",
          .by_hand = "set weight BACKEND/SERVER N; set server BACKEND/SERVER state maint   # for HAProxy, on its "
                     "runtime socket",
          .deadline = 30s,
          .call_limit = 3s},
         look_shift,
         apply_shift},
        {{.name = "traffic.restore",
          .on = traffic,
          .needs_region = false,
          .says = "the weights are as they were before",
          .effect = Effect::idempotent,
          .parameters = shares,
          .by_hand = "set the weights back",
          .deadline = 30s,
          .call_limit = 3s},
         look_restore,
         apply_restore_weights},
        {{.name = "traffic.shifted",
          .on = traffic,
          .needs_region = false,
          .says = "the entrance's weights are as stated",
          .parameters = shares,
          .by_hand = "show servers state",
          .deadline = 30s,
          .call_limit = 3s},
         look_shift},
        {{.name = "traffic.cut-sessions",
          .on = traffic,
          .needs_region = false,
          .says = "sessions that still go to a closed region are ended",
          .effect = Effect::idempotent,
          .parameters = {region},
          .by_hand = "shutdown sessions server BACKEND/SERVER",
          .deadline = 10s,
          .call_limit = 3s},
         look_cut,
         apply_cut},
        {{.name = "traffic.drained",
          .on = traffic,
          .needs_region = false,
          .says = "few enough sessions still go to the region",
          .parameters = {region, {"sessions-max", P::integer, false, "0", "how many may be left"}},
          .by_hand = "show stat   # column scur",
          .deadline = 60s,
          .call_limit = 3s},
         look_drained},
    };
}

}  // namespace kedge
