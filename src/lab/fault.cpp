#include "lab/fault.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/suggest.h"

namespace kedge::lab {
namespace {

constexpr std::array forms = {
    FaultForm{FaultKind::region_killed, "region-killed", "REGION",
              "every process of the region is killed at one instant; nothing answers from there any more"},
    FaultForm{FaultKind::region_silent, "region-silent", "REGION",
              "the region lives, and no byte passes between it and any other site"},
    FaultForm{FaultKind::partition, "partition", "[SITE SITE] [cut]",
              "no byte passes between two sites (the two regions); cut: connections are reset instead of held"},
    FaultForm{FaultKind::one_way, "one-way", "FROM TO [cut]", "no byte passes in one direction"},
    FaultForm{FaultKind::slow_path, "slow-path", "SITE SITE DELAY", "each direction between the two takes this long"},
    FaultForm{FaultKind::lossy_path, "lossy-path", "SITE SITE SHARE", "this share is lost once and sent again"},
    FaultForm{FaultKind::kill, "kill", "COMPONENT", "all its processes are killed"},
    FaultForm{FaultKind::pause, "pause", "COMPONENT", "all its processes are stopped where they are"},
    FaultForm{FaultKind::cut, "cut", "COMPONENT", "its connections with other sites are reset and refused"},
    FaultForm{FaultKind::silence, "silence", "COMPONENT", "no byte passes between it and other sites"},
    FaultForm{FaultKind::replay_lag, "replay-lag", "STANDBY [DELAY]",
              "it receives and does not replay, or replays so much later"},
    FaultForm{FaultKind::archive_full, "archive-full", "", "the WAL archive takes no more"},
    FaultForm{FaultKind::slow_disk, "slow-disk", "COMPONENT DELAY", "each of its syncs to disk takes so much longer"},
    FaultForm{FaultKind::old_primary_returns, "old-primary-returns", "COMPONENT",
              "a server that was primary starts again as it was: writable"},
};
static_assert(forms.back().kind == FaultKind::old_primary_returns, "a form for every kind, in their order");

const FaultForm& form_of(FaultKind kind) {
    return forms[static_cast<std::size_t>(kind)];
}

Error wrong(const FaultForm& form, const std::string& why) {
    return {Fault::invalid_input, fmt::format("{}: {}", form.name, why),
            fmt::format("write it as: {} {}", form.name, form.arguments)};
}

// Reads the arguments one by one; each function takes the next word.
class FaultWords {
public:
    FaultWords(const FaultForm& form, std::span<const std::string> words) : form_(form), words_(words) {}

    bool is_empty() const { return words_.empty(); }
    Result<std::string> next(std::string_view what) {
        if (words_.empty()) return wrong(form_, fmt::format("{} is missing", what));
        std::string word = words_.front();
        words_ = words_.subspan(1);
        return word;
    }
    bool take(std::string_view word) {
        if (words_.empty() || words_.front() != word) return false;
        words_ = words_.subspan(1);
        return true;
    }
    Result<Site> site() {
        const std::string word = TRY(next("a site"));
        if (const std::optional<Site> site = parse_site(word)) return *site;
        return wrong(form_, fmt::format("'{}' is no site{}", word, meant(word, {"us-east-1", "us-west-2", "outside"})));
    }
    Result<Site> region() {
        const Site site = TRY(this->site());
        if (site == Site::outside) return wrong(form_, "'outside' is no region");
        return site;
    }
    Result<const Place*> component() {
        const std::string word = TRY(next("a component"));
        if (const Place* const place = find_place(word)) return place;
        std::vector<std::string> names;
        for (const Place& place : places()) names.emplace_back(place.name);
        return wrong(form_, fmt::format("'{}' is no component{}", word, meant(word, names)));
    }
    Result<const Place*> postgres() {
        const Place* const place = TRY(component());
        if (place->kind != Kind::postgres) return wrong(form_, fmt::format("{} is no PostgreSQL server", place->name));
        return place;
    }
    Result<Span> delay() {
        const std::string word = TRY(next("a span of time"));
        return parse_span(word).within(form_.name);
    }
    Result<double> share() {
        const std::string word = TRY(next("a share"));
        double share = -1;
        const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), share);
        if (status != std::errc{} || end != word.data() + word.size() || share < 0 || share > 1)
            return wrong(form_, fmt::format("'{}' is no share between 0 and 1", word));
        return share;
    }

private:
    static std::string meant(const std::string& word, const std::vector<std::string>& known) {
        const std::optional<std::string> near = nearest(word, known);
        return near ? fmt::format("; did you mean '{}'?", *near) : "";
    }

    const FaultForm& form_;
    std::span<const std::string> words_;
};

Result<void> read_sites(LabFault& fault, FaultWords& words, const FaultForm& form) {
    fault.site = TRY(words.site());
    fault.other_site = TRY(words.site());
    if (fault.site == fault.other_site) return wrong(form, "the two sites are the same");
    return {};
}

Result<LabFault> read_arguments(const FaultForm& form, FaultWords& words) {
    LabFault fault{.kind = form.kind};
    switch (form.kind) {
        case FaultKind::region_killed:
        case FaultKind::region_silent: fault.site = TRY(words.region()); break;
        case FaultKind::partition:
            fault.site = Site::east;
            fault.other_site = Site::west;
            if (words.take("cut")) fault.passage = Passage::cut;
            if (words.is_empty()) break;
            TRY(read_sites(fault, words, form));
            if (words.take("cut")) fault.passage = Passage::cut;
            break;
        case FaultKind::one_way:
            TRY(read_sites(fault, words, form));
            if (words.take("cut")) fault.passage = Passage::cut;
            break;
        case FaultKind::slow_path:
            TRY(read_sites(fault, words, form));
            fault.delay = TRY(words.delay());
            break;
        case FaultKind::lossy_path:
            TRY(read_sites(fault, words, form));
            fault.share = TRY(words.share());
            break;
        case FaultKind::kill:
        case FaultKind::pause: fault.component = TRY(words.component()); break;
        case FaultKind::cut:
        case FaultKind::silence:
            fault.component = TRY(words.component());
            if (fault.component->announced.empty())
                return wrong(form, fmt::format("{} is not reached through the relay", fault.component->name));
            if (form.kind == FaultKind::cut) fault.passage = Passage::cut;
            break;
        case FaultKind::replay_lag:
            fault.component = TRY(words.postgres());
            if (!words.is_empty()) fault.delay = TRY(words.delay());
            break;
        case FaultKind::archive_full: break;
        case FaultKind::slow_disk:
            fault.component = TRY(words.component());
            fault.delay = TRY(words.delay());
            break;
        case FaultKind::old_primary_returns: fault.component = TRY(words.postgres()); break;
    }
    return fault;
}

PathChange& path(Network& network, Site from, Site to) {
    for (PathChange& change : network.paths)
        if (change.from == from && change.to == to) return change;
    check(false, "a network has every path");
    return network.paths.front();
}

void tighten(Network& network, Site from, Site to, Passage passage) {
    PathChange& change = path(network, from, to);
    change.passage = std::max(change.passage.value_or(Passage::open), passage);
}

void tighten_both(Network& network, Site one, Site other, Passage passage) {
    tighten(network, one, other, passage);
    tighten(network, other, one, passage);
}

Network sound_network() {
    const Paths usual;
    Network network;
    for (const Site from : sites)
        for (const Site to : sites)
            network.paths.push_back({.from = from,
                                     .to = to,
                                     .delay = usual.between(from, to).delay,
                                     .loss = 0.0,
                                     .passage = Passage::open});
    for (const Place& place : places())
        if (!place.announced.empty()) network.hosts.push_back({std::string(place.host), Passage::open});
    return network;
}

void apply(Network& network, const LabFault& fault) {
    switch (fault.kind) {
        case FaultKind::region_killed:
        case FaultKind::region_silent:
            for (const Site other : sites)
                if (other != *fault.site) tighten_both(network, *fault.site, other, Passage::silent);
            break;
        case FaultKind::partition: tighten_both(network, *fault.site, *fault.other_site, fault.passage); break;
        case FaultKind::one_way: tighten(network, *fault.site, *fault.other_site, fault.passage); break;
        case FaultKind::slow_path:
            path(network, *fault.site, *fault.other_site).delay = fault.delay;
            path(network, *fault.other_site, *fault.site).delay = fault.delay;
            break;
        case FaultKind::lossy_path:
            path(network, *fault.site, *fault.other_site).loss = fault.share;
            path(network, *fault.other_site, *fault.site).loss = fault.share;
            break;
        case FaultKind::cut:
        case FaultKind::silence:
            for (HostChange& host : network.hosts)
                if (host.host == fault.component->host) host.passage = std::max(host.passage, fault.passage);
            break;
        case FaultKind::kill:
        case FaultKind::pause:
        case FaultKind::replay_lag:
        case FaultKind::archive_full:
        case FaultKind::slow_disk:
        case FaultKind::old_primary_returns: break;
    }
}

}  // namespace

std::span<const FaultForm> fault_forms() {
    return forms;
}

std::string LabFault::name() const {
    std::string text(form_of(kind).name);
    const auto add = [&](std::string_view word) { text += fmt::format(" {}", word); };
    if (site) add(to_string(*site));
    if (other_site) add(to_string(*other_site));
    if (component != nullptr) add(component->name);
    if (delay) add(kedge::to_string(*delay));
    if (kind == FaultKind::lossy_path) add(fmt::format("{}", share));
    if (passage == Passage::cut && (kind == FaultKind::partition || kind == FaultKind::one_way)) add("cut");
    return text;
}

Result<LabFault> parse_lab_fault(const std::vector<std::string>& words) {
    if (words.empty()) return Error{Fault::invalid_input, "no fault was named"};
    const auto* const form = std::ranges::find(forms, words.front(), &FaultForm::name);
    if (form == forms.end()) {
        std::vector<std::string> names;
        for (const FaultForm& known : forms) names.emplace_back(known.name);
        const std::optional<std::string> near = nearest(words.front(), names);
        return Error{
            Fault::invalid_input, fmt::format("'{}' is no fault of the lab", words.front()),
            near ? fmt::format("did you mean '{}'?", *near) : fmt::format("there are: {}", fmt::join(names, ", "))};
    }
    FaultWords arguments(*form, std::span(words).subspan(1));
    LabFault fault = TRY(read_arguments(*form, arguments));
    if (!arguments.is_empty()) return wrong(*form, fmt::format("too many words: '{}'", fmt::join(words, " ")));
    return fault;
}

Network network_under(const std::vector<LabFault>& faults) {
    Network network = sound_network();
    for (const LabFault& fault : faults) apply(network, fault);
    return network;
}

bool is_open(const Network& network, Site one, Site other) {
    return std::ranges::none_of(network.paths, [&](const PathChange& change) {
        const bool between = (change.from == one && change.to == other) || (change.from == other && change.to == one);
        return between && change.passage != Passage::open;
    });
}

}  // namespace kedge::lab
