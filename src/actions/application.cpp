// Applications: whether they could serve, whether their writes are held, and what the declared probes find.

#include <algorithm>

#include "actions/catalogue.h"
#include "actions/says.h"

namespace kedge {
namespace {

std::string_view to_string(Writes writes) {
    return writes == Writes::accepted ? "accepted" : writes == Writes::held ? "held" : "refused";
}

template <class Judge>
Result<Look> looking_at(const Call& call, Depth depth, Judge judge) {
    const Result<ApplicationLook> look = TRY(call.application())->look(call.region, depth, call.deadline);
    if (!look) return unclear(fmt::format("{}: {}", site(call), look.error().message));
    return judge(*look);
}

// Enough instances for which `part` is yes; unknown where the silent ones could make the difference.
Look enough(const Call& call, const ApplicationLook& look, Truth InstanceLook::*part, std::string_view word) {
    std::int64_t yes = 0, unknown = 0;
    std::string why;  // the first that is not, says why
    Json evidence = Json::object();
    for (const InstanceLook& instance : look.instances) {
        yes += instance.*part == Truth::yes;
        if (instance.*part != Truth::yes && why.empty()) why = fmt::format("; {}: {}", instance.name, instance.says);
        unknown += instance.*part == Truth::unknown;
        evidence[instance.name] = instance.says;
    }
    const std::int64_t wanted =
        call.integer("instances") > 0 ? call.integer("instances") : static_cast<std::int64_t>(look.instances.size());
    const Truth holds = yes >= wanted && yes > 0                 ? Truth::yes
                        : yes + unknown >= wanted && unknown > 0 ? Truth::unknown
                                                                 : Truth::no;
    return condition(
        holds, fmt::format("{} of {} instances of {} are {}{}", yes, look.instances.size(), site(call), word, why),
        std::move(evidence));
}

Result<Look> look_ready(const Call& call) {
    return looking_at(call, Depth::readiness,
                      [&](const ApplicationLook& look) { return enough(call, look, &InstanceLook::ready, "ready"); });
}

Result<Look> look_healthy(const Call& call) {
    return looking_at(call, Depth::health, [&](const ApplicationLook& look) {
        return enough(call, look, &InstanceLook::healthy, "healthy");
    });
}

Result<Look> look_writes(const Call& call, Writes wanted) {
    return looking_at(call, Depth::writes, [&](const ApplicationLook& look) {
        std::size_t there = 0, silent = 0;
        Json evidence = Json::object();
        for (const InstanceLook& instance : look.instances) {
            there += instance.writes == wanted;
            silent += !instance.writes.has_value();
            evidence[instance.name] = instance.writes ? to_string(*instance.writes) : std::string_view("unknown");
        }
        const std::string says = fmt::format("writes are {} on {} of {} instances of {}", to_string(wanted), there,
                                             look.instances.size(), site(call));
        if (there == look.instances.size() && there > 0) return condition(Truth::yes, says, std::move(evidence));
        if (silent > 0) return unclear(fmt::format("{}; {} do not answer", says, silent), std::move(evidence));
        return absent(Truth::yes, says, std::move(evidence));
    });
}

Result<Json> apply_writes(const Call& call, Writes wanted) {
    TRY(TRY(call.application())->set_writes(call.region, wanted, call.deadline));
    return Json::object();
}

Result<Look> look_held(const Call& call) {
    return look_writes(call, Writes::held);
}
Result<Json> apply_held(const Call& call) {
    return apply_writes(call, Writes::held);
}
Result<Look> look_refused(const Call& call) {
    return look_writes(call, Writes::refused);
}
Result<Json> apply_refused(const Call& call) {
    return apply_writes(call, Writes::refused);
}
Result<Look> look_released(const Call& call) {
    return look_writes(call, Writes::accepted);
}
Result<Json> apply_released(const Call& call) {
    return apply_writes(call, Writes::accepted);
}

Result<Look> look_scale(const Call& call) {
    return looking_at(call, Depth::readiness, [&](const ApplicationLook& look) {
        const std::int64_t wanted = call.integer("instances");
        const auto ready = std::count_if(look.instances.begin(), look.instances.end(),
                                         [](const InstanceLook& instance) { return instance.ready == Truth::yes; });
        Json evidence = {{"ready", ready}};
        if (look.wanted && get(call.evidence, "before").is_null()) evidence["before"] = *look.wanted;
        if (!look.wanted) return unclear("how many instances should run is unknown", std::move(evidence));
        const std::string says = fmt::format("{} of {} wanted instances of {} are ready", ready, wanted, site(call));
        if (*look.wanted == wanted && ready >= wanted) return condition(Truth::yes, says, std::move(evidence));
        return absent(truth(*look.wanted != wanted || !call.accepted), says, std::move(evidence));
    });
}

Result<Json> apply_scale(const Call& call) {
    TRY(TRY(call.application())->scale(call.region, static_cast<int>(call.integer("instances")), call.deadline));
    return Json::object();
}

// Whether every instance says that it is `wanted`. One that does not answer may be what has to be replaced, so it bars
// nobody from asking: the same release twice is one release.
Result<Look> look_release(const Call& call, const std::string& wanted) {
    return looking_at(call, Depth::health, [&](const ApplicationLook& look) {
        std::size_t there = 0, silent = 0;
        std::string before;
        Json evidence = Json::object();
        for (const InstanceLook& instance : look.instances) {
            there += instance.release == wanted;
            silent += !instance.release.has_value();
            evidence[instance.name] = instance.release.value_or("unknown");
            if (instance.release && instance.release != wanted) before = *instance.release;
        }
        if (!before.empty() && get(call.evidence, "before").is_null()) evidence["before"] = before;
        std::string says =
            fmt::format("{} of {} instances of {} run release {}", there, look.instances.size(), site(call), wanted);
        if (there == look.instances.size() && there > 0) return condition(Truth::yes, says, std::move(evidence));
        if (silent > 0) says += fmt::format("; {} do not say what they run", silent);
        return absent(Truth::yes, says, std::move(evidence));
    });
}

Result<Json> apply_release(const Call& call, const std::string& release) {
    TRY(TRY(call.application())->deploy(call.region, release, call.deadline));
    return Json::object();
}

Result<Look> look_deploy(const Call& call) {
    return look_release(call, call.text("release"));
}
Result<Json> apply_deploy(const Call& call) {
    return apply_release(call, call.text("release"));
}

// As an undo, by what the step found before it acted.
Result<Look> look_deploy_back(const Call& call) {
    const auto before = get_string(call.evidence, "before");
    if (!before) return unclear(fmt::format("no instance of {} said which release it ran before", site(call)));
    return look_release(call, *before);
}
Result<Json> apply_deploy_back(const Call& call) {
    const auto before = get_string(call.evidence, "before");
    if (!before) return Error{Fault::refused, "nobody noted which release ran before"};
    return apply_release(call, *before);
}

Result<Look> look_probe(const Call& call) {
    const std::string region = call.flag("public") ? "" : call.region;
    const Result<ProbeLook> look = TRY(call.application())->probe(call.text("probe"), region, call.key, call.deadline);
    if (!look) {
        if (look.error().fault == Fault::not_found) return condition(Truth::no, look.error().message);
        return unclear(look.error().message);
    }
    return condition(look->holds, look->says, look->evidence);
}

}  // namespace

std::vector<Action> application_actions() {
    constexpr TargetKind application = TargetKind::application;
    using P = ParameterType;
    const Parameter instances{"instances", P::integer, false, "0", "how many must be; 0 = all"};
    return {
        {{.name = "application.ready",
          .on = application,
          .says = "instances run and could serve as soon as their stores do",
          .parameters = {instances},
          .danger = "Traffic may be sent where nobody serves it.",
          .by_hand = "curl -f http://INSTANCE/readyz   # every instance in ${region}",
          .deadline = 10s,
          .call_limit = 2s},
         look_ready},
        {{.name = "application.healthy",
          .on = application,
          .says = "instances serve, stores included",
          .parameters = {instances},
          .by_hand = "curl -f http://INSTANCE/api/health   # every instance in ${region}",
          .deadline = 30s,
          .call_limit = 2s},
         look_healthy},
        {{.name = "application.hold-writes",
          .on = application,
          .says = "writes are held for the moment of the switch; reads are served",
          .effect = Effect::idempotent,
          .undo = "application.release-writes",
          .owes = {{"writes held", true, "writes of {target}@{region} are held"}},
          .by_hand = "PUT /admin/maintenance {\"mode\":\"hold\"}   # every instance in ${region}",
          .deadline = 5s,
          .call_limit = 2s},
         look_held,
         apply_held},
        {{.name = "application.refuse-writes",
          .on = application,
          .says = "maintenance mode: writes are refused, reads are served",
          .effect = Effect::idempotent,
          .undo = "application.release-writes",
          .owes = {{"writes held", true, "{target}@{region} is in maintenance mode"}},
          .by_hand = "PUT /admin/maintenance {\"mode\":\"refuse\"}   # every instance in ${region}",
          .deadline = 10s,
          .call_limit = 2s},
         look_refused,
         apply_refused},
        {{.name = "application.release-writes",
          .on = application,
          .says = "writes are accepted again",
          .effect = Effect::idempotent,
          .pays = {"writes held"},
          .by_hand = "PUT /admin/maintenance {\"mode\":\"off\"}   # every instance in ${region}",
          .deadline = 10s,
          .call_limit = 2s},
         look_released,
         apply_released},
        {{.name = "application.scale",
          .on = application,
          .says = "as many instances run and are ready as are wanted",
          .effect = Effect::idempotent,
          .parameters = {{"instances", P::integer, true, "", "how many should run"}},
          .by_hand = "start instances in ${region}",
          .deadline = 5min,
          .call_limit = 10s},
         look_scale,
         apply_scale},
        {{.name = "application.deploy",
          .on = application,
          .says = "every instance runs the release",
          .effect = Effect::idempotent,
          .parameters = {{"release", P::text, true, "", "the release"}},
          .undo = "application.deploy-back",
          .by_hand = "run the estate's deploy program for ${region} with release ${release}",
          .deadline = 10min,
          .call_limit = 5min},
         look_deploy,
         apply_deploy},
        {{.name = "application.deploy-back",
          .on = application,
          .says = "every instance runs the release that it ran before",
          .effect = Effect::idempotent,
          .by_hand = "run the estate's deploy program for ${region} with the release that ran before",
          .deadline = 10min,
          .call_limit = 5min},
         look_deploy_back,
         apply_deploy_back},
        {{.name = "application.probe",
          .on = application,
          .says = "a probe that the estate declares holds, with its evidence",
          .parameters = {{"probe", P::text, true, "", "name of the probe"},
                         {"public", P::flag, false, "false",
                          "through the public entrance instead of the region's instances"}},
          .by_hand = "run the requests that the estate lists under the probe",
          .deadline = 30s,
          .call_limit = 10s},
         look_probe},
    };
}

}  // namespace kedge
