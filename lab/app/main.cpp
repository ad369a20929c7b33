// The lab's application: a small stand-in for the platform whose recovery is practised.
//
//   kedge-lab-app CONFIG                                   one instance, until SIGTERM (config.h)
//   kedge-lab-app --init CONNINFO --password-file FILE     fills an empty database (init.h)
//   kedge-lab-app --schema CONNINFO version     prints the version of the schema (migrations.h)
//   kedge-lab-app --schema CONNINFO validate    exits with 1 if it is not what its version says, 2 if nobody knows
//   kedge-lab-app --schema CONNINFO to N        moves it up or down
//   kedge-lab-app --index DIRECTORY CONNINFO ...   builds, serves and asks the index of knowledge (knowledge_job.h)
#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "api.h"
#include "init.h"
#include "knowledge_job.h"
#include "migrations.h"
#include "os/clock.h"
#include "os/files.h"
#include "server.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span init_limit = 60s, schema_limit = 5min;

int complain(const Error& error) {
    fmt::print(stderr, "kedge-lab-app: {}\n", error.message);
    if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
    if (error.fault == Fault::invalid_input) return 3;
    return error.fault == Fault::unavailable || error.fault == Fault::outcome_unknown ? 2 : 1;
}

Result<void> initialise(const std::string& conninfo, const std::string& password_file) {
    std::string password = TRY(read_file(password_file, 4096));
    while (!password.empty() && password.back() == '\n') password.pop_back();
    return initialise_database(conninfo, password, SystemClock{}.now() + init_limit);
}

Result<void> run_instance(const std::string& path) {
    // Blocked before the first thread starts, so that only the waiting below takes them.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    const Config config = TRY(load_config(path));
    RequestLog log = TRY(RequestLog::open(config.log));
    Listener listener = TRY(Listener::listen(config.listen));
    Api api{config, log};
    const std::jthread server{[&](const std::stop_token& stop) { serve(listener, api, stop); }};
    int signal = 0;
    sigwait(&signals, &signal);
    return {};
}

// "--schema CONNINFO version", "... validate", "... to N"
Result<void> schema(const std::vector<std::string>& words) {
    const Moment deadline = SystemClock{}.now() + schema_limit;
    if (words[2] == "version" && words.size() == 3) {
        fmt::print("{}\n", TRY(schema_version(words[1], deadline)));
        return {};
    }
    if (words[2] == "validate" && words.size() == 3) return check_schema(words[1], deadline);
    int version = 0;
    const char* const end = words.back().data() + words.back().size();
    const auto read = std::from_chars(words.back().data(), end, version);
    if (words[2] == "to" && words.size() == 4 && read.ec == std::errc() && read.ptr == end)
        return move_schema(words[1], version, deadline);
    return Error{Fault::invalid_input, "usage: kedge-lab-app --schema CONNINFO version | validate | to N"};
}

int run(const std::string& program, const std::vector<std::string>& words) {
    Result<void> done;
    if (words.size() == 1 && !words[0].starts_with("-"))
        done = run_instance(words[0]);
    else if (words.size() == 4 && words[0] == "--init" && words[2] == "--password-file")
        done = initialise(words[1], words[3]);
    else if (words.size() >= 3 && words[0] == "--schema")
        done = schema(words);
    else if (words.size() >= 2 && words[0] == "--index")
        done = run_index_command(program, {words.begin() + 1, words.end()});
    else
        done = Error{Fault::invalid_input,
                     "usage: kedge-lab-app CONFIG | --init CONNINFO --password-file FILE | "
                     "--schema CONNINFO version|validate|to N | --index DIRECTORY CONNINFO ..."};
    return done ? 0 : complain(done.error());
}

}  // namespace
}  // namespace kedge::lab

int main(int argc, char** argv) {
    return kedge::lab::run(argv[0], {argv + 1, argv + argc});
}
