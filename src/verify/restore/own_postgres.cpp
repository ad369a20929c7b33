#include "verify/restore/own_postgres.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>

#include "os/files.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;

constexpr Span start_limit = 2min, look_again = 50ms;

// Nothing of it outlives the proof, so nothing has to survive a crash.
constexpr const char* settings =
    "listen_addresses = ''\n"
    "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"
    "wal_level = minimal\nmax_wal_senders = 0\narchive_mode = off\nmax_wal_size = 4GB\n"
    "autovacuum = off\nmaintenance_work_mem = 256MB\nlogging_collector = off\n"
    "unix_socket_permissions = 0777\ndynamic_shared_memory_type = mmap\n";

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        if (end > at) lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

}  // namespace

std::optional<int> major_of(const std::string& version) {
    int major = 0;
    const auto read = std::from_chars(version.data(), version.data() + version.size(), major);
    if (read.ec != std::errc() || major < 10 || major > 99) return std::nullopt;
    return major;
}

std::string postgres_programs(int major) {
    return fmt::format("/usr/lib/postgresql/{}/bin", major);
}

bool has_postgres(int major) {
    return exists(postgres_programs(major) + "/postgres") && exists(postgres_programs(major) + "/pg_restore");
}

Result<std::optional<Login>> postgres_owner() {
    if (geteuid() != 0) return std::optional<Login>();
    return std::optional<Login>(TRY(find_login("postgres")));
}

std::string last_line(const std::string& text) {
    const std::vector<std::string> lines = lines_of(text);
    return lines.empty() ? "it said nothing" : lines.back();
}

std::string first_error(const std::string& text) {
    for (const std::string& line : lines_of(text))
        for (const char* word : {"error:", "ERROR:", "FATAL:", "PANIC:"})
            if (line.find(word) != std::string::npos) return line;
    return last_line(text);
}

Result<OwnPostgres> OwnPostgres::launch(const std::string& place, const std::string& programs,
                                        const Arguments& arguments, const std::optional<Login>& owner,
                                        bool outlives_us) {
    Arguments all = {programs + "/postgres", "-D", place + "/data"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    Child child = TRY(Child::spawn(all, {.errors = Redirect::append_to(place + "/log"),
                                         .directory = place,
                                         .login = owner,
                                         .own_session = outlives_us,
                                         .die_with_parent = !outlives_us}));
    return OwnPostgres(programs, place, std::move(child));
}

Result<bool> OwnPostgres::await_answer(Span limit, const std::stop_token& stop,
                                       const std::function<void(const std::string&)>& on_look) {
    const Moment deadline = SystemClock{}.now() + limit;
    for (;;) {
        if (says_ready() && query("postgres", "SELECT 1", 10s, stop)) return true;
        if (child_.wait(within(look_again, stop))) return false;
        if (stop.stop_requested()) return Error{Fault::unavailable, "stopped"};
        if (SystemClock{}.now() > deadline) return Error{Fault::unavailable, "PostgreSQL does not answer"};
        if (on_look) on_look(log());
    }
}

// The last line of its file, as pg_ctl looks for it ("standby" without hot_standby answers nobody). A program that
// connects costs more than that, again and again for as long as the server recovers.
bool OwnPostgres::says_ready() const {
    return last_line(read_file(directory_ + "/data/postmaster.pid").value_or("")).starts_with("ready");
}

std::string OwnPostgres::log() const {
    return read_file(directory_ + "/log").value_or("");
}

Result<OwnPostgres> OwnPostgres::start(const std::string& place, int major, const std::optional<Login>& owner,
                                       const std::stop_token& stop, const std::string& more_settings) {
    const std::string programs = postgres_programs(major);
    const std::string data = place + "/data";
    TRY(run_or_fail({programs + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync",
                     "--locale=C.UTF-8"},
                    within(start_limit, stop), {.login = owner}));
    // Who may reach the socket is decided by the directory that it is in.
    TRY(run_or_fail(
        {"tee", "-a", data + "/postgresql.conf"}, within(10s, stop),
        {.input = settings + more_settings + fmt::format("unix_socket_directories = '{}'\n", place), .login = owner}));
    OwnPostgres postgres = TRY(launch(place, programs, {}, owner, false));
    if (!TRY(postgres.await_answer(start_limit, stop)))
        return Error{Fault::unavailable, "PostgreSQL did not start: " + last_line(postgres.log())};
    return postgres;
}

Result<OwnPostgres> OwnPostgres::start_on_copy(const std::string& place, const CopyStart& how,
                                               const std::stop_token& stop) {
    const auto write = [&](const std::string& name, const std::string& text) {
        return run_or_fail({"tee", place + "/" + name}, within(10s, stop), {.input = text, .login = how.owner});
    };
    TRY(write("hba", "local all all trust\n"));
    TRY(write("ident", ""));
    TRY(write("settings", settings + how.settings +
                              fmt::format("unix_socket_directories = '{0}'\nhba_file = '{0}/hba'\n"
                                          "ident_file = '{0}/ident'\n",
                                          place)));
    OwnPostgres postgres = TRY(launch(place, postgres_programs(how.major), {"-c", "config_file=" + place + "/settings"},
                                      how.owner, how.outlives_us));
    if (!TRY(postgres.await_answer(how.limit, stop, how.on_look)))
        return Error{Fault::corrupt, first_error(postgres.log())};
    return postgres;
}

Result<std::string> OwnPostgres::query(const std::string& database, const std::string& sql, Span limit,
                                       const std::stop_token& stop) const {
    const RunOutput output = TRY(run({program("psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
                                      "-h", directory_, "-U", "postgres", "-d", database},
                                     within(limit, stop), {.input = sql + "\n"}));
    if (!output.exit.ok()) return Error{Fault::unavailable, first_error(output.err)};
    return output.out;
}

}  // namespace kedge::verify
