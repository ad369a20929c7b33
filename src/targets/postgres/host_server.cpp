#include "targets/postgres/host_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "os/clock.h"

namespace kedge {
namespace {

// A manager that was seen is not looked for again for so long: a planned switch has no round trip to spare.
constexpr Span manager_fresh = std::chrono::seconds{60};

constexpr Exit yes{0, 0}, no{1, 0};

// Of postmaster.pid (PostgreSQL: pidfile.h): what it is doing.
constexpr std::size_t status_line = 7;

std::string line_of(std::string_view text, std::size_t number) {
    for (; number > 0 && !text.empty(); --number) text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
    text = text.substr(0, text.find('\n'));
    return std::string(text.substr(0, text.find_last_not_of(' ') + 1));
}

}  // namespace

HostServer::HostServer(std::string name, const HostSite& site, const std::string& database,
                       const std::string& probe_schema)
    : name_(std::move(name)),
      site_(site),
      sql_(name_, {site.connection, site.password, database}, probe_schema),
      machine_(name_, site.host) {}

DatabaseLook HostServer::look(Moment deadline) {
    DatabaseLook look = sql_.look(deadline);
    if (look.manager) {
        const std::lock_guard lock{mutex_};
        manager_ = look.manager;
        manager_seen_ = SystemClock{}.now();
    }
    return look;
}

Result<void> HostServer::require_no_manager(Moment deadline) {
    std::optional<std::string> manager;
    {
        const std::lock_guard lock{mutex_};
        if (SystemClock{}.now() - manager_seen_ < manager_fresh) manager = manager_;
    }
    std::string says;
    if (!manager) {
        const DatabaseLook seen = look(deadline);
        manager = seen.manager;
        says = seen.says;
    }
    if (!manager)
        return Error{Fault::refused, fmt::format("{}: whether another manager runs it cannot be seen: {}", name_, says),
                     "it must answer SQL, to a role with pg_monitor"};
    if (!manager->empty())
        return Error{Fault::refused, fmt::format("{}: is run by {}", name_, *manager),
                     "act through that manager: bind the target to its driver"};
    return {};
}

// A server's processes, and only they, have its data directory as their working directory and `postgres` as their
// program. postmaster.pid cannot tell: its process may be dead and not yet reaped, its number may be another's by now,
// and servers that a killed postmaster left behind are in no file at all.
Result<bool> HostServer::has_processes(const Until& until) const {
    const auto inside =
        TRY(machine_.run({"find", "-L", "/proc", "-maxdepth", "2", "-name", "cwd", "-samefile",
                          machine_.data_directory(), "-printf", "%h/exe\\n"},
                         until));  // it complains of processes that end meanwhile, and of those of others
    if (inside.out.empty()) return false;
    Arguments names{"readlink", "--"};
    for (std::string_view rest = inside.out; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1))
        names.emplace_back(rest.substr(0, rest.find('\n')));
    const auto programs = TRY(machine_.run(names, until));
    return programs.out.find("/postgres") != std::string::npos;
}

Result<bool> HostServer::is_running(const Until& until) const {
    if (TRY(has_processes(until))) return true;
    if (site_.server.running.empty()) return false;
    const auto output = TRY(machine_.run(site_.server.running, until));
    if (output.exit == yes) return true;
    if (output.exit == no) return false;
    return Error{Fault::unavailable, fmt::format("{}: whether it runs: {}", name_, complaint(output))};
}

Result<void> HostServer::start(const Until& until) const {
    if (TRY(is_running(until))) {
        const auto lock = machine_.read(machine_.data_directory() + "/postmaster.pid", until);
        if (!lock || line_of(*lock, status_line) == "stopping")
            return Error{Fault::unavailable, fmt::format("{}: is still shutting down", name_)};
        return {};
    }
    // Its own session from the first instant: pg_ctl without waiting may end before the server has made itself one, and
    // what is left in a program's process group is killed when it ends.
    const Arguments by_pg_ctl{
        "setsid", "--wait", machine_.tool("pg_ctl"),   "start", "-W",
        "-s",     "-D",     machine_.data_directory(), "-l",    machine_.data_directory() + "/server.log"};
    TRY(machine_.run_or_fail(site_.server.start.empty() ? by_pg_ctl : site_.server.start, until, {},
                             Fault::outcome_unknown));
    return {};
}

Result<void> HostServer::stop(const Until& until) const {
    if (!TRY(is_running(until))) return {};
    const Arguments by_pg_ctl{machine_.tool("pg_ctl"),   "stop", "-W",  "-s", "-D",
                              machine_.data_directory(), "-m",   "fast"};
    TRY(machine_.run_or_fail(site_.server.stop.empty() ? by_pg_ctl : site_.server.stop, until, {},
                             Fault::outcome_unknown));
    return {};
}

Result<ControlData> HostServer::control_data(const Until& until) const {
    const auto output = TRY(machine_.run_or_fail({machine_.tool("pg_controldata"), "-D", machine_.data_directory()},
                                                 until, {}, Fault::not_found));
    return parse_control_data(output.out).within(name_);
}

}  // namespace kedge
