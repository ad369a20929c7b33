// The tables of `make bench`: which figure of which subject stands in which row, what is aimed at, and under which
// guarantee it was reached. Pure: observations in, rows out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace kedge::bench {

using Observations = std::map<std::string, std::vector<Json>>;

// Who decided, what keeps the old one from writing, who saw that it was gone: a figure without it compares nothing.
struct Guarantee {
    std::string decided, fence, observers;
};

struct Row {
    std::string what;
    std::size_t count = 0;  // repetitions
    std::string median, worst;
    std::string aim;  // empty: none
    Guarantee guarantee;
    Json figures = Json::object();  // for machines
};

struct BenchTable {
    std::string name, title;
    bool guarantees = false;  // whether its rows have one
    std::vector<Row> rows;
    std::vector<std::string> notes;
};

std::vector<BenchTable> make_tables(const Observations& seen);

}  // namespace kedge::bench
