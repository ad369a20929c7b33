#include "backup/works.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "os/clock.h"
#include "os/files.h"

namespace kedge::backup {
namespace {

// The last line. Of an error, whose lines are set in below what failed, all of them: why, and what to do.
std::string last_words(const std::string& text) {
    std::istringstream lines(text);
    std::string words;
    bool was_set_in = false;
    for (std::string line; std::getline(lines, line);) {
        if (line.find_first_not_of(' ') == std::string::npos) continue;
        const bool is_set_in = line.starts_with("  ");
        if (!was_set_in || !is_set_in) words.clear();
        if (!words.empty()) words += ' ';
        words += is_set_in ? line.substr(2) : line;
        was_set_in = is_set_in;
    }
    return words.empty() ? "it said nothing" : words;
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
    return fmt::format("{}: {}", to_string(*exit), last_words(read_file(work->second.words).value_or("")));
}

std::string Works::subject(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto work = works_.find(key);
    return work == works_.end() ? "" : work->second.subject;
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
