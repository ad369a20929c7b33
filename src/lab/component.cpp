#include "lab/component.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <memory>

namespace kedge::lab {
namespace {

constexpr std::array phases = {Phase::never_started, Phase::running, Phase::paused,
                               Phase::stopped,       Phase::killed,  Phase::failed};

Result<std::vector<std::string>> strings(const Json& json, std::string_view key) {
    std::vector<std::string> result;
    const Json& list = get(json, key);
    if (!list.is_array()) return Error{Fault::invalid_input, fmt::format("a component without the list '{}'", key)};
    for (const Json& item : list) {
        if (!item.is_string()) return Error{Fault::invalid_input, fmt::format("'{}' holds more than strings", key)};
        result.push_back(item.get<std::string>());
    }
    return result;
}

// As /proc/PID/exe shows it.
std::string true_path(const std::string& path) {
    const std::unique_ptr<char, void (*)(void*)> resolved(realpath(path.c_str(), nullptr), std::free);
    return resolved ? resolved.get() : path;
}

}  // namespace

Json to_json(const ComponentSpec& spec) {
    return {{"name", spec.name},       {"site", spec.site},           {"argv", spec.arguments},
            {"env", spec.environment}, {"directory", spec.directory}, {"stop_signal", spec.stop_signal}};
}

Result<ComponentSpec> parse_component(const Json& json) {
    ComponentSpec spec;
    spec.name = get_string(json, "name").value_or("");
    spec.site = get_string(json, "site").value_or("");
    spec.directory = get_string(json, "directory").value_or("");
    spec.stop_signal = static_cast<int>(get_integer(json, "stop_signal").value_or(0));
    spec.arguments = TRY(strings(json, "argv"));
    spec.environment = TRY(strings(json, "env"));
    const bool complete = !spec.name.empty() && !spec.site.empty() && spec.directory.starts_with('/') &&
                          spec.stop_signal > 0 && spec.stop_signal < NSIG && !spec.arguments.empty();
    if (!complete) return Error{Fault::invalid_input, "a component needs name, site, argv, directory and stop_signal"};
    return spec;
}

std::string_view to_string(Phase phase) {
    switch (phase) {
        case Phase::never_started: return "never started";
        case Phase::running: return "running";
        case Phase::paused: return "paused";
        case Phase::stopped: return "stopped";
        case Phase::killed: return "killed";
        case Phase::failed: return "failed";
    }
    return "failed";
}

std::optional<Phase> parse_phase(std::string_view name) {
    for (const Phase phase : phases)
        if (to_string(phase) == name) return phase;
    return std::nullopt;
}

std::string marker_of(const std::string& lab_directory, const std::string& component) {
    return lab_directory + "#" + component;
}

Traces Component::traces(const std::string& lab_directory) const {
    return {.marker = marker_of(lab_directory, spec.name),
            .directory = spec.directory,
            .program = true_path(spec.arguments.front()),
            .recorded = recorded};
}

Json Component::describe() const {
    Json json = {{"name", spec.name}, {"site", spec.site}, {"phase", to_string(phase)}};
    if (first) json["process"] = to_json(*first);
    if (started) json["started"] = kedge::to_string(*started);
    if (ended) json["ended"] = kedge::to_string(*ended);
    if (exit) json["exit"] = kedge::to_string(*exit);
    Json reasons = Json::object();
    for (const auto& [reason, since] : barred) reasons[reason] = kedge::to_string(since);
    json["barred"] = reasons;
    json["argv"] = spec.arguments;
    json["directory"] = spec.directory;
    Json all = Json::array();
    for (const ProcessId id : recorded) all.push_back(to_json(id));
    json["recorded"] = all;
    return json;
}

}  // namespace kedge::lab
