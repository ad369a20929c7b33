// What people ask of a run: put into its inbox, judged by its controller, the verdict awaited.
#pragma once

#include <string>

#include "cli/context.h"
#include "estate/estate.h"
#include "runner/runs.h"

namespace kedge {

// Who asks: a person of the estate.
struct Asker {
    std::string person;
    std::string login;  // empty if played
    bool played = false;
};

// The person whose login asks. not_allowed if the login is nobody's. With `played`, in a lab's own estate, the first
// person is played instead if the login is nobody's.
Result<Asker> find_asker(const Context& context, const Estate& estate, bool played);
// A named person of a lab's own estate. not_allowed in any other.
Result<Asker> play_person(const Estate& estate, const std::string& name);

// A request with an id of its own.
Request new_request(const Context& context, const Asker& asker, const RunId& run, const std::string& step,
                    const std::string& verb, const std::string& text, const std::string& digest);

struct Asking {
    std::string step{};  // empty: of the run itself
    std::string verb{};
    std::string text{};
    std::string digest{};   // of what was shown; empty where nothing is
    std::string play_as{};  // lab only
    Span timeout = std::chrono::seconds{30};
};

// Puts the request into the inbox and waits for the verdict. ok if it was accepted, refused with the reason if not;
// timed_out, with what to do, if no controller judged it in time: the request stays in the inbox.
ExitCode ask_and_wait(Context& context, Journal& journal, const LoadedRun& run, const Asking& asking);

}  // namespace kedge
