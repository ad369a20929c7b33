#include "sim/judge/invariant.h"

namespace kedge::sim {

Invariants all_invariants() {
    Invariants all;
    for (const auto make : {one_writer,
                            fence_before_promote,
                            no_blind_promotion,
                            loss_is_announced,
                            stranded_tail_is_kept,
                            traffic_follows_proof,
                            no_traffic_to_the_fenced,
                            failback_needs_catch_up,
                            intent_first,
                            legal_transitions,
                            done_stays_done,
                            compensation_order,
                            point_of_no_return,
                            needs_hold,
                            no_effect_after_the_end,
                            retry_limits,
                            rehearsal_is_dry,
                            one_advancer,
                            quorum_first,
                            approval_binds,
                            writes_are_released,
                            people_are_told,
                            everything_settles,
                            one_master_in_the_end,
                            releases_live_with_the_schema,
                            restore_point_first,
                            swap_is_fenced,
                            swap_tells_its_loss,
                            checked_before_it_serves,
                            degraded_mode_ends,
                            snapshot_is_there,
                            kept_before_it_is_replaced,
                            excluded_stay_out,
                            cache_is_put_back})
        all.push_back(make());
    return all;
}

}  // namespace kedge::sim
