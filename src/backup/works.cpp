#include "backup/works.h"

#include <fmt/format.h>

#include <algorithm>

#include "os/clock.h"
#include "os/files.h"

namespace kedge::backup {
namespace {

std::string last_line(const std::string& text) {
    const std::size_t end = text.find_last_not_of("\n ");
    if (end == std::string::npos) return "it said nothing";
    const std::size_t begin = text.rfind('\n', end);
    return text.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin));
}

}  // namespace

Result<void> Works::start(const std::string& key, const std::string& subject, const Arguments& arguments,
                          const std::string& words) {
    TRY(write_file_atomically(words, "", 0600, Durability::after_process_death));
    Child child = TRY(Child::spawn(arguments, {.errors = Redirect::append_to(words), .die_with_parent = false}));
    const std::lock_guard lock(mutex_);
    works_.insert_or_assign(key, Work{subject, std::move(child), words});
    return {};
}

bool Works::has_work(const std::string& subject) {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(works_, [&](auto& entry) {
        return entry.second.subject == subject && !entry.second.child.wait(SystemClock{}.now());
    });
}

std::optional<std::string> Works::failure(const std::string& key, std::span<const int> answered) {
    const std::lock_guard lock(mutex_);
    const auto work = works_.find(key);
    if (work == works_.end()) return std::nullopt;
    const std::optional<Exit> exit = work->second.child.wait(SystemClock{}.now());
    if (!exit || (exit->signal == 0 && std::ranges::find(answered, exit->code) != answered.end())) return std::nullopt;
    return fmt::format("{}: {}", to_string(*exit), last_line(read_file(work->second.words).value_or("")));
}

Result<std::string> keep_estate(const Estate& estate, const std::string& state_directory) {
    const std::string path = fmt::format("{}/backups/estate-{}.yaml", state_directory, estate.digest.substr(0, 16));
    TRY(make_directories(state_directory + "/backups"));
    TRY(write_file_atomically(path, estate.text, 0600, Durability::after_process_death));
    return path;
}

std::string as_file_name(std::string key) {
    std::ranges::replace(key, '/', '-');
    return key;
}

}  // namespace kedge::backup
