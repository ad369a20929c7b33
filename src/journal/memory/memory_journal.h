// A journal in memory: the same contract as on disk, for the simulator and for tests.
//
// A MemoryStore is the disk: it outlives every controller. A MemoryJournal is one process's access to it, so
// several claimants are several journals over one store. Faults are planted in the store; appends are counted
// over all journals, so that a test can first count the boundaries of a plan and then fail at each of them.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "journal/chain.h"
#include "journal/journal.h"

namespace kedge {

// What happens to one append (or to the first entry of a run).
enum class AppendFate {
    refused,   // a write fails: nothing is kept, the caller gets `unavailable`
    in_doubt,  // the sync fails: it is written but not durable, the caller gets `outcome_unknown`
    kept,      // it is durable, but the answer is lost: the caller gets `outcome_unknown`
};

// What a crash leaves of an append that is in doubt.
enum class UnsyncedTail { dropped, kept };

class MemoryStore {
public:
    // Plants `fate` on the `nth` append from now on (1 = the next). Several may wait at once.
    void plant(std::uint64_t nth, AppendFate fate);
    // Nothing that was planted and has not come yet comes any more.
    void heal();
    // How many appends have been asked for since the store exists, first entries of runs included.
    std::uint64_t appends() const;

    // Every controller dies: claims are free, journals that were open answer `unavailable` for ever. What was
    // confirmed is kept, also what an in_doubt append wrote if `tail` says so.
    void crash(UnsyncedTail tail = UnsyncedTail::dropped);

    // The controller of `run` is taken for dead although it lives: its claim is free to others.
    void lose_sign_of_life(const RunId& run);

    // Goes back to a copy taken earlier, as an operator might; living claims are not told.
    std::shared_ptr<MemoryStore> copy() const;
    void restore(const MemoryStore& older);

    // The entries as they lie in the store, of all runs. For one thread with its journals.
    const std::vector<Entry>& entries() const { return state_.entries; }
    // The same, to be damaged by a test. From then on every read checks digests; what only the store itself has
    // written is not hashed again.
    std::vector<Entry>& raw_entries() {
        state_.in_foreign_hands = true;
        return state_.entries;
    }

private:
    friend class MemoryJournal;
    friend class MemoryClaim;

    struct Run {
        RunRecord record;  // its `controller` is the last one that claimed, alive or not
        Epoch epoch = 0;
        bool alive = false;
        std::string head;  // digest of its last entry
    };
    struct Asked {
        Request request;
        bool settled = false;
    };
    struct State {
        std::vector<Entry> entries;
        std::vector<Run> runs;
        std::vector<Asked> requests;
        bool in_foreign_hands = false;
    };
    struct Planted {
        std::uint64_t append = 0;
        AppendFate fate = AppendFate::refused;
    };

    // What one append changes, all of it or nothing.
    struct Change {
        RunId run;
        std::optional<Run> begun;  // the run itself, if this is its first entry
        std::vector<Entry> entries;
        std::vector<std::string> settled;
        bool ended = false;
    };

    std::optional<AppendFate> fate_of_next();
    Run* find(const RunId& id);
    Asked* find_waiting(const RunId& run, const std::string& id);
    // The entries that `drafts` become at the end of the chain as it is; `checked` are the same ones, checked.
    std::vector<Entry> chained(const RunId& run, Epoch epoch, std::span<const Draft> drafts,
                               const std::vector<CheckedDraft>& checked) const;
    void apply(Change change);

    mutable std::mutex mutex_;
    State state_;
    std::optional<Change> in_doubt_;  // written, not synced: a crash decides
    std::vector<Planted> planted_;
    std::uint64_t appends_ = 0;
    std::uint64_t lives_ = 0;  // raised by every crash
};

class MemoryJournal final : public Journal {
public:
    explicit MemoryJournal(std::shared_ptr<MemoryStore> store);

    Result<std::unique_ptr<Claim>> begin(const RunId& id, const std::vector<std::string>& targets, const Draft& first,
                                         const std::string& controller) override;
    Result<std::unique_ptr<Claim>> claim(const RunId& id, const std::string& controller) override;
    Result<Position> append(const Claim& claim, std::span<const Draft> drafts, const std::vector<std::string>& settled,
                            Ends ends) override;
    Result<std::vector<Entry>> read(const RunId& run, Position after, std::size_t limit) const override;
    Result<std::vector<RunRecord>> runs() const override;
    Result<void> ask(const Request& request) override;
    Result<std::vector<Request>> inbox(const RunId& run) const override;
    Result<std::uint64_t> verify() const override;

private:
    Result<void> open_for_writing() const;
    Result<void> commit(MemoryStore::Change change);
    std::unique_ptr<Claim> claim_now(MemoryStore::Run& run);

    const std::shared_ptr<MemoryStore> store_;
    const std::uint64_t life_;
    std::optional<std::string> closed_;  // guarded by the store's mutex
};

}  // namespace kedge
