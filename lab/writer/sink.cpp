#include "sink.h"

#include <fmt/format.h>

#include "base/json.h"
#include "os/http.h"

namespace kedge::lab {
namespace {

class HttpSink final : public Sink {
public:
    HttpSink(const WriterConfig& config, int workers) : token_(config.service_token) {
        for (int i = 0; i < workers; ++i)
            connections_.push_back(HttpConnection::to(config.entrance, {.source = config.source}).value());
    }

    Result<std::string> write(int worker, const std::string& stream, std::int64_t sequence, Moment deadline) override {
        HttpRequest request{.method = "POST",
                            .target = "/api/heartbeat",
                            .headers = {{"Content-Type", "application/json"}},
                            .body = dump(Json{{"stream", stream}, {"seq", sequence}})};
        if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
        const auto response = TRY(connections_.at(static_cast<std::size_t>(worker)).request(request, deadline));
        const auto body = parse_json(response.body);
        if (response.status != 200)
            return Error{Fault::unavailable,
                         fmt::format("{} {}", response.status, body ? get_string(*body, "error").value_or("") : "")};
        // An acknowledgement that does not name the row acknowledges nothing.
        if (!body || get_integer(*body, "seq") != sequence || get_string(*body, "stream") != stream)
            return Error{Fault::corrupt, "200, but not for this row"};
        return get_string(*body, "region").value_or("");
    }

private:
    const std::string token_;
    std::vector<HttpConnection> connections_;  // one a worker
};

class PostgresSink final : public Sink {
public:
    explicit PostgresSink(Database& database) : database_(database) {}

    Result<std::string> write(int, const std::string& stream, std::int64_t sequence, Moment deadline) override {
        TRY(database_.write({{"INSERT INTO lab_heartbeat (stream, seq) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                              {stream, std::to_string(sequence)}}},
                            deadline));
        return database_.primary_region().value_or("");
    }

private:
    Database& database_;
};

class RedisSink final : public Sink {
public:
    explicit RedisSink(Cache& cache) : cache_(cache) {}

    Result<std::string> write(int, const std::string& stream, std::int64_t sequence, Moment deadline) override {
        const auto replies = TRY(cache_.run({{"SADD", redis_key(stream), std::to_string(sequence)}}, deadline));
        if (replies.front().integer != 1) return Error{Fault::corrupt, "the number was stored before"};
        const auto master = cache_.state().master;
        return master ? kedge::to_string(*master) : "";
    }

private:
    Cache& cache_;
};

}  // namespace

std::unique_ptr<Sink> make_http_sink(const WriterConfig& config, int workers) {
    return std::make_unique<HttpSink>(config, workers);
}
std::unique_ptr<Sink> make_postgres_sink(Database& database) {
    return std::make_unique<PostgresSink>(database);
}
std::unique_ptr<Sink> make_redis_sink(Cache& cache) {
    return std::make_unique<RedisSink>(cache);
}

std::string redis_key(const std::string& stream) {
    return "lab_heartbeat:" + stream;
}

}  // namespace kedge::lab
