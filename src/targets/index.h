// An index that is derived from a database and can be built anew from it: for searches, for similarity. Contracts as in
// database.h.
//
// To build it takes long. A job does that, beside Kedge: it goes on when Kedge is gone, and is asked for by a name, so
// that whoever asks again with that name finds it, or has it go on where it stopped when it died.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

enum class IndexMode {
    serving,   // it answers searches
    degraded,  // they are answered without it, more slowly
};
std::string_view to_string(IndexMode mode);

enum class JobState { none, running, died, finished };
std::string_view to_string(JobState state);

// The newest job that builds it.
struct IndexJob {
    std::string name;  // with which it was asked for; empty if there is none
    JobState state = JobState::none;
    std::int64_t done = 0, total = 0;  // rows of the source; the total is what was counted when it began
    std::optional<double> per_second;  // rows, since it began or went on; nothing: it does not say
};

struct IndexLook {
    Truth reachable = Truth::unknown;     // whether it could be asked; all else means nothing if it could not
    std::optional<IndexMode> mode;        // nothing: it does not say
    std::optional<std::int64_t> entries;  // of what serves, or would; nothing: it cannot be read
    IndexJob job;
    std::string position;  // of the source, that what serves was built from; empty: it does not say
    std::string says;
};

// What was found when some were asked for, chosen at random.
struct IndexSample {
    std::int64_t rows = 0, entries = 0;     // that there are in all, in the source and in the index
    std::int64_t asked = 0, found = 0;      // rows of the source: searched for by the index, and found by it
    std::int64_t looked_up = 0, stale = 0;  // entries of the index: looked up in the source, and not there any more
};

class Index {
public:
    virtual ~Index() = default;

    // What could not be asked is an answer: reachable is not yes then.
    virtual Result<IndexLook> look(Moment deadline) = 0;
    virtual Result<void> set_mode(IndexMode mode, Moment deadline) = 0;
    // Starts the job of that name and returns when it has begun; has one go on where it stopped if it died; leaves one
    // alone that runs or has finished. What serves is replaced when the job has finished, not before. refused while
    // another job runs.
    virtual Result<void> rebuild(const std::string& job, Moment deadline) = 0;
    // Asks the index, whatever its mode, for `size` rows of the source, and the source for `size` entries of the index;
    // for all where there are fewer. An error if either could not be asked: then nothing is known.
    virtual Result<IndexSample> sample(std::int64_t size, Moment deadline) = 0;
};

}  // namespace kedge
