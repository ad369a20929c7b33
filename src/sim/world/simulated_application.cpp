#include "sim/world/simulated_application.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {

Result<Place> SimulatedApplication::find(const std::string& region) const {
    const auto place = ground_.place_of(region);
    if (!place || model_.sites()[*place].instances.empty())
        return Error{Fault::not_found, fmt::format("application {} has no instances in '{}'", model_.name(), region)};
    return *place;
}

InstanceLook SimulatedApplication::look_at(ApplicationModel::Instance& instance, Depth depth, Moment deadline) {
    InstanceLook look{.name = instance.part.name};
    const Passage passage = ground_.visit(Port::application, instance.part, deadline);
    if (passage != Passage::through) {
        look.reachable = passage == Passage::refused ? Truth::no : Truth::unknown;
        look.says = not_through(passage, instance.part.name).message;
        return look;
    }
    look.reachable = Truth::yes;
    if (depth != Depth::readiness) look.writes = instance.writes;
    if (depth != Depth::writes) look.ready = truth(model_.is_ready(instance));
    look.says = "answers";
    if (depth != Depth::health) return look;
    look.healthy = truth(model_.is_healthy(instance));
    look.release = instance.release;
    look.says = look.healthy == Truth::yes ? "healthy"
                : look.ready == Truth::yes ? "ready, its stores are not"
                                           : "starting";
    return look;
}

Result<ApplicationLook> SimulatedApplication::look(const std::string& region, Depth depth, Moment deadline) {
    const Place place = TRY(find(region));
    ApplicationLook look;
    std::deque<ApplicationModel::Instance>& instances = model_.sites()[place].instances;
    look.instances.resize(instances.size());
    ground_.side_by_side(instances.size(),
                         [&](std::size_t i) { look.instances[i] = look_at(instances[i], depth, deadline); });
    look.wanted = static_cast<int>(model_.sites()[place].wanted);
    return look;
}

Result<void> SimulatedApplication::set_writes(const std::string& region, Writes writes, Moment deadline) {
    const Place place = TRY(find(region));
    std::deque<ApplicationModel::Instance>& instances = model_.sites()[place].instances;
    std::optional<Passage> failed;
    bool untouched = true;
    ground_.note(EffectKind::set_writes, place, model_.index(), static_cast<std::int64_t>(writes));
    ground_.side_by_side(instances.size(), [&](std::size_t i) {
        const Passage passage = ground_.visit(Port::application, instances[i].part, deadline);
        if (passage == Passage::through || passage == Passage::answer_lost) {
            instances[i].writes = writes;
            untouched = false;
        }
        if (passage == Passage::silent) untouched = false;
        if (passage != Passage::through) failed = passage;
    });
    ground_.changed();
    if (!failed) return {};
    Error error = not_through(*failed, fmt::format("application {} in {}", model_.name(), region));
    error.fault = untouched ? Fault::unavailable : Fault::outcome_unknown;
    return error;
}

Result<void> SimulatedApplication::scale(const std::string& region, int instances, Moment deadline) {
    const Place place = TRY(find(region));
    const Part scheduler{.name = model_.name(), .place = place};
    const Passage passage = ground_.visit(Port::application, scheduler, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, scheduler.name);
    ground_.note(EffectKind::scale, place, model_.index(), instances);
    model_.scale(place, static_cast<std::size_t>(std::max(1, instances)));
    if (passage != Passage::through) return not_through(passage, scheduler.name);
    return {};
}

Result<void> SimulatedApplication::deploy(const std::string& region, const std::string& release, Moment deadline) {
    const Place place = TRY(find(region));
    if (model_.schema() == nullptr)
        return Error{Fault::refused, model_.name() + ": its instances run what they were started with"};
    const Part scheduler{.name = model_.name(), .place = place};
    const Passage passage = ground_.visit(Port::application, scheduler, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, scheduler.name);
    ground_.note(EffectKind::deploy, place, model_.index());
    model_.deploy(place, release);
    if (passage != Passage::through) return not_through(passage, scheduler.name);
    return {};
}

ProbeLook SimulatedApplication::run_probe(const ProbeNeeds& needs, ApplicationModel::Instance& instance,
                                          Moment deadline) {
    const Place place = instance.part.place;
    const Passage passage = ground_.visit(Port::application, instance.part, deadline);
    if (passage != Passage::through) {
        const Truth holds = passage == Passage::refused ? Truth::no : Truth::unknown;
        return {.holds = holds, .says = not_through(passage, instance.part.name).message};
    }
    model_.count(place, 1, 0);
    std::string missing;
    if (!model_.is_ready(instance)) missing = "it starts";
    if (model_.schema() != nullptr && !model_.schema()->serves(instance.release))
        missing = "500 its release has a fault";
    if (needs.always_fails) missing = "404";
    if (needs.health && !model_.is_healthy(instance)) missing = "503 unhealthy";
    if (needs.sessions && model_.cache() != nullptr && model_.master_from(place) == nullptr)
        missing = "503 no sessions";
    if (needs.reads && !model_.reads_from(place)) missing = "503 no database";
    if (needs.writes) {
        DatabaseModel::Server* server = model_.writable_from(place);
        if (instance.writes != Writes::accepted)
            missing = "503 maintenance";
        else if (server == nullptr || !ground_.open(server->part.place, place))
            missing = "503 no database takes writes";
    }
    if (missing.empty()) return {.holds = Truth::yes, .says = instance.part.name + " answers as expected"};
    return {.holds = Truth::no, .says = fmt::format("{} answers {}", instance.part.name, missing)};
}

Result<ProbeLook> SimulatedApplication::probe(const std::string& name, const std::string& region, const std::string&,
                                              Moment deadline) {
    const auto declared = probes_.find(name);
    if (declared == probes_.end())
        return Error{Fault::not_found, fmt::format("application {} declares no probe '{}'", model_.name(), name)};
    if (region.empty()) {
        const auto place = entrance_ == nullptr ? std::nullopt : entrance_->route();
        ApplicationModel::Instance* instance = place ? model_.serving(*place, ground_.outside()) : nullptr;
        if (instance != nullptr) return run_probe(declared->second, *instance, deadline);
        ground_.spend(2ms, deadline);
        return ProbeLook{.holds = Truth::no, .says = "the entrance answers 503: nobody behind it serves"};
    }
    const Place place = TRY(find(region));
    ProbeLook all{.holds = Truth::yes};
    std::deque<ApplicationModel::Instance>& instances = model_.sites()[place].instances;
    ground_.side_by_side(instances.size(), [&](std::size_t i) {
        const ProbeLook one = run_probe(declared->second, instances[i], deadline);
        all.holds = both(all.holds, one.holds);
        all.says += (i == 0 ? "" : "; ") + one.says;
    });
    return all;
}

Result<TrafficLook> SimulatedTraffic::look(Moment deadline) {
    const Passage passage = ground_.visit(Port::traffic, model_.part(), deadline);
    if (passage != Passage::through) return Error{Fault::unavailable, not_through(passage, model_.name()).message};
    TrafficLook look;
    for (Place place = 0; place < model_.shares().size(); ++place) {
        const EntranceModel::Share& share = model_.shares()[place];
        look[ground_.regions()[place]] = {.weight = share.weight,
                                          .open = truth(share.weight > 0),
                                          .healthy = truth(share.healthy),
                                          .sessions = share.sessions};
    }
    return look;
}

// The driver hands an order over before it waits: without an answer nobody knows what became of it.
Error SimulatedTraffic::unanswered(Passage passage) const {
    Error error = not_through(passage, model_.name());
    if (passage == Passage::silent) error.fault = Fault::outcome_unknown;
    return error;
}

Result<void> SimulatedTraffic::shift(const std::map<std::string, int>& weights, Moment deadline) {
    std::vector<std::pair<Place, int>> shares;
    for (const auto& [region, weight] : weights) {
        const auto place = ground_.place_of(region);
        if (!place) return Error{Fault::not_found, fmt::format("{} knows no region {}", model_.name(), region)};
        shares.emplace_back(*place, weight);
    }
    const Passage passage = ground_.visit(Port::traffic, model_.part(), deadline);
    if (passage == Passage::silent || passage == Passage::refused) return unanswered(passage);
    for (const auto& [place, weight] : shares) ground_.note(EffectKind::shift, place, model_.index(), weight);
    model_.shift(shares);
    if (passage != Passage::through) return unanswered(passage);
    return {};
}

Result<void> SimulatedTraffic::cut_sessions(const std::string& region, Moment deadline) {
    const auto place = ground_.place_of(region);
    if (!place) return Error{Fault::not_found, fmt::format("{} knows no region {}", model_.name(), region)};
    const Passage passage = ground_.visit(Port::traffic, model_.part(), deadline);
    if (passage == Passage::silent || passage == Passage::refused) return unanswered(passage);
    ground_.note(EffectKind::cut_sessions, *place, model_.index());
    model_.cut_sessions(*place);
    if (passage != Passage::through) return unanswered(passage);
    return {};
}

}  // namespace kedge::sim
