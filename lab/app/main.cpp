// The lab's application: a small stand-in for the platform whose recovery is practised.
//
//   kedge-lab-app CONFIG                                   one instance, until SIGTERM (config.h)
//   kedge-lab-app --init CONNINFO --password-file FILE     fills an empty database (init.h)
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "api.h"
#include "init.h"
#include "os/clock.h"
#include "os/files.h"
#include "server.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span init_limit = 60s;

int complain(const Error& error) {
    fmt::print(stderr, "kedge-lab-app: {}\n", error.message);
    if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
    return error.fault == Fault::invalid_input ? 3 : 1;
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

int run(const std::vector<std::string>& words) {
    Result<void> done;
    if (words.size() == 1 && !words[0].starts_with("-"))
        done = run_instance(words[0]);
    else if (words.size() == 4 && words[0] == "--init" && words[2] == "--password-file")
        done = initialise(words[1], words[3]);
    else
        done = Error{Fault::invalid_input, "usage: kedge-lab-app CONFIG | --init CONNINFO --password-file FILE"};
    return done ? 0 : complain(done.error());
}

}  // namespace
}  // namespace kedge::lab

int main(int argc, char** argv) {
    return kedge::lab::run({argv + 1, argv + argc});
}
