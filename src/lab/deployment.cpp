#include "lab/deployment.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "base/json.h"
#include "lab/observe.h"
#include "lab/supervisor_client.h"
#include "os/files.h"
#include "os/socket.h"

namespace kedge::lab {
namespace {

bool is_release(const std::string& name) {
    return !name.empty() && name.size() <= 40 &&
           std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-'; });
}

// Another file takes its place, and stays that of the login that the application runs as.
Result<void> write_configuration(const std::string& path, const Json& json) {
    struct stat before {};
    if (stat(path.c_str(), &before) != 0)
        return Error{Fault::unavailable, fmt::format("{}: {}", path, std::strerror(errno))};
    TRY(write_file_atomically(path, dump_pretty(json), before.st_mode & 07777));
    if (chown(path.c_str(), before.st_uid, before.st_gid) != 0)
        return Error{Fault::unavailable, fmt::format("{}: {}", path, std::strerror(errno))};
    return {};
}

Result<void> restart_as(const Layout& layout, const Place& place, const std::string& release, const Until& until) {
    const std::string path = layout.of(place) + "/app.json";
    Json json = TRY(parse_json(TRY(read_file(path))).within(path));
    const SupervisorClient supervisor(layout.root);
    if (get_string(json, "release") != release) {
        TRY(supervisor.stop(std::string(place.name), until));
        json["release"] = release;
        TRY(write_configuration(path, json));
    }
    const Result<ProcessId> started = supervisor.start(std::string(place.name), until);
    if (!started && started.error().fault != Fault::conflict) return started.error();  // conflict: it runs
    return wait_for(std::string(place.name) + " to listen", until, [&]() -> Result<bool> {
        return Stream::connect(place.direct(), kedge::within(std::chrono::seconds{1})).has_value();
    });
}

}  // namespace

Result<void> deploy_release(const Layout& layout, Site site, const std::string& release, const Until& until) {
    if (!is_release(release)) return Error{Fault::invalid_input, fmt::format("`{}` is no release", release)};
    for (const Place& place : places())
        if (place.kind == Kind::application && place.site == site) TRY(restart_as(layout, place, release, until));
    return {};
}

}  // namespace kedge::lab
