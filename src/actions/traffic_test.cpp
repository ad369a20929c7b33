// What the traffic actions make of what the entrance says.
#include <gtest/gtest.h>

#include "actions/action.h"

namespace kedge {
namespace {

// An entrance whose weights the test sets.
class GivenTraffic final : public Traffic {
public:
    TrafficLook shares;

    Result<TrafficLook> look(Moment) override { return shares; }
    Result<void> shift(const std::map<std::string, int>&, Moment) override { return {}; }
    Result<void> cut_sessions(const std::string&, Moment) override { return {}; }
};

class TrafficShift : public testing::Test {
protected:
    TrafficShift() {
        auto traffic = std::make_unique<GivenTraffic>();
        traffic_ = traffic.get();
        targets_.traffic["api"] = std::move(traffic);
    }
    // A shift of a tenth from west to east, with these weights as they are.
    Look look(int west, int east) const {
        traffic_->shares["west"] = {.weight = west, .open = truth(west > 0)};
        traffic_->shares["east"] = {.weight = east, .open = truth(east > 0)};
        return find_action("traffic.shift")
            ->look(Call{.targets = targets_,
                        .target = "api",
                        .regions = {"east", "west"},
                        .with = Json{{"from", "west"}, {"to", "east"}, {"share", 10}}})
            .value();
    }

    Targets targets_;
    GivenTraffic* traffic_ = nullptr;
};

TEST_F(TrafficShift, TakesUsersAway) {
    EXPECT_EQ(look(100, 0).done, Truth::no);
    EXPECT_EQ(look(100, 0).allowed, Truth::yes);
    EXPECT_EQ(look(90, 10).done, Truth::yes);
}

TEST_F(TrafficShift, SendsNobodyBackWhomSomebodyMovedByHand) {
    const Look moved = look(16, 84);
    EXPECT_EQ(moved.done, Truth::no);
    EXPECT_EQ(moved.allowed, Truth::no);
    EXPECT_NE(moved.says.find("it would send users back to west"), std::string::npos) << moved.says;
}

}  // namespace
}  // namespace kedge
