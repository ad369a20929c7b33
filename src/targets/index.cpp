#include "targets/index.h"

namespace kedge {

std::string_view to_string(IndexMode mode) {
    switch (mode) {
        case IndexMode::serving: return "serving";
        case IndexMode::degraded: return "degraded";
    }
    return "";
}

std::string_view to_string(JobState state) {
    switch (state) {
        case JobState::none: return "none";
        case JobState::running: return "running";
        case JobState::died: return "died";
        case JobState::finished: return "finished";
    }
    return "";
}

}  // namespace kedge
