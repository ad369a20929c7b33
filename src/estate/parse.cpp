#include "estate/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/digest.h"
#include "document/read.h"
#include "estate/driver_settings.h"
#include "estate/parse_erasure.h"

namespace kedge {
namespace {

constexpr std::array kinds = {TargetKind::database,  TargetKind::cache,   TargetKind::application, TargetKind::traffic,
                              TargetKind::store,     TargetKind::channel, TargetKind::metrics,     TargetKind::logs,
                              TargetKind::migration, TargetKind::index};

TargetKind kind_of(std::string_view word) {
    for (const TargetKind kind : kinds)
        if (to_string(kind) == word) return kind;
    check(false, "the shape allows only kinds that there are");
    return {};
}

std::string text_of(const Json& object, std::string_view key) {
    return get_string(object, key).value_or("");
}

std::vector<std::string> texts_of(const Json& object, std::string_view key) {
    return Settings{object}.texts(key);
}

Span span_of(const Json& object, std::string_view key) {
    return Settings{object}.span(key).value_or(Span{});
}

// Fills in an estate from what was read, and finds what only the whole shows.
class EstateReader {
public:
    EstateReader(Reading reading, const EstateOptions& options, Mistakes& mistakes)
        : json_(std::move(reading.value)), places_(std::move(reading.places)), options_(options), mistakes_(mistakes) {}

    Estate take() {
        estate_.name = text_of(json_, "estate");
        estate_.summary = text_of(json_, "summary");
        read_lab();
        for (const auto& [name, region] : get(json_, "regions").items())
            estate_.regions.push_back({name, text_of(region, "says")});
        read_tiers();
        read_people();
        for (const auto& [name, url] : get(json_, "dashboards").items())
            estate_.dashboards.push_back({name, url.get<std::string>()});
        for (const auto& [role, contact] : get(json_, "contacts").items())
            estate_.contacts.push_back({role, text_of(contact, "reach"), text_of(contact, "when")});
        for (const auto& [name, value] : get(json_, "inputs").items())
            estate_.inputs[name] = filled_in(value.get<std::string>(), below("/inputs", name));
        read_services();
        read_targets();
        read_backups();
        estate_.erasure = read_erasure_map(get(json_, "erasure"), places_);
        estate_.erasure.ledger = filled_in(estate_.erasure.ledger, "/erasure/ledger");
        check_references();
        return std::move(estate_);
    }

private:
    void read_lab() {
        const std::string lab = text_of(json_, "lab");
        if (lab.empty()) return;
        if (options_.lab_root.empty())
            mistakes_.add(places_.value("/lab"), "this estate belongs to a lab, and no labs are kept here");
        estate_.lab = options_.lab_root + "/" + lab;
        estate_.lab_name = lab;
    }

    void read_tiers() {
        for (const auto& [name, tier] : get(json_, "tiers").items()) {
            Tier read{name, span_of(tier, "rto"), span_of(tier, "rpo"), text_of(tier, "says")};
            if (!estate_.tiers.empty() && (read.rto < estate_.tiers.back().rto || read.rpo < estate_.tiers.back().rpo))
                mistakes_.add(places_.key(below("/tiers", name)),
                              fmt::format("tier `{}` is stricter than `{}` before it", name, estate_.tiers.back().name),
                              "list the strictest tier first");
            estate_.tiers.push_back(std::move(read));
        }
    }

    void read_people() {
        for (const auto& [name, person] : get(json_, "people").items()) {
            Person read{name, text_of(person, "full-name"), text_of(person, "login"), texts_of(person, "roles"),
                        text_of(person, "contact")};
            // One login that is two persons could approve twice.
            if (const Person* other = estate_.person_by_login(read.login))
                mistakes_.add(places_.value(below(below("/people", name), "login")),
                              fmt::format("`{}` is the login of `{}` already", read.login, other->name),
                              "every person needs a login of their own");
            estate_.people.push_back(std::move(read));
        }
    }

    void read_services() {
        for (const auto& [name, service] : get(json_, "services").items())
            estate_.services.push_back({name, text_of(service, "says"), text_of(service, "tier"),
                                        texts_of(service, "stands-on"), places_.key(below("/services", name)).line});
    }

    void read_targets() {
        for (const auto& [name, written] : get(json_, "targets").items()) {
            const std::string pointer = below("/targets", name);
            Target target;
            target.name = name;
            target.kind = kind_of(text_of(written, "kind"));
            target.driver = text_of(written, "driver");
            target.says = text_of(written, "says");
            target.tier = text_of(written, "tier");
            target.armed = get_bool(written, "armed").value_or(false);
            target.stands_on = texts_of(written, "stands-on");
            target.line = places_.key(pointer).line;
            Json settings = Json::object();
            for (const auto& [key, value] : written.items())
                if (!is_common_target_field(key) && key != "sites") settings[key] = value;
            fill_in(settings, pointer);
            check_probes(settings, pointer);
            target.settings = Settings{std::move(settings)};
            for (const auto& [region, site] : get(written, "sites").items()) {
                Json filled = site;
                fill_in(filled, below(below(pointer, "sites"), region));
                target.sites.push_back({region, Settings{std::move(filled)}});
            }
            estate_.targets.push_back(std::move(target));
        }
    }

    void read_backups() {
        for (const auto& [name, written] : get(json_, "backups").items()) {
            const Settings settings{written};
            const Settings keep = settings.section("keep");
            BackupPolicy policy{.name = name,
                                .kind = kind_of_backup(text_of(written, "kind")),
                                .says = text_of(written, "says"),
                                .of = text_of(written, "of"),
                                .in = text_of(written, "in"),
                                .below = text_of(written, "below"),
                                .log = text_of(written, "log"),
                                .max_age = span_of(written, "max-age"),
                                .read_again = span_of(written, "read-again"),
                                .keys_at_least = settings.integer("keys-at-least").value_or(0),
                                .keep_at_least = keep.integer("at-least").value_or(0),
                                .keep_for = keep.span("for").value_or(Span{}),
                                .line = places_.key(below("/backups", name)).line};
            const std::string prove = text_of(written, "prove");
            policy.prove = prove == "decoded"       ? ProofAsked::decoded
                           : prove == "checksummed" ? ProofAsked::checksummed
                                                    : ProofAsked::restored;
            if (text_of(written, "layout") == "directory") policy.layout = DumpLayout::directory;
            for (const auto& [table, held] : get(written, "tables").items())
                policy.tables.push_back(
                    {table, get_integer(held, "rows-at-least").value_or(0), get_number(held, "near-production")});
            estate_.backups.push_back(std::move(policy));
        }
    }

    static BackupKind kind_of_backup(std::string_view word) {
        for (const BackupKind kind :
             {BackupKind::dump, BackupKind::base_backup, BackupKind::log, BackupKind::snapshot, BackupKind::copy})
            if (to_string(kind) == word) return kind;
        check(false, "the shape allows only kinds that there are");
        return {};
    }

    // Puts the lab's directory where `${lab}` stands, and looks at every text on the way.
    void fill_in(Json& json, const std::string& pointer) {
        if (json.is_object())
            for (const auto& [key, value] : json.items()) fill_in(value, below(pointer, key));
        else if (json.is_array())
            for (std::size_t i = 0; i < json.size(); ++i) fill_in(json[i], below(pointer, i));
        else if (json.is_string())
            json = filled_in(json.get<std::string>(), pointer);
    }

    std::string filled_in(std::string text, const std::string& pointer) {
        if (holds_password(text) && !is_in_probe(pointer))
            mistakes_.add(places_.value(pointer), "a password stands in the text",
                          "keep it elsewhere and refer to it: `password: env:NAME` or `password: file:/PATH`");
        static constexpr std::string_view variable = "${lab}";
        for (std::size_t at = text.find(variable); at != std::string::npos; at = text.find(variable, at)) {
            if (estate_.lab.empty()) {
                mistakes_.add(places_.value(pointer), "`${lab}` stands here, but the estate belongs to no lab",
                              "name the lab: `lab: default`");
                break;
            }
            text.replace(at, variable.size(), estate_.lab);
            at += estate_.lab.size();
        }
        return text;
    }

    static bool is_in_probe(const std::string& pointer) { return pointer.find("/probes/") != std::string::npos; }

    void check_probes(const Json& settings, const std::string& pointer) {
        for (const auto& [name, probe] : get(settings, "probes").items()) {
            const std::string here = below(below(pointer, "probes"), name);
            if (get(probe, "exchanges").is_null() && get(probe, "websocket").is_null())
                mistakes_.add(places_.key(here), fmt::format("probe `{}` does nothing", name),
                              "give it `exchanges` or a `websocket`");
            std::set<std::string> known{"unique"};
            for (const auto& [secret, reference] : get(probe, "secrets").items()) known.insert("secret:" + secret);
            const Json& exchanges = get(probe, "exchanges");
            for (std::size_t i = 0; i < exchanges.size(); ++i)
                check_exchange(exchanges[i], known, below(below(here, "exchanges"), i));
        }
    }

    void check_exchange(const Json& exchange, std::set<std::string>& known, const std::string& pointer) {
        static constexpr std::array methods = {"GET ", "POST ", "PUT ", "PATCH ", "DELETE ", "HEAD "};
        const std::string request = text_of(exchange, "request");
        if (std::ranges::none_of(methods, [&](std::string_view method) {
                return request.starts_with(method) && request.size() > method.size() && request[method.size()] == '/';
            }))
            mistakes_.add(places_.value(below(pointer, "request")), "a request is a method and a path",
                          "for instance `GET /api/health`");
        for (const std::string part : {"request", "headers", "body", "expect", "some"})
            check_variables(get(exchange, part), known, below(pointer, part));
        if (get(exchange, "expect").is_null() && get(exchange, "some").is_null())
            mistakes_.add(places_.value(pointer), "any answer would pass", "say what to `expect`");
        for (const auto& [name, at] : get(exchange, "capture").items()) known.insert(name);
    }

    void check_variables(const Json& json, const std::set<std::string>& known, const std::string& pointer) {
        if (json.is_object())
            for (const auto& [key, value] : json.items()) check_variables(value, known, below(pointer, key));
        if (json.is_array())
            for (std::size_t i = 0; i < json.size(); ++i) check_variables(json[i], known, below(pointer, i));
        if (!json.is_string()) return;
        const auto text = json.get<std::string>();
        for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at + 2)) {
            const std::string name = text.substr(at + 2, text.find('}', at) - at - 2);
            if (!known.contains(name))
                mistakes_.add(places_.value(pointer), fmt::format("`${{{}}}` is not known here", name),
                              suggestion(name, {known.begin(), known.end()}));
        }
    }

    void check_references() {
        for (const Service& service : estate_.services) {
            const std::string pointer = below("/services", service.name);
            check_tier(service.tier, pointer);
            check_stands_on(service.stands_on, pointer);
            if (estate_.target(service.name) != nullptr)
                mistakes_.add(places_.key(pointer), fmt::format("`{}` is the name of a target too", service.name),
                              "names are shared by services and targets");
        }
        for (const Target& target : estate_.targets) {
            const std::string pointer = below("/targets", target.name);
            check_tier(target.tier, pointer);
            check_stands_on(target.stands_on, pointer);
            for (const Site& site : target.sites)
                check_region(site.region, places_.key(below(below(pointer, "sites"), site.region)));
            check_sentinels(target, pointer);
        }
        for (const BackupPolicy& policy : estate_.backups) check_backup(policy, below("/backups", policy.name));
        if (estate_.erasure.is_declared()) {
            check_is(estate_.erasure.of, TargetKind::database, "/erasure/of");
            check_erasure_map(estate_.erasure, places_, mistakes_);
        }
        check_cycles();
    }

    void check_backup(const BackupPolicy& policy, const std::string& pointer) {
        check_is(policy.in, TargetKind::store, below(pointer, "in"));
        if (policy.kind == BackupKind::copy)
            check_is_backup(policy.of, std::nullopt, below(pointer, "of"));
        else
            check_is(policy.of, policy.kind == BackupKind::snapshot ? TargetKind::cache : TargetKind::database,
                     below(pointer, "of"));
        if (!policy.log.empty()) check_is_backup(policy.log, BackupKind::log, below(pointer, "log"));
        const std::string_view path = policy.below;
        if (path.starts_with('/') || path.starts_with("../") || path == ".." ||
            path.find("/../") != std::string_view::npos || path.ends_with("/.."))
            mistakes_.add(places_.value(below(pointer, "below")), "the directory lies outside of the store",
                          "name it relative to the store: `postgresql/daily`");
        for (const TablePolicy& table : policy.tables) {
            const std::string here = below(below(pointer, "tables"), table.name);
            check_table_name(table.name, here, places_, mistakes_);
            if (table.near_production && (*table.near_production < 0 || *table.near_production > 1))
                mistakes_.add(places_.value(below(here, "near-production")), "a fraction lies between 0 and 1",
                              "`0.05` allows five of a hundred rows more or fewer");
        }
    }

    void check_is(const std::string& name, TargetKind kind, const std::string& pointer) {
        const Target* target = estate_.target(name);
        if (target != nullptr && target->kind == kind) return;
        std::vector<std::string> known;
        for (const Target& other : estate_.targets)
            if (other.kind == kind) known.push_back(other.name);
        mistakes_.add(places_.value(pointer), fmt::format("there is no {} `{}`", to_string(kind), name),
                      suggestion(name, known));
    }

    // `kind`: nothing = any but a copy.
    void check_is_backup(const std::string& name, std::optional<BackupKind> kind, const std::string& pointer) {
        const auto fits = [&](const BackupPolicy& policy) {
            return kind ? policy.kind == *kind : policy.kind != BackupKind::copy;
        };
        const BackupPolicy* policy = estate_.backup(name);
        if (policy != nullptr && fits(*policy)) return;
        std::vector<std::string> known;
        for (const BackupPolicy& other : estate_.backups)
            if (fits(other)) known.push_back(other.name);
        mistakes_.add(places_.value(pointer), fmt::format("there is no backup policy `{}` that could stand here", name),
                      suggestion(name, known));
    }

    void check_tier(const std::string& tier, const std::string& pointer) {
        if (tier.empty() || estate_.tier(tier) != nullptr) return;
        mistakes_.add(places_.value(below(pointer, "tier")), fmt::format("there is no tier `{}`", tier),
                      suggestion(tier, names(estate_.tiers)));
    }

    void check_region(const std::string& region, Place place) {
        if (estate_.region(region) != nullptr) return;
        mistakes_.add(place, fmt::format("there is no region `{}`", region),
                      suggestion(region, names(estate_.regions)));
    }

    void check_stands_on(const std::vector<std::string>& stands_on, const std::string& pointer) {
        for (std::size_t i = 0; i < stands_on.size(); ++i) {
            if (estate_.target(stands_on[i]) != nullptr || estate_.service(stands_on[i]) != nullptr) continue;
            std::vector<std::string> known = names(estate_.services);
            for (const Target& target : estate_.targets) known.push_back(target.name);
            mistakes_.add(places_.value(below(below(pointer, "stands-on"), i)),
                          fmt::format("there is no service or target `{}`", stands_on[i]),
                          suggestion(stands_on[i], known));
        }
    }

    void check_sentinels(const Target& target, const std::string& pointer) {
        const auto sentinels = target.settings.sections("sentinels");
        for (std::size_t i = 0; i < sentinels.size(); ++i) {
            const std::string region = sentinels[i].text("region").value_or("");
            if (region != "outside")
                check_region(region, places_.value(below(below(below(pointer, "sentinels"), i), "region")));
        }
        const auto quorum = target.settings.integer("quorum");
        if (quorum && *quorum > static_cast<std::int64_t>(sentinels.size()))
            mistakes_.add(places_.value(below(pointer, "quorum")),
                          fmt::format("a quorum of {} with {} sentinels is never reached", *quorum, sentinels.size()));
    }

    // What stands on itself, along any way. Each cycle is told once, at the member that comes first in the file.
    void check_cycles() {
        std::set<std::string> done;
        std::vector<std::string> way;
        for (const Service& service : estate_.services) follow(service.name, way, done);
        for (const Target& target : estate_.targets) follow(target.name, way, done);
    }

    void follow(const std::string& name, std::vector<std::string>& way, std::set<std::string>& done) {
        if (const auto again = std::ranges::find(way, name); again != way.end()) {
            const std::string pointer = below(estate_.target(name) != nullptr ? "/targets" : "/services", name);
            mistakes_.add(places_.key(pointer), fmt::format("`{}` stands on itself: {} -> {}", name,
                                                            fmt::join(again, way.end(), " -> "), name));
            return;
        }
        if (done.contains(name)) return;
        way.push_back(name);
        const Target* target = estate_.target(name);
        const Service* service = estate_.service(name);
        if (target != nullptr)
            for (const std::string& next : target->stands_on) follow(next, way, done);
        else if (service != nullptr)
            for (const std::string& next : service->stands_on) follow(next, way, done);
        way.pop_back();
        done.insert(name);
    }

    template <class T>
    static std::vector<std::string> names(const std::vector<T>& list) {
        std::vector<std::string> names;
        for (const T& one : list) names.push_back(one.name);
        return names;
    }

    const Json json_;
    const Places places_;
    const EstateOptions& options_;
    Mistakes& mistakes_;
    Estate estate_;
};

}  // namespace

Shape estate_shape() {
    const Shape region = shape::record("a region", {optional("says", shape::text(), "in words")});
    const Shape tier =
        shape::record("a tier", {required("rto", shape::span(), "how long a service may be away"),
                                 required("rpo", shape::span(), "how much of its newest data may be lost, as a span"),
                                 optional("says", shape::text(), "what belongs to it")});
    const Shape person = shape::record(
        "a person",
        {required("full-name", shape::text(), ""),
         optional("login", shape::text(), "operating-system login; without one a person can approve nothing here"),
         optional("roles", shape::list(shape::name()), "what gates ask for: `approver`"),
         optional("contact", shape::text(), "")});
    const Shape contact = shape::record("a contact", {required("reach", shape::text(), "how the role is reached"),
                                                      optional("when", shape::text(), "when it is called in")});
    const Shape service = shape::record("a service", {required("tier", shape::name(), "whose objectives it must meet"),
                                                      optional("stands-on", shape::list(shape::name()),
                                                               "services and targets without which it does not work"),
                                                      optional("says", shape::text(), "in words")});
    return shape::record(
        "the estate",
        {required("estate", shape::name(), "its name"), optional("summary", shape::text(), "in a sentence"),
         optional("lab", shape::name(),
                  "the lab that it belongs to; `${lab}` in settings then stands for the lab's directory"),
         required("regions", shape::map(region), "where things stand, by name"),
         required("tiers", shape::map(tier), "recovery objectives by name, the strictest first"),
         optional("people", shape::map(person), "who may be asked, by the name that approvals carry"),
         optional("contacts", shape::map_of_texts(contact), "whom to reach, by role"),
         optional("dashboards", shape::map_of_texts(shape::text()), "address by title"),
         optional("inputs", shape::map(shape::text()),
                  "inputs of plans, by name, where a run gives none: what differs from estate to estate"),
         optional("services", shape::map(service), "what the business names: no driver, it stands on targets"),
         required("targets", shape::map(target_shape()), "what steps act on, by name"),
         optional("backups", shape::map(backup_policy_shape()), "what is promised of backups, by the policy's name"),
         optional("erasure", erasure_map_shape(), "what becomes of erased people's rows in what is brought back")});
}

Parsed<Estate> parse_estate(const std::string& path, std::string_view text, const EstateOptions& options) {
    auto tree = parse_yaml(path, text);
    if (!tree) return tree.mistakes();
    Mistakes mistakes{path};
    Reading reading = read(*tree, estate_shape(), mistakes);
    if (!mistakes.empty()) return mistakes;
    Estate estate = EstateReader{std::move(reading), options, mistakes}.take();
    if (!mistakes.empty()) return mistakes;
    estate.path = path;
    estate.text = text;
    estate.digest = sha256_hex(text);
    return estate;
}

}  // namespace kedge
