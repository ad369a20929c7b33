// From the estate's form of a probe to ours. The estate has checked the form already; what is checked here too
// is what the form alone does not show: that there is something to do, and that every ${name} is set before.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "targets/application/probe.h"
#include "targets/placeholders.h"

namespace kedge {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Result<Pairs> read_pairs(const Json& object, std::string_view what) {
    Pairs pairs;
    if (object.is_null()) return pairs;
    if (!object.is_object()) return Error{Fault::invalid_input, fmt::format("{} must be a map", what)};
    for (const auto& [key, value] : object.items()) {
        const auto text = scalar_text(value);
        if (!text) return Error{Fault::invalid_input, fmt::format("{}: {} must be a text", what, key)};
        pairs.emplace_back(key, *text);
    }
    return pairs;
}

Result<std::optional<Expectation>> read_expectation(const Json& json, std::string_view what) {
    if (json.is_null()) return std::optional<Expectation>{};
    Expectation expectation;
    if (const auto status = get_integer(json, "status")) expectation.status = static_cast<int>(*status);
    expectation.json = TRY(read_pairs(get(json, "json"), "json").within(what));
    expectation.headers = TRY(read_pairs(get(json, "headers"), "headers").within(what));
    return std::optional{std::move(expectation)};
}

Result<ProbeExchange> read_exchange(const Json& json) {
    ProbeExchange exchange;
    const std::string request = get_string(json, "request").value_or("");
    const auto blank = request.find(' ');
    if (blank == std::string::npos || request.substr(blank + 1).find('/') != 0)
        return Error{Fault::invalid_input, fmt::format("request '{}' is not METHOD /PATH", request)};
    exchange.method = request.substr(0, blank);
    exchange.target = request.substr(blank + 1);
    exchange.headers = TRY(read_pairs(get(json, "headers"), "headers"));
    exchange.body = get(json, "body");
    exchange.expect = TRY(read_expectation(get(json, "expect"), "expect"));
    exchange.capture = TRY(read_pairs(get(json, "capture"), "capture"));
    if (const auto until = get_string(json, "until")) exchange.until = TRY(parse_span(*until).within("until"));
    if (const auto times = get_integer(json, "times")) exchange.times = static_cast<int>(*times);
    if (exchange.times < 1 || exchange.times > 1000) return Error{Fault::invalid_input, "times must be 1 to 1000"};
    exchange.some = TRY(read_expectation(get(json, "some"), "some"));
    return exchange;
}

ProbeWebSocket read_websocket(const Json& json) {
    return {.path = get_string(json, "path").value_or("/ws"),
            .url = get_string(json, "url").value_or(""),
            .greeting = get_string(json, "greeting").value_or(""),
            .send = get(json, "send"),
            .answer = get_string(json, "answer").value_or("")};
}

std::set<std::string> names_used(const ProbeExchange& exchange) {
    std::set<std::string> names = names_in(exchange.target);
    for (const auto& [name, value] : exchange.headers) names.merge(names_in(value));
    names.merge(names_in_texts(exchange.body));
    for (const auto* expectation : {&exchange.expect, &exchange.some}) {
        if (!*expectation) continue;
        for (const auto& [key, value] : (*expectation)->json) names.merge(names_in(value));
        for (const auto& [key, value] : (*expectation)->headers) names.merge(names_in(value));
    }
    return names;
}

Result<void> check_names(const Probe& probe) {
    std::set<std::string> known{"unique"};
    for (const auto& [name, reference] : probe.secrets) known.insert("secret:" + name);
    const auto check_known = [&](const std::set<std::string>& used) -> Result<void> {
        for (const std::string& name : used)
            if (!known.contains(name))
                return Error{Fault::invalid_input, fmt::format("nothing sets ${{{}}} before it is used", name)};
        return {};
    };
    for (const ProbeExchange& exchange : probe.exchanges) {
        TRY(check_known(names_used(exchange)).within(exchange.method + " " + exchange.target));
        for (const auto& [name, pointer] : exchange.capture) known.insert(name);
    }
    if (probe.websocket) TRY(check_known(names_in_texts(probe.websocket->send)).within("websocket"));
    return {};
}

Result<Probe> read_probe(const std::string& name, const Json& declared) {
    Probe probe{.name = name, .says = get_string(declared, "says").value_or("")};
    for (const auto& [key, reference] : TRY(read_pairs(get(declared, "secrets"), "secrets")))
        probe.secrets[key] = reference;
    for (const Json& exchange : get(declared, "exchanges")) probe.exchanges.push_back(TRY(read_exchange(exchange)));
    if (!get(declared, "websocket").is_null()) probe.websocket = read_websocket(get(declared, "websocket"));
    // A probe without anything to do would always hold.
    if (probe.exchanges.empty() && !probe.websocket) return Error{Fault::invalid_input, "it asks for nothing"};
    TRY(check_names(probe));
    return probe;
}

}  // namespace

Result<Probe> parse_probe(const std::string& name, const Json& declared) {
    return read_probe(name, declared).within("probe " + name);
}

}  // namespace kedge
