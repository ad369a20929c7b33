#include "estate/achievable.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace kedge {
namespace {

using Terms = std::vector<Term>;

// Reads the limits of one target into terms.
class Limits {
public:
    explicit Limits(const Target& target) : target_(target), limits_(target.settings.section("limits")) {}

    Term term(std::string_view name) const { return {target_.name, std::string{name}, limits_.span(name)}; }
    bool has(std::string_view name) const { return limits_.span(name).has_value(); }
    bool flag(std::string_view name) const { return limits_.flag(name).value_or(false); }

    Term detection() const {
        const auto interval = limits_.span("probe-interval");
        const auto misses = limits_.integer("probe-misses");
        Term term{target_.name, "probe-interval x probe-misses", std::nullopt};
        if (interval && misses) term.span = *interval * *misses;
        return term;
    }
    Term doubled(std::string_view name) const {
        Term term{target_.name, fmt::format("2 x {}", name), limits_.span(name)};
        if (term.span) *term.span *= 2;
        return term;
    }

private:
    const Target& target_;
    const Settings limits_;
};

Terms database_rto(const Limits& limits, Scenario scenario) {
    switch (scenario) {
        case Scenario::region_lost:
            return {limits.detection(), limits.term("decide"), limits.term("fence"), limits.term("promote"),
                    limits.term("retrieve-retry")};
        case Scenario::data_destroyed: return {limits.term("decide"), limits.term("restore")};
        case Scenario::planned_move:
            return {limits.term("switchover-delay"), limits.term("promote"), limits.term("retrieve-retry")};
    }
    return {};
}

Terms archive_or_backup(const Limits& limits) {
    if (limits.has("archive-timeout")) return {limits.term("archive-timeout"), limits.term("archive-upload")};
    return {limits.term("backup-every")};
}

Terms database_rpo(const Limits& limits, Scenario scenario) {
    switch (scenario) {
        case Scenario::region_lost:
            if (limits.flag("synchronous")) return {};
            return limits.flag("streaming") ? Terms{limits.term("max-lag")} : archive_or_backup(limits);
        case Scenario::data_destroyed: return archive_or_backup(limits);
        case Scenario::planned_move: return {};
    }
    return {};
}

Terms cache_rto(const Limits& limits, Scenario scenario) {
    if (scenario == Scenario::data_destroyed) return {limits.term("restore")};
    if (scenario == Scenario::planned_move) return {limits.term("election")};
    return {limits.term("down-after"), limits.term("election"), limits.doubled("failover-timeout"),
            limits.term("election")};
}

Terms cache_rpo(const Limits& limits, Scenario scenario) {
    if (scenario == Scenario::planned_move) return {};
    if (scenario == Scenario::data_destroyed) return {limits.term("snapshot-every")};
    return {limits.term(limits.has("min-replicas-max-lag") ? "min-replicas-max-lag" : "max-lag")};
}

Terms application_rto(const Limits& limits, Scenario scenario) {
    if (scenario == Scenario::data_destroyed) return {limits.term("reconnect")};
    return {limits.term("scale-up"), limits.term("reconnect")};
}

Terms traffic_rto(const Limits& limits, Scenario scenario) {
    if (scenario == Scenario::data_destroyed) return {};
    return {limits.term("apply"), limits.term("ttl")};
}

Terms store_rto(const Limits& limits, Scenario scenario) {
    if (scenario == Scenario::planned_move) return {};
    return {limits.term("read")};
}

Terms store_rpo(const Limits& limits, Scenario scenario) {
    if (scenario == Scenario::planned_move) return {};
    return {limits.term("copied-every")};
}

// The figure that takes longest; one that is unknown is longer than any.
void keep_longer(Figure& longest, Terms terms) {
    Figure next{std::move(terms)};
    const auto a = longest.total(), b = next.total();
    if (!a) {
        // Both unknown: everything that is missing is told at once.
        if (!b) longest.terms.insert(longest.terms.end(), next.terms.begin(), next.terms.end());
        return;
    }
    if (!b || *b > *a) longest = std::move(next);
}

class Calculator {
public:
    explicit Calculator(const Estate& estate) : estate_(estate) {}

    Achievable take() {
        Achievable result;
        for (const Service& service : estate_.services) {
            for (const Scenario scenario : scenarios) result.promises.push_back(promise(service, scenario));
            find_conflicts(service.name, service.tier, service.stands_on, service.line, result.conflicts);
        }
        for (const Target& target : estate_.targets)
            if (!target.tier.empty())
                find_conflicts(target.name, target.tier, target.stands_on, target.line, result.conflicts);
        return result;
    }

private:
    // Every target that `stands_on` leads to. The estate has no cycles: parsing has seen to it.
    std::set<std::string> targets_below(const std::vector<std::string>& stands_on) const {
        std::set<std::string> targets, seen;
        std::vector<std::string> open = stands_on;
        while (!open.empty()) {
            const std::string name = std::move(open.back());
            open.pop_back();
            if (!seen.insert(name).second) continue;
            const Target* target = estate_.target(name);
            const Service* service = estate_.service(name);
            if (target != nullptr) targets.insert(name);
            const auto& further = target != nullptr ? target->stands_on : service->stands_on;
            open.insert(open.end(), further.begin(), further.end());
        }
        return targets;
    }

    Promise promise(const Service& service, Scenario scenario) const {
        Promise promise{.service = service.name, .tier = service.tier, .scenario = scenario};
        Figure stores, applications, traffic;
        const std::set<std::string> targets = targets_below(service.stands_on);
        // Nothing to add up is no proof of anything.
        if (targets.empty()) stores = promise.rpo = Figure{{{service.name, "it stands on no target", std::nullopt}}};
        for (const std::string& name : targets) {
            const Target& target = *estate_.target(name);
            const Limits limits{target};
            switch (target.kind) {
                case TargetKind::database:
                    keep_longer(stores, database_rto(limits, scenario));
                    keep_longer(promise.rpo, database_rpo(limits, scenario));
                    break;
                case TargetKind::cache:
                    keep_longer(stores, cache_rto(limits, scenario));
                    keep_longer(promise.rpo, cache_rpo(limits, scenario));
                    break;
                case TargetKind::application: keep_longer(applications, application_rto(limits, scenario)); break;
                case TargetKind::traffic: keep_longer(traffic, traffic_rto(limits, scenario)); break;
                case TargetKind::store:
                    keep_longer(stores, store_rto(limits, scenario));
                    keep_longer(promise.rpo, store_rpo(limits, scenario));
                    break;
                case TargetKind::channel:
                case TargetKind::metrics:
                case TargetKind::logs:
                case TargetKind::migration:
                case TargetKind::index: {
                    const Term nothing_known{
                        name, fmt::format("no figures of {} are known", to_string(target.kind)), {}};
                    keep_longer(stores, {nothing_known});
                    keep_longer(promise.rpo, {nothing_known});
                    break;
                }
            }
        }
        for (Figure* figure : {&stores, &applications, &traffic})
            promise.rto.terms.insert(promise.rto.terms.end(), figure->terms.begin(), figure->terms.end());
        const Tier& tier = *estate_.tier(service.tier);
        promise.rto_objective = tier.rto;
        promise.rpo_objective = tier.rpo;
        promise.rto_holds = within(promise.rto, tier.rto);
        promise.rpo_holds = within(promise.rpo, tier.rpo);
        return promise;
    }

    static Truth within(const Figure& figure, Span objective) {
        const auto total = figure.total();
        if (total) return truth(*total < objective);
        // What is known may be too much already.
        Span known{};
        for (const Term& term : figure.terms) known += term.span.value_or(Span{});
        return known >= objective ? Truth::no : Truth::unknown;
    }

    std::size_t rank(const std::string& tier) const {
        const auto found = std::ranges::find(estate_.tiers, tier, &Tier::name);
        return static_cast<std::size_t>(found - estate_.tiers.begin());
    }

    void find_conflicts(const std::string& who, const std::string& tier, const std::vector<std::string>& stands_on,
                        int line, std::vector<TierConflict>& conflicts) const {
        for (const std::string& name : stands_on) {
            const Target* target = estate_.target(name);
            const std::string& its_tier = target != nullptr ? target->tier : estate_.service(name)->tier;
            if (its_tier.empty() || rank(its_tier) > rank(tier)) conflicts.push_back({who, tier, name, its_tier, line});
        }
    }

    const Estate& estate_;
};

std::string mark(Truth holds) {
    return holds == Truth::yes ? "holds" : holds == Truth::no ? "CANNOT HOLD" : "unknown";
}

std::string shown(const Figure& figure) {
    const auto total = figure.total();
    if (!total) return "?";
    return *total == Span{} ? "none" : readable(*total);
}

Json json_of(const Figure& figure, Span objective, Truth holds) {
    const auto total = figure.total();
    return Json{{"worst_seconds", total ? Json(seconds(*total)) : Json()},
                {"objective_seconds", seconds(objective)},
                {"holds", to_string(holds)},
                {"formula", figure.formula()},
                {"unknown", figure.unknown()}};
}

// Why the promises of one scenario are not certain: services with the same reason together.
class Reasons {
public:
    void add(const Promise& promise) {
        add("RTO", promise.service, promise.rto, promise.rto_holds);
        add("RPO", promise.service, promise.rpo, promise.rpo_holds);
    }

    std::string text() const {
        std::string text;
        for (const auto& [reason, services] : services_)
            text += fmt::format("  {} {}\n    of {}\n", mark(reason.holds), reason.formula, fmt::join(services, ", "));
        return text.empty() ? text : "\n" + text;
    }

private:
    struct Reason {
        Truth holds;
        std::string formula;
        auto operator<=>(const Reason&) const = default;
    };

    void add(std::string_view what, const std::string& service, const Figure& figure, Truth holds) {
        if (holds == Truth::yes) return;
        services_[Reason{holds, fmt::format("{}: {}", what, figure.formula())}].push_back(service);
    }

    std::map<Reason, std::vector<std::string>> services_;
};

}  // namespace

std::string_view to_string(Scenario scenario) {
    switch (scenario) {
        case Scenario::region_lost: return "region lost";
        case Scenario::data_destroyed: return "data destroyed";
        case Scenario::planned_move: return "planned move";
    }
    return {};
}

std::optional<Span> Figure::total() const {
    Span sum{};
    for (const Term& term : terms) {
        if (!term.span) return std::nullopt;
        sum += *term.span;
    }
    return sum;
}

std::vector<std::string> Figure::unknown() const {
    std::set<std::string> names;
    for (const Term& term : terms)
        if (!term.span) names.insert(term.from + ": " + term.what);
    return {names.begin(), names.end()};
}

std::string Figure::formula() const {
    if (terms.empty()) return "nothing";
    std::string text;
    for (const Term& term : terms)
        text += fmt::format("{}{} ({} {})", text.empty() ? "" : " + ", term.span ? readable(*term.span) : "?",
                            term.from, term.what);
    return text;
}

std::string TierConflict::says() const {
    if (its_tier.empty()) return fmt::format("{} ({}) stands on {}, which has no tier", who, tier, stands_on);
    return fmt::format("{} ({}) stands on {}, which is only {}", who, tier, stands_on, its_tier);
}

bool Achievable::all_hold() const {
    return conflicts.empty() && std::ranges::all_of(promises, [](const Promise& promise) {
               return promise.rto_holds == Truth::yes && promise.rpo_holds == Truth::yes;
           });
}

Achievable achievable(const Estate& estate) {
    return Calculator{estate}.take();
}

std::string as_text(const Achievable& achievable) {
    std::string out;
    for (const Scenario scenario : scenarios) {
        out += fmt::format("{}{}, at worst\n  {:24}{:10}{:>10} {:>9}  {:13}{:>10} {:>9}\n", out.empty() ? "" : "\n",
                           to_string(scenario), "service", "tier", "RTO", "promised", "", "RPO", "promised");
        Reasons reasons;
        for (const Promise& promise : achievable.promises) {
            if (promise.scenario != scenario) continue;
            out += fmt::format("  {:24}{:10}{:>10} {:>9}  {:13}{:>10} {:>9}  {}\n", promise.service, promise.tier,
                               shown(promise.rto), readable(promise.rto_objective), mark(promise.rto_holds),
                               shown(promise.rpo), readable(promise.rpo_objective), mark(promise.rpo_holds));
            reasons.add(promise);
        }
        out += reasons.text();
    }
    if (!achievable.conflicts.empty()) out += "\ntiers that conflict\n";
    for (const TierConflict& conflict : achievable.conflicts) out += "  " + conflict.says() + "\n";
    return out;
}

Json as_json(const Achievable& achievable) {
    Json promises = Json::array(), conflicts = Json::array();
    for (const Promise& promise : achievable.promises)
        promises.push_back({{"service", promise.service},
                            {"tier", promise.tier},
                            {"scenario", to_string(promise.scenario)},
                            {"rto", json_of(promise.rto, promise.rto_objective, promise.rto_holds)},
                            {"rpo", json_of(promise.rpo, promise.rpo_objective, promise.rpo_holds)}});
    for (const TierConflict& conflict : achievable.conflicts)
        conflicts.push_back({{"who", conflict.who},
                             {"tier", conflict.tier},
                             {"stands_on", conflict.stands_on},
                             {"its_tier", conflict.its_tier},
                             {"line", conflict.line},
                             {"says", conflict.says()}});
    return Json{{"promises", promises}, {"conflicts", conflicts}, {"all_hold", achievable.all_hold()}};
}

}  // namespace kedge
