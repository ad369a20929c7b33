#include "journal/memory/memory_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace kedge {
namespace {

constexpr std::string_view replacement_character = "\xef\xbf\xbd";

bool is_finite(const Json& json) {
    if (json.is_number_float()) return std::isfinite(json.get<double>());
    return !json.is_structured() || std::ranges::all_of(json, is_finite);
}

// What a disk would give back of `body`, which it keeps as `text`: the same, unless bytes that are no UTF-8 were
// replaced or a number has no form in JSON.
SharedJson as_read_back(const SharedJson& body, const std::string& text) {
    if (text.find(replacement_character) == std::string::npos && is_finite(body)) return body;
    return *parse_json(text);
}

}  // namespace

class MemoryClaim final : public Claim {
public:
    MemoryClaim(std::shared_ptr<MemoryStore> store, RunId run, Epoch epoch, std::uint64_t life, Position last,
                std::string head)
        : store_(std::move(store)),
          run_(std::move(run)),
          epoch_(epoch),
          life_(life),
          last_(last),
          head_(std::move(head)) {}
    ~MemoryClaim() override {
        const std::lock_guard lock(store_->mutex_);
        MemoryStore::Run* const run = store_->find(run_);
        if (run != nullptr && run->epoch == epoch_ && store_->lives_ == life_) run->alive = false;
    }
    const RunId& run() const override { return run_; }
    Epoch epoch() const override { return epoch_; }

private:
    friend class MemoryJournal;

    const std::shared_ptr<MemoryStore> store_;
    const RunId run_;
    const Epoch epoch_;
    const std::uint64_t life_;
    // Guarded by the store's mutex: what this claim knows to be durable.
    mutable Position last_;
    mutable std::string head_;
    mutable bool spoiled_ = false;
};

void MemoryStore::plant(std::uint64_t nth, AppendFate fate) {
    const std::lock_guard lock(mutex_);
    planted_.push_back({appends_ + nth, fate});
}

std::uint64_t MemoryStore::appends() const {
    const std::lock_guard lock(mutex_);
    return appends_;
}

void MemoryStore::heal() {
    const std::lock_guard lock(mutex_);
    planted_.clear();
}

void MemoryStore::crash(UnsyncedTail tail) {
    const std::lock_guard lock(mutex_);
    if (tail == UnsyncedTail::kept && in_doubt_) apply(std::move(*in_doubt_));
    in_doubt_.reset();
    for (Run& run : state_.runs) run.alive = false;
    ++lives_;
}

void MemoryStore::lose_sign_of_life(const RunId& run) {
    const std::lock_guard lock(mutex_);
    if (Run* const found = find(run)) found->alive = false;
}

std::shared_ptr<MemoryStore> MemoryStore::copy() const {
    const std::lock_guard lock(mutex_);
    auto other = std::make_shared<MemoryStore>();
    other->state_ = state_;
    return other;
}

void MemoryStore::restore(const MemoryStore& older) {
    const std::scoped_lock lock(mutex_, older.mutex_);
    state_ = older.state_;
    in_doubt_.reset();
}

std::optional<AppendFate> MemoryStore::fate_of_next() {
    ++appends_;
    const auto planted = std::ranges::find(planted_, appends_, &Planted::append);
    if (planted == planted_.end()) return std::nullopt;
    return planted->fate;
}

MemoryStore::Run* MemoryStore::find(const RunId& id) {
    const auto run = std::ranges::find_if(state_.runs, [&](const Run& one) { return one.record.id == id; });
    return run == state_.runs.end() ? nullptr : &*run;
}

MemoryStore::Asked* MemoryStore::find_waiting(const RunId& run, const std::string& id) {
    const auto waiting = std::ranges::find_if(state_.requests, [&](const Asked& one) {
        return one.request.id == id && one.request.run == run && !one.settled;
    });
    return waiting == state_.requests.end() ? nullptr : &*waiting;
}

std::vector<Entry> MemoryStore::chained(const RunId& run, Epoch epoch, std::span<const Draft> drafts,
                                        const std::vector<CheckedDraft>& checked) const {
    std::vector<Entry> entries;
    entries.reserve(drafts.size());
    Position position = state_.entries.size();
    std::string head = position == 0 ? "" : state_.entries.back().digest;
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        const CheckedDraft& draft = checked[i];
        head = link_digest({++position, run, epoch, draft.kind, draft.time, draft.body}, head);
        entries.push_back({.position = position,
                           .run = run,
                           .epoch = epoch,
                           .kind = draft.kind,
                           .body = as_read_back(drafts[i].body, draft.body),
                           .time = draft.time,
                           .digest = head});
    }
    return entries;
}

void MemoryStore::apply(Change change) {
    if (change.begun) state_.runs.push_back(*change.begun);
    Run* const run = find(change.run);
    check(run != nullptr, "a change names a run that exists");
    if (change.begun) run->record.first = change.entries.front().position;
    run->record.last = change.entries.back().position;
    run->head = change.entries.back().digest;
    run->record.ended = change.ended;
    for (const std::string& id : change.settled) find_waiting(change.run, id)->settled = true;
    std::ranges::move(change.entries, std::back_inserter(state_.entries));
}

MemoryJournal::MemoryJournal(std::shared_ptr<MemoryStore> store)
    : store_(std::move(store)), life_([this] {
          const std::lock_guard lock(store_->mutex_);
          return store_->lives_;
      }()) {}

Result<void> MemoryJournal::open_for_writing() const {
    if (store_->lives_ != life_) return journal_is_closed("the process of this journal has crashed");
    if (closed_) return journal_is_closed(*closed_);
    return {};
}

// Carries `change` out, or does to it what was planted.
Result<void> MemoryJournal::commit(MemoryStore::Change change) {
    const std::optional<AppendFate> fate = store_->fate_of_next();
    if (!fate) {
        store_->apply(std::move(change));
        store_->in_doubt_.reset();  // whoever writes next overwrites a tail that was never synced
        return {};
    }
    switch (*fate) {
        case AppendFate::refused:
            closed_ = "a write to the journal failed";
            return Error{Fault::unavailable, "a write to the journal failed: nothing of it was kept"};
        case AppendFate::in_doubt: store_->in_doubt_ = std::move(change); break;
        case AppendFate::kept: store_->apply(std::move(change)); break;
    }
    closed_ = "a sync of the journal failed";
    return Error{Fault::outcome_unknown, "a sync of the journal failed: what was written may be kept or not",
                 "claim the run again and read its last entries"};
}

Result<std::unique_ptr<Claim>> MemoryJournal::begin(const RunId& id, const std::vector<std::string>& targets,
                                                    const Draft& first, const std::string& controller) {
    TRY(check_run_id(id));
    const std::vector<CheckedDraft> drafts = TRY(check_drafts({&first, 1}));
    const std::vector<std::string> held = TRY(check_targets(targets));
    const std::lock_guard lock(store_->mutex_);
    TRY(open_for_writing());
    if (store_->find(id) != nullptr) return run_exists(id);
    for (const MemoryStore::Run& other : store_->state_.runs)
        for (const std::string& target : held)
            if (!other.record.ended && std::ranges::find(other.record.targets, target) != other.record.targets.end())
                return target_is_held(target, other.record.id,
                                      other.alive ? other.record.controller : std::optional<std::string>{});

    MemoryStore::Change change{.run = id, .begun = MemoryStore::Run{}, .entries = {}, .settled = {}};
    change.begun->record = {.id = id, .targets = held, .ended = false, .controller = controller};
    change.begun->epoch = 1;
    change.entries = store_->chained(id, 1, {&first, 1}, drafts);
    TRY(commit(std::move(change)));
    return claim_now(*store_->find(id));
}

Result<std::unique_ptr<Claim>> MemoryJournal::claim(const RunId& id, const std::string& controller) {
    const std::lock_guard lock(store_->mutex_);
    TRY(open_for_writing());
    MemoryStore::Run* const run = store_->find(id);
    if (run == nullptr) return no_such_run(id);
    if (run->record.ended) return run_has_ended(id, "there is nothing left to drive");
    if (run->alive) return run_is_controlled(id, *run->record.controller);
    store_->in_doubt_.reset();  // whoever writes next overwrites a tail that was never synced
    run->record.controller = controller;
    ++run->epoch;
    return claim_now(*run);
}

std::unique_ptr<Claim> MemoryJournal::claim_now(MemoryStore::Run& run) {
    run.alive = true;
    return std::make_unique<MemoryClaim>(store_, run.record.id, run.epoch, life_, run.record.last, run.head);
}

Result<Position> MemoryJournal::append(const Claim& claim, std::span<const Draft> drafts,
                                       const std::vector<std::string>& settled, Ends ends) {
    const auto* const ours = dynamic_cast<const MemoryClaim*>(&claim);
    check(ours != nullptr && ours->store_ == store_, "a claim is used with the journal that gave it");
    const std::vector<CheckedDraft> checked = TRY(check_drafts(drafts));
    const std::lock_guard lock(store_->mutex_);
    TRY(open_for_writing());
    if (ours->spoiled_) return claim_is_spoiled(claim.run());
    const MemoryStore::Run* const now = store_->find(claim.run());
    if (now == nullptr || now->epoch < claim.epoch()) return history_changed(claim.run(), ours->last_);
    if (now->epoch > claim.epoch())
        return claim_is_stale(claim.run(), claim.epoch(), now->epoch, *now->record.controller);
    if (now->record.ended) return run_has_ended(claim.run(), "nothing can be appended to it");
    if (now->record.last != ours->last_ || now->head != ours->head_) return history_changed(claim.run(), ours->last_);

    for (auto id = settled.begin(); id != settled.end(); ++id)
        if (store_->find_waiting(claim.run(), *id) == nullptr || std::find(settled.begin(), id, *id) != id)
            return request_not_waiting(claim.run(), *id);
    MemoryStore::Change change{.run = claim.run(),
                               .begun = std::nullopt,
                               .entries = store_->chained(claim.run(), claim.epoch(), drafts, checked),
                               .settled = settled,
                               .ended = ends == Ends::yes};
    const Position last = change.entries.back().position;
    std::string head = change.entries.back().digest;
    if (Result<void> done = commit(std::move(change)); !done) {
        ours->spoiled_ = true;
        return std::move(done).error();
    }
    ours->last_ = last;
    ours->head_ = std::move(head);
    return last;
}

Result<std::vector<Entry>> MemoryJournal::read(const RunId& run, Position after, std::size_t limit) const {
    const std::lock_guard lock(store_->mutex_);
    std::vector<Entry> found;
    const std::vector<Entry>& entries = store_->state_.entries;
    // Whoever follows a run reads its end again and again: what lies before is not walked, as positions are places.
    const bool at_its_place = after > 0 && after <= entries.size() && entries[after - 1].position == after;
    if (at_its_place) found.reserve(std::min(limit, entries.size() - after));
    for (std::size_t i = at_its_place ? after : 0; i < entries.size() && found.size() < limit; ++i) {
        const Entry& entry = entries[i];
        if (entry.position <= after || (!run.empty() && entry.run != run)) continue;
        if (store_->state_.in_foreign_hands && entry.digest != entry_digest(entry, i == 0 ? "" : entries[i - 1].digest))
            return entry_changed(entry.position);
        found.push_back(entry);
    }
    return found;
}

Result<std::vector<RunRecord>> MemoryJournal::runs() const {
    const std::lock_guard lock(store_->mutex_);
    std::vector<RunRecord> records;
    for (const MemoryStore::Run& run : store_->state_.runs) {
        records.push_back(run.record);
        if (!run.alive || run.record.ended) records.back().controller.reset();
    }
    return records;
}

Result<void> MemoryJournal::ask(const Request& request) {
    TRY(check_request(request));
    const std::lock_guard lock(store_->mutex_);
    TRY(open_for_writing());
    const MemoryStore::Run* const run = store_->find(request.run);
    if (run == nullptr) return no_such_run(request.run);
    for (const MemoryStore::Asked& asked : store_->state_.requests) {
        if (asked.request.id != request.id) continue;
        if (same_content(asked.request, request)) return {};
        return request_differs(request.id);
    }
    if (run->record.ended) return run_has_ended(request.run, "nobody will judge a request");
    store_->in_doubt_.reset();
    store_->state_.requests.push_back({request, false});
    return {};
}

Result<std::vector<Request>> MemoryJournal::inbox(const RunId& run) const {
    const std::lock_guard lock(store_->mutex_);
    std::vector<Request> waiting;
    for (const MemoryStore::Asked& asked : store_->state_.requests)
        if (asked.request.run == run && !asked.settled) waiting.push_back(asked.request);
    return waiting;
}

Result<std::uint64_t> MemoryJournal::verify() const {
    const std::lock_guard lock(store_->mutex_);
    ChainWalk walk;
    for (const Entry& entry : store_->state_.entries) {
        const std::string body = dump(entry.body);
        TRY(walk.step({entry.position, entry.run, entry.epoch, entry.kind, entry.time, body}, entry.digest));
    }
    for (const MemoryStore::Run& run : store_->state_.runs)
        if (run.record.last > walk.entries())
            return Error{Fault::corrupt, fmt::format("journal entry {} is missing: run {} has it as its last",
                                                     run.record.last, run.record.id)};
    return walk.entries();
}

}  // namespace kedge
