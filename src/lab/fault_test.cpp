#include "lab/fault.h"

#include <gtest/gtest.h>

namespace kedge::lab {
namespace {

LabFault fault(const std::vector<std::string>& words) {
    return *parse_lab_fault(words);
}

Passage passage(const Network& network, Site from, Site to) {
    for (const PathChange& path : network.paths)
        if (path.from == from && path.to == to) return *path.passage;
    return Passage::cut;
}

TEST(LabFault, IsNamedByTheWordsThatItIsParsedFrom) {
    for (const std::vector<std::string>& words : {std::vector<std::string>{"region-killed", "us-east-1"},
                                                  {"region-silent", "us-west-2"},
                                                  {"partition", "us-east-1", "us-west-2"},
                                                  {"partition", "us-east-1", "outside", "cut"},
                                                  {"one-way", "us-west-2", "us-east-1"},
                                                  {"slow-path", "us-east-1", "us-west-2", "250ms"},
                                                  {"lossy-path", "us-east-1", "us-west-2", "0.25"},
                                                  {"kill", "haproxy"},
                                                  {"pause", "redis-us-east-1"},
                                                  {"cut", "postgres-us-west-2"},
                                                  {"silence", "postgres-us-west-2"},
                                                  {"replay-lag", "postgres-us-west-2"},
                                                  {"replay-lag", "postgres-us-west-2", "5s"},
                                                  {"archive-full"},
                                                  {"slow-disk", "postgres-us-east-1", "50ms"},
                                                  {"old-primary-returns", "postgres-us-east-1"}}) {
        std::string name;
        for (const std::string& word : words) name += (name.empty() ? "" : " ") + word;
        const Result<LabFault> parsed = parse_lab_fault(words);
        ASSERT_TRUE(parsed) << name << ": " << parsed.error().message;
        EXPECT_EQ(parsed->name(), name);
    }
    EXPECT_EQ(fault({"partition"}).name(), "partition us-east-1 us-west-2");
    EXPECT_EQ(fault({"partition", "cut"}).name(), "partition us-east-1 us-west-2 cut");
}

TEST(LabFault, EveryKindHasAForm) {
    for (const FaultForm& form : fault_forms())
        EXPECT_EQ(fault_forms()[static_cast<std::size_t>(form.kind)].name, form.name);
}

TEST(LabFault, IsRefusedWithWhatWasMeant) {
    EXPECT_EQ(parse_lab_fault({}).error().fault, Fault::invalid_input);
    EXPECT_NE(parse_lab_fault({"partiton"}).error().hint.find("'partition'"), std::string::npos);
    EXPECT_NE(parse_lab_fault({"region-killed", "us-est-1"}).error().message.find("'us-east-1'"), std::string::npos);
    EXPECT_NE(parse_lab_fault({"kill", "postgres-us-east1"}).error().message.find("'postgres-us-east-1'"),
              std::string::npos);
    for (const std::vector<std::string>& words : {std::vector<std::string>{"region-killed"},
                                                  {"region-killed", "outside"},
                                                  {"region-killed", "us-east-1", "us-west-2"},
                                                  {"partition", "us-east-1", "us-east-1"},
                                                  {"lossy-path", "us-east-1", "us-west-2", "2"},
                                                  {"slow-path", "us-east-1", "us-west-2", "100"},
                                                  {"replay-lag", "redis-us-west-2"},
                                                  {"old-primary-returns", "haproxy"},
                                                  {"cut", "haproxy"},
                                                  {"slow-disk", "postgres-us-east-1"}})
        EXPECT_EQ(parse_lab_fault(words).error().fault, Fault::invalid_input);
}

TEST(Network, IsSoundWithoutFaults) {
    const Network network = network_under({});
    EXPECT_EQ(network.paths.size(), 9U);
    for (const Site from : sites)
        for (const Site to : sites) EXPECT_EQ(passage(network, from, to), Passage::open);
    EXPECT_TRUE(is_open(network, Site::east, Site::west));
}

TEST(Network, ADeadRegionIsSilentToEverybodyElse) {
    const Network network = network_under({fault({"region-killed", "us-east-1"})});
    EXPECT_EQ(passage(network, Site::outside, Site::east), Passage::silent);
    EXPECT_EQ(passage(network, Site::east, Site::outside), Passage::silent);
    EXPECT_EQ(passage(network, Site::east, Site::west), Passage::silent);
    EXPECT_EQ(passage(network, Site::west, Site::outside), Passage::open);
    EXPECT_EQ(passage(network, Site::east, Site::east), Passage::open);
}

TEST(Network, APartitionLeavesTheRestAlone) {
    const Network network = network_under({fault({"partition", "cut"})});
    EXPECT_EQ(passage(network, Site::east, Site::west), Passage::cut);
    EXPECT_EQ(passage(network, Site::west, Site::east), Passage::cut);
    EXPECT_TRUE(is_open(network, Site::east, Site::outside));
    EXPECT_TRUE(is_open(network, Site::west, Site::outside));
}

TEST(Network, OneWayClosesOneDirectionAndWithItTheConnection) {
    const Network network = network_under({fault({"one-way", "us-east-1", "us-west-2"})});
    EXPECT_EQ(passage(network, Site::east, Site::west), Passage::silent);
    EXPECT_EQ(passage(network, Site::west, Site::east), Passage::open);
    EXPECT_FALSE(is_open(network, Site::west, Site::east));
}

TEST(Network, OfTwoFaultsTheStricterCountsInAnyOrder) {
    const LabFault silent = fault({"region-silent", "us-east-1"}), cut = fault({"partition", "cut"});
    EXPECT_EQ(passage(network_under({silent, cut}), Site::east, Site::west), Passage::cut);
    EXPECT_EQ(passage(network_under({cut, silent}), Site::east, Site::west), Passage::cut);
    EXPECT_EQ(passage(network_under({silent}), Site::east, Site::west), Passage::silent);
}

}  // namespace
}  // namespace kedge::lab
