#include "sim/world/simulated_index.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

constexpr Span index_program_takes = 20ms, sample_takes = 200ms;
constexpr Span job_least = 2s, job_most = 60s;

}  // namespace

Result<IndexLook> SimulatedIndex::look(Moment deadline) {
    ground_.spend(index_program_takes, deadline);
    IndexLook look;
    const Passage passage = ground_.visit(Port::index, model_.part, deadline);
    if (passage != Passage::through) {
        look.says = not_through(passage, model_.name()).message;
        return look;
    }
    look.reachable = Truth::yes;
    look.mode = model_.mode;
    look.entries = model_.entries();
    look.job = model_.job();
    look.position = "0/5000060";
    look.says = fmt::format("{}: {}, {} entries", model_.name(), kedge::to_string(model_.mode), *look.entries);
    return look;
}

Result<void> SimulatedIndex::set_mode(IndexMode mode, Moment deadline) {
    ground_.spend(index_program_takes, deadline);
    const Passage passage = ground_.visit(Port::index, model_.part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, model_.name());
    ground_.note(mode == IndexMode::serving ? EffectKind::serve_index : EffectKind::degrade_index, model_.part.place,
                 model_.index());
    model_.mode = mode;
    ground_.changed();
    if (passage != Passage::through) return not_through(passage, model_.name());
    return {};
}

Result<void> SimulatedIndex::rebuild(const std::string& job, Moment deadline) {
    ground_.spend(index_program_takes, deadline);
    const Passage passage = ground_.visit(Port::index, model_.part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, model_.name());
    const IndexJob now = model_.job();
    if (now.state == JobState::running && now.name != job)
        return Error{Fault::refused, model_.name() + ": another job builds it"};
    const bool begins = now.name != job || now.state == JobState::died;
    if (begins && writable_from_outside(ground_, model_.database()) == nullptr)
        return Error{Fault::outcome_unknown, model_.name() + ": the job ended: no server takes writes"};
    if (begins) ground_.note(EffectKind::rebuild_index, model_.part.place, model_.index());
    model_.build(job, ground_.random().between(job_least, job_most));
    ground_.changed();
    if (passage != Passage::through) return not_through(passage, model_.name());
    return {};
}

// Chosen at random, the share that is found is that of all.
Result<IndexSample> SimulatedIndex::sample(std::int64_t size, Moment deadline) {
    ground_.spend(sample_takes, deadline);
    const DatabaseModel::Server* const source = writable_from_outside(ground_, model_.database());
    if (source == nullptr) return Error{Fault::unavailable, model_.name() + ": no server takes writes"};
    for (const Part* part : {static_cast<const Part*>(&model_.part), &source->part})
        if (const Passage passage = ground_.visit(Port::index, *part, deadline); passage != Passage::through)
            return not_through(passage, model_.name());
    const std::int64_t rows = model_.rows(), entries = model_.entries(), stale = model_.stale();
    IndexSample sample{.rows = rows, .entries = entries};
    sample.asked = std::min(size, rows);
    sample.found = sample.asked * (entries - stale) / rows;
    sample.looked_up = std::min(size, entries);
    sample.stale = entries == 0 ? 0 : sample.looked_up * stale / entries;
    return sample;
}

}  // namespace kedge::sim
