#include "cli/finding.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "estate/parse.h"
#include "os/files.h"
#include "plan/parse.h"

namespace kedge {
namespace {

constexpr std::string_view yaml = ".yaml";

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string name_of_plan_file(const std::string& path) {
    const std::string file = path.substr(path.rfind('/') + 1);
    return file.substr(0, file.size() - yaml.size());
}

// A plan and an estate may lie side by side; what a file is stands in a key at its left edge.
bool holds_plan(const std::string& text) {
    return text.starts_with("plan:") || text.find("\nplan:") != std::string::npos;
}

Result<std::string> find_plans_directory(const Context& context) {
    if (context.global().plans) return *context.global().plans;
    if (const auto plans = context.variable("KEDGE_PLANS")) return *plans;
    if (const Result<std::string> estate = find_estate_file(context)) return directory_of(*estate);
    return Error{Fault::not_found, "it is not known where the plans lie",
                 "give --plans DIR or --estate FILE, or set KEDGE_ESTATE"};
}

bool names_a_file(const std::string& name) {
    return name.find('/') != std::string::npos || name.ends_with(yaml);
}

}  // namespace

std::string lab_root() {
    return fmt::format("/var/tmp/kedge-lab-{}", geteuid());
}

Result<std::string> find_estate_file(const Context& context) {
    if (context.global().estate) return *context.global().estate;
    if (const auto estate = context.variable("KEDGE_ESTATE")) return *estate;
    std::vector<std::string> places;
    if (const auto config = context.variable("XDG_CONFIG_HOME"))
        places.push_back(*config + "/kedge/estate.yaml");
    else if (const auto home = context.variable("HOME"))
        places.push_back(*home + "/.config/kedge/estate.yaml");
    places.emplace_back("/etc/kedge/estate.yaml");
    for (const std::string& place : places)
        if (exists(place)) return place;
    return Error{Fault::not_found, fmt::format("no estate is known: there is no {}", fmt::join(places, " and no ")),
                 "give --estate FILE or set KEDGE_ESTATE"};
}

Result<Parsed<Estate>> read_estate(const Context& context) {
    const std::string path = TRY(find_estate_file(context));
    const std::string text = TRY(read_file(path));
    return parse_estate(path, text, {.lab_root = lab_root()});
}

Result<Estate> find_estate(const Context& context) {
    return TRY(read_estate(context)).result();
}

Result<std::vector<std::string>> find_plan_files(const Context& context) {
    const std::string directory = TRY(find_plans_directory(context));
    std::vector<std::string> files;
    std::error_code fault;
    for (const auto& entry : std::filesystem::directory_iterator(directory, fault)) {
        const std::string path = entry.path().string();
        if (!path.ends_with(yaml)) continue;
        const Result<std::string> text = read_file(path);
        if (text && holds_plan(*text)) files.push_back(path);
    }
    if (fault)
        return Error{Fault::not_found, fmt::format("the plans' directory {}: {}", directory, fault.message()),
                     "give --plans DIR"};
    std::ranges::sort(files);
    return files;
}

Result<std::string> find_plan_file(const Context& context, const std::string& name) {
    if (names_a_file(name)) return name;
    std::vector<std::string> names;
    for (const std::string& path : TRY(find_plan_files(context))) {
        names.push_back(name_of_plan_file(path));
        if (names.back() == name) return path;
    }
    return Error{Fault::not_found, fmt::format("there is no plan '{}'", name), suggestion(name, names)};
}

Result<Parsed<Plan>> read_plan(const std::string& path) {
    const std::string text = TRY(read_file(path));
    return parse_plan(path, text);
}

Result<Plan> find_plan(const Context& context, const std::string& name) {
    return TRY(read_plan(TRY(find_plan_file(context, name)))).result();
}

Result<std::string> find_lasting_directory(const Context& context) {
    if (context.global().state) return state_directory(context.global().state);
    if (const auto state = context.variable("KEDGE_STATE")) return state_directory(state);
    return state_directory(std::nullopt);
}

Result<std::string> find_state_directory(const Context& context) {
    if (context.global().state || context.variable("KEDGE_STATE")) return find_lasting_directory(context);
    if (find_estate_file(context)) {
        const Result<Estate> estate = find_estate(context);
        if (!estate)
            return Error{estate.error().fault, estate.error().message,
                         "the estate says where the journal lies; mend it, or give --state DIR"};
        if (!estate->lab.empty()) return estate->lab + "/kedge";
    }
    return find_lasting_directory(context);
}

Result<std::unique_ptr<SqliteJournal>> journal_with_runs(const Context& context) {
    return SqliteJournal::open(TRY(find_state_directory(context)), Access::read);
}

Result<std::unique_ptr<SqliteJournal>> journal_to_read(const Context& context) {
    Result<std::unique_ptr<SqliteJournal>> journal = journal_with_runs(context);
    if (!journal && journal.error().fault == Fault::not_found) return std::unique_ptr<SqliteJournal>();
    return journal;
}

Result<std::unique_ptr<SqliteJournal>> journal_to_write(const Context& context) {
    return SqliteJournal::open(TRY(find_state_directory(context)), Access::write);
}

}  // namespace kedge
