// Writes numbered rows from outside both regions, all the time, and notes what was acknowledged.
//
//   kedge-lab-writer CONFIG                              writes until SIGTERM (config.h); one JSON line an attempt
//   kedge-lab-writer --read-back CONFIG [--fault TIME]   compares the stores with the notes (read_back.h);
//                                                        TIME as 2026-11-23T14:00:12.481Z
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <list>
#include <string>
#include <vector>

#include "config.h"
#include "os/clock.h"
#include "read_back.h"
#include "stream_writer.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span read_back_limit = 120s;

int complain(const Error& error) {
    fmt::print(stderr, "kedge-lab-writer: {}\n", error.message);
    if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
    return error.fault == Fault::invalid_input ? 3 : 1;
}

std::unique_ptr<Sink> make_sink(const WriterConfig& config, const StreamOptions& stream, Database& database,
                                Cache& cache) {
    switch (stream.kind) {
        case StreamKind::http: return make_http_sink(config, stream.in_flight_max());
        case StreamKind::postgres: return make_postgres_sink(database);
        case StreamKind::redis: return make_redis_sink(cache);
    }
    return nullptr;
}

Result<void> write_until_told(const std::string& path) {
    // Blocked before the first thread starts, so that only the waiting below takes them.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    const WriterConfig config = TRY(load_writer_config(path));
    auto next = next_sequences(config.log);
    EventLog log = TRY(EventLog::open(config.log));
    Database database{config.database};
    Cache cache{config.cache};
    std::list<StreamWriter> streams;
    for (const StreamOptions& stream : config.streams) {
        const std::int64_t first = std::max<std::int64_t>(next[stream.name], 1);
        streams.emplace_back(stream, make_sink(config, stream, database, cache), first, log);
    }
    int signal = 0;
    sigwait(&signals, &signal);
    for (const StreamWriter& stream : streams)
        if (stream.skipped() > 0)
            fmt::print(stderr, "kedge-lab-writer: {} ticks without a free worker\n", stream.skipped());
    return {};
}

Result<void> print_read_back(const std::string& path, const std::string& fault) {
    const WriterConfig config = TRY(load_writer_config(path));
    std::optional<Moment> moment;
    if (!fault.empty()) moment = TRY(parse_moment(fault));
    fmt::print("{}\n", dump_pretty(TRY(read_back(config, moment, SystemClock{}.now() + read_back_limit))));
    return {};
}

int run(const std::vector<std::string>& words) {
    Result<void> done;
    if (words.size() == 1 && !words[0].starts_with("-"))
        done = write_until_told(words[0]);
    else if (words.size() == 2 && words[0] == "--read-back")
        done = print_read_back(words[1], "");
    else if (words.size() == 4 && words[0] == "--read-back" && words[2] == "--fault")
        done = print_read_back(words[1], words[3]);
    else
        done = Error{Fault::invalid_input, "usage: kedge-lab-writer CONFIG | --read-back CONFIG [--fault TIME]"};
    return done ? 0 : complain(done.error());
}

}  // namespace
}  // namespace kedge::lab

int main(int argc, char** argv) {
    return kedge::lab::run({argv + 1, argv + argc});
}
