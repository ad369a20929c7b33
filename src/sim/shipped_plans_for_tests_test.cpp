#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "actions/action.h"
#include "estate/parse.h"
#include "plan/bind.h"
#include "plan/parse.h"
#include "sim/shipped_plans_for_tests.h"

namespace kedge::sim {
namespace {

constexpr const char* lab_root = "/var/tmp/kedge-lab-0";

}  // namespace

std::string read_source(const std::string& path) {
    std::ifstream file{KEDGE_SOURCE_DIR "/" + path};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

const std::vector<ShippedUse>& shipped_uses() {
    static const std::string east = "us-east-1", west = "us-west-2";
    // Not here: daily-verification and weekly-verification. They judge files, and no file is simulated; they run on
    // real ones in tests/verification_test.cpp.
    static const std::vector<ShippedUse> uses{
        {"regional-failover", {{"from", east}, {"to", west}}},
        {"regional-failover", {{"from", east}, {"to", west}, {"scale", "true"}, {"instances", "3"}}},
        {"regional-failback", {{"from", west}, {"to", east}}},
        {"regional-failback", {{"from", west}, {"to", east}, {"rejoin-by", "base-backup"}}},
        {"regional-failback", {{"from", west}, {"to", east}, {"old-primary", "standby"}}},
        {"database-failover", {{"from", east}, {"to", west}, {"mode", "planned"}}},
        {"database-failover", {{"from", east}, {"to", west}, {"mode", "forced"}}},
        {"redis-failover", {{"from", east}, {"to", west}, {"mode", "planned"}}},
        {"redis-failover", {{"from", east}, {"to", west}, {"mode", "forced"}}},
        {"post-failover-verification", {{"region", east}}},
        {"traffic-shift", {{"from", east}, {"to", west}, {"share", "10"}}},
    };
    return uses;
}

std::string name_of(const ShippedUse& use) {
    std::string name = use.plan;
    for (const auto& [input, value] : use.inputs)
        if (input != "from" && input != "to" && input != "region") name += "_" + value;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
    return name;
}

Casting cast(const ShippedUse& use, const std::string& text) {
    static const Estate lab = *parse_estate("lab.yaml", read_source("plans/aragora/lab.yaml"), {.lab_root = lab_root});
    const std::string path = text.empty() ? "plans/aragora/" + use.plan + ".yaml" : use.plan;
    auto plan = parse_plan(path, text.empty() ? read_source(path) : text);
    EXPECT_TRUE(plan) << plan.mistakes().lines().front();
    auto bound = bind_plan(*plan, use.inputs, lab, catalogue());
    EXPECT_TRUE(bound) << bound.mistakes().lines().front();
    Casting casting{.assignment = {.plan = *plan, .estate = lab, .lab_root = lab_root, .options = {}}, .bound = *bound};
    casting.assignment.options = {.inputs = use.inputs,
                                  .mode = Mode::drill,
                                  .requester = "tomas",
                                  .reason = "a disaster in the simulator",
                                  .confirm = bound->gate ? bound->gate->confirm : "",
                                  .id = "r-sim"};
    return casting;
}

}  // namespace kedge::sim
