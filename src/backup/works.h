// Long work that processes of their own do for steps of runs: `kedge` itself, with other words, so that parsers of what
// may be hostile, and servers that restore it, are not in the controller's process. They go on when the controller is
// killed. Safe to use from several threads.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "estate/estate.h"
#include "os/process.h"

namespace kedge::backup {

class Works {
public:
    // `subject`: what is worked on. What the program says goes to the file `words`, which is emptied first.
    Result<void> start(const std::string& key, const std::string& subject, const Arguments& arguments,
                       const std::string& words);
    // Whether a child of ours works on it: from its start on.
    bool has_work(const std::string& subject);
    // How the work that was asked for with `key` ended, if not with one of `answered`: its last words. Nothing while it
    // goes on, or when this process did not start it.
    std::optional<std::string> failure(const std::string& key, std::span<const int> answered);
    // On what the work that was asked for with `key` is done; empty if this process did not start it.
    std::string subject(const std::string& key);

private:
    struct Work {
        std::string subject;
        Child child;
        std::string words;
    };
    std::mutex mutex_;
    std::map<std::string, Work> works_;  // by key; guarded by mutex_
};

// The estate as this run has it, as a file below the state directory: its path.
Result<std::string> keep_estate(const Estate& estate, const std::string& state_directory);

// A key as a part of a file's name.
std::string as_file_name(std::string key);

}  // namespace kedge::backup
