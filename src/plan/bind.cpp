#include "plan/bind.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/digest.h"
#include "plan/lint.h"
#include "plan/parameters.h"
#include "plan/variables.h"

namespace kedge {
namespace {

// How the value of an input is read; a choice is checked apart.
ParameterType as_parameter(InputType type) {
    switch (type) {
        case InputType::region: return ParameterType::region;
        case InputType::target: return ParameterType::target;
        case InputType::integer: return ParameterType::integer;
        case InputType::number: return ParameterType::number;
        case InputType::span: return ParameterType::span;
        case InputType::flag: return ParameterType::flag;
        case InputType::text:
        case InputType::choice: break;
    }
    return ParameterType::text;
}

// The action that runs what the estate declares under `probes`; its parameter has the first word's name.
constexpr std::string_view probing = "application.probe";

class Binder {
public:
    Binder(const Plan& plan, const Estate& estate, Catalogue catalogue, Mistakes& mistakes)
        : plan_(plan), estate_(estate), catalogue_(catalogue), mistakes_(mistakes) {}

    BoundPlan take(const std::map<std::string, std::string>& inputs) {
        bind_inputs(inputs);
        // Without its inputs nothing else can be judged.
        if (!mistakes_.empty()) return {};
        BoundPlan bound;
        bound.name = plan_.name;
        bound.summary = plan_.summary;
        bound.drill = plan_.drill;
        bound.inputs = values_;
        bound.gate = bind_gate(plan_.gate, "");
        std::set<std::string> changed;
        for (const auto* list : {&plan_.steps, &plan_.always})
            for (const Step& step : *list) {
                BoundStep next = bind_step(step, list == &plan_.always);
                if (changes_its_target(next)) changed.insert(next.target);
                bound.steps.push_back(std::move(next));
            }
        bound.targets.assign(changed.begin(), changed.end());
        bound.plan_digest = plan_.digest;
        Json pinned = Json::object();
        for (const auto& [name, value] : values_) pinned[name] = value;
        bound.inputs_digest = sha256_hex(dump(pinned));
        return bound;
    }

private:
    // What a run holds for itself alone. A channel is told things, not changed.
    static bool changes_its_target(const BoundStep& step) {
        return step.type != nullptr && step.kind == StepKind::act && step.skipped_because.empty() &&
               step.type->on != TargetKind::channel;
    }

    void bind_inputs(const std::map<std::string, std::string>& inputs) {
        std::vector<std::string> known;
        for (const Input& input : plan_.inputs) known.push_back(input.name);
        for (const auto& [name, value] : inputs)
            if (plan_.input(name) == nullptr)
                mistakes_.add({}, fmt::format("there is no input `{}`", name), suggestion(name, known));
        for (const Input& input : plan_.inputs) {
            const auto given = inputs.find(input.name);
            const auto here = estate_.inputs.find(input.name);
            if (given == inputs.end() && here == estate_.inputs.end() && !input.fallback) {
                mistakes_.add(
                    {}, fmt::format("input `{}` is missing", input.name),
                    fmt::format("--input {}={}", input.name, input.says.empty() ? "..." : "... (" + input.says + ")"));
                continue;
            }
            bind_input(input, given != inputs.end()          ? given->second
                              : here != estate_.inputs.end() ? here->second
                                                             : *input.fallback);
        }
    }

    void bind_input(const Input& input, const std::string& value) {
        if (input.type == InputType::choice && std::ranges::find(input.choices, value) == input.choices.end()) {
            mistakes_.add({}, fmt::format("input `{}` cannot be `{}`", input.name, value),
                          suggestion(value, input.choices));
            return;
        }
        const auto read = typed(Json(value), as_parameter(input.type), &estate_);
        if (!read) {
            mistakes_.add({}, fmt::format("input `{}`: {}", input.name, read.error().message), read.error().hint);
            return;
        }
        values_[input.name] = value;
    }

    std::string fill_in(const std::string& text) const {
        return substitute(text, [&](const std::string& name) {
            const auto found = values_.find(name);
            return found != values_.end() ? found->second : std::string{};
        });
    }

    Json fill_in(const Json& json) const {
        if (json.is_string()) return fill_in(json.get<std::string>());
        Json filled = json;
        for (auto& item : filled) item = fill_in(Json(item));
        return filled;
    }

    std::optional<Gate> bind_gate(const std::optional<Gate>& gate, const std::string& pointer) {
        if (!gate) return std::nullopt;
        Gate bound = *gate;
        bound.confirm = fill_in(bound.confirm);
        bound.says = fill_in(bound.says);
        const auto able = std::ranges::count_if(estate_.people, [&](const Person& person) {
            return !person.login.empty() &&
                   (bound.roles.empty() || std::ranges::find_first_of(person.roles, bound.roles) != person.roles.end());
        });
        if (able < bound.approvals)
            mistakes_.add(
                plan_.places.key(below(pointer, "gate")),
                fmt::format("{} must approve{}, but the estate has {} such with a login", bound.approvals,
                            bound.roles.empty() ? "" : fmt::format(" ({})", fmt::join(bound.roles, ", ")), able),
                "give more people of the estate that role and a login");
        return bound;
    }

    std::optional<Span> bind_span(const std::string& written, const std::string& pointer) {
        if (written.empty()) return std::nullopt;
        const auto span = parse_span(fill_in(written));
        if (span && *span > Span{}) return *span;
        mistakes_.add(plan_.places.value(pointer),
                      span ? std::string{"a span of nothing"} : fmt::format("`{}` is no span", fill_in(written)));
        return std::nullopt;
    }

    BoundStep bind_step(const Step& step, bool always) {
        BoundStep bound;
        bound.id = step.id;
        bound.title = fill_in(step.title);
        bound.kind = step.kind;
        bound.needs = step.needs;
        bound.steady = bind_span(step.steady, below(step.pointer, "steady"));
        bound.attempts = step.attempts;
        bound.if_blocked = step.if_blocked;
        bound.if_failed = step.if_failed;
        bound.undo_on_failure = step.undo_on_failure;
        bound.gate = bind_gate(step.gate, step.pointer);
        bound.asks = fill_in(step.asks);
        bound.always = always;
        for (const auto& [name, value] : step.when)
            if (values_.at(name) != value)
                bound.skipped_because = fmt::format("{} is `{}`, not `{}`", name, values_.at(name), value);
        const std::optional<Span> deadline = bind_span(step.deadline, below(step.pointer, "deadline"));
        if (step.kind == StepKind::person) {
            bound.deadline = deadline.value_or(Span{});
            return bound;
        }
        bound.type = find_action(catalogue_, step.action);
        if (bound.type == nullptr) return bound;  // told by lint_plan
        bound.deadline = deadline.value_or(bound.type->deadline);
        if (bound.steady && *bound.steady >= bound.deadline)
            mistakes_.add(plan_.places.key(below(step.pointer, "steady")),
                          fmt::format("step `{}` must hold for as long as its deadline, and so never passes", step.id),
                          fmt::format("steady {}, deadline {}", to_string(*bound.steady), to_string(bound.deadline)));
        bind_target(step, bound);
        bind_parameters(step, bound);
        if (step.action == probing) check_probe(step, bound);
        return bound;
    }

    void bind_target(const Step& step, BoundStep& bound) {
        const Spot spot = spot_of(fill_in(step.on));
        bound.target = spot.target;
        bound.region = spot.region;
        const Place place = plan_.places.value(below(step.pointer, "on"));
        const Target* target = estate_.target(spot.target);
        if (target == nullptr) {
            std::vector<std::string> known;
            for (const Target& one : estate_.targets)
                if (one.kind == bound.type->on) known.push_back(one.name);
            return mistakes_.add(place, fmt::format("the estate has no target `{}`", spot.target),
                                 suggestion(spot.target, known));
        }
        if (target->kind != bound.type->on)
            mistakes_.add(place,
                          fmt::format("`{}` acts on a target of kind {}, and `{}` is of kind {}", bound.type->name,
                                      to_string(bound.type->on), target->name, to_string(target->kind)));
        if (bound.type->needs_region && !spot.region.empty() && target->site(spot.region) == nullptr) {
            std::vector<std::string> known;
            for (const Site& site : target->sites) known.push_back(site.region);
            mistakes_.add(place, fmt::format("`{}` has no site in `{}`", target->name, spot.region),
                          suggestion(spot.region, known));
        }
    }

    void bind_parameters(const Step& step, BoundStep& bound) {
        Json with = Json::object();
        for (const Parameter& parameter : bound.type->parameters) {
            const std::string pointer = below(below(step.pointer, "with"), parameter.name);
            const Json& written = get(step.with, parameter.name);
            if (written.is_null() && parameter.fallback.empty()) continue;
            const Json value = written.is_null() ? Json(parameter.fallback) : fill_in(written);
            const auto read = typed(value, parameter.type, &estate_);
            if (read)
                with[parameter.name] = *read;
            else
                mistakes_.add(plan_.places.value(pointer),
                              fmt::format("`{}`: {}", parameter.name, read.error().message), read.error().hint);
        }
        bound.with = std::move(with);
    }

    void check_probe(const Step& step, const BoundStep& bound) {
        const Target* target = estate_.target(bound.target);
        const auto name = get_string(bound.with, "probe");
        if (target == nullptr || !name) return;
        std::vector<std::string> known;
        const Json probes = target->settings.section("probes").json();
        for (const auto& [probe, declared] : probes.items()) known.push_back(probe);
        if (!probes.contains(*name))
            mistakes_.add(plan_.places.value(below(below(step.pointer, "with"), "probe")),
                          fmt::format("`{}` declares no probe `{}`", target->name, *name), suggestion(*name, known));
    }

    const Plan& plan_;
    const Estate& estate_;
    const Catalogue catalogue_;
    Mistakes& mistakes_;
    std::map<std::string, std::string> values_;
};

}  // namespace

const BoundStep* BoundPlan::step(std::string_view id) const {
    const auto found = std::ranges::find(steps, id, &BoundStep::id);
    return found != steps.end() ? &*found : nullptr;
}

Parsed<BoundPlan> bind_plan(const Plan& plan, const std::map<std::string, std::string>& inputs, const Estate& estate,
                            Catalogue catalogue) {
    Mistakes mistakes{plan.path};
    lint_plan(plan, catalogue, mistakes);
    Mistakes of_binding{plan.path};
    BoundPlan bound = Binder{plan, estate, catalogue, of_binding}.take(inputs);
    for (const Mistake& mistake : of_binding.list()) mistakes.add(mistake.place, mistake.what, mistake.hint);
    if (!mistakes.empty()) return mistakes;
    return bound;
}

std::vector<std::string> unarmed_targets(const BoundPlan& plan, const Estate& estate) {
    std::vector<std::string> unarmed;
    for (const std::string& name : plan.targets)
        if (const Target* target = estate.target(name); target != nullptr && !target->armed) unarmed.push_back(name);
    return unarmed;
}

}  // namespace kedge
