#include "actions/catalogue.h"

#include <iterator>

namespace kedge {

const std::vector<Action>& actions() {
    static const std::vector<Action> all = [] {
        std::vector<Action> table;
        for (auto* part :
             {&postgres_actions, &postgres_role_actions, &redis_actions, &redis_recovery_actions, &application_actions,
              &traffic_actions, &observation_actions, &channel_actions, &backup_actions, &recovery_actions,
              &recovery_in_place_actions, &migration_actions, &index_actions}) {
            std::vector<Action> more = part();
            table.insert(table.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
        }
        return table;
    }();
    return all;
}

}  // namespace kedge
