// Why a target of a recovery cannot be had, and which moments come nearest to it.
#pragma once

#include <vector>

#include "verify/wal/window.h"

namespace kedge::verify {

// `choices`: what of the window might have been taken, in its order: it reaches something, on the timeline that is
// asked for if one is, and from no base backup that was passed over. Only of these is anything promised: what others
// would reach leads nobody anywhere.
Recovery not_possible(const WalArchive& archive, const Window& window, const std::vector<const Reach*>& choices,
                      const RecoveryTarget& target, Moment now);

}  // namespace kedge::verify
