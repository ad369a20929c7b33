#include "targets/postgres/scratch_cluster.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/check.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/scratch_port.h"
#include "targets/postgres/server.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

std::string tool(const char* program) {
    return fmt::format("{}/{}", scratch_bin_directory, program);
}

Moment soon() {
    return SystemClock{}.now() + 10s;
}

// Fields of /proc/PID/stat after the name, which may hold anything: [0] state, [1] parent.
std::vector<std::string> stat_fields(const fs::path& process) {
    // A stream would throw when the process ends while it is read.
    const std::string text = read_file(process / "stat").value_or("");
    std::istringstream rest{text.substr(std::min(text.size(), text.rfind(')') + 1))};
    return {std::istream_iterator<std::string>{rest}, {}};
}

// initdb takes longer than all else here: it is done once. One of its three databases is dropped, since it is the
// number of files that a copy's time goes by; pg_rewind wants template1.
std::string make_template(const ScratchDirectory& directory) {
    std::string path = directory.path() + "/template";
    directory.run({tool("initdb"), "-D", path, "-U", "postgres", "-A", "trust", "--no-sync", "--no-locale", "-E",
                   "UTF8", "--data-checksums", "--wal-segsize=1", "--no-instructions"});
    const std::string drop =
        "UPDATE pg_database SET datistemplate = false\n"
        "DROP DATABASE template0\n";
    directory.run({tool("postgres"), "--single", "-F", "-D", path, "postgres"}, drop);
    return path;
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
    std::string pattern = "/tmp/kedge-scratch-XXXXXX";
    check(mkdtemp(pattern.data()) != nullptr, "a scratch directory can be made under /tmp");
    path_ = pattern;
    if (geteuid() != 0) return;
    auto login = find_login("postgres");
    check(login.has_value(), "the PostgreSQL package made its user");
    login_ = *login;
    check(chown(path_.c_str(), login_->uid, login_->gid) == 0, "root may give a directory away");
}

ScratchDirectory::~ScratchDirectory() {
    (void)remove_tree(path_).has_value();
}

std::string ScratchDirectory::run(const Arguments& arguments, const std::string& input) const {
    const auto output = run_or_fail(arguments, within(60s), {.input = input, .login = login_});
    check(output.has_value(), output ? "" : output.error().message);
    return output->out;
}

std::uint16_t scratch_port() {
    return take_scratch_port(24000);
}

ScratchServer::ScratchServer(const ScratchDirectory& directory, std::string name)
    : directory_(directory),
      name_(std::move(name)),
      data_directory_(fmt::format("{}/{}", directory.path(), name_)),
      port_(scratch_port()) {}

std::unique_ptr<ScratchServer> ScratchServer::initialize(const ScratchDirectory& directory, const std::string& name) {
    static const ScratchDirectory templates;
    static const std::string made = make_template(templates);
    std::unique_ptr<ScratchServer> server{new ScratchServer{directory, name}};
    directory.run({"cp", "-a", "--", made, server->data_directory_});
    server->write_settings();
    return server;
}

std::unique_ptr<ScratchServer> ScratchServer::place(const ScratchDirectory& directory, const std::string& name) {
    return std::unique_ptr<ScratchServer>{new ScratchServer{directory, name}};
}

std::unique_ptr<ScratchServer> ScratchServer::standby_of(const ScratchServer& primary, const std::string& name) {
    std::unique_ptr<ScratchServer> server{new ScratchServer{primary.directory_, name}};
    primary.directory_.run({tool("pg_basebackup"), "-D", server->data_directory_, "-d", primary.conninfo(), "-R", "-X",
                            "stream", "-c", "fast", "--no-sync", "--no-manifest"});
    server->write_settings();
    return server;
}

ScratchServer::~ScratchServer() {
    if (is_running()) kill();
}

void ScratchServer::write_settings() const {
    for (const char* line : {"fsync = off", "shared_buffers = 16MB", "wal_log_hints = on", "max_connections = 30",
                             "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "wal_keep_size = 64",
                             "wal_receiver_status_interval = 1", "dynamic_shared_memory_type = mmap",
                             "log_line_prefix = '%m [%p] %q%a '", "autovacuum = off", "max_wal_senders = 8"})
        configure(line);
    configure(fmt::format("port = {}", port_));
    configure(fmt::format("cluster_name = '{}'", name_));
}

void ScratchServer::configure(const std::string& line) const {
    directory_.run({"tee", "-a", data_directory_ + "/postgresql.conf"}, line + "\n");
}

std::string ScratchServer::conninfo() const {
    return fmt::format("host=127.0.0.1 port={} user=postgres dbname=postgres sslmode=disable", port_);
}

void ScratchServer::start() {
    const std::string log_file = data_directory_ + "/server.log";
    directory_.run({"touch", log_file});  // so that it is the server's own
    auto child = Child::spawn({tool("postgres"), "-D", data_directory_}, {.output = Redirect::append_to(log_file),
                                                                          .errors = Redirect::append_to(log_file),
                                                                          .login = directory_.login()});
    check(child.has_value(), child ? "" : child.error().message);
    postmaster_ = std::move(*child);
    check(await("SELECT 1", "1"), "a scratch server starts");
}

void ScratchServer::stop() {
    directory_.run({tool("pg_ctl"), "stop", "-m", "fast", "-w", "-t", "30", "-s", "-D", data_directory_});
    postmaster_.reset();
}

std::vector<pid_t> ScratchServer::processes() const {
    std::ifstream file{data_directory_ + "/postmaster.pid"};
    pid_t postmaster = 0;
    if (!(file >> postmaster) || !fs::exists(fmt::format("/proc/{}", postmaster))) return {};
    std::vector<pid_t> found{postmaster};
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator{"/proc", ignored}) {
        const std::string pid = entry.path().filename();
        if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto fields = stat_fields(entry.path());
        if (fields.size() > 1 && fields[1] == std::to_string(postmaster)) found.push_back(std::stoi(pid));
    }
    return found;
}

bool ScratchServer::is_running() const {
    const auto all = processes();
    if (all.empty()) return false;
    const auto fields = stat_fields(fmt::format("/proc/{}", all[0]));
    return !fields.empty() && fields[0] != "Z";
}

void ScratchServer::kill() {
    const auto all = processes();
    for (const pid_t pid : all) ::kill(pid, SIGKILL);
    postmaster_.reset();  // reaps it
    const auto gone = [](pid_t pid) {
        const auto fields = stat_fields(fmt::format("/proc/{}", pid));
        return fields.empty() || fields[0] == "Z";
    };
    for (const Moment end = soon(); !std::ranges::all_of(all, gone) && SystemClock{}.now() < end;)
        wait_out(within(2ms));
}

void ScratchServer::freeze() const {
    // One that runs stops when its processor comes to the signal; until then it may fork one more. So all are listed
    // once more after all have stopped.
    const Moment end = soon();
    for (int looks_in_a_row = 0; looks_in_a_row < 2; ++looks_in_a_row)
        for (const pid_t pid : processes()) {
            const auto fields = stat_fields(fmt::format("/proc/{}", pid));
            if (fields.empty() || fields[0] == "T" || fields[0] == "Z") continue;
            check(SystemClock{}.now() < end, "every process of a scratch server stops");
            ::kill(pid, SIGSTOP);
            looks_in_a_row = -1;
        }
}

void ScratchServer::thaw() const {
    for (const pid_t pid : processes()) ::kill(pid, SIGCONT);
}

std::string ScratchServer::log() const {
    return read_file(data_directory_ + "/server.log").value_or("");
}

Result<std::string> ScratchServer::ask(const std::string& statement) const {
    PostgresServer server{name_, {conninfo()}, "kedge"};
    const Rows rows = TRY(server.ask({statement, {}}, soon()));
    return rows.empty() ? "" : rows.front().at(0).value_or("");
}

std::string ScratchServer::sql(const std::string& statement) const {
    const auto answer = ask(statement);
    check(answer.has_value(), answer ? "" : answer.error().message);
    return *answer;
}

bool ScratchServer::await(const std::string& statement, const std::string& expected) const {
    PostgresServer server{name_, {conninfo()}, "kedge"};
    for (const Moment end = soon(); SystemClock{}.now() < end; wait_out(within(5ms))) {
        const auto rows = server.ask({statement, {}}, end);
        if (rows && !rows->empty() && rows->front().at(0) == expected) return true;
    }
    return false;
}

}  // namespace kedge
