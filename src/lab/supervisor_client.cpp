#include "lab/supervisor_client.h"

#include <algorithm>

#include "lab/line_service.h"
#include "lab/supervisor.h"

namespace kedge::lab {
namespace {

// The supervisor gives up this much earlier, so that its answer says what is left.
constexpr Span answer_margin = std::chrono::milliseconds{100};

KillReport kill_report(const Json& answer) {
    return {.processes = get_integer(answer, "processes").value_or(0),
            .took = parse_span(get_string(answer, "took").value_or("")).value_or(Span{})};
}

FenceReport fence_report(const Json& answer) {
    const std::string fenced = get_string(answer, "fenced").value_or("");
    return {.fenced = fenced == "yes"  ? Truth::yes
                      : fenced == "no" ? Truth::no
                                       : Truth::unknown,
            .proof = get_string(answer, "proof").value_or("")};
}

ComponentStatus component_status(const Json& json) {
    ComponentStatus status{.name = get_string(json, "name").value_or(""),
                           .site = get_string(json, "site").value_or(""),
                           .phase = parse_phase(get_string(json, "phase").value_or("")).value_or(Phase::failed),
                           .first = parse_process_id(get(json, "process")),
                           .processes = get_integer(json, "processes").value_or(0),
                           .exit = get_string(json, "exit").value_or(""),
                           .barred = {}};
    for (const auto& [reason, since] : get(json, "barred").items()) status.barred.push_back(reason);
    return status;
}

}  // namespace

Result<Json> SupervisorClient::ask_for(Json request, const Until& until) const {
    const Span left = until.deadline - SystemClock{}.now();
    request["within"] = to_string(std::max(left - answer_margin, Span{1000}));
    return ask(path_, request, until).within("supervisor");
}

Result<Json> SupervisorClient::ask_for(std::string_view verb, const std::string& component, const Until& until) const {
    return ask_for({{"do", verb}, {"components", Json::array({component})}}, until);
}

Result<void> SupervisorClient::define(const ComponentSpec& spec, const Until& until) const {
    TRY(ask_for({{"do", "define"}, {"component", to_json(spec)}}, until));
    return {};
}

Result<ProcessId> SupervisorClient::start(const std::string& component, const Until& until) const {
    const Json answer = TRY(ask_for("start", component, until));
    const std::optional<ProcessId> id = parse_process_id(get(answer, "process"));
    if (!id) return Error{Fault::corrupt, "supervisor: a start without a process"};
    return *id;
}

Result<void> SupervisorClient::stop(const std::string& component, const Until& until) const {
    TRY(ask_for("stop", component, until));
    return {};
}

Result<KillReport> SupervisorClient::kill(const std::vector<std::string>& components, const Until& until) const {
    return kill_report(TRY(ask_for({{"do", "kill"}, {"components", components}}, until)));
}

Result<KillReport> SupervisorClient::kill_site(Site site, const Until& until) const {
    return kill_report(TRY(ask_for({{"do", "kill-site"}, {"site", to_string(site)}}, until)));
}

Result<void> SupervisorClient::pause(const std::string& component, const Until& until) const {
    TRY(ask_for("pause", component, until));
    return {};
}

Result<void> SupervisorClient::resume(const std::string& component, const Until& until) const {
    TRY(ask_for("continue", component, until));
    return {};
}

Result<void> SupervisorClient::bar(const std::string& component, const std::string& reason, const Until& until) const {
    TRY(ask_for({{"do", "bar"}, {"components", Json::array({component})}, {"reason", reason}}, until));
    return {};
}

Result<void> SupervisorClient::unbar(const std::string& component, const std::string& reason,
                                     const Until& until) const {
    TRY(ask_for({{"do", "unbar"}, {"components", Json::array({component})}, {"reason", reason}}, until));
    return {};
}

Result<FenceReport> SupervisorClient::raise_fence(const std::string& component, const Until& until) const {
    return fence_report(TRY(ask_for("fence", component, until)));
}

Result<void> SupervisorClient::lower_fence(const std::string& component, const Until& until) const {
    return unbar(component, std::string(fence_bar), until);
}

Result<FenceReport> SupervisorClient::look_at_fence(const std::string& component, const Until& until) const {
    return fence_report(TRY(ask_for("fence-status", component, until)));
}

Result<void> SupervisorClient::slow_disk(const std::string& component, Span delay, const Until& until) const {
    TRY(ask_for({{"do", "slow-disk"}, {"components", Json::array({component})}, {"delay", to_string(delay)}}, until));
    return {};
}

Result<void> SupervisorClient::note_fault(const std::string& name, const Json& detail, const Until& until) const {
    TRY(ask_for({{"do", "note-fault"}, {"fault", name}, {"detail", detail}}, until));
    return {};
}

Result<void> SupervisorClient::forget_fault(const std::string& name, const Until& until) const {
    TRY(ask_for({{"do", "forget-fault"}, {"fault", name}}, until));
    return {};
}

Result<SupervisorStatus> SupervisorClient::status(const Until& until) const {
    const Json answer = TRY(ask_for({{"do", "status"}}, until));
    SupervisorStatus status{.components = {}, .faults = get(answer, "faults")};
    for (const Json& component : get(answer, "components")) status.components.push_back(component_status(component));
    return status;
}

Result<void> SupervisorClient::shut_down(const Until& until) const {
    TRY(ask_for({{"do", "shutdown"}}, until));
    return {};
}

}  // namespace kedge::lab
