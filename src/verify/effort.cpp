#include "verify/effort.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace kedge::verify {

void in_parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& work) {
    std::atomic<std::size_t> next = 0;
    const auto serve = [&] {
        for (std::size_t i = next++; i < count; i = next++) work(i);
    };
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < std::min(threads, count); ++i) others.emplace_back(serve);
    serve();
}

}  // namespace kedge::verify
