// A plan as the runbook that it replaces: for people who read it before, during, or instead of Kedge.
//
// Each step says what is checked or done, the command with which a person does the same by hand, how it is taken
// back, how long it may take and how long it last took. Pure.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "plan/plan.h"

namespace kedge {

struct RenderOptions {
    std::map<std::string, std::string> inputs{};  // filled in where they are known; others stay `<name>`
    std::map<std::string, Span> last_took{};      // by step id, as last measured
    std::string today{};                          // yyyy-mm-dd: tells whether the review is overdue; may be empty
};

// One part of the readable form: a heading, and what is said under it, label by label.
struct RunbookPart {
    std::string heading;
    std::vector<std::pair<std::string, std::string>> facts;  // "deadline" -> "60s"
    std::vector<std::string> by_hand;                        // lines of a shell or SQL prompt
};

struct Runbook {
    std::string title;
    std::string summary;
    std::vector<std::pair<std::string, std::string>> facts;
    std::vector<RunbookPart> steps, at_the_end;
};

// Actions that the catalogue does not have are shown by their name alone.
Runbook runbook_of(const Plan& plan, Catalogue catalogue, const RenderOptions& options);

// For a terminal, lines of at most `width` columns where words allow.
std::string as_text(const Runbook& runbook, std::size_t width = 100);
std::string as_markdown(const Runbook& runbook);
Json as_json(const Runbook& runbook);

}  // namespace kedge
