#include "plan/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "plan/parameters.h"
#include "plan/variables.h"

namespace kedge {
namespace {

using namespace std::string_view_literals;

// The actions that the rules speak of. Their names are words that plans are written in, as fixed as the file's
// own fields.
constexpr std::array promoting = {"postgres.promote"sv};
constexpr std::string_view swapping = "recovery.promote";
constexpr std::array fences = {"postgres.fence"sv, "postgres.fenced"sv};
constexpr std::array fencing = {"postgres.fence"sv, "postgres.fenced"sv, "postgres.shut-down"sv};
constexpr std::array moving_the_primary = {"postgres.promote"sv, "postgres.switch-over"sv, swapping};
constexpr std::array database_proofs = {"postgres.canary"sv};
constexpr std::array application_proofs = {"application.healthy"sv, "application.probe"sv};
constexpr std::array opening_writes = {"application.release-writes"sv, "redis.resume-writes"sv, "postgres.unfence"sv};
constexpr std::string_view shifting = "traffic.shift";

// More combinations of conditions than this say that a plan should be two plans.
constexpr std::size_t combinations_max = 64;

template <std::size_t N>
bool is_one_of(const std::string& action, const std::array<std::string_view, N>& names) {
    return std::ranges::find(names, action) != names.end();
}

using Combination = std::map<std::string, std::string>;

class Linter {
public:
    Linter(const Plan& plan, Catalogue catalogue, Mistakes& mistakes)
        : plan_(plan), catalogue_(catalogue), mistakes_(mistakes) {
        for (const auto* list : {&plan.steps, &plan.always})
            for (const Step& step : *list) {
                steps_.push_back(&step);
                types_.push_back(find_action(catalogue, step.action));
            }
        for (std::size_t i = 0; i < steps_.size(); ++i) before_.push_back(ancestors(i));
    }

    void run() {
        for (std::size_t i = 0; i < steps_.size(); ++i)
            if (steps_[i]->kind != StepKind::person) check_action(i);
        check_undo();
        check_leaves();
        for (const Combination& combination : combinations()) {
            combination_ = combination;
            for (std::size_t i = 0; i < steps_.size(); ++i)
                if (active(i)) check_rules(i);
        }
    }

private:
    void mistake(std::size_t i, std::string_view field, std::string what, std::string hint = {}) {
        const std::string pointer = field.empty() ? steps_[i]->pointer : below(steps_[i]->pointer, field);
        mistakes_.add(field.empty() ? plan_.places.value(pointer) : plan_.places.key(pointer),
                      fmt::format("step `{}` {}", steps_[i]->id, what), std::move(hint));
    }

    std::size_t index_of(std::string_view id) const {
        for (std::size_t i = 0; i < steps_.size(); ++i)
            if (steps_[i]->id == id) return i;
        return steps_.size();
    }

    // Everything that is done before step `i` begins. The plan has no cycles: parsing has seen to it.
    std::set<std::size_t> ancestors(std::size_t i) const {
        std::set<std::size_t> all;
        std::vector<std::size_t> open{i};
        while (!open.empty()) {
            const std::size_t step = open.back();
            open.pop_back();
            for (const std::string& id : steps_[step]->needs) {
                const std::size_t need = index_of(id);
                if (need < steps_.size() && all.insert(need).second) open.push_back(need);
            }
        }
        return all;
    }

    // What one step shows by itself.

    void check_action(std::size_t i) {
        const Step& step = *steps_[i];
        const char* verb = step.kind == StepKind::check ? "check" : "do";
        if (types_[i] == nullptr) {
            std::vector<std::string> known;
            for (const ActionType& type : catalogue_) known.push_back(type.name);
            const std::string hint = suggestion(step.action, known);
            return mistake(i, verb, fmt::format("names no action: `{}`", step.action),
                           hint.starts_with("did") ? hint : "`kedge plan schema` lists them all");
        }
        const ActionType& type = *types_[i];
        if (step.kind == StepKind::check && type.effect != Effect::none)
            mistake(i, verb, fmt::format("checks with `{}`, which has an effect", type.name), "write `do:`");
        if (step.kind == StepKind::act && type.effect == Effect::none)
            mistake(i, verb, fmt::format("does `{}`, which only looks", type.name), "write `check:`");
        const Spot spot = spot_of(step.on);
        if (type.needs_region && spot.region.empty())
            mistake(i, "on", fmt::format("lacks the region that `{}` needs", type.name), "`on: target@region`");
        if (!type.needs_region && !spot.region.empty())
            mistake(i, "on", fmt::format("names a region that `{}` has no use for", type.name), "`on: target`");
        if (step.deadline.empty() && type.deadline <= Span{})
            mistake(i, "", fmt::format("has no deadline, and `{}` has none of its own", type.name));
        if (step.if_blocked == IfBlocked::ask && type.danger.empty())
            mistake(i, "if-blocked", fmt::format("asks people for a risk, but `{}` has none to take", type.name),
                    "leave `if-blocked` out");
        if (step.if_failed != IfFailed::stop && !type.owes.empty())
            mistake(i, "if-failed",
                    fmt::format("owes `{}`, so others cannot go on when it fails", type.owes.front().name));
        check_parameters(i);
    }

    void check_parameters(std::size_t i) {
        const Step& step = *steps_[i];
        const ActionType& type = *types_[i];
        std::vector<std::string> known;
        for (const Parameter& parameter : type.parameters) known.push_back(parameter.name);
        for (const auto& [name, value] : step.with.items()) {
            const auto parameter = std::ranges::find(type.parameters, name, &Parameter::name);
            if (parameter == type.parameters.end()) {
                mistakes_.add(plan_.places.key(below(below(step.pointer, "with"), name)),
                              fmt::format("`{}` has no parameter `{}`", type.name, name), suggestion(name, known));
                continue;
            }
            check_parameter(i, *parameter, value);
        }
        for (const Parameter& parameter : type.parameters)
            if (parameter.required && parameter.fallback.empty() && !step.with.contains(parameter.name))
                mistake(i, "with", fmt::format("lacks `{}`", parameter.name), parameter.says);
    }

    void check_parameter(std::size_t i, const Parameter& parameter, const Json& value) {
        const Place place = plan_.places.value(below(below(steps_[i]->pointer, "with"), parameter.name));
        const bool open = value.is_string() && !variables_in(value.get<std::string>()).empty();
        if (open && parameter.type != ParameterType::step) return;  // judged when the inputs are known
        const auto read = typed(value, parameter.type, nullptr);
        if (!read) return mistakes_.add(place, fmt::format("`{}`: {}", parameter.name, read.error().message));
        if (parameter.type != ParameterType::step) return;
        const auto id = value.get<std::string>();
        if (const std::size_t other = index_of(id); other == steps_.size())
            mistakes_.add(place, fmt::format("there is no step `{}`", id), suggestion(id, ids()));
        else if (!before_[i].contains(other))
            mistakes_.add(place, fmt::format("step `{}` is not done before `{}`", id, steps_[i]->id),
                          fmt::format("add it to `needs` of `{}`", steps_[i]->id));
    }

    std::vector<std::string> ids() const {
        std::vector<std::string> ids;
        for (const Step* step : steps_) ids.push_back(step->id);
        return ids;
    }

    void check_undo() {
        for (std::size_t i = 0; i < steps_.size(); ++i)
            for (const std::string& id : steps_[i]->undo_on_failure) {
                const std::size_t other = index_of(id);
                if (other < steps_.size() && types_[other] != nullptr && types_[other]->undo.empty())
                    mistake(i, "undo-on-failure", fmt::format("would take `{}` back, which cannot be", id));
            }
    }

    void check_leaves() {
        for (const Left& left : plan_.leaves) {
            const bool owed = std::ranges::any_of(types_, [&](const ActionType* type) {
                return type != nullptr &&
                       std::ranges::find(type->owes, left.obligation, &Obligation::name) != type->owes.end();
            });
            if (!owed)
                mistakes_.add(plan_.places.key(below("/leaves", left.obligation)),
                              fmt::format("no step owes `{}`", left.obligation), "leave it out");
        }
    }

    // What only the order shows, under the conditions of one combination of inputs.

    std::vector<Combination> combinations() {
        std::map<std::string, std::set<std::string>> values;
        for (const Step* step : steps_)
            for (const auto& [name, value] : step->when) values[name].insert(value);
        std::vector<Combination> all{{}};
        for (auto& [name, mentioned] : values) {
            const Input* input = plan_.input(name);
            if (input != nullptr && input->type == InputType::choice)
                mentioned.insert(input->choices.begin(), input->choices.end());
            else if (input != nullptr && input->type == InputType::flag)
                mentioned.insert({"true", "false"});
            else
                mentioned.insert("something else");
            std::vector<Combination> longer;
            for (const Combination& combination : all)
                for (const std::string& value : mentioned) {
                    longer.push_back(combination);
                    longer.back()[name] = value;
                }
            all = std::move(longer);
            if (all.size() <= combinations_max) continue;
            mistakes_.add(plan_.places.key("/steps"), "the conditions of the steps have too many combinations",
                          "make two plans of it");
            return {};
        }
        return all;
    }

    bool active(std::size_t i) const {
        return std::ranges::all_of(steps_[i]->when, [&](const auto& condition) {
            const auto found = combination_.find(condition.first);
            return found == combination_.end() || found->second == condition.second;
        });
    }

    std::string under() const {
        std::vector<std::string> parts;
        for (const auto& [name, value] : combination_) parts.push_back(name + "=" + value);
        return parts.empty() ? std::string{} : fmt::format(" (with {})", fmt::join(parts, ", "));
    }

    // Whether one of `actions` is done before step `i` at a place that `fits`; one that may fail proves nothing.
    template <std::size_t N, class Fits>
    bool done_before(std::size_t i, const std::array<std::string_view, N>& actions, Fits fits) const {
        return std::ranges::any_of(before_[i], [&](std::size_t other) {
            return active(other) && steps_[other]->if_failed == IfFailed::stop &&
                   is_one_of(steps_[other]->action, actions) && fits(spot_of(steps_[other]->on));
        });
    }

    void check_rules(std::size_t i) {
        const Step& step = *steps_[i];
        if (is_one_of(step.action, promoting)) check_promotion(i);
        if (step.action == swapping) check_swap(i);
        if (step.action == shifting) check_shift(i);
        if (is_one_of(step.action, opening_writes) && i >= plan_.steps.size()) check_reopening(i);
        if (types_[i] != nullptr)
            for (const Obligation& owed : types_[i]->owes) check_paid(i, owed);
    }

    void check_promotion(std::size_t i) {
        const Spot here = spot_of(steps_[i]->on);
        const auto other_site = [&](const Spot& spot) {
            return spot.target == here.target && spot.region != here.region;
        };
        if (!done_before(i, fencing, other_site))
            mistake(i, "do",
                    fmt::format("may make a second primary: nothing before it shows that `{}` cannot write elsewhere{}",
                                here.target, under()),
                    "let it need `postgres.fence`, `postgres.fenced` or `postgres.shut-down` of the other site");
    }

    void check_swap(std::size_t i) {
        const Spot here = spot_of(steps_[i]->on);
        const auto same_site = [&](const Spot& spot) {
            return spot.target == here.target && spot.region == here.region;
        };
        if (!done_before(i, fences, same_site))
            mistake(
                i, "do",
                fmt::format("replaces the data of `{}` under a server that may come back{}", steps_[i]->on, under()),
                "let it need `postgres.fence` or `postgres.fenced` of the same site");
    }

    bool moves_the_primary() const {
        for (std::size_t i = 0; i < steps_.size(); ++i)
            if (active(i) && is_one_of(steps_[i]->action, moving_the_primary)) return true;
        return false;
    }

    void check_shift(std::size_t i) {
        const auto anywhere = [](const Spot&) { return true; };
        if (moves_the_primary()) {
            if (!done_before(i, database_proofs, anywhere))
                mistake(i, "do",
                        fmt::format("sends users to a database that nobody has written to since it moved{}", under()),
                        "let it need `postgres.canary`");
        } else if (!done_before(i, application_proofs, anywhere) && !done_before(i, database_proofs, anywhere)) {
            mistake(i, "do", fmt::format("sends users where nobody has looked{}", under()),
                    "let it need `application.healthy`, `application.probe` or `postgres.canary`");
        }
    }

    void check_reopening(std::size_t i) {
        if (!moves_the_primary() || done_before(i, database_proofs, [](const Spot&) { return true; })) return;
        mistake(i, "do", fmt::format("opens writes at the end even on a database in doubt{}", under()),
                "let it need `postgres.canary`, or move it into `steps`");
    }

    void check_paid(std::size_t i, const Obligation& owed) {
        if (std::ranges::find(plan_.leaves, owed.name, &Left::obligation) != plan_.leaves.end()) return;
        const Spot here = spot_of(steps_[i]->on);
        for (std::size_t other = 0; other < steps_.size(); ++other) {
            if (types_[other] == nullptr || !active(other)) continue;
            if (std::ranges::find(types_[other]->pays, owed.name) == types_[other]->pays.end()) continue;
            const Spot there = spot_of(steps_[other]->on);
            if (there.target != here.target || (owed.by_site && there.region != here.region)) continue;
            if (other >= plan_.steps.size() || before_[other].contains(i)) return;
        }
        mistake(i, "do",
                fmt::format("owes `{}` for `{}` and no later step pays it{}", owed.name, steps_[i]->on, under()),
                "add the step that pays it, or say under `leaves` who does");
    }

    const Plan& plan_;
    const Catalogue catalogue_;
    Mistakes& mistakes_;
    std::vector<const Step*> steps_;        // those of `always` last
    std::vector<const ActionType*> types_;  // null for a person's step and an unknown action
    std::vector<std::set<std::size_t>> before_;
    Combination combination_;
};

}  // namespace

Spot spot_of(const std::string& on) {
    const std::size_t at = on.rfind('@');
    if (at == std::string::npos) return {on, {}};
    return {on.substr(0, at), on.substr(at + 1)};
}

void lint_plan(const Plan& plan, Catalogue catalogue, Mistakes& mistakes) {
    Linter{plan, catalogue, mistakes}.run();
}

}  // namespace kedge
