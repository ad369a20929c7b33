#include "targets/targets.h"

#include <thread>
#include <vector>

namespace kedge {

void on_threads(std::size_t count, const std::function<void(std::size_t)>& call) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < count; ++i) threads.emplace_back([&call, i] { call(i); });
    if (count > 0) call(0);
}

}  // namespace kedge
