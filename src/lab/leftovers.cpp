#include "lab/leftovers.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <sstream>

#include "lab/configuration.h"
#include "lab/process_table.h"
#include "lab/relay.h"
#include "os/files.h"
#include "os/resolve.h"

namespace kedge::lab {
namespace {

std::string resolved_path(const std::string& path) {
    const std::unique_ptr<char, void (*)(void*)> resolved(realpath(path.c_str(), nullptr), std::free);
    return resolved ? resolved.get() : path;
}

// The processes that the dead supervisor wrote down, itself among them.
std::set<ProcessId> recorded_in(const std::string& state_file) {
    std::set<ProcessId> recorded;
    const Result<std::string> text = read_file(state_file);
    const Result<Json> state = text ? parse_json(*text) : Result<Json>(Json::object());
    if (!state) return recorded;  // written whole or not at all; a strange one names nobody
    if (const auto supervisor = parse_process_id(get(*state, "supervisor"))) recorded.insert(*supervisor);
    for (const Json& component : get(*state, "components"))
        for (const Json& process : get(component, "recorded"))
            if (const auto id = parse_process_id(process)) recorded.insert(*id);
    return recorded;
}

bool is_own_program(const Layout& layout, const std::string& program, const std::string& postgres) {
    return program.starts_with(layout.programs() + "/") || program == postgres;
}

// Those that cannot be known by record or marker: orphans of a PostgreSQL that overwrote its environment, and the
// supervisor, which nobody started with a marker.
bool is_at_home(const Layout& layout, const Process& process, const std::string& postgres) {
    const bool inside = process.directory == layout.root || process.directory.starts_with(layout.root + "/");
    return inside && is_own_program(layout, process.program, postgres);
}

std::set<ProcessId> processes_left(const LabName& lab, const std::vector<Process>& all, const std::string& postgres) {
    const Layout layout = lab.layout();
    Traces traces{.marker = {}, .directory = {}, .program = {}, .recorded = recorded_in(layout.state())};
    for (const Process& process : all)
        if (process.marker.starts_with(layout.root + "#") || is_at_home(layout, process, postgres))
            traces.recorded.insert(process.id);
    std::set<ProcessId> left;
    for (const Process& process : belonging(all, traces))
        if (process.id.pid != getpid()) left.insert(process.id);
    return left;
}

// The inode of the socket that listens at `at`, from /proc/net/tcp.
std::string listening_inode(const Endpoint& at) {
    const Result<std::string> table = read_file("/proc/net/tcp");
    const std::optional<Address> address = parse_address(at.host, at.port);
    if (!table || !address) return {};
    in_addr wanted{};
    inet_pton(AF_INET, at.host.c_str(), &wanted);
    const std::string exact = fmt::format("{:08X}:{:04X}", wanted.s_addr, at.port);
    const std::string any = fmt::format("00000000:{:04X}", at.port);
    std::istringstream lines(*table);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string number, local, remote, state, queue, timer, retransmit, uid, timeout, inode;
        fields >> number >> local >> remote >> state >> queue >> timer >> retransmit >> uid >> timeout >> inode;
        if (state == "0A" && (local == exact || local == any)) return inode;
    }
    return {};
}

bool holds_socket(const std::string& descriptors, const std::string& wanted) {
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(descriptors.c_str()), closedir);
    while (const dirent* const entry = listing ? readdir(listing.get()) : nullptr) {
        std::array<char, 64> target{};
        const std::string path = descriptors + "/" + entry->d_name;
        if (readlink(path.c_str(), target.data(), target.size() - 1) > 0 && target.data() == wanted) return true;
    }
    return false;
}

// " (by PID NAME)" for as far as we may see.
std::string holder_of(const Endpoint& at) {
    const std::string inode = listening_inode(at);
    if (inode.empty()) return {};
    const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
    while (const dirent* const entry = proc ? readdir(proc.get()) : nullptr) {
        const std::string name = entry->d_name;
        if (!std::ranges::all_of(name, [](char letter) { return letter >= '0' && letter <= '9'; })) continue;
        if (!holds_socket("/proc/" + name + "/fd", "socket:[" + inode + "]")) continue;
        std::string program = read_file("/proc/" + name + "/comm").value_or("?");
        std::erase(program, '\n');
        return fmt::format(" by process {} ({})", name, program);
    }
    return {};
}

Result<void> refuse_taken(const Endpoint& at) {
    const Result<Listener> listener = Listener::listen(at);
    if (listener) return {};
    if (listener.error().fault != Fault::conflict) return listener.error();
    return Error{Fault::conflict,
                 fmt::format("the lab needs the address {}, and it is taken{}", to_string(at), holder_of(at)),
                 "end that process, or take the other lab down; the lab's addresses are fixed"};
}

}  // namespace

Result<std::size_t> clear_processes(const LabName& lab, const Until& until) {
    const Result<std::string> programs = postgres_programs();
    const std::string postgres = programs ? resolved_path(*programs + "/postgres") : "";
    std::set<pid_t> seen;
    for (;;) {
        const std::vector<Process> all = TRY(processes_of(lab.owner()));
        std::vector<ProcessHandle> left;
        for (const ProcessId id : processes_left(lab, all, postgres))
            if (Result<ProcessHandle> handle = ProcessHandle::open(id)) left.push_back(std::move(*handle));
        if (left.empty()) break;
        for (const ProcessHandle& process : left) {
            seen.insert(process.id().pid);
            TRY(process.signal(SIGKILL));
        }
        for (const ProcessHandle& process : left)
            if (!wait_ready(process.fd(), POLLIN, until))
                return Error{Fault::outcome_unknown,
                             fmt::format("process {} of the lab was killed and does not go", process.id().pid)};
    }
    std::set<pid_t> creators = seen;
    for (const ProcessId id : recorded_in(lab.layout().state())) creators.insert(id.pid);
    remove_shared_memory(creators, lab.owner());
    return seen.size();
}

Result<void> refuse_taken_addresses() {
    for (const Place& place : places())
        if (!place.host.empty()) TRY(refuse_taken(place.direct()));
    for (const Route& route : lab_routes()) TRY(refuse_taken(route.listen));
    return refuse_taken({std::string(entrance_host), haproxy_metrics_port});
}

}  // namespace kedge::lab
