#include "scratch_redis.h"

#include <fmt/format.h>

#include "base/check.h"
#include "os/clock.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

// A directory of the server's own, named after its port.
std::string home_of(const ScratchDirectory& directory, const Endpoint& endpoint) {
    std::string home = fmt::format("{}/redis-{}", directory.path(), endpoint.port);
    directory.run({"mkdir", "--", home});
    return home;
}

}  // namespace

void ScratchRedis::run(Arguments arguments) {
    arguments_ = std::move(arguments);
    start_again();
}

void ScratchRedis::start_again() {
    auto child = Child::spawn(arguments_, {.login = directory_.login()});
    check(child.has_value(), "redis-server can be started");
    child_ = std::move(*child);
    const Moment end = SystemClock{}.now() + 10s;
    while (!Stream::connect(endpoint_, end) && SystemClock{}.now() < end) wait_out(within(10ms));
    check(SystemClock{}.now() < end, "redis-server listens within ten seconds");
}

std::unique_ptr<ScratchRedis> ScratchRedis::start(const ScratchDirectory& directory,
                                                  const std::optional<Endpoint>& master) {
    const Endpoint endpoint{"127.0.0.1", scratch_port()};
    std::unique_ptr<ScratchRedis> server{new ScratchRedis{directory, endpoint}};
    Arguments arguments{"redis-server",
                        "--port",
                        std::to_string(endpoint.port),
                        "--bind",
                        endpoint.host,
                        "--dir",
                        home_of(directory, endpoint),
                        "--appendonly",
                        "yes",
                        "--save",
                        "",
                        "--repl-diskless-sync-delay",
                        "0"};
    if (master) arguments.insert(arguments.end(), {"--replicaof", fmt::format("{} {}", master->host, master->port)});
    server->run(std::move(arguments));
    return server;
}

std::unique_ptr<ScratchRedis> ScratchRedis::start_sentinel(const ScratchDirectory& directory, const Endpoint& master,
                                                           const std::string& name) {
    const Endpoint endpoint{"127.0.0.1", scratch_port()};
    const std::string home = home_of(directory, endpoint);
    std::unique_ptr<ScratchRedis> sentinel{new ScratchRedis{directory, endpoint}};
    directory.run({"tee", home + "/sentinel.conf"},
                  fmt::format("port {0}\nbind 127.0.0.1\ndir {1}\nsentinel monitor {2} {3} {4} 1\n"
                              "sentinel down-after-milliseconds {2} 1000\nsentinel failover-timeout {2} 5000\n",
                              endpoint.port, home, name, master.host, master.port));
    sentinel->run({"redis-server", home + "/sentinel.conf", "--sentinel"});
    return sentinel;
}

ScratchRedis::~ScratchRedis() {
    kill();
}

void ScratchRedis::kill() {
    if (child_) child_->kill_and_reap();
    child_.reset();
}

}  // namespace kedge::lab
