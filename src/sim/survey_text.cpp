// A survey for people, for programs, and as a page with plots.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/survey.h"

namespace kedge::sim {
namespace {

constexpr std::size_t bars = 10, bar_width = 40, steps_shown = 8;

struct Bar {
    Span from{}, to{};
    std::size_t count = 0;
};

std::vector<Bar> histogram(const Spread& spread) {
    std::vector<Bar> found;
    if (spread.empty()) return found;
    const Span least = spread.spans().front(), most = spread.spans().back();
    const std::size_t count = least == most ? 1 : bars;
    const Span width = (most - least) / static_cast<std::int64_t>(count) + Span{1};
    for (std::size_t i = 0; i < count; ++i) {
        const Span from = least + width * static_cast<std::int64_t>(i);
        found.push_back({from, from + width, 0});
    }
    for (const Span span : spread.spans()) ++found[static_cast<std::size_t>((span - least) / width)].count;
    return found;
}

std::string spread_row(const char* name, const Spread& spread, std::optional<Span> objective) {
    if (spread.empty()) return fmt::format("  {:<22} not measured\n", name);
    return fmt::format("  {:<22} {:>9} {:>9} {:>9} {:>9}   {}\n", name, readable(spread.at_percentile(50)),
                       readable(spread.at_percentile(95)), readable(spread.at_percentile(99)),
                       readable(spread.spans().back()), objective ? readable(*objective) : "");
}

Json spread_json(const Spread& spread) {
    if (spread.empty()) return nullptr;
    return {{"measured", spread.size()},
            {"median_seconds", seconds(spread.at_percentile(50))},
            {"p95_seconds", seconds(spread.at_percentile(95))},
            {"p99_seconds", seconds(spread.at_percentile(99))},
            {"worst_seconds", seconds(spread.spans().back())}};
}

std::vector<const StepShare*> slowest(const Survey& survey) {
    std::vector<const StepShare*> steps;
    for (const StepShare& share : survey.steps)
        if (!share.takes.empty()) steps.push_back(&share);
    std::ranges::sort(steps, [](const StepShare* a, const StepShare* b) { return a->sum > b->sum; });
    if (steps.size() > steps_shown) steps.resize(steps_shown);
    return steps;
}

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '<')
            safe += "&lt;";
        else if (c == '>')
            safe += "&gt;";
        else if (c == '&')
            safe += "&amp;";
        else
            safe += c;
    }
    return safe;
}

std::string plot(const char* title, const Spread& spread) {
    const std::vector<Bar> all = histogram(spread);
    std::size_t most = 1;
    for (const Bar& bar : all) most = std::max(most, bar.count);
    std::string svg = fmt::format("<h2>{}</h2><svg width='640' height='{}' role='img' aria-label='{}'>", title,
                                  all.size() * 24, title);
    for (std::size_t i = 0; i < all.size(); ++i)
        svg += fmt::format(
            "<text x='150' y='{0}' text-anchor='end'>{1} to {2}</text><rect x='160' y='{3}' width='{4}' height='18'/>"
            "<text x='{5}' y='{0}'>{6}</text>",
            i * 24 + 15, readable(all[i].from), readable(all[i].to), i * 24 + 1, all[i].count * 400 / most,
            all[i].count * 400 / most + 166, all[i].count);
    return svg + "</svg>\n";
}

}  // namespace

std::string as_text(const Survey& survey) {
    const auto percent = [&](std::uint64_t part) {
        return 100.0 * static_cast<double>(part) / static_cast<double>(std::max<std::uint64_t>(1, survey.disasters));
    };
    std::string text = fmt::format(
        "{} disasters of {} in {}, from seed {}\n\n"
        "  recovered                   {:>8}  {:5.1f} %   the plan did what it is for\n"
        "  stopped safely              {:>8}  {:5.1f} %   it turned back, failed in the open, or waits for a person\n"
        "  broke a promise             {:>8}  {:5.1f} %\n",
        survey.disasters, survey.plan, survey.estate, survey.seed, survey.recovered, percent(survey.recovered),
        survey.stopped, percent(survey.stopped), survey.broken, percent(survey.broken));
    for (const auto& [how, count] : survey.stopped_by) text += fmt::format("    stopped: {} {}\n", count, how);
    for (const auto& [what, count] : survey.broken_by) text += fmt::format("    broken: {} \"{}\"\n", count, what);
    if (survey.alone > 0)
        text += fmt::format("  nothing else went wrong     {:>8}           in {} of them the plan needed no help\n",
                            survey.alone, survey.answered_alone);
    for (const auto& [where, count] : survey.failed_at) text += fmt::format("    failed: {} at {}\n", count, where);
    text += fmt::format("\n  {:<22} {:>9} {:>9} {:>9} {:>9}   objective ({})\n", "", "median", "p95", "p99", "worst",
                        survey.tier.empty() ? "none" : survey.tier);
    const auto rto = survey.tier.empty() ? std::nullopt : std::optional{survey.rto_objective};
    const auto rpo = survey.tier.empty() ? std::nullopt : std::optional{survey.rpo_objective};
    text += spread_row("RTO from the fault", survey.onset, rto);
    text += spread_row("RTO from declaration", survey.declaration, {});
    text += spread_row("outage users felt", survey.outage, {});
    text += spread_row("RPO of the database", survey.rpo, rpo);
    if (const std::vector<Bar> all = histogram(survey.onset); !all.empty()) {
        text += "\n  RTO from the fault\n";
        std::size_t most = 1;
        for (const Bar& bar : all) most = std::max(most, bar.count);
        for (const Bar& bar : all)
            text += fmt::format("  {:>9} {:<{}} {}\n", readable(bar.from),
                                std::string((bar.count * bar_width + most - 1) / most, '#'), bar_width, bar.count);
    }
    text += survey.measured.empty()
                ? "\n  step durations: as the models have them, no past run of this plan was measured\n"
                : fmt::format(
                      "\n  step durations: {} of {} steps as past runs measured them, the others as the models "
                      "have them\n",
                      survey.measured.size(), survey.steps.size());
    if (const auto steps = slowest(survey); !steps.empty()) {
        text += "\n  where the time goes                      median       p95\n";
        for (const StepShare* share : steps)
            text += fmt::format("  {:<38} {:>8}  {:>8}\n", share->id, readable(share->takes.at_percentile(50)),
                                readable(share->takes.at_percentile(95)));
    }
    if (survey.unrepeatable > 0)
        text += fmt::format("\n  {} of {} repeated disasters went another way: this is a defect of the simulator\n",
                            survey.unrepeatable, survey.repeated);
    for (const Outcome& outcome : survey.stories)
        text += fmt::format("\nSeed {}, with the fewest faults that it needs:\n{}", outcome.seed, outcome.story);
    return text;
}

Json as_json(const Survey& survey) {
    Json faults = Json::array();
    for (std::size_t i = 0; i < survey.drawn.size(); ++i)
        faults.push_back({{"fault", all_faults()[i].name}, {"drawn", survey.drawn[i]}, {"fired", survey.fired[i]}});
    Json steps = Json::array();
    for (const StepShare* share : slowest(survey))
        steps.push_back({{"step", share->id}, {"takes", spread_json(share->takes)}});
    Json stories = Json::array();
    for (const Outcome& outcome : survey.stories) {
        Json names = Json::array();
        for (const std::size_t fault : outcome.faults) names.push_back(all_faults()[fault].name);
        stories.push_back({{"seed", outcome.seed},
                           {"promise", outcome.broken.empty() ? "" : outcome.broken.front().invariant},
                           {"faults", names},
                           {"story", outcome.story}});
    }
    Json json = {
        {"plan", survey.plan},           {"estate", survey.estate},       {"seed", survey.seed},
        {"disasters", survey.disasters}, {"recovered", survey.recovered}, {"stopped", survey.stopped},
        {"broken", survey.broken},       {"repeated", survey.repeated},   {"unrepeatable", survey.unrepeatable}};
    json["promises_broken"] = Json::object();
    for (const auto& [what, count] : survey.broken_by) json["promises_broken"][what] = count;
    json["failed_at"] = Json::object();
    for (const auto& [where, count] : survey.failed_at) json["failed_at"][where] = count;
    json["alone"] = survey.alone;
    json["answered_alone"] = survey.answered_alone;
    json["durations"] = {{"from_past_runs", survey.measured}, {"others", "models"}};
    json["rto_from_onset"] = spread_json(survey.onset);
    json["rto_from_declaration"] = spread_json(survey.declaration);
    json["outage"] = spread_json(survey.outage);
    json["rpo"] = spread_json(survey.rpo);
    json["percentile"] = survey.percentile;
    json["objectives"] = survey.tier.empty() ? Json(nullptr)
                                             : Json{{"tier", survey.tier},
                                                    {"rto_seconds", seconds(survey.rto_objective)},
                                                    {"rpo_seconds", seconds(survey.rpo_objective)},
                                                    {"met", survey.objectives_met()}};
    json["steps"] = steps;
    json["faults"] = faults;
    json["stories"] = stories;
    json["simulated_seconds"] = seconds(survey.simulated);
    return json;
}

std::string as_html(const Survey& survey) {
    std::string html = fmt::format(
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Disasters of {0}</title>"
        "<style>body{{font:15px sans-serif;max-width:60rem;margin:2rem auto}}pre{{background:#f4f4f4;padding:1rem;"
        "overflow:auto}}rect{{fill:#27628f}}text{{font-size:12px}}</style><h1>Disasters of {0}</h1>\n",
        escaped(survey.plan));
    html += fmt::format("<pre>{}</pre>\n", escaped(as_text(survey)));
    html += plot("Recovery time from the fault", survey.onset) + plot("Outage that users felt", survey.outage) +
            plot("Age of the oldest row that was lost", survey.rpo);
    html += "<h2>Faults</h2><table><tr><th>fault</th><th>drawn</th><th>fired</th></tr>";
    for (std::size_t i = 0; i < survey.drawn.size(); ++i)
        html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>", all_faults()[i].name, survey.drawn[i],
                            survey.fired[i]);
    return html + "</table></html>\n";
}

}  // namespace kedge::sim
