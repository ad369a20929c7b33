// Work that goes on beside the controller that asked for it, as programs of its own do it: one at a time by name, and
// it outlives the controller.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "sim/world/ground.h"

namespace kedge::sim {

class SideWork {
public:
    // Why it came to nothing; nothing if it did what it is for.
    using Finish = std::function<std::optional<std::string>()>;

    explicit SideWork(Ground& ground) : ground_(ground) {}

    bool goes_on(const std::string& name) const { return going_.contains(name); }
    // None may go on under that name. After a span drawn from the two `finish` is called.
    void begin(const std::string& name, const std::string& key, Span least, Span most, Finish finish);
    // What goes on dies where it is. False if nothing did.
    bool kill();
    // How the work of `key` failed; nothing while it goes on or when it did what it is for.
    std::optional<std::string> failure(const std::string& key) const;
    // Whoever asked is gone: nobody heard how anything failed.
    void forget() { failures_.clear(); }

private:
    struct Work {
        std::string key;
        std::uint64_t number = 0;
    };

    Ground& ground_;
    std::uint64_t begun_ = 0;
    std::map<std::string, Work> going_;
    std::map<std::string, std::string> failures_;  // by key
};

}  // namespace kedge::sim
