// estate show, check, schema.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/table.h"
#include "document/schema.h"
#include "estate/achievable.h"
#include "estate/parse.h"

namespace kedge {
namespace {

struct ShowEstate {
    bool names = false;
};

std::string regions_of(const Target& target) {
    std::vector<std::string> regions;
    for (const Site& site : target.sites) regions.push_back(site.region);
    return fmt::format("{}", fmt::join(regions, " "));
}

Json tier_json(const Tier& tier) {
    return {{"name", tier.name},
            {"rto_seconds", seconds(tier.rto)},
            {"rpo_seconds", seconds(tier.rpo)},
            {"says", tier.says}};
}

// Without settings: they may name references to secrets.
Json estate_json(const Estate& estate) {
    Json json = {{"name", estate.name},
                 {"summary", estate.summary},
                 {"lab", estate.lab},
                 {"path", estate.path},
                 {"digest", estate.digest}};
    for (const char* list : {"regions", "tiers", "targets", "services", "people"}) json[list] = Json::array();
    for (const Region& region : estate.regions)
        json["regions"].push_back({{"name", region.name}, {"says", region.says}});
    for (const Tier& tier : estate.tiers) json["tiers"].push_back(tier_json(tier));
    for (const Target& target : estate.targets) {
        Json sites = Json::array();
        for (const Site& site : target.sites) sites.push_back(site.region);
        json["targets"].push_back({{"name", target.name},
                                   {"kind", to_string(target.kind)},
                                   {"driver", target.driver},
                                   {"tier", target.tier},
                                   {"armed", target.armed},
                                   {"regions", std::move(sites)},
                                   {"stands_on", target.stands_on},
                                   {"says", target.says}});
    }
    for (const Service& service : estate.services)
        json["services"].push_back(
            {{"name", service.name}, {"tier", service.tier}, {"stands_on", service.stands_on}, {"says", service.says}});
    for (const Person& person : estate.people)
        json["people"].push_back(
            {{"name", person.name}, {"full_name", person.full_name}, {"roles", person.roles}, {"login", person.login}});
    return json;
}

ExitCode show_estate(Context& context, const ShowEstate& options) {
    Console& console = context.console();
    const Result<Estate> estate = find_estate(context);
    if (!estate) return console.fail("the estate cannot be shown", estate.error());
    if (options.names) {
        for (const Target& target : estate->targets) console.print_line(target.name);
        return ExitCode::ok;
    }
    if (console.json()) {
        console.print_item("Estate", estate_json(*estate));
        return ExitCode::ok;
    }
    console.print_line(fmt::format("{}{}", painted(estate->name, Tone::strong, console.out()),
                                   estate->lab.empty() ? "" : "  (a lab's own)"));
    if (!estate->summary.empty()) console.print_line(printable(estate->summary));
    Table tiers({{"TIER"}, {"RTO", Align::right}, {"RPO", Align::right}, {"SAYS"}});
    for (const Tier& tier : estate->tiers) tiers.add({tier.name, readable(tier.rto), readable(tier.rpo), tier.says});
    Table targets({{"TARGET"}, {"KIND"}, {"DRIVER"}, {"TIER"}, {"ARMED"}, {"REGIONS"}});
    for (const Target& target : estate->targets)
        targets.add({target.name, std::string(to_string(target.kind)), target.driver, target.tier,
                     target.armed ? Cell("armed", Tone::strong) : Cell("only looks", Tone::faint), regions_of(target)});
    Table services({{"SERVICE"}, {"TIER"}, {"STANDS ON"}});
    for (const Service& service : estate->services)
        services.add({service.name, service.tier, fmt::format("{}", fmt::join(service.stands_on, " "))});
    Table people({{"PERSON"}, {"LOGIN"}, {"ROLES"}});
    for (const Person& person : estate->people)
        people.add({person.name, person.login.empty() ? "none" : person.login,
                    fmt::format("{}", fmt::join(person.roles, " "))});
    for (const Table* table : {&tiers, &targets, &services, &people})
        if (!table->empty()) console.print("\n" + table->rendered(console.out()));
    return ExitCode::ok;
}

ExitCode check_estate(Context& context, const Nothing&) {
    Console& console = context.console();
    const Result<Parsed<Estate>> estate = read_estate(context);
    if (!estate) return console.fail("the estate cannot be checked", estate.error());
    if (!*estate) return console.fail("the estate is not valid", estate->mistakes());
    const Achievable promises = achievable(**estate);
    if (console.json()) {
        Json json = as_json(promises);
        json["all_hold"] = promises.all_hold();
        console.print_item("EstateCheck", std::move(json));
    } else {
        console.print_line(
            fmt::format("{}: {}", printable((*estate)->path), shown({"✔", "+", "valid", Tone::good}, console.out())));
        console.print(as_text(promises));
    }
    return promises.all_hold() ? ExitCode::ok : ExitCode::objective_missed;
}

ExitCode show_estate_schema(Context& context, const Nothing&) {
    context.console().print_line(dump_pretty(json_schema(estate_shape(), "Kedge estate")));
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> estate_commands() {
    return {command("estate show", "Show what is protected: tiers, targets, services, people", show_estate)
                .flag("names", &ShowEstate::names, "only the names of the targets, one a line")
                .example("kedge estate show --estate plans/aragora/lab.yaml")
                .exits({ExitCode::invalid_input, ExitCode::not_found}),
            command("estate check", "Check the file, and what its settings can achieve at worst", check_estate)
                .details("Beside each objective stands what the settings add up to along the dependencies. An "
                         "objective that cannot hold, or that is not known to, ends with 13.")
                .example("kedge estate check --json")
                .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::objective_missed}),
            command("estate schema", "Write the JSON Schema of estates, for editors", show_estate_schema)
                .example("kedge estate schema > estate.schema.json")};
}

}  // namespace kedge
