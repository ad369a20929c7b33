#include "targets/patroni/scratch_patroni.h"

#include <fmt/format.h>

#include <csignal>
#include <fstream>

#include "base/check.h"
#include "os/clock.h"
#include "os/http.h"
#include "os/wait.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

std::string local(std::uint16_t port) {
    return fmt::format("127.0.0.1:{}", port);
}

bool await(Span longest, const std::function<bool()>& holds) {
    const SystemClock clock;
    for (const Moment end = clock.now() + longest; clock.now() < end; wait_out(within(50ms)))
        if (holds()) return true;
    return false;
}

bool answers(const std::string& url) {
    const auto response = http_request({.target = url}, within(1s));
    return response && response->status == 200;
}

}  // namespace

ScratchPatroni::ScratchPatroni(Timing timing)
    : timing_(timing), etcd_port_(scratch_port()), etcd_peer_port_(scratch_port()) {
    for (const char* name : {"east", "west"}) {
        Member& member = find(name);
        member.server = ScratchServer::place(directory_, name);
        member.rest_port = scratch_port();
        directory_.run({"tee", fmt::format("{}/{}.yml", directory_.path(), name)}, configuration(member));
    }
    start_etcd();
    start("east");
    check(await(60s, [&] { return answers(rest_url("east") + "/primary"); }), "the first member of Patroni leads");
    start("west");
    check(await(60s, [&] { return answers(rest_url("west") + "/replica"); }), "the second member of Patroni follows");
    check(server("west").await("SELECT status FROM pg_stat_wal_receiver", "streaming"), "and streams");
}

ScratchPatroni::~ScratchPatroni() {
    for (const char* name : {"east", "west"}) kill(name);
}

void ScratchPatroni::start_etcd() {
    const std::string client = "http://" + local(etcd_port_), peer = "http://" + local(etcd_peer_port_);
    auto child = Child::spawn(
        {"etcd", "--name", "one", "--data-dir", directory_.path() + "/etcd", "--listen-client-urls", client,
         "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
         "--initial-cluster", "one=" + peer, "--unsafe-no-fsync", "--log-level", "error"},
        {.login = directory_.login()});
    check(child.has_value(), child ? "" : child.error().message);
    etcd_ = std::move(*child);
    check(await(30s, [&] { return answers(client + "/health"); }), "etcd starts");
}

std::string ScratchPatroni::configuration(const Member& member) const {
    const ScratchServer& server = *member.server;
    return fmt::format(R"yaml(scope: {scope}
name: {name}
restapi: {{listen: "{rest}", connect_address: "{rest}"}}
etcd3: {{host: "{etcd}"}}
bootstrap:
  dcs:
    ttl: {ttl}
    loop_wait: {loop}
    retry_timeout: {retry}
    postgresql:
      use_pg_rewind: true
      parameters: {{wal_log_hints: "on", wal_keep_size: 64MB, max_connections: 30}}
  initdb: [encoding: UTF8, no-locale, data-checksums, no-sync, wal-segsize: "1"]
  pg_hba: ["host all all 127.0.0.0/8 trust", "host replication all 127.0.0.0/8 trust"]
postgresql:
  listen: "{sql}"
  connect_address: "{sql}"
  data_dir: {data}
  bin_dir: {programs}
  pgpass: {directory}/{name}.pgpass
  authentication: {{superuser: {{username: postgres}}, replication: {{username: postgres}}}}
  parameters:
    fsync: "off"
    shared_buffers: 16MB
    unix_socket_directories: ''
    dynamic_shared_memory_type: mmap
    wal_receiver_status_interval: 1
watchdog: {{mode: "off"}}
)yaml",
                       fmt::arg("scope", scope), fmt::arg("name", server.name()),
                       fmt::arg("rest", local(member.rest_port)), fmt::arg("etcd", local(etcd_port_)),
                       fmt::arg("ttl", timing_.ttl), fmt::arg("loop", timing_.loop_wait),
                       fmt::arg("retry", timing_.retry_timeout), fmt::arg("sql", local(server.port())),
                       fmt::arg("data", server.data_directory()), fmt::arg("programs", scratch_bin_directory),
                       fmt::arg("directory", directory_.path()));
}

void ScratchPatroni::start(const std::string& name) {
    const std::string log = fmt::format("{}/{}.log", directory_.path(), name);
    directory_.run({"touch", log});
    auto child = Child::spawn({"patroni", fmt::format("{}/{}.yml", directory_.path(), name)},
                              {.output = Redirect::append_to(log),
                               .errors = Redirect::append_to(log),
                               .directory = directory_.path(),
                               .login = directory_.login()});
    check(child.has_value(), child ? "" : child.error().message);
    find(name).patroni = std::move(*child);
}

std::string ScratchPatroni::rest_url(const std::string& member) const {
    return "http://" + local(find(member).rest_port);
}

const ScratchServer& ScratchPatroni::server(const std::string& member) const {
    return *find(member).server;
}

void ScratchPatroni::kill(const std::string& name) {
    Member& member = find(name);
    if (member.patroni) member.patroni->signal_group(SIGKILL);
    if (member.server) member.server->kill();
    member.patroni.reset();
}

void ScratchPatroni::freeze(const std::string& name) const {
    if (find(name).patroni) ::kill(find(name).patroni->pid(), SIGSTOP);
    find(name).server->freeze();
}

void ScratchPatroni::thaw(const std::string& name) const {
    find(name).server->thaw();
    if (find(name).patroni) ::kill(find(name).patroni->pid(), SIGCONT);
}

}  // namespace kedge
