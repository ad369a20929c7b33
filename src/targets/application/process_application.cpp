#include "targets/application/process_application.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/suggest.h"
#include "os/clock.h"
#include "os/secret.h"
#include "targets/placeholders.h"

namespace kedge {
namespace {

// The mode an instance speaks of, and what it means to a plan.
struct Mode {
    Writes writes;
    std::string_view word;
};
constexpr std::array modes = {Mode{Writes::accepted, "off"}, Mode{Writes::held, "hold"},
                              Mode{Writes::refused, "refuse"}};

std::string_view word_of(Writes writes) {
    return std::ranges::find(modes, writes, &Mode::writes)->word;
}

// Calls `work(i)` for each i below `count`, all at once.
void side_by_side(std::size_t count, const auto& work) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
}

std::optional<Json> json_object(const HttpResponse& response) {
    auto json = parse_json(response.body);
    if (!json || !json->is_object()) return std::nullopt;
    return std::move(*json);
}

// yes only for 200 with one of the good words, no only for 503 or another word: anything else was not said by the
// application.
Truth judge_status(const HttpResponse& response, std::initializer_list<std::string_view> good) {
    const auto json = json_object(response);
    const auto word = json ? get_string(*json, "status") : std::nullopt;
    if (response.status == 503) return word ? Truth::no : Truth::unknown;
    if (response.status != 200 || !word) return Truth::unknown;
    return truth(std::ranges::find(good, *word) != good.end());
}

constexpr Span health_share = std::chrono::milliseconds{400};

class InstanceVisit {
public:
    InstanceVisit(const ProcessApplicationSettings& settings, const ProcessInstance& instance,
                  HttpConnection& connection, HttpHeaders admin, Moment deadline)
        : settings_(settings), connection_(connection), admin_(std::move(admin)), deadline_(deadline) {
        look_.name = instance.name;
    }

    // Health comes last and has a share of its own: an application whose stores are gone may take long to say so,
    // and whether it could take over must not wait for that.
    InstanceLook look(Depth depth) {
        if (depth != Depth::readiness)
            if (const auto admin = ask(settings_.admin_path, admin_)) take_writes(*admin);
        if (depth != Depth::writes)
            if (const auto ready = ask(settings_.ready_path, {})) look_.ready = judge_status(*ready, {"ready", "ok"});
        if (depth != Depth::health) return std::move(look_);
        deadline_ = std::min(deadline_, SystemClock().now() + health_share);
        if (const auto health = ask(settings_.health_path, {})) {
            look_.healthy = judge_status(*health, {"healthy", "ok"});
            if (const auto json = json_object(*health)) take_health(*json);
        }
        return std::move(look_);
    }

private:
    std::optional<HttpResponse> ask(const std::string& path, const HttpHeaders& headers) {
        auto response = connection_.request({.target = path, .headers = headers}, deadline_);
        if (response) {
            look_.reachable = Truth::yes;
            add(fmt::format("{} {}", path, response->status));
            return std::move(*response);
        }
        if (look_.reachable == Truth::unknown && names_a_refusal(response.error())) look_.reachable = Truth::no;
        add(response.error().message);
        return std::nullopt;
    }
    void add(const std::string& text) { look_.says += (look_.says.empty() ? "" : "; ") + text; }
    void take_writes(const HttpResponse& response) {
        const auto json = json_object(response);
        const auto word = json && response.status == 200 ? get_string(*json, "mode") : std::nullopt;
        if (!word) return;
        const auto mode = std::ranges::find(modes, *word, &Mode::word);
        if (mode != modes.end()) look_.writes = mode->writes;
    }
    void take_health(const Json& health) {
        look_.release = get_string(health, "version");
        if (const auto reason = get_string(health, "reason")) add(*reason);
    }

    const ProcessApplicationSettings& settings_;
    HttpConnection& connection_;
    const HttpHeaders admin_;
    Moment deadline_;
    InstanceLook look_;
};

// What an instance answered to a change of its mode; nothing if it is done.
std::optional<Error> tell(const ProcessInstance& instance, HttpConnection& connection, const HttpRequest& request,
                          Writes writes, Moment deadline) {
    const auto response = connection.request(request, deadline);
    if (!response) return response.error().within(instance.name);
    const auto json = json_object(*response);
    if (response->status != 200 || !json || get_string(*json, "mode") != word_of(writes))
        return Error{Fault::refused,
                     fmt::format("{}: answered {} to mode {}", instance.name, response->status, word_of(writes))};
    const auto running = get_integer(*json, "writes_running").value_or(0);
    if (writes != Writes::accepted && running > 0)
        return Error{Fault::outcome_unknown, fmt::format("{}: {} writes are still under way", instance.name, running)};
    return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<ProcessApplication>> ProcessApplication::create(ProcessApplicationSettings settings) {
    const std::string where = "application " + settings.name;
    TRY(HttpConnection::to(settings.public_url).within(where + ": public-url"));
    for (const auto& [region, site] : settings.sites) {
        if (site.instances.empty())
            return Error{Fault::invalid_input, fmt::format("{}: {}: no instance is listed", where, region)};
        for (const ProcessInstance& instance : site.instances)
            TRY(HttpConnection::to(instance.url).within(fmt::format("{}: {}", where, instance.name)));
    }
    std::map<std::string, Probe> probes;
    for (const auto& [name, declared] : settings.probes) probes[name] = TRY(parse_probe(name, declared).within(where));
    return std::unique_ptr<ProcessApplication>(new ProcessApplication(std::move(settings), std::move(probes)));
}

Result<const ProcessSite*> ProcessApplication::find(const std::string& region) const {
    const auto site = settings_.sites.find(region);
    if (site == settings_.sites.end())
        return Error{Fault::not_found, fmt::format("application {} has no instances in '{}'", settings_.name, region)};
    return &site->second;
}

Result<HttpHeaders> ProcessApplication::admin_headers() const {
    if (settings_.admin_token.empty()) return HttpHeaders{};
    return HttpHeaders{{"Authorization", "Bearer " + TRY(read_secret(settings_.admin_token))}};
}

HttpConnection ProcessApplication::borrow(const std::string& url) {
    const std::lock_guard lock(mutex_);
    std::vector<HttpConnection>& idle = idle_[url];
    if (idle.empty()) return HttpConnection::to(url).value();  // `create` has checked the URL
    HttpConnection connection = std::move(idle.back());
    idle.pop_back();
    return connection;
}

void ProcessApplication::give_back(const std::string& url, HttpConnection connection) {
    if (!connection.is_open()) return;
    const std::lock_guard lock(mutex_);
    idle_[url].push_back(std::move(connection));
}

Result<ApplicationLook> ProcessApplication::look(const std::string& region, Depth depth, Moment deadline) {
    const ProcessSite& site = *TRY(find(region));
    const HttpHeaders admin = TRY(admin_headers());
    ApplicationLook look;
    look.instances.resize(site.instances.size());
    side_by_side(site.instances.size(), [&](std::size_t i) {
        HttpConnection connection = borrow(site.instances[i].url);
        look.instances[i] = InstanceVisit{settings_, site.instances[i], connection, admin, deadline}.look(depth);
        give_back(site.instances[i].url, std::move(connection));
    });
    if (site.running.empty() || depth == Depth::writes) return look;
    const auto output = run_or_fail(site.running, deadline);
    int wanted = 0;
    if (output &&
        std::from_chars(output->out.data(), output->out.data() + output->out.size(), wanted).ec == std::errc{})
        look.wanted = wanted;
    return look;
}

Result<void> ProcessApplication::set_writes(const std::string& region, Writes writes, Moment deadline) {
    const ProcessSite& site = *TRY(find(region));
    HttpRequest request{.method = "PUT",
                        .target = settings_.admin_path,
                        .headers = TRY(admin_headers()),
                        .body = dump(Json{{"mode", word_of(writes)}})};
    request.headers.emplace_back("Content-Type", "application/json");
    std::vector<std::optional<Error>> failures(site.instances.size());
    side_by_side(site.instances.size(), [&](std::size_t i) {
        HttpConnection connection = borrow(site.instances[i].url);
        failures[i] = tell(site.instances[i], connection, request, writes, deadline);
        give_back(site.instances[i].url, std::move(connection));
    });

    const auto failed = std::ranges::find_if(failures, [](const auto& failure) { return failure.has_value(); });
    if (failed == failures.end()) return {};
    // "Nothing was changed" holds only where every instance turned the request away or was never reached.
    const bool nothing_changed = std::ranges::all_of(failures, [](const auto& failure) {
        return failure && (failure->fault == Fault::refused || names_a_refusal(*failure));
    });
    Error error = (*failed)->within(fmt::format("application {} in {}", settings_.name, region));
    if (!nothing_changed) error.fault = Fault::outcome_unknown;
    return error;
}

Result<void> ProcessApplication::scale(const std::string& region, int instances, Moment deadline) {
    const ProcessSite& site = *TRY(find(region));
    if (site.scale.empty())
        return Error{Fault::refused, fmt::format("application {} in {} cannot be scaled", settings_.name, region),
                     "name a program under `scale` in the estate"};
    Arguments arguments = site.scale;
    for (std::string& argument : arguments) argument = fill(argument, {{"instances", std::to_string(instances)}});
    TRY(run_or_fail(arguments, deadline, {}, Fault::outcome_unknown)
            .within(fmt::format("scaling {} in {}", settings_.name, region)));
    return {};
}

Result<void> ProcessApplication::deploy(const std::string& region, const std::string& release, Moment deadline) {
    const ProcessSite& site = *TRY(find(region));
    if (site.deploy.empty())
        return Error{Fault::refused,
                     fmt::format("application {} in {} cannot be told which release to run", settings_.name, region),
                     "name a program under `deploy` in the estate"};
    Arguments arguments = site.deploy;
    for (std::string& argument : arguments) argument = fill(argument, {{"release", release}});
    TRY(run_or_fail(arguments, deadline, {}, Fault::outcome_unknown)
            .within(fmt::format("release {} of {} in {}", release, settings_.name, region)));
    return {};
}

Result<ProbeLook> ProcessApplication::probe(const std::string& name, const std::string& region, const std::string& key,
                                            Moment deadline) {
    const auto declared = probes_.find(name);
    if (declared == probes_.end()) {
        std::vector<std::string> known;
        for (const auto& [other, probe] : probes_) known.push_back(other);
        const auto meant = nearest(name, known);
        return Error{Fault::not_found, fmt::format("application {} declares no probe '{}'", settings_.name, name),
                     meant ? fmt::format("did you mean '{}'?", *meant) : ""};
    }
    if (region.empty()) return run_probe(declared->second, settings_.public_url, key, deadline);

    const ProcessSite& site = *TRY(find(region));
    std::vector<ProbeLook> looks(site.instances.size());
    side_by_side(site.instances.size(), [&](std::size_t i) {
        const auto& [instance, url] = site.instances[i];
        looks[i] = run_probe(declared->second, url, key + "-" + instance, deadline);
    });
    ProbeLook all{.holds = Truth::yes};
    for (std::size_t i = 0; i < looks.size(); ++i) {
        all.holds = both(all.holds, looks[i].holds);
        all.says += fmt::format("{}{}: {}", i == 0 ? "" : "; ", site.instances[i].name, looks[i].says);
        all.evidence[site.instances[i].name] = std::move(looks[i].evidence);
    }
    return all;
}

}  // namespace kedge
