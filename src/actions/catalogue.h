// Where each kind of target contributes its actions to the catalogue.
#pragma once

#include <vector>

#include "actions/action.h"

namespace kedge {

std::vector<Action> postgres_actions();
std::vector<Action> postgres_role_actions();  // fence, promote, rejoin
std::vector<Action> redis_actions();
std::vector<Action> redis_recovery_actions();  // a data set that is brought back takes its place
std::vector<Action> application_actions();
std::vector<Action> traffic_actions();
std::vector<Action> observation_actions();  // metrics, logs
std::vector<Action> channel_actions();
std::vector<Action> backup_actions();
std::vector<Action> recovery_actions();
std::vector<Action> recovery_in_place_actions();  // one of them takes production's place
std::vector<Action> migration_actions();
std::vector<Action> index_actions();

}  // namespace kedge
