// The durable history of every run: what was decided, written before anyone acts, and what came of it.
//
// Entries of all runs form one chain: each carries the SHA-256 of 0x00, its position, the digest before it
// and its canonical bytes, so that removing, changing or reordering one is found by `verify`.
//
// There is one writer at a time for each run, proved by its claim; one whose epoch has passed gets
// Fault::conflict from the store itself and must stop. People never append: they write to the inbox, and the
// controller that holds the claim judges. Any thread, any process may read.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

namespace kedge {

using RunId = std::string;       // "r-7k2f9c"
using Position = std::uint64_t;  // from 1, one sequence for the whole store
using Epoch = std::uint64_t;     // a controller's, raised with every claim of a run

struct Draft {
    std::string kind;  // "run.started", "step.intent", ... (src/engine/events.h)
    SharedJson body;
    Moment time{};
};

struct Entry {
    Position position = 0;
    RunId run;
    Epoch epoch = 0;
    std::string kind;
    SharedJson body;
    Moment time{};
    std::string digest;  // 64 hexadecimal digits
};

// The digest an entry must carry when `previous` is the digest of the entry before it ("" for the first).
std::string entry_digest(const Entry& entry, const std::string& previous);

// What a person asks of a run. It is judged by the controller, never by the asker.
struct Request {
    std::string id;  // unique, made by the asker
    RunId run;
    std::string step;   // empty = the run itself
    std::string login;  // operating-system login of the asker
    std::string verb;   // approve, reject, confirm, waive, done, pause, resume, cancel, retry, skip, resolve, take_over
    std::string text;   // what was typed: confirmation, reason, resolution
    std::string digest;     // digest of what the person was shown
    std::string played_as;  // lab only: the person who is played; else empty
    Moment time{};
};

// The right to advance one run. Destroying it gives the right up (the run stays as it is).
class Claim {
public:
    virtual ~Claim() = default;
    virtual const RunId& run() const = 0;
    virtual Epoch epoch() const = 0;
};

struct RunRecord {
    RunId id;
    std::vector<std::string> targets;  // held until the run has ended
    bool ended = false;
    std::optional<std::string> controller;  // "pid 4711 on host" if one is alive now
    Position first = 0, last = 0;
};

enum class Ends { no, yes };

class Journal {
public:
    virtual ~Journal() = default;

    // Creates run `id` with its first entry, holding `targets` against every other unfinished run, and claims it
    // for `controller`. conflict names the run that holds a target. Durable when it returns.
    virtual Result<std::unique_ptr<Claim>> begin(const RunId& id, const std::vector<std::string>& targets,
                                                 const Draft& first, const std::string& controller) = 0;

    // Takes over an unfinished run with a higher epoch. conflict while another controller is alive (named),
    // not_found for an unknown run, refused for one that has ended.
    virtual Result<std::unique_ptr<Claim>> claim(const RunId& id, const std::string& controller) = 0;

    // Makes `drafts` durable together, or none of them, and returns the position of the last. `settled` requests
    // leave the inbox in the same act. With Ends::yes the run has ended and frees its targets: nothing can be
    // appended to it again. After outcome_unknown, or any error of a write, this journal object is closed for
    // appends (a later sync may lie): claim again and read the tail.
    virtual Result<Position> append(const Claim& claim, std::span<const Draft> drafts,
                                    const std::vector<std::string>& settled = {}, Ends ends = Ends::no) = 0;

    // The entries of `run` (or of all runs if empty) after `after`, oldest first, at most `limit`.
    virtual Result<std::vector<Entry>> read(const RunId& run, Position after, std::size_t limit = SIZE_MAX) const = 0;

    virtual Result<std::vector<RunRecord>> runs() const = 0;  // oldest first

    // Puts a request into the inbox of its run, durable when it returns. not_found, refused (run ended),
    // conflict (same id with other content; the same request again is fine).
    virtual Result<void> ask(const Request& request) = 0;
    virtual Result<std::vector<Request>> inbox(const RunId& run) const = 0;  // unsettled, oldest first

    // Reads the whole chain. Returns the number of entries, or corrupt with the first position that is wrong.
    virtual Result<std::uint64_t> verify() const = 0;
};

}  // namespace kedge
