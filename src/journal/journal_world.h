// For tests: what the contract suite (contract.h) needs to know of an implementation beyond journal.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "journal/journal.h"

namespace kedge {

// A store of one implementation, and what may befall it.
class JournalWorld {
public:
    virtual ~JournalWorld() = default;
    // One process's access to the store. Several may be open at once.
    virtual std::unique_ptr<Journal> open() = 0;
    // The same for one that only looks.
    virtual std::unique_ptr<Journal> open_to_read() { return open(); }

    // A controller begins `run` and is killed at once. No journal may be open here at that moment.
    virtual void begin_and_die(const RunId& run, const std::vector<std::string>& targets) = 0;
    // The proof that the controller of `run` lives is lost, although it does live.
    virtual void lose_sign_of_life(const RunId& run) = 0;
    // Takes a copy of the store; the function that is returned puts it back.
    virtual std::function<void()> take_copy() = 0;

    // Damage done behind the journal's back.
    virtual void change_body(Position position, const Json& body) = 0;
    virtual void remove(Position position) = 0;
    virtual void swap(Position a, Position b) = 0;
    // Puts a copy of the entry at `position` behind it, moving the others up, digests as they were.
    virtual void repeat(Position position) = 0;
};

}  // namespace kedge
