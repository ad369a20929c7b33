#include "lab/relay_paths.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::lab {
namespace {

constexpr Span one_way = std::chrono::microseconds{32'500};
constexpr Span delay_max = std::chrono::seconds{30};

std::optional<Passage> parse_passage(std::string_view name) {
    for (const Passage passage : {Passage::open, Passage::silent, Passage::cut})
        if (to_string(passage) == name) return passage;
    return std::nullopt;
}

Error unusable(std::string_view key, const Json& change) {
    return {Fault::invalid_input, fmt::format("relay: unusable '{}' in {}", key, dump(change))};
}

Result<Span> span_in(const Json& change, std::string_view key, Span present) {
    if (get(change, key).is_null()) return present;
    const std::optional<std::string> text = get_string(change, key);
    if (!text) return unusable(key, change);
    const Span span = TRY(parse_span(*text));
    if (span > delay_max) return unusable(key, change);
    return span;
}

Result<Passage> passage_in(const Json& change, Passage present) {
    if (get(change, "passage").is_null()) return present;
    const std::optional<Passage> passage = parse_passage(get_string(change, "passage").value_or(""));
    if (!passage) return unusable("passage", change);
    return *passage;
}

}  // namespace

std::string_view to_string(Passage passage) {
    switch (passage) {
        case Passage::open: return "open";
        case Passage::silent: return "silent";
        case Passage::cut: return "cut";
    }
    return "open";
}

Paths::Paths() {
    for (const Site from : sites)
        for (const Site to : sites)
            if (from != to) between(from, to).delay = one_way;
}

void Paths::set_host(const std::string& host, Passage passage) {
    if (passage == Passage::open)
        hosts_.erase(host);
    else
        hosts_[host] = passage;
}

Passage Paths::passage(Site from, Site to, const std::string& host, const std::string& other_host) const {
    Passage strictest = between(from, to).passage;
    for (const std::string* name : {&host, &other_host})
        if (const auto found = hosts_.find(*name); found != hosts_.end())
            strictest = std::max(strictest, found->second);
    return strictest;
}

Passage Paths::both_ways(Site from, Site to, const std::string& host, const std::string& other_host) const {
    return std::max(passage(from, to, host, other_host), passage(to, from, host, other_host));
}

Result<void> Paths::apply(const Json& change) {
    if (const std::optional<std::string> host = get_string(change, "host")) {
        if (get(change, "passage").is_null()) return unusable("passage", change);
        set_host(*host, TRY(passage_in(change, Passage::open)));
        return {};
    }
    const std::optional<Site> from = parse_site(get_string(change, "from").value_or(""));
    const std::optional<Site> to = parse_site(get_string(change, "to").value_or(""));
    if (!from) return unusable("from", change);
    if (!to) return unusable("to", change);
    Path changed = between(*from, *to);
    changed.delay = TRY(span_in(change, "delay", changed.delay));
    changed.jitter = TRY(span_in(change, "jitter", changed.jitter));
    changed.passage = TRY(passage_in(change, changed.passage));
    if (!get(change, "loss").is_null()) {
        changed.loss = get_number(change, "loss").value_or(-1);
        if (changed.loss < 0 || changed.loss > 1) return unusable("loss", change);
    }
    between(*from, *to) = changed;
    return {};
}

Json Paths::describe() const {
    Json paths = Json::array();
    for (const Site from : sites)
        for (const Site to : sites) {
            const Path& path = between(from, to);
            paths.push_back({{"from", to_string(from)},
                             {"to", to_string(to)},
                             {"delay", kedge::to_string(path.delay)},
                             {"jitter", kedge::to_string(path.jitter)},
                             {"loss", path.loss},
                             {"passage", to_string(path.passage)},
                             {"bytes", path.bytes}});
        }
    Json hosts = Json::object();
    for (const auto& [host, passage] : hosts_) hosts[host] = to_string(passage);
    return {{"paths", paths}, {"hosts", hosts}};
}

}  // namespace kedge::lab
