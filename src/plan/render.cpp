#include "plan/render.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/lint.h"
#include "plan/variables.h"

namespace kedge {
namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;

class Renderer {
public:
    Renderer(const Plan& plan, Catalogue catalogue, const RenderOptions& options)
        : plan_(plan), catalogue_(catalogue), options_(options) {}

    Runbook take() {
        Runbook runbook;
        runbook.title = plan_.name;
        runbook.summary = fill_in(plan_.summary);
        runbook.facts = head();
        for (const Step& step : plan_.steps)
            runbook.steps.push_back(part(step, fmt::format("{}. ", runbook.steps.size() + 1)));
        for (const Step& step : plan_.always) runbook.at_the_end.push_back(part(step, ""));
        return runbook;
    }

private:
    std::string fill_in(const std::string& text) const {
        return substitute(text, [&](const std::string& name) {
            const auto given = options_.inputs.find(name);
            return given != options_.inputs.end() ? given->second : "<" + name + ">";
        });
    }

    static void add(Facts& facts, std::string label, std::string text) {
        if (!text.empty()) facts.emplace_back(std::move(label), std::move(text));
    }

    Facts head() const {
        Facts facts;
        add(facts, "answers", fmt::format("{}", fmt::join(plan_.answers, ", ")));
        add(facts, "owner", plan_.owner);
        const bool overdue = !options_.today.empty() && plan_.review_by < options_.today;
        add(facts, "review by", plan_.review_by + (overdue ? "  OVERDUE" : ""));
        add(facts, "drill", plan_.drill);
        for (const Input& input : plan_.inputs) add(facts, "input " + input.name, describe(input));
        if (plan_.gate) add(facts, "asks first", describe(*plan_.gate));
        for (const Left& left : plan_.leaves) add(facts, "leaves " + left.obligation, fill_in(left.says));
        for (const Link& link : plan_.links) add(facts, "see", link.title + " (" + link.to + ")");
        return facts;
    }

    std::string describe(const Input& input) const {
        std::string text = input.says;
        const auto given = options_.inputs.find(input.name);
        if (!input.choices.empty()) text += fmt::format(" [{}]", fmt::join(input.choices, ", "));
        if (given != options_.inputs.end())
            text = given->second + (text.empty() ? "" : ": " + text);
        else if (input.fallback)
            text += fmt::format(" (if not given: {})", *input.fallback);
        return text;
    }

    std::string describe(const Gate& gate) const {
        std::vector<std::string> parts;
        if (!gate.confirm.empty()) parts.push_back(fmt::format("type `{}`", fill_in(gate.confirm)));
        if (gate.approvals > 0)
            parts.push_back(fmt::format("{} {}{}", gate.approvals, gate.approvals == 1 ? "approval" : "approvals",
                                        gate.roles.empty() ? "" : fmt::format(" ({})", fmt::join(gate.roles, " or "))));
        parts.push_back("open for " + to_string(gate.expires));
        return fmt::format("{}. {}", fmt::join(parts, ", "), fill_in(gate.says));
    }

    RunbookPart part(const Step& step, const std::string& number) const {
        RunbookPart part;
        const ActionType* type = find_action(catalogue_, step.action);
        part.heading = number + (step.title.empty() ? step.id : fill_in(step.title));
        add(part.facts, "step", step.id);
        add(part.facts, "after", fmt::format("{}", fmt::join(step.needs, ", ")));
        for (const auto& [input, value] : step.when) add(part.facts, "only if", input + " is " + value);
        if (step.gate) add(part.facts, "asks first", describe(*step.gate));
        if (step.kind == StepKind::person)
            add(part.facts, "a person", fill_in(step.asks));
        else
            add(part.facts, step.kind == StepKind::check ? "checks" : "does", action_line(step, type));
        const Json with = parameters(step, type);
        add(part.facts, "with", listed(with));
        if (type != nullptr) add_type(part, step, *type, with);
        add(part.facts, "holds for", fill_in(step.steady));
        add(part.facts, "deadline",
            !step.deadline.empty() ? fill_in(step.deadline)
            : type != nullptr      ? to_string(type->deadline)
                                   : "");
        if (step.if_failed == IfFailed::go_on)
            add(part.facts, "if it fails", "the others go on; the run has failed in the end");
        if (step.if_failed == IfFailed::ignore) add(part.facts, "if it fails", "the run goes on without it");
        if (!step.undo_on_failure.empty())
            add(part.facts, "if it fails",
                fmt::format("{} taken back, then a person decides", fmt::join(step.undo_on_failure, ", ")));
        const auto took = options_.last_took.find(step.id);
        add(part.facts, "last took", took != options_.last_took.end() ? readable(took->second) : "not measured yet");
        return part;
    }

    std::string action_line(const Step& step, const ActionType* type) const {
        return fmt::format("{} on {}{}{}", step.action, fill_in(step.on), type != nullptr ? ": " : "",
                           type != nullptr ? type->says : "");
    }

    // What is given, and what stands for what is not.
    Json parameters(const Step& step, const ActionType* type) const {
        Json all = step.with;
        if (type != nullptr)
            for (const Parameter& parameter : type->parameters)
                if (!all.contains(parameter.name) && !parameter.fallback.empty())
                    all[parameter.name] = parameter.fallback;
        return all;
    }

    std::string listed(const Json& with) const {
        std::string text;
        for (const auto& [name, value] : with.items())
            text += fmt::format("{}{} = {}", text.empty() ? "" : "; ", name,
                                fill_in(value.is_string() ? value.get<std::string>() : dump(value)));
        return text;
    }

    void add_type(RunbookPart& part, const Step& step, const ActionType& type, const Json& with) const {
        if (type.point_of_no_return) add(part.facts, "point of no return", "from here on the run only goes forward");
        if (step.if_blocked == IfBlocked::ask)
            add(part.facts, "if blocked", "two people may take the risk: " + type.danger);
        for (const Obligation& owed : type.owes) add(part.facts, "owes", owed.name);
        if (!type.pays.empty()) add(part.facts, "pays", fmt::format("{}", fmt::join(type.pays, ", ")));
        if (type.effect != Effect::none) add(part.facts, "undo", type.undo.empty() ? "none" : type.undo);
        if (type.by_hand.empty()) return;
        const Spot spot = spot_of(fill_in(step.on));
        part.by_hand.push_back(substitute(type.by_hand, [&](const std::string& name) {
            if (name == "target") return spot.target;
            if (name == "region") return spot.region;
            const Json& value = get(with, name);
            return value.is_string() ? fill_in(value.get<std::string>()) : "<" + name + ">";
        }));
    }

    const Plan& plan_;
    const Catalogue catalogue_;
    const RenderOptions& options_;
};

// `text` in lines of at most `width` columns, all but the first behind `indent` blanks. A word is never cut.
std::string wrapped(const std::string& text, std::size_t indent, std::size_t width) {
    std::string result;
    std::size_t column = indent;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        const std::string word = text.substr(at, end - at);
        if (column > indent && column + 1 + word.size() > width) {
            result += '\n' + std::string(indent, ' ');
            column = indent;
        } else if (column > indent) {
            result += ' ';
            ++column;
        }
        result += word;
        column += word.size();
        at = end + 1;
    }
    return result;
}

constexpr std::size_t label_width = 20;

void print_facts(std::string& out, const Facts& facts, std::size_t indent, std::size_t width) {
    for (const auto& [label, text] : facts) {
        const std::size_t column = indent + std::max(label_width, label.size() + 2);
        out += fmt::format("{:{}}{:{}}{}\n", "", indent, label, column - indent, wrapped(text, column, width));
    }
}

void print_text(std::string& out, const std::vector<RunbookPart>& parts, std::size_t width) {
    for (const RunbookPart& part : parts) {
        out += '\n' + wrapped(part.heading, 0, width) + '\n';
        print_facts(out, part.facts, 4, width);
        for (const std::string& line : part.by_hand)
            out += fmt::format("    {:{}}$ {}\n", "by hand", label_width, line);
    }
}

std::string escaped(std::string text) {
    for (std::size_t at = 0; (at = text.find_first_of("|<", at)) != std::string::npos; at += 2) text.insert(at, "\\");
    return text;
}

void print_markdown(std::string& out, const std::vector<RunbookPart>& parts, const char* level) {
    for (const RunbookPart& part : parts) {
        out += fmt::format("\n{} {}\n\n", level, escaped(part.heading));
        for (const auto& [label, text] : part.facts) out += fmt::format("- **{}:** {}\n", label, escaped(text));
        if (part.by_hand.empty()) continue;
        out += "\nBy hand:\n\n```\n";
        for (const std::string& line : part.by_hand) out += line + '\n';
        out += "```\n";
    }
}

Json json_of(const Facts& facts) {
    Json list = Json::array();
    for (const auto& [label, text] : facts) list.push_back({{"label", label}, {"text", text}});
    return list;
}

Json json_of(const std::vector<RunbookPart>& parts) {
    Json list = Json::array();
    for (const RunbookPart& part : parts)
        list.push_back({{"heading", part.heading}, {"facts", json_of(part.facts)}, {"by_hand", part.by_hand}});
    return list;
}

}  // namespace

Runbook runbook_of(const Plan& plan, Catalogue catalogue, const RenderOptions& options) {
    return Renderer{plan, catalogue, options}.take();
}

std::string as_text(const Runbook& runbook, std::size_t width) {
    std::string out = fmt::format("{}\n{}\n\n", runbook.title, wrapped(runbook.summary, 0, width));
    print_facts(out, runbook.facts, 0, width);
    print_text(out, runbook.steps, width);
    if (!runbook.at_the_end.empty()) out += "\nAt the end, whatever happened:\n";
    print_text(out, runbook.at_the_end, width);
    return out;
}

std::string as_markdown(const Runbook& runbook) {
    std::string out = fmt::format("# {}\n\n{}\n\n", runbook.title, escaped(runbook.summary));
    for (const auto& [label, text] : runbook.facts) out += fmt::format("- **{}:** {}\n", label, escaped(text));
    out += "\n## Steps\n";
    print_markdown(out, runbook.steps, "###");
    if (!runbook.at_the_end.empty()) out += "\n## At the end, whatever happened\n";
    print_markdown(out, runbook.at_the_end, "###");
    return out;
}

Json as_json(const Runbook& runbook) {
    return Json{{"title", runbook.title},
                {"summary", runbook.summary},
                {"facts", json_of(runbook.facts)},
                {"steps", json_of(runbook.steps)},
                {"at_the_end", json_of(runbook.at_the_end)}};
}

}  // namespace kedge
