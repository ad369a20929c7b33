#include "lab/supervisor.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "os/files.h"

namespace kedge::lab {
namespace {

constexpr Span deadline_default = std::chrono::seconds{10};
constexpr Span pause_at_most = std::chrono::seconds{2};

Json outcome_json(const Departure::Outcome& outcome) {
    return {{"processes", outcome.seen.size()}, {"took", to_string(outcome.took)}, {"looks", outcome.looks}};
}

std::set<pid_t> pids_of(const std::set<ProcessId>& processes) {
    std::set<pid_t> pids;
    for (const ProcessId id : processes) pids.insert(id.pid);
    return pids;
}

Exit exit_of(const siginfo_t& info) {
    if (info.si_code == CLD_EXITED) return {.code = info.si_status, .signal = 0};
    return {.code = 0, .signal = info.si_status};
}

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::open(const std::string& directory, const std::string& own_program) {
    std::unique_ptr<Supervisor> supervisor(new Supervisor(directory, TRY(EventLoop::open())));
    Supervisor* const raw = supervisor.get();
    supervisor->own_program_ = own_program;
    TRY(supervisor->watch_children());
    supervisor->disk_ = TRY(SlowDisk::start());  // its thread inherits the blocked SIGCHLD
    supervisor->service_ =
        TRY(LineService::open(supervisor->loop_, directory + "/supervisor.sock",
                              [raw](const Json& request, const Reply& reply) { raw->handle(request, reply); }));
    TRY(supervisor->save());
    return supervisor;
}

Result<void> Supervisor::watch_children() {
    // Orphans of what we start pass to us, so that none of them is lost from sight or stays a zombie.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    child_signal_ = Descriptor(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!child_signal_.is_open())
        return Error{Fault::unavailable, fmt::format("supervisor: signalfd: {}", std::strerror(errno))};
    loop_.watch(child_signal_.get(), EPOLLIN, [this](std::uint32_t) { reap(); });
    return {};
}

void Supervisor::reap() {
    signalfd_siginfo told;
    while (read(child_signal_.get(), &told, sizeof told) > 0) {
    }
    for (;;) {
        siginfo_t info{};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
        // The start time can be read only until it is reaped.
        const Result<ProcessId> id = identify(info.si_pid);
        if (id) note_end(*id, exit_of(info));
        waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
    }
}

void Supervisor::note_end(ProcessId id, Exit exit) {
    for (auto& [name, component] : components_) {
        if (component.first != id) continue;
        component.first.reset();
        component.exit = exit;
        component.ended = loop_.now();
        if (!component.is_up()) continue;
        if (!component.end_expected)
            component.phase = Phase::failed;
        else
            component.phase = exit.signal == SIGKILL ? Phase::killed : Phase::stopped;
    }
}

void Supervisor::handle(const Json& request, const Reply& reply) {
    const std::string verb = get_string(request, "do").value_or("");
    const Span limit = parse_span(get_string(request, "within").value_or("")).value_or(deadline_default);
    const Moment deadline = loop_.now() + limit;
    if (verb == "define") return define(request, reply);
    if (verb == "status") return status(reply);
    if (verb == "shutdown") return shut_down(deadline, reply);
    if (verb == "note-fault" || verb == "forget-fault") return note_fault(request, verb == "forget-fault", reply);

    std::vector<Component*> named;
    for (const Json& name : get(request, "components")) {
        const auto found = name.is_string() ? components_.find(name.get<std::string>()) : components_.end();
        if (found == components_.end())
            return reply(Error{Fault::not_found, fmt::format("supervisor: no component {}", dump(name))});
        named.push_back(&found->second);
    }
    if (verb == "kill-site") {
        for (Component* component : all_components())
            if (component->spec.site == get_string(request, "site")) named.push_back(component);
        return kill(named, deadline, reply);
    }
    if (verb == "kill") return kill(named, deadline, reply);
    if (named.size() != 1)
        return reply(Error{Fault::invalid_input, fmt::format("supervisor: '{}' needs one component", verb)});
    Component& component = *named.front();
    const std::string reason = get_string(request, "reason").value_or("");
    if (verb == "start") return start(component, reply);
    if (verb == "stop") return stop(component, deadline, reply);
    if (verb == "pause") return pause(component, SIGSTOP, reply);
    if (verb == "continue") return pause(component, SIGCONT, reply);
    if (verb == "fence") return fence(component, deadline, reply);
    if (verb == "fence-status") return look_at_fence(component, reply);
    if (verb == "slow-disk") return slow_disk(component, request, reply);
    if (verb == "bar" && !reason.empty()) return change_bar(component, reason, true, reply);
    if (verb == "unbar" && !reason.empty()) return change_bar(component, reason, false, reply);
    reply(Error{Fault::invalid_input, fmt::format("supervisor: cannot do '{}'", verb)});
}

void Supervisor::define(const Json& request, const Reply& reply) {
    Result<ComponentSpec> spec = parse_component(get(request, "component"));
    if (!spec) return reply(spec.error());
    const std::string name = spec->name;
    if (components_.contains(name) && components_.at(name).is_up())
        return reply(Error{Fault::conflict, fmt::format("{}: runs, and cannot be defined anew", name)});
    if (!components_.contains(name)) order_.push_back(name);
    components_[name].spec = std::move(*spec);
    if (const Result<void> saved = save(); !saved) return reply(saved.error());
    reply(Json::object());
}

Result<Child> Supervisor::spawn(const Component& component) {
    const ComponentSpec& spec = component.spec;
    Environment environment = spec.environment;
    environment.push_back(fmt::format("{}={}", marker_name, marker_of(directory_, spec.name)));
    const Redirect log = Redirect::append_to(spec.directory + "/output.log");
    SlowDisk::Prepared prepared = TRY(SlowDisk::prepare(own_program_, spec.arguments));
    Child child = TRY(Child::spawn(prepared.arguments, {.output = log,
                                                        .errors = log,
                                                        .environment = environment,
                                                        .directory = spec.directory,
                                                        .own_session = true,
                                                        .keep_open = {prepared.theirs.get()}}));
    prepared.theirs.close();  // so that a process that ends before it has told its listener is noticed
    disk_->adopt(spec.name, prepared.ours);
    return child;
}

void Supervisor::start(Component& component, const Reply& reply) {
    const std::string& name = component.spec.name;
    for (const auto& [reason, since] : component.barred)
        return reply(Error{Fault::refused,
                           fmt::format("{}: may not start: {} since {}", name, reason, to_string(since)),
                           reason == fence_bar ? "lower the fence first" : "heal that fault first"});
    const Result<std::vector<Process>> all = processes_of(geteuid());
    if (!all) return reply(all.error());
    if (const auto left = belonging(*all, component.traces(directory_)); !left.empty())
        return reply(Error{Fault::conflict, fmt::format("{}: process {} of it runs", name, left.front().id.pid)});

    Result<Child> child = spawn(component);
    if (!child) return reply(std::move(child).within(name).error());
    const Result<ProcessId> id = identify(child->pid());
    check(id.has_value(), "a child that nobody has reaped has a start time");
    child->release();
    component.first = *id;
    component.recorded.insert(*id);
    component.phase = Phase::running;
    component.started = loop_.now();
    component.ended.reset();
    component.exit.reset();
    component.end_expected = false;
    if (const Result<void> saved = save(); !saved) return reply(saved.error());
    reply(Json{{"process", to_json(*id)}});
}

void Supervisor::depart(const std::vector<Component*>& components, Departure::Force force, Moment deadline,
                        Departure::OnEnd on_end) {
    std::vector<Traces> traces;
    for (Component* component : components) {
        component->end_expected = true;
        traces.push_back(component->traces(directory_));
    }
    const std::uint64_t id = next_departure_++;
    auto departure =
        std::make_unique<Departure>(loop_, geteuid(), std::move(traces), force, deadline,
                                    [this, id, on_end = std::move(on_end)](const Result<Departure::Outcome>& outcome) {
                                        loop_.schedule(loop_.now(), [this, id] { departures_.erase(id); });
                                        on_end(outcome);
                                    });
    Departure& begun = *departure;
    departures_[id] = std::move(departure);
    begun.begin();
}

void Supervisor::stop(Component& component, Moment deadline, const Reply& reply) {
    if (!component.first) return reply(Json{{"processes", 0}});
    const Result<ProcessHandle> first = ProcessHandle::open(*component.first);
    if (first)
        if (const Result<void> sent = first->signal(component.spec.stop_signal); !sent) return reply(sent.error());
    depart({&component}, Departure::Force::none, deadline,
           [this, reply, &component](const Result<Departure::Outcome>& outcome) {
               if (!outcome)
                   return reply(Error{Fault::outcome_unknown, fmt::format("{}: asked to stop; {}", component.spec.name,
                                                                          outcome.error().message)});
               remove_shared_memory(pids_of(component.recorded), geteuid());
               if (component.is_up() || component.phase == Phase::failed) component.phase = Phase::stopped;
               static_cast<void>(save().has_value());
               reply(outcome_json(*outcome));
           });
}

void Supervisor::kill(const std::vector<Component*>& components, Moment deadline, const Reply& reply, Answer answer) {
    depart(components, Departure::Force::kill, deadline,
           [this, components, reply, answer = std::move(answer)](const Result<Departure::Outcome>& outcome) {
               if (!outcome) return reply(outcome.error().within("kill"));
               for (Component* component : components) {
                   remove_shared_memory(pids_of(component->recorded), geteuid());
                   if (component->is_up() || component->phase == Phase::failed) component->phase = Phase::killed;
                   if (!component->ended) component->ended = loop_.now();
               }
               reply(answer ? answer(*outcome) : Result<Json>(outcome_json(*outcome)));
               static_cast<void>(save().has_value());
           });
}

void Supervisor::pause(Component& component, int signal, const Reply& reply) {
    if (!component.is_up())
        return reply(Error{Fault::refused,
                           fmt::format("{}: does not run ({})", component.spec.name, to_string(component.phase))});
    // One that runs stops when its processor comes to the signal; until then it may make one more. So all are listed
    // once more after all have stopped.
    const bool stops = signal == SIGSTOP;
    const Moment end = loop_.now() + pause_at_most;
    std::size_t count = 0;
    for (int looks_in_a_row = 0; looks_in_a_row < 2; ++looks_in_a_row) {
        const Result<std::vector<Process>> all = processes_of(geteuid());
        if (!all) return reply(all.error());
        const std::vector<Process> members = belonging(*all, component.traces(directory_));
        count = members.size();
        for (const Process& process : members) {
            if ((process.state == 'T') == stops) continue;
            if (loop_.now() > end)
                return reply(
                    Error{Fault::outcome_unknown,
                          fmt::format("{}: process {} has not {} within {}", component.spec.name, process.id.pid,
                                      stops ? "stopped" : "gone on", readable(pause_at_most))});
            if (const Result<ProcessHandle> handle = ProcessHandle::open(process.id))
                static_cast<void>(handle->signal(signal).has_value());
            looks_in_a_row = -1;
        }
    }
    component.phase = stops ? Phase::paused : Phase::running;
    reply(Json{{"processes", count}});
}

void Supervisor::change_bar(Component& component, const std::string& reason, bool raise, const Reply& reply) {
    if (raise)
        component.barred.emplace(reason, loop_.now());
    else
        component.barred.erase(reason);
    if (const Result<void> saved = save(); !saved) return reply(saved.error());
    reply(Json::object());
}

void Supervisor::fence(Component& component, Moment deadline, const Reply& reply) {
    // Barred before it is killed: there is no instant at which it is dead and could be started.
    component.barred.emplace(std::string(fence_bar), loop_.now());
    if (const Result<void> saved = save(); !saved) return reply(saved.error());
    const std::string name = component.spec.name;
    kill({&component}, deadline, reply, [name](const Departure::Outcome& outcome) -> Result<Json> {
        Json json = outcome_json(outcome);
        json["fenced"] = to_string(Truth::yes);
        json["proof"] = fmt::format("supervisor: {} processes of {} were killed, none is left, none may start",
                                    outcome.seen.size(), name);
        return json;
    });
}

void Supervisor::look_at_fence(Component& component, const Reply& reply) {
    const std::string& name = component.spec.name;
    const auto answer = [&](Truth fenced, const std::string& proof) {
        reply(Json{{"fenced", to_string(fenced)}, {"proof", "supervisor: " + proof}});
    };
    const auto fence = component.barred.find(std::string(fence_bar));
    if (fence == component.barred.end()) return answer(Truth::no, fmt::format("{} may start", name));
    const Result<std::vector<Process>> all = processes_of(geteuid());
    if (!all) return answer(Truth::unknown, all.error().message);
    const std::vector<Process> left = belonging(*all, component.traces(directory_));
    if (!left.empty()) return answer(Truth::no, fmt::format("process {} of {} runs", left.front().id.pid, name));
    answer(Truth::yes,
           fmt::format("no process of {} is left, and none may start since {}", name, to_string(fence->second)));
}

void Supervisor::slow_disk(Component& component, const Json& request, const Reply& reply) {
    const Result<Span> delay = parse_span(get_string(request, "delay").value_or(""));
    if (!delay) return reply(delay.error());
    const Result<void> set = disk_->set_delay(component.spec.name, *delay);
    if (!set) return reply(set.error());
    reply(Json::object());
}

void Supervisor::note_fault(const Json& request, bool forget, const Reply& reply) {
    const std::optional<std::string> name = get_string(request, "fault");
    if (!name) return reply(Error{Fault::invalid_input, "supervisor: a fault has a name"});
    if (forget) {
        faults_.erase(*name);
    } else {
        faults_[*name] = get(request, "detail");
        faults_[*name]["since"] = to_string(loop_.now());
    }
    if (const Result<void> saved = save(); !saved) return reply(saved.error());
    reply(Json::object());
}

void Supervisor::status(const Reply& reply) {
    const Result<std::vector<Process>> all = processes_of(geteuid());
    if (!all) return reply(all.error());
    Json answer = describe();
    for (Json& json : answer["components"]) {
        const Component& component = components_.at(json["name"].get<std::string>());
        json["processes"] = belonging(*all, component.traces(directory_)).size();
    }
    reply(answer);
}

void Supervisor::shut_down(Moment deadline, const Reply& reply) {
    for (Component* component : all_components()) component->barred.emplace("shutdown", loop_.now());
    kill(all_components(), deadline, reply, [this](const Departure::Outcome& outcome) -> Result<Json> {
        // The answer goes out before the loop ends: it ends only after this callback.
        loop_.schedule(loop_.now(), [this] { loop_.leave(); });
        return outcome_json(outcome);
    });
}

std::vector<Component*> Supervisor::all_components() {
    std::vector<Component*> all;
    for (const std::string& name : order_) all.push_back(&components_.at(name));
    return all;
}

Json Supervisor::describe() const {
    Json list = Json::array();
    for (const std::string& name : order_) list.push_back(components_.at(name).describe());
    const Result<ProcessId> self = identify(getpid());
    return {{"version", 1},
            {"supervisor", self ? to_json(*self) : Json()},
            {"uid", geteuid()},
            {"components", list},
            {"faults", faults_}};
}

Result<void> Supervisor::save() const {
    // Not synced: no process of a lab outlives a loss of power, and a fence must not wait for the disk.
    return write_file_atomically(directory_ + "/state.json", dump_pretty(describe()) + "\n", 0600,
                                 Durability::after_process_death);
}

}  // namespace kedge::lab
