#include "sim/world/simulated_observation.h"

#include <fmt/format.h>

namespace kedge::sim {
namespace {

constexpr Span watch_period = 1s, scrape_period = 5s;
constexpr std::int64_t window_seconds = 15;

bool speaks_of(const std::string& expression, std::string_view word) {
    return expression.find(word) != std::string::npos;
}

}  // namespace

std::optional<double> SimulatedMetrics::value(const std::string& expression, Place place) {
    const bool reached = ground_.open_both(ground_.outside(), place);
    const std::int64_t now = ground_.now().time_since_epoch() / 1s;
    if (speaks_of(expression, "timestamp(")) {
        if (!reached || application_ == nullptr || application_->serving(place, ground_.outside()) == nullptr)
            return std::nullopt;
        return seconds(ground_.now().time_since_epoch() - ground_.random().between(0ms, scrape_period));
    }
    if (application_ == nullptr) return std::nullopt;
    double requests = 0, errors = 0;
    for (const ApplicationModel::Site::Second& second : application_->sites()[place].served) {
        if (second.second <= now - window_seconds) continue;
        requests += static_cast<double>(second.requests);
        errors += static_cast<double>(second.errors);
    }
    if (speaks_of(expression, "histogram_quantile")) {
        if (requests == 0) return std::nullopt;
        const DatabaseModel::Server* server = application_->writable_from(place);
        const bool far = server != nullptr && server->part.place != place;
        return 0.02 + (far ? 0.068 : 0.0) + seconds(ground_.random().between(0ms, 10ms));
    }
    if (speaks_of(expression, "5..")) {
        if (errors == 0) return std::nullopt;
        return errors / requests;
    }
    if (speaks_of(expression, "increase(")) return requests;
    return std::nullopt;
}

Result<std::vector<MetricSample>> SimulatedMetrics::query(const std::string& expression, Moment deadline) {
    const Passage passage = ground_.visit(Port::metrics, part_, deadline);
    if (passage != Passage::through) return Error{Fault::unavailable, not_through(passage, part_.name).message};
    std::vector<MetricSample> samples;
    for (Place place = 0; place < ground_.regions().size(); ++place) {
        const std::string& region = ground_.regions()[place];
        if (!speaks_of(expression, "\"" + region + "\"")) continue;
        if (const auto found = value(expression, place))
            samples.push_back({.labels = {{"region", region}}, .value = *found, .time = ground_.now()});
    }
    return samples;
}

Result<std::vector<LogLine>> SimulatedLogs::newest(const std::string& region, int count, Moment deadline) {
    const auto place = ground_.place_of(region);
    if (!place) return Error{Fault::not_found, "no logs are collected from " + region};
    const Passage passage = ground_.visit(Port::logs, part_, deadline);
    if (passage != Passage::through) return Error{Fault::unavailable, not_through(passage, part_.name).message};
    std::vector<LogLine> lines;
    if (application_ != nullptr && count > 0)
        lines.push_back({application_->sites()[*place].last_line, region, "{\"status\":200}"});
    return lines;
}

Result<Receipt> SimulatedChannel::send(const Notice& notice, Moment deadline) {
    const Passage passage = ground_.visit(Port::channel, part_, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, part_.name);
    if (!accepts_and_loses) deliver(notice.key);
    ground_.note(EffectKind::announce, ground_.outside(), index_);
    if (passage != Passage::through) return not_through(passage, part_.name);
    return Receipt{Truth::unknown, "taken", 1};
}

void SimulatedChannel::deliver(const std::string& key) {
    const int times = repeats ? 2 : 1;
    if (late == Span{0})
        deliveries_[key] += times;
    else
        ground_.schedule().after(late, [this, key, times] { deliveries_[key] += times; });
}

Result<Truth> SimulatedChannel::delivered(const std::string& key, Moment deadline) {
    const Passage passage = ground_.visit(Port::channel, part_, deadline);
    if (passage != Passage::through) return Error{Fault::unavailable, not_through(passage, part_.name).message};
    return truth(deliveries_.contains(key));
}

Result<std::vector<StoredObject>> SimulatedStore::list(const std::string& prefix, Moment deadline) {
    const Passage passage = ground_.visit(Port::store, part_, deadline);
    if (passage != Passage::through) return Error{Fault::unavailable, not_through(passage, part_.name).message};
    std::vector<StoredObject> found;
    for (const auto& [name, object] : objects_)
        if (name.starts_with(prefix)) found.push_back({name, object.first.size(), object.second});
    return found;
}

Result<std::string> SimulatedStore::read(const std::string& name, std::uint64_t bytes_max, Moment deadline) {
    const Passage passage = ground_.visit(Port::store, part_, deadline);
    if (passage != Passage::through) return Error{Fault::unavailable, not_through(passage, part_.name).message};
    const auto found = objects_.find(name);
    if (found == objects_.end()) return Error{Fault::not_found, fmt::format("{}: no object {}", part_.name, name)};
    if (found->second.first.size() > bytes_max)
        return Error{Fault::invalid_input, fmt::format("{}: {} is larger than {} bytes", part_.name, name, bytes_max)};
    return found->second.first;
}

Result<void> SimulatedStore::write(const std::string& name, const std::string& content, Moment deadline) {
    const Passage passage = ground_.visit(Port::store, part_, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, part_.name);
    const auto [at, fresh] = objects_.try_emplace(name, content, ground_.now());
    if (!fresh && at->second.first != content)
        return Error{Fault::conflict, fmt::format("{}: {} is there with other content", part_.name, name)};
    if (passage != Passage::through) return not_through(passage, part_.name);
    return {};
}

SimulatedSamples::SimulatedSamples(Ground& ground, const std::vector<DatabaseModel*>& databases) : ground_(ground) {
    for (DatabaseModel* database : databases) {
        seen_.push_back({.database = database, .at = {}, .primary = {}, .acknowledged = {}, .timelines = {}});
        seen_.back().timelines.resize(database->servers().size());
    }
    ground_.schedule().after(10ms, [this] { pass(); });
}

void SimulatedSamples::pass() {
    ground_.schedule().after(watch_period, [this] { pass(); });
    if (!watching) return;
    for (Seen& seen : seen_) observe(seen);
}

// As `Observer` (response/observer.h) does, without the calls: this happens in every second of every disaster.
void SimulatedSamples::observe(Seen& seen) {
    DatabaseModel& database = *seen.database;
    std::optional<Place> writer;
    int writers = 0;
    for (DatabaseModel::Server& server : database.servers()) {
        const bool answers = database.runs(server) && server.part.health == Health::up &&
                             ground_.open_both(ground_.outside(), server.part.place);
        seen.timelines[server.part.place] =
            answers ? std::optional{database.log().timeline(server.held)} : std::nullopt;
        if (!answers || !database.accepts_writes(server)) continue;
        writer = server.part.place;
        ++writers;
    }
    seen.at = ground_.now();
    seen.primary.reset();
    if (writers != 1 || database.gone) return;
    DatabaseModel::Server& server = database.at(*writer);
    const Lsn position = database.write(server, RecordKind::heartbeat, seen.next++, 1, 120);
    database.log().acknowledge(server.held.branch);
    seen.primary = writer;
    seen.acknowledged = Heartbeat{.sequence = seen.next - 1, .written = ground_.now(), .position = position};
}

Result<std::optional<LagSample>> SimulatedSamples::latest(const std::string& name) const {
    for (const Seen& seen : seen_) {
        if (seen.database->name() != name || !seen.at) continue;
        LagSample sample{.at = *seen.at, .acknowledged = seen.acknowledged};
        if (seen.primary) sample.primary = ground_.regions()[*seen.primary];
        for (Place place = 0; place < seen.timelines.size(); ++place)
            if (seen.timelines[place]) sample.sites[ground_.regions()[place]].timeline = seen.timelines[place];
        return std::optional{sample};
    }
    return std::optional<LagSample>{};
}

}  // namespace kedge::sim
