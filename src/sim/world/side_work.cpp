#include "sim/world/side_work.h"

#include <utility>

#include "base/check.h"

namespace kedge::sim {

void SideWork::begin(const std::string& name, const std::string& key, Span least, Span most, Finish finish) {
    const std::uint64_t number = ++begun_;
    const bool alone = going_.emplace(name, Work{key, number}).second;
    check(alone, "whoever begins work has looked whether any goes on");
    failures_.erase(key);
    ground_.schedule().after(ground_.random().between(least, most), [this, name, number, finish = std::move(finish)] {
        const auto work = going_.find(name);
        if (work == going_.end() || work->second.number != number) return;
        const std::string asked = work->second.key;
        going_.erase(work);
        if (const auto why = finish()) failures_[asked] = *why;
        ground_.changed();
    });
}

bool SideWork::kill() {
    const bool any = !going_.empty();
    for (const auto& [name, work] : std::exchange(going_, {})) failures_[work.key] = "it was killed by signal 9";
    return any;
}

std::optional<std::string> SideWork::failure(const std::string& key) const {
    const auto found = failures_.find(key);
    return found == failures_.end() ? std::nullopt : std::optional{found->second};
}

}  // namespace kedge::sim
