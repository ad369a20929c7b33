#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "estate/parse.h"
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

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* given = std::getenv(name);
    return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

const std::vector<ShippedUse>& shipped_uses() {
    static const std::string east = "us-east-1", west = "us-west-2";
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
        {"redis-recovery", {{"region", east}, {"replica", west}, {"name", "copy"}}},
        {"post-failover-verification", {{"region", east}}},
        {"application-rollback", {{"release", "1.1.0"}, {"region", east}, {"other", west}}},
        {"schema-rollback", {{"version", "2"}, {"region", east}, {"other", west}}},
        {"daily-verification", {}},
        {"weekly-verification", {}},
        {"point-in-time-recovery", {{"to", "latest"}, {"name", "copy"}}},
        {"full-restore", {{"to", "latest"}, {"name", "copy"}}},
        {"promote-recovery", {{"name", "copy"}, {"region", east}, {"standby", west}, {"schema", "3"}}},
        {"exchange-database", {{"name", "copy"}, {"region", east}, {"standby", west}, {"schema", "3"}}},
        {"knowledge-index-rebuild", {{"region", east}}},
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

Programme programme_of(const ShippedUse& use) {
    static const Estate lab = *parse_estate("lab.yaml", read_source("plans/aragora/lab.yaml"), {.lab_root = lab_root});
    const std::string path = "plans/aragora/" + use.plan + ".yaml";
    auto plan = parse_plan(path, read_source(path));
    EXPECT_TRUE(plan) << plan.mistakes().lines().front();
    auto programme = make_programme(*plan, lab, lab_root, use.inputs);
    EXPECT_TRUE(programme) << programme.error().message;
    return std::move(*programme);
}

}  // namespace kedge::sim
