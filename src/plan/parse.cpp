#include "plan/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/digest.h"
#include "plan/variables.h"

namespace kedge {
namespace {

constexpr std::array input_types = {
    std::pair{"region", InputType::region}, std::pair{"target", InputType::target},
    std::pair{"text", InputType::text},     std::pair{"integer", InputType::integer},
    std::pair{"number", InputType::number}, std::pair{"span", InputType::span},
    std::pair{"flag", InputType::flag},     std::pair{"choice", InputType::choice},
};

InputType input_type(std::string_view word) {
    for (const auto& [name, type] : input_types)
        if (word == name) return type;
    check(false, "the shape allows only types that there are");
    return {};
}

std::string text_of(const Json& object, std::string_view key) {
    return get_string(object, key).value_or("");
}

class PlanReader {
public:
    PlanReader(Reading reading, Mistakes& mistakes) : json_(std::move(reading.value)), mistakes_(mistakes) {
        plan_.places = std::move(reading.places);
    }

    Plan take() {
        plan_.name = text_of(json_, "plan");
        plan_.summary = text_of(json_, "summary");
        plan_.answers = texts(json_, "answers");
        plan_.owner = text_of(json_, "owner");
        plan_.review_by = text_of(json_, "review-by");
        plan_.drill = text_of(json_, "drill");
        for (const Json& link : get(json_, "links"))
            plan_.links.push_back({text_of(link, "title"), text_of(link, "to")});
        for (const auto& [name, input] : get(json_, "inputs").items()) read_input(name, input);
        plan_.gate = gate(json_, "");
        read_steps("steps", plan_.steps);
        read_steps("always", plan_.always);
        for (const auto& [obligation, says] : get(json_, "leaves").items())
            plan_.leaves.push_back({obligation, says.get<std::string>()});
        check_order();
        return std::move(plan_);
    }

private:
    Place at(const std::string& pointer) const { return plan_.places.value(pointer); }

    static std::vector<std::string> texts(const Json& object, std::string_view key) {
        std::vector<std::string> texts;
        for (const Json& item : get(object, key)) texts.push_back(item.get<std::string>());
        return texts;
    }

    static std::optional<Span> span(const Json& object, std::string_view key) {
        const auto written = get_string(object, key);
        return written ? std::optional{*parse_span(*written)} : std::nullopt;
    }

    void read_input(const std::string& name, const Json& json) {
        const std::string pointer = below("/inputs", name);
        Input input{name, input_type(text_of(json, "type")), texts(json, "choices"), get_string(json, "default"),
                    text_of(json, "says")};
        if ((input.type == InputType::choice) == input.choices.empty())
            mistakes_.add(plan_.places.key(pointer),
                          input.choices.empty() ? fmt::format("input `{}` has nothing to choose from", name)
                                                : fmt::format("input `{}` is no choice", name),
                          "`type: choice` and `choices` go together");
        if (input.type == InputType::choice && input.fallback &&
            std::ranges::find(input.choices, *input.fallback) == input.choices.end())
            mistakes_.add(at(below(pointer, "default")), fmt::format("`{}` cannot be chosen", *input.fallback),
                          suggestion(*input.fallback, input.choices));
        plan_.inputs.push_back(std::move(input));
    }

    std::optional<Gate> gate(const Json& parent, const std::string& parent_pointer) {
        const Json& json = get(parent, "gate");
        if (!json.is_object()) return std::nullopt;
        const std::string pointer = below(parent_pointer, "gate");
        Gate gate;
        gate.confirm = text_of(json, "confirm");
        gate.approvals = static_cast<int>(get_integer(json, "approvals").value_or(0));
        gate.roles = texts(json, "roles");
        gate.expires = span(json, "expires").value_or(gate.expires);
        gate.says = text_of(json, "says");
        if (gate.confirm.empty() && gate.approvals == 0)
            mistakes_.add(plan_.places.key(pointer), "a gate that asks nobody",
                          "give it `confirm`, `approvals` or both");
        check_text(gate.confirm, below(pointer, "confirm"));
        check_text(gate.says, below(pointer, "says"));
        return gate;
    }

    void read_steps(const std::string& list, std::vector<Step>& steps) {
        const Json& json = get(json_, list);
        for (std::size_t i = 0; i < json.size(); ++i)
            steps.push_back(read_step(json[i], below("/" + list, i), list, i));
    }

    Step read_step(const Json& json, std::string pointer, const std::string& list, std::size_t index) {
        Step step;
        step.pointer = std::move(pointer);
        step.line = at(step.pointer).line;
        step.id = text_of(json, "id");
        if (step.id.empty() && list == "always") step.id = fmt::format("always-{}", index + 1);
        if (step.id.empty()) mistakes_.add(at(step.pointer), "a step lacks `id`", "how others refer to it");
        step.title = text_of(json, "title");
        read_kind(json, step);
        step.on = text_of(json, "on");
        step.with = get(json, "with").is_object() ? get(json, "with") : Json::object();
        step.needs = texts(json, "needs");
        for (const auto& [input, value] : get(json, "when").items()) step.when[input] = value.get<std::string>();
        step.deadline = text_of(json, "deadline");
        step.steady = text_of(json, "steady");
        step.attempts = static_cast<int>(get_integer(json, "attempts").value_or(step.attempts));
        step.if_blocked = text_of(json, "if-blocked") == "ask" ? IfBlocked::ask : IfBlocked::stop;
        const std::string if_failed = text_of(json, "if-failed");
        step.if_failed = if_failed == "go-on"    ? IfFailed::go_on
                         : if_failed == "ignore" ? IfFailed::ignore
                                                 : IfFailed::stop;
        step.undo_on_failure = texts(json, "undo-on-failure");
        step.gate = gate(json, step.pointer);
        check_step(step);
        return step;
    }

    void read_kind(const Json& json, Step& step) {
        const std::array kinds = {std::pair{"check", StepKind::check}, std::pair{"do", StepKind::act},
                                  std::pair{"person", StepKind::person}};
        int given = 0;
        for (const auto& [key, kind] : kinds) {
            if (get(json, key).is_null()) continue;
            ++given;
            step.kind = kind;
            (kind == StepKind::person ? step.asks : step.action) = text_of(json, key);
        }
        if (given != 1)
            mistakes_.add(at(step.pointer),
                          fmt::format("{} has {} of `check`, `do` and `person`", name_of(step),
                                      given == 0 ? "none" : "more than one"),
                          "it needs exactly one");
    }

    static std::string name_of(const Step& step) {
        return step.id.empty() ? std::string{"the step"} : fmt::format("step `{}`", step.id);
    }

    // What a single step shows by itself.
    void check_step(const Step& step) {
        const auto mistake = [&](const char* field, const std::string& what, std::string hint = {}) {
            mistakes_.add(plan_.places.key(below(step.pointer, field)), name_of(step) + ' ' + what, std::move(hint));
        };
        if (step.kind == StepKind::person) {
            if (!step.on.empty()) mistake("on", "is a person's and acts on no target", "say it in `person`");
            if (!step.with.empty()) mistake("with", "is a person's and takes no parameters", "say it in `person`");
            if (step.deadline.empty()) mistake("", "has no deadline", "say by when a person must have done it");
        } else if (step.on.empty()) {
            mistake("", "lacks `on`", "`on: target@region`");
        }
        if (!step.steady.empty() && step.kind != StepKind::check) mistake("steady", "is no check and cannot be steady");
        if (step.if_blocked == IfBlocked::ask && step.kind == StepKind::person)
            mistake("if-blocked", "is a person's already");
        if (step.if_failed != IfFailed::stop && !step.undo_on_failure.empty())
            mistake("undo-on-failure", "lets the others go on when it fails", "leave out one of the two");
        for (const auto& [input, value] : step.when) check_condition(step, input, value);
        check_text(step.title, below(step.pointer, "title"));
        check_text(step.on, below(step.pointer, "on"));
        check_text(step.asks, below(step.pointer, "person"));
        check_open_span(step.deadline, below(step.pointer, "deadline"));
        check_open_span(step.steady, below(step.pointer, "steady"));
        check_texts(step.with, below(step.pointer, "with"));
    }

    void check_condition(const Step& step, const std::string& name, const std::string& value) {
        const std::string pointer = below(below(step.pointer, "when"), name);
        const Input* input = plan_.input(name);
        if (input == nullptr)
            return mistakes_.add(plan_.places.key(pointer), fmt::format("there is no input `{}`", name),
                                 suggestion(name, input_names()));
        std::vector<std::string> possible = input->choices;
        if (input->type == InputType::flag) possible = {"true", "false"};
        if (!possible.empty() && std::ranges::find(possible, value) == possible.end())
            mistakes_.add(at(pointer), fmt::format("input `{}` is never `{}`", name, value),
                          suggestion(value, possible));
    }

    void check_texts(const Json& json, const std::string& pointer) {
        if (json.is_object())
            for (const auto& [key, value] : json.items()) check_texts(value, below(pointer, key));
        else if (json.is_array())
            for (std::size_t i = 0; i < json.size(); ++i) check_texts(json[i], below(pointer, i));
        else if (json.is_string())
            check_text(json.get<std::string>(), pointer);
    }

    void check_open_span(const std::string& text, const std::string& pointer) {
        check_text(text, pointer);
        for (const std::string& name : variables_in(text))
            if (const Input* input = plan_.input(name); input != nullptr && input->type != InputType::span)
                mistakes_.add(at(pointer), fmt::format("input `{}` is no span", name), "give it `type: span`");
    }

    void check_text(const std::string& text, const std::string& pointer) {
        for (const std::string& name : variables_in(text))
            if (plan_.input(name) == nullptr)
                mistakes_.add(at(pointer), fmt::format("`${{{}}}` is no input", name), suggestion(name, input_names()));
    }

    std::vector<std::string> input_names() const {
        std::vector<std::string> names;
        for (const Input& input : plan_.inputs) names.push_back(input.name);
        return names;
    }

    // Ids are unique, what is needed exists, and nothing waits for itself.
    void check_order() {
        std::set<std::string> ids;
        std::vector<std::string> known;
        for (const auto* list : {&plan_.steps, &plan_.always})
            for (const Step& step : *list) {
                known.push_back(step.id);
                if (!step.id.empty() && !ids.insert(step.id).second)
                    mistakes_.add(at(below(step.pointer, "id")),
                                  fmt::format("`{}` is the id of another step too", step.id));
            }
        for (const auto* list : {&plan_.steps, &plan_.always})
            for (const Step& step : *list) {
                check_ids(step, "needs", step.needs, known);
                check_ids(step, "undo-on-failure", step.undo_on_failure, known);
            }
        // A plan's own gate is a step of the run, and that is its id.
        if (const Step* start = plan_.step("start"); plan_.gate && start != nullptr)
            mistakes_.add(at(below(start->pointer, "id")), "`start` is the id of the plan's gate", "choose another id");
        check_always();
        check_cycles();
    }

    void check_ids(const Step& step, const char* field, const std::vector<std::string>& ids,
                   const std::vector<std::string>& known) {
        for (std::size_t i = 0; i < ids.size(); ++i)
            if (std::ranges::find(known, ids[i]) == known.end())
                mistakes_.add(at(below(below(step.pointer, field), i)), fmt::format("there is no step `{}`", ids[i]),
                              suggestion(ids[i], known));
    }

    void check_always() {
        for (const Step& step : plan_.steps)
            for (std::size_t i = 0; i < step.needs.size(); ++i)
                if (std::ranges::find(plan_.always, step.needs[i], &Step::id) != plan_.always.end())
                    mistakes_.add(
                        at(below(below(step.pointer, "needs"), i)),
                        fmt::format("step `{}` needs `{}`, which is done last of all", step.id, step.needs[i]));
    }

    void check_cycles() {
        std::set<std::string> done;
        std::vector<std::string> way;
        for (const auto* list : {&plan_.steps, &plan_.always})
            for (const Step& step : *list) follow(step, way, done);
    }

    void follow(const Step& step, std::vector<std::string>& way, std::set<std::string>& done) {
        if (const auto again = std::ranges::find(way, step.id); again != way.end()) {
            mistakes_.add(plan_.places.key(below(step.pointer, "needs")),
                          fmt::format("step `{}` waits for itself: {} -> {}", step.id,
                                      fmt::join(again, way.end(), " -> "), step.id));
            return;
        }
        if (done.contains(step.id)) return;
        way.push_back(step.id);
        for (const std::string& id : step.needs)
            if (const Step* next = plan_.step(id)) follow(*next, way, done);
        way.pop_back();
        done.insert(step.id);
    }

    const Json json_;
    Mistakes& mistakes_;
    Plan plan_;
};

}  // namespace

const Input* Plan::input(std::string_view wanted) const {
    const auto found = std::ranges::find(inputs, wanted, &Input::name);
    return found != inputs.end() ? &*found : nullptr;
}

const Step* Plan::step(std::string_view id) const {
    for (const auto* list : {&steps, &always})
        if (const auto found = std::ranges::find(*list, id, &Step::id); found != list->end()) return &*found;
    return nullptr;
}

Parsed<Plan> parse_plan(const std::string& path, std::string_view text) {
    auto tree = parse_yaml(path, text);
    if (!tree) return tree.mistakes();
    Mistakes mistakes{path};
    Reading reading = read(*tree, plan_shape(), mistakes);
    if (!mistakes.empty()) return mistakes;
    Plan plan = PlanReader{std::move(reading), mistakes}.take();
    if (!mistakes.empty()) return mistakes;
    plan.path = path;
    plan.text = text;
    plan.digest = sha256_hex(text);
    return plan;
}

}  // namespace kedge
