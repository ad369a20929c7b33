// What is measured, logged, told and kept in the simulated world.
#pragma once

#include <map>
#include <set>
#include <string>

#include "sim/world/application_model.h"
#include "sim/world/simulated_database.h"
#include "targets/channel.h"
#include "targets/metrics.h"
#include "targets/samples.h"
#include "targets/store.h"

namespace kedge::sim {

// Knows the expressions that plans ask by default: freshness, requests, errors, latency. A word of each is enough.
class SimulatedMetrics final : public Metrics {
public:
    SimulatedMetrics(Ground& ground, ApplicationModel* application) : ground_(ground), application_(application) {}
    Result<std::vector<MetricSample>> query(const std::string& expression, Moment deadline) override;

    Part& part() { return part_; }

private:
    std::optional<double> value(const std::string& expression, Place place);

    Ground& ground_;
    ApplicationModel* application_;
    Part part_{.name = "metrics", .place = ground_.outside()};
};

class SimulatedLogs final : public Logs {
public:
    SimulatedLogs(Ground& ground, ApplicationModel* application) : ground_(ground), application_(application) {}
    Result<std::vector<LogLine>> newest(const std::string& region, int count, Moment deadline) override;

    Part& part() { return part_; }

private:
    Ground& ground_;
    ApplicationModel* application_;
    Part part_{.name = "logs", .place = ground_.outside()};
};

// Drops a second notice of the same key, as the interface says of receivers.
class SimulatedChannel final : public Channel {
public:
    SimulatedChannel(Ground& ground, std::string name, std::size_t index)
        : ground_(ground), index_(index), part_{.name = std::move(name), .place = ground.outside()} {}
    Result<Receipt> send(const Notice& notice, Moment deadline) override;
    Result<Truth> delivered(const std::string& key, Moment deadline) override;

    Part& part() { return part_; }
    // Deliveries by key, repeats that the receiver dropped included.
    const std::map<std::string, int>& deliveries() const { return deliveries_; }
    bool accepts_and_loses = false;  // a pager that says 202 and calls nobody
    bool repeats = false;            // every notice comes twice
    Span late{};                     // from when it was taken until it is there

private:
    void deliver(const std::string& key);

    Ground& ground_;
    std::size_t index_;
    Part part_;
    std::map<std::string, int> deliveries_;
};

class SimulatedStore final : public Store {
public:
    SimulatedStore(Ground& ground, std::string name)
        : ground_(ground), part_{.name = std::move(name), .place = ground.outside()} {}
    Result<std::vector<StoredObject>> list(const std::string& prefix, Moment deadline) override;
    Result<std::string> read(const std::string& name, std::uint64_t bytes_max, Moment deadline) override;
    Result<void> write(const std::string& name, const std::string& content, Moment deadline) override;

private:
    Ground& ground_;
    Part part_;
    std::map<std::string, std::pair<std::string, Moment>> objects_;
};

// The observer: each second a heartbeat on the primary, read on every copy. It stands outside, as `kedge watch` does.
class SimulatedSamples final : public Samples {
public:
    // The databases outlive it.
    SimulatedSamples(Ground& ground, const std::vector<DatabaseModel*>& databases);
    Result<std::optional<LagSample>> latest(const std::string& database) const override;

    bool watching = true;

private:
    struct Seen {
        DatabaseModel* database;
        std::optional<Moment> at;
        std::optional<Place> primary;
        std::optional<Heartbeat> acknowledged;
        std::vector<std::optional<std::uint32_t>> timelines;  // of the copies that answered
        std::int64_t next = 1;
    };
    void pass();
    void observe(Seen& seen);

    Ground& ground_;
    std::vector<Seen> seen_;
};

}  // namespace kedge::sim
