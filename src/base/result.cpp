#include "base/result.h"

namespace kedge {

std::string_view to_string(Fault fault) {
    switch (fault) {
        case Fault::invalid_input: return "invalid_input";
        case Fault::not_found: return "not_found";
        case Fault::conflict: return "conflict";
        case Fault::refused: return "refused";
        case Fault::not_allowed: return "not_allowed";
        case Fault::unavailable: return "unavailable";
        case Fault::outcome_unknown: return "outcome_unknown";
        case Fault::corrupt: return "corrupt";
    }
    return "unknown";
}

}  // namespace kedge
