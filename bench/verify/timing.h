// Times whole programs and pieces of work beside each other, and prints the table.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "os/process.h"

namespace kedge::verify {

// Something that is timed: a program with its arguments, or work in this process.
struct Contender {
    std::string name;
    std::function<Span()> once;    // does it and says how long that took
    std::uint64_t peak_bytes = 0;  // of memory that a program held at once; 0: not a program
};

// A program of its own, output dropped; it runs once here, to learn how much memory it takes. A child begins with the
// peak of who made it, so nothing big may have been held by this process before. Stops the benchmark if it fails.
Contender program(std::string name, Arguments arguments);
Contender work(std::string name, std::function<void()> once);

struct Timing {
    std::string name;
    std::vector<Span> spans;  // ascending
    std::uint64_t peak_bytes = 0;

    Span median() const { return spans[spans.size() / 2]; }
};

// Each once to warm up, then `rounds` times in turns, so that what the machine does meanwhile hits all alike.
std::vector<Timing> time_in_turns(const std::vector<Contender>& contenders, int rounds);

// Median, spread, megabytes a second of `bytes`, how many times the speed of the first, and the memory it took.
void print_table(const std::string& title, std::uint64_t bytes, const std::vector<Timing>& timings);

}  // namespace kedge::verify
