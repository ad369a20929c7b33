#include "lab/lab.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "lab/leftovers.h"
#include "lab/observe.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

constexpr Span look_deadline = std::chrono::seconds{2};

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

// Anybody may make names in /var/tmp: what we find there must be a directory of ours that nobody else writes to.
Result<void> make_private(const std::string& path, mode_t mode, uid_t owner, gid_t group) {
    if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        return Error{Fault::unavailable, fmt::format("{}: cannot make the directory: {}", path, std::strerror(errno))};
    const Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!directory.is_open() || fstat(directory.get(), &status) != 0)
        return Error{Fault::refused, fmt::format("{}: is no directory", path)};
    if (status.st_uid != owner)
        return Error{Fault::refused, fmt::format("{}: belongs to another user (uid {})", path, status.st_uid)};
    if (fchown(directory.get(), owner, group) != 0 || fchmod(directory.get(), mode) != 0)
        return Error{Fault::unavailable, fmt::format("{}: cannot give it its owner: {}", path, std::strerror(errno))};
    return {};
}

}  // namespace

Result<Lab> Lab::named(const std::string& name) {
    return Lab(TRY(name_lab(name)));
}

Result<void> Lab::up(const OnProgress& on_progress, const Until& until) const {
    TRY(prepare(until));
    const Result<void> built = run_builder(on_progress, until);
    if (built) return {};
    // Not bound by what is left of the caller's time: half a lab is worse than a late error.
    const Result<std::size_t> cleared = down(kedge::within(std::chrono::seconds{20}));
    if (!cleared) on_progress("lab", "not everything could be taken down again: " + cleared.error().message);
    return built.error().within("lab up");
}

// An empty directory with our programs in it, no process of an earlier lab, and every address free.
Result<void> Lab::prepare(const Until& until) const {
    if (supervisor().status(until))
        return Error{Fault::conflict, fmt::format("the lab '{}' runs", name_.name), "take it down first: lab down"};
    TRY(postgres_programs());
    for (const char* program : {"redis-server", "haproxy", "prometheus", "psql"}) TRY(find_program(program));
    TRY(down(until));
    TRY(refuse_taken_addresses());
    TRY(make_private(name_.parent(), 0711, name_.caller, getegid()));
    // By root: the lab's login may make files in it, and cannot replace the programs there that root runs, too.
    if (name_.login)
        TRY(make_private(layout().root, S_ISVTX | 0770, name_.caller, name_.login->gid));
    else
        TRY(make_private(layout().root, 0700, name_.caller, getegid()));
    return copy_programs();
}

// The lab's programs run from copies: the originals may lie where its login cannot read, and may be built anew.
Result<void> Lab::copy_programs() const {
    const std::string own = TRY(own_program());
    TRY(make_directories(layout().programs(), 0755));
    TRY(copy_file(own, layout().own_program(), 0755));
    for (const std::string& target : {layout().application_program(), layout().writer_program()}) {
        const std::string source = directory_of(own) + target.substr(target.rfind('/'));
        if (exists(source)) TRY(copy_file(source, target, 0755));
    }
    return {};
}

// The builder is a process of the lab's own login; it tells its progress, and at last its result, in lines of JSON.
Result<void> Lab::run_builder(const OnProgress& on_progress, const Until& until) const {
    Child builder = TRY(Child::spawn({layout().own_program(), "lab-build", layout().root},
                                     {.output = Redirect::pipe(),
                                      .errors = Redirect::append_to(layout().root + "/builder.log"),
                                      .directory = layout().root,
                                      .login = name_.login}));
    std::string text;
    for (;;) {
        const std::size_t end = text.find('\n');
        if (end != std::string::npos) {
            const Json line = TRY(parse_json(text.substr(0, end)));
            text.erase(0, end + 1);
            const std::optional<std::string> component = get_string(line, "component");
            if (component)
                on_progress(*component, get_string(line, "what").value_or(""));
            else if (const Result<Json> answer = answer_of(line); !answer)
                return answer.error();
            else
                return {};
            continue;
        }
        std::array<char, 4096> buffer;
        const ssize_t got = read(builder.output().get(), buffer.data(), buffer.size());
        if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
        if (got == 0) return Error{Fault::unavailable, "the builder ended without a word; see builder.log"};
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return Error{Fault::unavailable, fmt::format("builder: {}", std::strerror(errno))};
        if (got < 0) TRY(wait_ready(builder.output().get(), POLLIN, until).within("builder"));
    }
}

Result<std::size_t> Lab::down(const Until& until) const {
    std::size_t ended = 0;
    if (const Result<SupervisorStatus> status = supervisor().status(until)) {
        for (const ComponentStatus& component : status->components)
            ended += static_cast<std::size_t>(component.processes);
        // If it cannot, it is killed with the rest below.
        static_cast<void>(supervisor().shut_down(until).has_value());
    }
    ended += TRY(clear_processes(name_, until));
    TRY(remove_files());
    return ended;
}

Result<void> Lab::remove_files() const {
    TRY(remove_tree(layout().root));
    rmdir(name_.parent().c_str());  // unless another lab of this user is in it
    return {};
}

Result<LabStatus> Lab::status(const Until& until) const {
    Result<SupervisorStatus> kept = supervisor().status(until);
    if (!kept)
        return Error{Fault::not_found, fmt::format("no lab '{}' runs ({})", name_.name, kept.error().message),
                     exists(layout().root) ? "a dead lab left files: lab down clears them" : "start it: lab up"};
    LabStatus status{.directory = layout().root, .lines = {}, .faults = kept->faults, .network = nullptr};
    if (const Result<Json> network = relay().describe(until)) status.network = *network;
    for (ComponentStatus& component : kept->components) {
        LabStatus::Line line{.component = std::move(component), .role = "unknown", .direct = {}, .announced = {}};
        const Place* const place = find_place(line.component.name);
        if (place != nullptr) {
            line.direct = place->direct();
            if (!place->announced.empty()) line.announced = place->via_relay();
            const Moment deadline = std::min(until.deadline, SystemClock{}.now() + look_deadline);
            if (line.component.phase == Phase::running) line.role = role_of(layout(), *place, {deadline, until.stop});
        }
        status.lines.push_back(std::move(line));
    }
    return status;
}

}  // namespace kedge::lab
