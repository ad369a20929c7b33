#include "response/drill_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace kedge {
namespace {

using namespace std::chrono;

constexpr std::string_view not_measured = "not measured";

std::string day(Moment moment) {
    return to_string(moment).substr(0, 10);
}
std::string clock_time(Moment moment) {
    return to_string(moment).substr(11, 12);
}
std::string or_unknown(const std::optional<Span>& span) {
    return span ? readable(*span) : std::string(not_measured);
}

std::optional<Span> between(const std::optional<Moment>& from, const std::optional<Moment>& to) {
    if (!from || !to) return std::nullopt;
    return *to - *from;
}

// One figure against its objective, as the template's table has it.
struct Metric {
    std::string name, target, actual;
    std::optional<bool> met;
};

std::string word(std::optional<bool> met) {
    return !met ? "NOT MEASURED" : *met ? "PASS" : "FAIL";
}

std::optional<Span> worst_rpo(const DrillRecord& record) {
    std::optional<Span> worst = Span{0};
    for (const StoreOutcome& store : record.stores) {
        if (!store.loss || !store.loss->rpo) return std::nullopt;
        worst = std::max(*worst, *store.loss->rpo);
    }
    return record.stores.empty() ? std::nullopt : worst;
}

std::vector<Metric> metrics(const DrillRecord& record) {
    const std::optional<Span> onset = between(record.fault_at, record.verified_at);
    const std::optional<Span> declared = between(record.declared_at, record.verified_at);
    const std::optional<Span> rpo = worst_rpo(record);
    const std::optional<Integrity> kept = integrity(record);
    std::vector<Metric> rows;
    const std::string rto_target = "< " + readable(record.rto_objective);
    rows.push_back({"RTO (from the fault)", rto_target, or_unknown(onset),
                    onset ? std::optional(*onset <= record.rto_objective) : std::nullopt});
    rows.push_back({"RTO (from the declaration)", rto_target, or_unknown(declared),
                    declared ? std::optional(*declared <= record.rto_objective) : std::nullopt});
    rows.push_back({"RPO", "< " + readable(record.rpo_objective), or_unknown(rpo),
                    rpo ? std::optional(*rpo <= record.rpo_objective) : std::nullopt});
    if (kept && kept->acknowledged > 0)
        rows.push_back(
            {"Data Integrity", "100%",
             fmt::format("{:.4f}% ({} of {} acknowledged writes lost without having been announced as at risk{})",
                         100.0 * static_cast<double>(kept->acknowledged - kept->unannounced) /
                             static_cast<double>(kept->acknowledged),
                         kept->unannounced, kept->acknowledged,
                         kept->announced == 0 ? "" : fmt::format("; {} lost that were", kept->announced)),
             kept->unannounced == 0});
    else
        rows.push_back({"Data Integrity", "100%", std::string(not_measured), std::nullopt});
    return rows;
}

std::string mark(Check check) {
    return check == Check::done ? "x" : check == Check::failed ? "!" : " ";
}

// Text that stands in a table cell.
std::string cell(std::string text) {
    for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2))
        text.replace(at, 1, "\\|");
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

std::string store_line(const StoreOutcome& store) {
    const std::string outage = !store.outage          ? "none seen"
                               : store.outage->span() ? readable(*store.outage->span())
                                                      : "not over";
    if (!store.loss)
        return fmt::format("| {} | {} | {} | {} | {} | {} |\n", store.name, store.tier, outage, not_measured,
                           not_measured, not_measured);
    const std::int64_t late = store.loss->acknowledged_after_fault;
    const std::string lost =
        store.loss->rows == 0
            ? "0"
            : fmt::format("{} ({}{})", store.loss->rows, readable(store.loss->missing),
                          late == 0 ? "" : fmt::format("; {} acknowledged after the fault by the side cut off", late));
    const std::string announced = store.announced_by.empty()
                                      ? "nothing announced"
                                      : fmt::format("up to {} ({})", readable(store.announced), store.announced_by);
    return fmt::format("| {} | {} | {} | {} of {} | {} | {} |\n", store.name, store.tier, outage, lost,
                       store.loss->acknowledged, or_unknown(store.loss->rpo), announced);
}

}  // namespace

std::string_view to_string(DrillResult result) {
    return result == DrillResult::pass ? "PASS" : result == DrillResult::partial ? "PARTIAL" : "FAIL";
}

std::optional<Integrity> integrity(const DrillRecord& record) {
    Integrity all;
    for (const StoreOutcome& store : record.stores) {
        if (!store.loss) return std::nullopt;
        all.acknowledged += store.loss->acknowledged;
        if (store.loss->rows == 0) continue;
        // What is announced is a span of time. The loss has one, too, which counts what a side that was cut off
        // went on to acknowledge after the fault; without it nothing is known to be within.
        const bool within = store.loss->rpo && *store.loss->rpo <= store.announced;
        (within ? all.announced : all.unannounced) += store.loss->rows;
    }
    if (record.stores.empty()) return std::nullopt;
    return all;
}

DrillResult judge(const DrillRecord& record) {
    bool open = !record.issues.empty();
    for (const Metric& metric : metrics(record)) {
        if (metric.met == false) return DrillResult::fail;
        open = open || !metric.met;
    }
    for (const ServiceOutcome& service : record.services) {
        if (service.rto && *service.rto > service.rto_objective) return DrillResult::fail;
        open = open || !service.rto;
    }
    for (const StoreOutcome& store : record.stores) {
        if (store.loss && store.loss->rpo && *store.loss->rpo > store.rpo_objective) return DrillResult::fail;
        open = open || !store.loss || !store.loss->rpo || (store.outage && !store.outage->over);
    }
    for (const ChecklistLine& line : record.during)
        if (line.check == Check::failed) return DrillResult::fail;
    if (!record.finished) return record.verified_at ? DrillResult::partial : DrillResult::fail;
    return open ? DrillResult::partial : DrillResult::pass;
}

std::vector<DrillAction> action_items(const DrillRecord& record) {
    const std::string week = day(record.ended + days{7}), month = day(record.ended + days{30});
    std::vector<DrillAction> items;
    for (const Metric& metric : metrics(record)) {
        if (metric.met == false)
            items.push_back({fmt::format("{} was {}, the target is {}: find where it went", metric.name, metric.actual,
                                         metric.target),
                             record.lead, week});
        if (!metric.met)
            items.push_back({metric.name + " was not measured: make the next drill measure it", record.lead, week});
    }
    for (const std::string& issue : record.issues) items.push_back({"Resolve: " + issue, record.lead, week});
    for (const auto* list : {&record.before, &record.during, &record.after})
        for (const ChecklistLine& line : *list)
            if (line.check == Check::failed) items.push_back({"Not done: " + line.text, record.lead, week});
    for (const ChecklistLine& line : record.before)
        if (line.check == Check::open) items.push_back({"Confirm: " + line.text, record.lead, month});
    return items;
}

std::vector<std::string> recommendations(const DrillRecord& record) {
    std::vector<std::string> all;
    const DrillStep* slowest = nullptr;
    for (const DrillStep& step : record.steps)
        if (step.took && step.action != "person" && (slowest == nullptr || *step.took > *slowest->took))
            slowest = &step;
    if (slowest != nullptr)
        all.push_back(fmt::format("The longest step was {} ({}, {}): shorten it first.", slowest->id, slowest->action,
                                  readable(*slowest->took)));
    if (const auto detect = between(record.fault_at, record.declared_at))
        all.push_back(fmt::format("Detection took {}; the objective counts it.", readable(*detect)));
    for (const StoreOutcome& store : record.stores)
        if (store.loss && store.loss->rows > 0)
            all.push_back(
                fmt::format("{} lost {} acknowledged writes of the last {}: only synchronous replication or an "
                            "announced loss avoids that.",
                            store.name, store.loss->rows, or_unknown(store.loss->rpo)));
    all.push_back("Repeat it at a random time with another lead, and with real people deciding.");
    return all;
}

std::string to_markdown(const DrillRecord& record) {
    std::string out = fmt::format("# DR Drill Report: {}\n\n## Summary\n", record.type);
    out +=
        fmt::format("- **Drill:** {} in {}, plan {}, fault: {}\n", record.id, record.estate, record.plan, record.fault);
    out += fmt::format("- **Date:** {}\n- **Type:** {}\n- **Duration:** {} hours {} minutes ({})\n", day(record.began),
                       record.type, duration_cast<hours>(record.ended - record.began).count(),
                       duration_cast<minutes>(record.ended - record.began).count() % 60,
                       readable(record.ended - record.began));
    out += fmt::format("- **Participants:** {}{}\n- **Result:** {}\n", fmt::join(record.participants, ", "),
                       record.played ? " (played by the lab)" : "", to_string(judge(record)));
    out += "\n## Objectives\n";
    for (std::size_t i = 0; i < record.objectives.size(); ++i)
        out += fmt::format("{}. {}\n", i + 1, record.objectives[i]);
    out += "\n## Timeline\nTimes are UTC.\n\n| Time | Event | Notes |\n|------|-------|-------|\n";
    for (const DrillEvent& event : record.timeline)
        out += fmt::format("| {} | {} | {} |\n", clock_time(event.at), cell(event.what), cell(event.notes));
    out += "\n## Metrics\n| Metric | Target | Actual | Status |\n|--------|--------|--------|--------|\n";
    for (const Metric& metric : metrics(record))
        out += fmt::format("| {} | {} | {} | {} |\n", metric.name, metric.target, metric.actual, word(metric.met));
    out +=
        "\n### Stores\n| Writes to | Tier | Outage seen by clients | Acknowledged and lost | RPO | Announced as at "
        "risk |\n|---|---|---|---|---|---|\n";
    for (const StoreOutcome& store : record.stores) out += store_line(store);
    out += "\n### Services\n| Service | Tier | RTO target | RTO | Status | Measured by |\n|---|---|---|---|---|---|\n";
    for (const ServiceOutcome& service : record.services)
        out += fmt::format("| {} | {} | < {} | {} | {} | {} |\n", service.name, service.tier,
                           readable(service.rto_objective), or_unknown(service.rto),
                           word(service.rto ? std::optional(*service.rto <= service.rto_objective) : std::nullopt),
                           service.says);
    out += "\n### Steps\n| Run | Step | Action | State | Took | What was seen |\n|---|---|---|---|---|---|\n";
    for (const DrillStep& step : record.steps)
        out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", step.run, step.id, step.action, step.state,
                           or_unknown(step.took), cell(step.says));
    out += "\n## Issues Encountered\n";
    if (record.issues.empty()) out += "None.\n";
    for (std::size_t i = 0; i < record.issues.size(); ++i) out += fmt::format("{}. {}\n", i + 1, record.issues[i]);
    out += "\n## Action Items\n| Action | Owner | Due Date | Status |\n|--------|-------|----------|--------|\n";
    for (const DrillAction& item : action_items(record))
        out += fmt::format("| {} | {} | {} | Open |\n", cell(item.action), item.owner, item.due);
    out += "\n## Recommendations\n";
    const std::vector<std::string> advice = recommendations(record);
    for (std::size_t i = 0; i < advice.size(); ++i) out += fmt::format("{}. {}\n", i + 1, advice[i]);
    out += "\n## Checklist\n";
    using Part = std::pair<std::string_view, const std::vector<ChecklistLine>*>;
    const std::array parts = {Part{"Pre-Drill (1 week before)", &record.before},
                              Part{"Drill Execution", &record.during},
                              Part{"Post-Drill (within 48 hours)", &record.after}};
    for (const auto& [title, lines] : parts) {
        out += fmt::format("\n**{}:**\n", title);
        for (const ChecklistLine& line : *lines)
            out += fmt::format("- [{}] {}{}{}\n", mark(line.check), line.text, line.evidence.empty() ? "" : ": ",
                               line.evidence);
    }
    if (!record.limits.empty()) {
        out += "\n## What this ground cannot show\n";
        for (const std::string& limit : record.limits) out += "- " + limit + "\n";
    }
    out += fmt::format(
        "\n## Sign-off\n- **Drill Lead:** {} ____________ [Date]\n- **Engineering Lead:** {} ____________ [Date]\n",
        record.lead, record.engineering_lead);
    return out;
}

Json to_json(const DrillRecord& record) {
    const auto moment = [](const std::optional<Moment>& value) { return value ? Json(to_string(*value)) : Json(); };
    const auto span = [](const std::optional<Span>& value) { return value ? Json(seconds(*value)) : Json(); };
    Json out = {{"id", record.id},
                {"type", record.type},
                {"plan", record.plan},
                {"estate", record.estate},
                {"fault", record.fault},
                {"result", to_string(judge(record))},
                {"began", to_string(record.began)},
                {"ended", to_string(record.ended)},
                {"duration_seconds", seconds(record.ended - record.began)},
                {"participants", record.participants},
                {"played", record.played},
                {"objectives", record.objectives},
                {"fault_at", moment(record.fault_at)},
                {"declared_at", moment(record.declared_at)},
                {"verified_at", moment(record.verified_at)},
                {"failback_began", moment(record.failback_began)},
                {"failback_ended", moment(record.failback_ended)},
                {"rto_objective_seconds", seconds(record.rto_objective)},
                {"rpo_objective_seconds", seconds(record.rpo_objective)},
                {"rto_from_onset_seconds", span(between(record.fault_at, record.verified_at))},
                {"rto_from_declaration_seconds", span(between(record.declared_at, record.verified_at))},
                {"rpo_seconds", span(worst_rpo(record))},
                {"finished", record.finished}};
    const auto add = [&](const char* key, const auto& list, auto make) {
        Json array = Json::array();
        for (const auto& one : list) array.push_back(make(one));
        out[key] = std::move(array);
    };
    add("metrics", metrics(record), [](const Metric& metric) {
        return Json{{"metric", metric.name},
                    {"target", metric.target},
                    {"actual", metric.actual},
                    {"status", word(metric.met)}};
    });
    add("stores", record.stores, [&](const StoreOutcome& store) {
        Json one = {{"name", store.name},
                    {"tier", store.tier},
                    {"rpo_objective_seconds", seconds(store.rpo_objective)},
                    {"outage_seconds", store.outage ? span(store.outage->span()) : Json(0)},
                    {"announced_seconds", seconds(store.announced)},
                    {"announced_by", store.announced_by}};
        if (store.loss) {
            one["acknowledged"] = store.loss->acknowledged;
            one["lost"] = store.loss->rows;
            one["acknowledged_after_fault"] = store.loss->acknowledged_after_fault;
            one["rpo_seconds"] = span(store.loss->rpo);
        }
        return one;
    });
    add("services", record.services, [&](const ServiceOutcome& service) {
        return Json{{"name", service.name},
                    {"tier", service.tier},
                    {"rto_objective_seconds", seconds(service.rto_objective)},
                    {"rto_seconds", span(service.rto)},
                    {"says", service.says}};
    });
    add("steps", record.steps, [&](const DrillStep& step) {
        return Json{{"run", step.run},
                    {"step", step.id},
                    {"action", step.action},
                    {"state", step.state},
                    {"took_seconds", span(step.took)},
                    {"says", step.says},
                    {"evidence", step.evidence}};
    });
    add("timeline", record.timeline, [](const DrillEvent& event) {
        return Json{{"at", to_string(event.at)}, {"what", event.what}, {"notes", event.notes}};
    });
    add("issues", record.issues, [](const std::string& issue) { return Json(issue); });
    add("action_items", action_items(record), [](const DrillAction& item) {
        return Json{{"action", item.action}, {"owner", item.owner}, {"due", item.due}, {"status", "open"}};
    });
    add("recommendations", recommendations(record), [](const std::string& text) { return Json(text); });
    const auto lines = [](const std::vector<ChecklistLine>& list) {
        Json array = Json::array();
        for (const ChecklistLine& line : list)
            array.push_back({{"text", line.text},
                             {"state", line.check == Check::done     ? "done"
                                       : line.check == Check::failed ? "failed"
                                                                     : "open"},
                             {"evidence", line.evidence}});
        return array;
    };
    out["checklist"] = {
        {"before", lines(record.before)}, {"during", lines(record.during)}, {"after", lines(record.after)}};
    out["cannot_show"] = record.limits;
    out["sign_off"] = {{"drill_lead", record.lead}, {"engineering_lead", record.engineering_lead}};
    return out;
}

}  // namespace kedge
