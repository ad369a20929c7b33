#include "lab/breaker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "lab/observe.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

std::string component_of(const LabFault& fault) {
    return std::string(fault.component->name);
}

Result<std::vector<std::string>> alone(Result<std::string> sentence) {
    if (!sentence) return std::move(sentence).error();
    return std::vector{std::move(sentence).value()};
}

}  // namespace

Result<std::vector<LabFault>> Breaker::active(const Until& until) const {
    const SupervisorStatus status = TRY(supervisor_.status(until));
    std::vector<LabFault> faults;
    for (const auto& [name, detail] : status.faults.items()) {
        Result<LabFault> fault = parse_lab_fault(split(name));
        if (fault) faults.push_back(std::move(*fault));
    }
    return faults;
}

Result<FaultReport> Breaker::inject(const LabFault& fault, const Until& until) const {
    std::vector<LabFault> faults = TRY(active(until));
    const FileLock lock = TRY(FileLock::acquire(lab_.layout().root + "/faults.lock"));
    if (std::ranges::any_of(faults, [&](const LabFault& other) { return other.name() == fault.name(); }))
        return Error{Fault::conflict, fmt::format("{}: is active already", fault.name()), "heal it first"};
    TRY(refuse_impossible(fault, until));
    // Noted before it takes effect, so that an interrupted break can be healed.
    TRY(supervisor_.note_fault(fault.name(), Json::object(), until));
    faults.push_back(fault);
    FaultReport report{.name = fault.name(), .at = SystemClock{}.now(), .sentence = {}};
    TRY(shape_network(faults, until));
    report.sentence = TRY(take_effect(fault, until).within(fault.name()));
    return report;
}

Result<std::vector<std::string>> Breaker::heal(const LabFault& fault, const Until& until) const {
    std::vector<LabFault> faults = TRY(active(until));
    const FileLock lock = TRY(FileLock::acquire(lab_.layout().root + "/faults.lock"));
    if (std::erase_if(faults, [&](const LabFault& other) { return other.name() == fault.name(); }) == 0)
        return Error{Fault::not_found, fmt::format("{}: is not active", fault.name()), "lab status lists what is"};
    TRY(shape_network(faults, until));
    std::vector<std::string> sentences = TRY(undo(fault, until).within(fault.name()));
    TRY(supervisor_.forget_fault(fault.name(), until));
    return sentences;
}

Result<std::vector<std::string>> Breaker::heal_all(const Until& until) const {
    std::vector<std::string> sentences;
    for (const LabFault& fault : TRY(active(until)))
        for (std::string& sentence : TRY(heal(fault, until))) sentences.push_back(std::move(sentence));
    return sentences;
}

Result<void> Breaker::refuse_impossible(const LabFault& fault, const Until& until) const {
    if (fault.kind == FaultKind::replay_lag && role_of(lab_.layout(), *fault.component, until) != "standby")
        return Error{Fault::refused, fmt::format("{}: {} is no standby now", fault.name(), fault.component->name)};
    if (fault.kind != FaultKind::old_primary_returns) return {};
    if (exists(lab_.layout().data(*fault.component) + "/standby.signal"))
        return Error{Fault::refused, fmt::format("{}: it would come back as a standby", fault.name())};
    for (const LabFault& other : TRY(active(until)))
        if (other.kind == FaultKind::region_killed && other.site == fault.component->site)
            return Error{Fault::refused, fmt::format("{}: its region is dead", fault.name()),
                         fmt::format("first: heal {}", other.name())};
    return {};
}

Result<std::string> Breaker::take_effect(const LabFault& fault, const Until& until) const {
    switch (fault.kind) {
        case FaultKind::region_killed: return kill_region(fault, until);
        case FaultKind::region_silent:
        case FaultKind::partition:
        case FaultKind::one_way:
        case FaultKind::slow_path:
        case FaultKind::lossy_path:
        case FaultKind::cut:
        case FaultKind::silence: return std::string("the network is so");
        case FaultKind::kill: {
            const KillReport report = TRY(supervisor_.kill({component_of(fault)}, until));
            return fmt::format("{} processes killed, none is left", report.processes);
        }
        case FaultKind::pause:
            TRY(supervisor_.pause(component_of(fault), until));
            return std::string("its processes are stopped");
        case FaultKind::replay_lag: return delay_replay(fault, until);
        case FaultKind::archive_full: return fill_archive();
        case FaultKind::slow_disk:
            TRY(supervisor_.slow_disk(component_of(fault), *fault.delay, until));
            return std::string("each of its syncs takes so much longer");
        case FaultKind::old_primary_returns: return return_old_primary(fault, until);
    }
    return std::string();
}

Result<std::vector<std::string>> Breaker::undo(const LabFault& fault, const Until& until) const {
    switch (fault.kind) {
        case FaultKind::region_killed: return revive_region(fault, until);
        case FaultKind::region_silent:
        case FaultKind::partition:
        case FaultKind::one_way:
        case FaultKind::slow_path:
        case FaultKind::lossy_path:
        case FaultKind::cut:
        case FaultKind::silence: return std::vector<std::string>{"the network is sound again there"};
        case FaultKind::kill: return alone(start_again(*fault.component, until));
        case FaultKind::pause: {
            const Result<void> resumed = supervisor_.resume(component_of(fault), until);
            // Killed or fenced while it was paused: nothing is left to continue.
            if (!resumed && resumed.error().fault != Fault::refused) return resumed.error();
            return std::vector<std::string>{resumed ? "its processes go on" : "it does not run any more"};
        }
        case FaultKind::replay_lag: return alone(resume_replay(fault, until));
        case FaultKind::archive_full:
            unlink(lab_.layout().archive_quota().c_str());
            return std::vector<std::string>{"the archive has room again"};
        case FaultKind::slow_disk:
            TRY(supervisor_.slow_disk(component_of(fault), Span::zero(), until));
            return std::vector<std::string>{"its syncs take their own time again"};
        case FaultKind::old_primary_returns: {
            const KillReport report = TRY(supervisor_.kill({component_of(fault)}, until));
            return std::vector{fmt::format("{} processes of it killed", report.processes)};
        }
    }
    return std::vector<std::string>();
}

Result<void> Breaker::shape_network(const std::vector<LabFault>& faults, const Until& until) const {
    const Network network = network_under(faults);
    TRY(relay_.change(network.paths, network.hosts, until));
    // The store lies outside both regions, and is a directory: its path is closed by a file.
    for (const Site region : {Site::east, Site::west}) {
        const std::string barrier = lab_.layout().store_barrier(region);
        if (is_open(network, region, Site::outside))
            unlink(barrier.c_str());
        else
            TRY(write_file_atomically(barrier, "", 0644, Durability::after_process_death));
    }
    return {};
}

Result<std::vector<const Place*>> Breaker::components_in(Site region, const Until& until) const {
    const SupervisorStatus status = TRY(supervisor_.status(until));
    std::vector<const Place*> found;
    for (const ComponentStatus& component : status.components)
        if (const Place* const place = find_place(component.name); place != nullptr && place->site == region)
            found.push_back(place);
    return found;
}

Result<std::string> Breaker::kill_region(const LabFault& fault, const Until& until) const {
    const KillReport report = TRY(supervisor_.kill_site(*fault.site, until));
    for (const Place* const place : TRY(components_in(*fault.site, until)))
        TRY(supervisor_.bar(std::string(place->name), fault.name(), until));
    return fmt::format("{} processes killed, none is left; nothing of it can be started until it is healed",
                       report.processes);
}

Result<std::vector<std::string>> Breaker::revive_region(const LabFault& fault, const Until& until) const {
    std::vector<std::string> sentences;
    for (const Place* const place : TRY(components_in(*fault.site, until))) {
        TRY(supervisor_.unbar(std::string(place->name), fault.name(), until));
        sentences.push_back(TRY(start_again(*place, until)));
    }
    return sentences;
}

Result<std::string> Breaker::start_again(const Place& place, const Until& until) const {
    if (place.kind == Kind::postgres && !exists(lab_.layout().data(place) + "/standby.signal"))
        for (const Place& other : places())
            if (other.kind == Kind::postgres && other.name != place.name &&
                role_of(lab_.layout(), other, until) == "primary")
                return fmt::format("{}: left down, since {} is primary now: rejoin it", place.name, other.name);
    const Result<ProcessId> started = supervisor_.start(std::string(place.name), until);
    if (started) return fmt::format("{}: started", place.name);
    // Somebody fenced it or started it meanwhile: both are their affair.
    if (started.error().fault == Fault::refused || started.error().fault == Fault::conflict)
        return started.error().message;
    return started.error();
}

Result<std::string> Breaker::delay_replay(const LabFault& fault, const Until& until) const {
    const Place& standby = *fault.component;
    if (!fault.delay) {
        TRY(tell_postgres(lab_.layout(), standby, "postgres", "select pg_wal_replay_pause();\n", until));
        return fmt::format("{} receives and replays nothing", standby.name);
    }
    TRY(tell_postgres(lab_.layout(), standby, "postgres",
                      fmt::format("alter system set recovery_min_apply_delay = '{}us';\nselect pg_reload_conf();\n",
                                  fault.delay->count()),
                      until));
    return fmt::format("{} replays {} after the commit", standby.name, readable(*fault.delay));
}

Result<std::string> Breaker::resume_replay(const LabFault& fault, const Until& until) const {
    const std::string statements = fault.delay
                                       ? "alter system reset recovery_min_apply_delay;\nselect pg_reload_conf();\n"
                                       : "select case when pg_is_in_recovery() then pg_wal_replay_resume() end;\n";
    const Result<void> told = tell_postgres(lab_.layout(), *fault.component, "postgres", statements, until);
    if (told) return std::string("it replays at once again");
    if (fault.delay) return told.error();  // the setting is still in its file
    return std::string("it does not answer; a pause does not outlive the server");
}

Result<std::string> Breaker::fill_archive() const {
    TRY(write_file_atomically(lab_.layout().archive_quota(), "0\n", 0644));
    return std::string("every new segment is refused");
}

Result<std::string> Breaker::return_old_primary(const LabFault& fault, const Until& until) const {
    TRY(supervisor_.start(component_of(fault), until));
    TRY(wait_for(component_of(fault) + " to be writable", until,
                 [&]() -> Result<bool> { return role_of(lab_.layout(), *fault.component, until) == "primary"; }));
    return fmt::format("{} is up, and writable", fault.component->name);
}

}  // namespace kedge::lab
