// One disaster from beginning to end: a world in which all is well, something that happens to it, a run of the plan
// that answers it, and what came of both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/controller.h"
#include "sim/people.h"
#include "sim/world/world.h"

namespace kedge::sim {

// What a plan is for, as far as its steps tell.
enum class Scene {
    calm,      // everything lives: a planned move, or a check
    lost,      // the region that the plan leaves is lost
    returned,  // that region was lost before; its machines are back, its database is fenced and has a tail of its own
    emptied,   // everything lives, and the cache has lost what it held
};
std::string_view to_string(Scene scene);
Scene scene_of(const BoundPlan& plan);
// The place in which primaries and users are when the plan begins.
Place home_of(const BoundPlan& plan, const Estate& estate);

// How the region is lost.
enum class Loss {
    killed,       // every process at one instant
    silent,       // no message in or out; it lives on
    partitioned,  // it lives, hears the users and not the other region
    database,     // the database alone
    frozen,       // the database hangs
    cache,        // the cache's node alone
    flushed,      // somebody emptied the cache
    files_gone,   // its nodes came back without their files
};
std::string_view to_string(Loss loss);
// The losses that the plan answers: of a region if it moves the users, else of what it moves.
std::vector<Loss> losses_for(const BoundPlan& plan);

class Disaster {
public:
    // `assignment` outlives it.
    Disaster(const Assignment& assignment, std::uint64_t seed);

    World& world() { return world_; }
    Controller& controller() { return controller_; }
    People& people() { return people_; }
    Random& random() { return random_; }
    Scene scene() const { return scene_; }
    Place home() const { return home_; }
    std::optional<Moment> struck_at() const { return struck_at_; }
    std::optional<Moment> declared_at() const { return declared_at_; }
    std::optional<Moment> ended_at() const { return ended_at_; }
    std::optional<Loss> loss() const { return loss_; }

    // From then on nothing new goes wrong.
    bool is_healed() const { return healed_; }
    void healed();
    // Calls `look` then, once.
    void when_healed(std::function<void()> look) { looks_.push_back(std::move(look)); }

    // The world as it is when somebody starts the plan.
    void set_up(Loss loss);
    Result<void> start();
    // Lets one event happen, at most until `limit`; false if there was none by then.
    bool step(Moment limit);
    // Until the run has ended, or for so long.
    bool play(Span limit);

private:
    void strike(Loss loss);

    const Assignment& assignment_;
    Random random_;
    World world_;
    Controller controller_;
    People people_;
    Scene scene_;
    Place home_;
    std::optional<Loss> loss_;
    bool healed_ = false;
    std::vector<std::function<void()>> looks_;
    std::optional<Moment> struck_at_, declared_at_, ended_at_;
};

// What a run left behind, as text: equal texts, equal ends. Times and positions are left out.
std::string describe_end(const World& world, const RunState& state);

}  // namespace kedge::sim
