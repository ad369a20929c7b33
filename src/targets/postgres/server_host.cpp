#include "targets/postgres/server_host.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace kedge {
namespace {

// A program's own exit code that ssh uses for its failures (ssh(1), EXIT STATUS).
constexpr int ssh_failed = 255;
constexpr Span owner_deadline = std::chrono::seconds{5};

// ssh hands its arguments to a shell there: each is quoted so that the shell gives back the same bytes.
std::string quoted(const std::string& argument) {
    std::string text = "'";
    for (const char c : argument) {
        if (c == '\'')
            text += "'\\''";
        else
            text += c;
    }
    return text + "'";
}

std::string_view base_name(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

// Who owns `path`, or the nearest directory above it that is there.
Result<Login> owner_of(std::string path, const Until& until) {
    for (;;) {
        const auto output = TRY(run({"stat", "-c", "%u", path}, until));
        if (output.exit.ok()) return find_login(static_cast<uid_t>(std::stoul(output.out)));
        if (path == "/") return Error{Fault::not_found, "the root directory has no owner"};
        path = directory_of(path);
    }
}

}  // namespace

std::string complaint(const RunOutput& output) {
    std::string last;
    std::string_view rest = output.err;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        for (const std::string_view sign : {"fatal: ", "error: ", "FATAL: "})
            if (const auto at = line.find(sign); at != std::string_view::npos)
                return std::string(line.substr(at + sign.size()));
        if (line.find_first_not_of(' ') != std::string_view::npos) last = line;
    }
    return last.empty() ? to_string(output.exit) : last;
}

ServerHost::ServerHost(std::string name, ServerHostSettings settings)
    : name_(std::move(name)), settings_(std::move(settings)) {}

std::string ServerHost::tool(std::string_view program) const {
    return fmt::format("{}/{}", settings_.bin_directory, program);
}

Result<std::optional<Login>> ServerHost::login() const {
    if (!settings_.ssh.empty() || geteuid() != 0) return std::optional<Login>{};
    if (!settings_.run_as.empty()) return std::optional{TRY(find_login(settings_.run_as))};
    {
        const std::lock_guard lock{mutex_};
        if (owner_) return owner_;
    }
    const Login owner = TRY(owner_of(data_directory(), within(owner_deadline)));
    const std::lock_guard lock{mutex_};
    owner_ = owner;
    return owner_;
}

Arguments ServerHost::command_there(const Arguments& arguments) const {
    if (settings_.ssh.empty()) return arguments;
    std::string line = "env LC_ALL=C.UTF-8";
    for (const std::string& argument : arguments) line += " " + quoted(argument);
    return {"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-T", "--", settings_.ssh, line};
}

Result<RunOutput> ServerHost::run(const Arguments& arguments, const Until& until, RunOptions options) const {
    options.login = TRY(login());
    auto output = kedge::run(command_there(arguments), until, options);
    if (!output) return std::move(output).within(name_);
    if (!settings_.ssh.empty() && output->exit == Exit{ssh_failed, 0})
        return Error{Fault::unavailable, fmt::format("{}: ssh {}: {}", name_, settings_.ssh, complaint(*output))};
    return output;
}

Result<RunOutput> ServerHost::run_or_fail(const Arguments& arguments, const Until& until, RunOptions options,
                                          Fault fault) const {
    RunOutput output = TRY(run(arguments, until, std::move(options)));
    if (output.exit.ok()) return output;
    return Error{fault, fmt::format("{}: {}: {}", name_, base_name(arguments.front()), complaint(output))};
}

Result<void> ServerHost::remove_behind(const std::string& path) const {
    Child child = TRY(Child::spawn(command_there({"rm", "-rf", "--one-file-system", "--", path}),
                                   {.login = TRY(login()), .own_session = true, .die_with_parent = false}));
    child.release();
    return {};
}

Result<bool> ServerHost::exists(const std::string& path, const Until& until) const {
    const auto output = TRY(run({"test", "-e", path}, until));
    if (output.exit == Exit{0, 0}) return true;
    if (output.exit == Exit{1, 0}) return false;
    return Error{Fault::unavailable, fmt::format("{}: test -e {}: {}", name_, path, complaint(output))};
}

Result<std::string> ServerHost::read(const std::string& path, const Until& until) const {
    if (!TRY(exists(path, until))) return Error{Fault::not_found, fmt::format("{}: {} is not there", name_, path)};
    return TRY(run_or_fail({"cat", "--", path}, until)).out;
}

Result<void> ServerHost::write(const std::string& path, std::string_view content, const Until& until) const {
    const std::string beside = path + ".new";
    TRY(run_or_fail({"install", "-m", "600", "/dev/null", beside}, until));
    if (!content.empty())  // dd, since it can sync what it wrote
        TRY(run_or_fail({"dd", "of=" + beside, "conv=fsync,notrunc", "status=none"}, until,
                        {.input = std::string{content}}));
    TRY(run_or_fail({"mv", "-fT", "--", beside, path}, until));
    TRY(run_or_fail({"sync", "--", directory_of(path)}, until));
    return {};
}

Result<void> ServerHost::rename(const std::string& from, const std::string& to, const Until& until) const {
    if (TRY(exists(to, until)))
        return Error{Fault::conflict, fmt::format("{}: {} is in the way of {}", name_, to, from)};
    TRY(run_or_fail({"mv", "-nT", "--", from, to}, until));
    TRY(run_or_fail({"sync", "--", directory_of(to)}, until));
    return {};
}

Result<void> ServerHost::remove(const std::string& path, const Until& until) const {
    TRY(run_or_fail({"rm", "-rf", "--one-file-system", "--", path}, until));
    return {};
}

Result<void> ServerHost::make_directory(const std::string& path, const Until& until) const {
    TRY(run_or_fail({"mkdir", "-p", "-m", "700", "--", path}, until));
    return {};
}

Result<std::vector<std::string>> ServerHost::list(const std::string& directory, const Until& until) const {
    if (!TRY(exists(directory, until))) return std::vector<std::string>{};
    const auto output = TRY(run_or_fail({"ls", "-1A", "--", directory}, until));
    std::vector<std::string> names;
    std::string_view rest = output.out;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        names.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    std::ranges::sort(names);
    return names;
}

}  // namespace kedge
