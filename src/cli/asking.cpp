#include "cli/asking.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "engine/events.h"
#include "os/wait.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr Span look_period = 50ms;
// Nobody reads the inbox of a run without a controller: no use in waiting longer.
constexpr Span controller_grace = 2s;

std::string new_request_id() {
    std::random_device random;
    return fmt::format("q-{:08x}{:08x}", random(), random());
}

struct Verdict {
    bool accepted = false;
    std::string says;
};

class Waiting {
public:
    Waiting(Context& context, const Journal& journal, const Request& request, Position after)
        : context_(context), journal_(journal), request_(request), after_(after) {}

    // Nothing if none came in time.
    Result<std::optional<Verdict>> wait(Span limit) {
        const Moment began = context_.now();
        Moment controlled = began;
        while (true) {
            if (const auto verdict = TRY(look())) return verdict;
            const Moment now = context_.now();
            if (TRY(has_controller())) controlled = now;
            if (now - began >= limit || now - controlled >= controller_grace || context_.around().interrupted())
                return std::optional<Verdict>{};
            wait_out(within(look_period));
        }
    }

    Result<bool> has_controller() const {
        for (const RunRecord& run : TRY(journal_.runs()))
            if (run.id == request_.run) return run.controller.has_value();
        return false;
    }

private:
    Result<std::optional<Verdict>> look() {
        for (const Entry& entry : TRY(journal_.read(request_.run, after_))) {
            after_ = entry.position;
            if (entry.kind == events::request_judged && get_string(entry.body, "id") == request_.id)
                return std::optional{Verdict{get_bool(entry.body, "accepted").value_or(false),
                                             get_string(entry.body, "says").value_or("")}};
        }
        return std::optional<Verdict>{};
    }

    Context& context_;
    const Journal& journal_;
    const Request& request_;
    Position after_;
};

}  // namespace

Result<Asker> find_asker(const Context& context, const Estate& estate, bool played) {
    const std::string& login = context.around().login;
    if (const Person* person = estate.person_by_login(login)) return Asker{person->name, login, false};
    if (played && !estate.lab.empty() && !estate.people.empty()) return Asker{estate.people.front().name, "", true};
    return Error{Fault::not_allowed, fmt::format("the login '{}' is nobody in estate {}", login, estate.name),
                 estate.lab.empty() ? "let the estate name it: `login:` of a person"
                                    : "in a lab its people can be played: see --play-people and --play"};
}

Result<Asker> play_person(const Estate& estate, const std::string& name) {
    if (estate.lab.empty())
        return Error{Fault::not_allowed,
                     fmt::format("'{}' cannot be played: estate {} is no lab's own", name, estate.name)};
    if (estate.person(name) == nullptr)
        return Error{Fault::not_found, fmt::format("estate {} has no person '{}'", estate.name, name)};
    return Asker{name, "", true};
}

Request new_request(const Context& context, const Asker& asker, const RunId& run, const std::string& step,
                    const std::string& verb, const std::string& text, const std::string& digest) {
    return {.id = new_request_id(),
            .run = run,
            .step = step,
            .login = asker.login,
            .verb = verb,
            .text = text,
            .digest = digest,
            .played_as = asker.played ? asker.person : "",
            .time = context.now()};
}

ExitCode ask_and_wait(Context& context, Journal& journal, const LoadedRun& run, const Asking& asking) {
    Console& console = context.console();
    const RunId& id = run.state.id();
    const std::string where =
        asking.step.empty() ? fmt::format("run {}", id) : fmt::format("step {} of run {}", asking.step, id);
    const std::string what = fmt::format("{}: {} had no effect", where, asking.verb);
    const Result<Asker> asker =
        asking.play_as.empty() ? find_asker(context, *run.estate, false) : play_person(*run.estate, asking.play_as);
    if (!asker) return console.fail(what, asker.error());
    const Request request = new_request(context, *asker, id, asking.step, asking.verb, asking.text, asking.digest);
    if (const Result<void> asked = journal.ask(request); !asked) return console.fail(what, asked.error());
    Waiting waiting(context, journal, request, run.state.last());
    const Result<std::optional<Verdict>> verdict = waiting.wait(asking.timeout);
    if (!verdict) return console.fail(what, verdict.error());
    if (!*verdict) {
        const Result<bool> controlled = waiting.has_controller();
        const bool alone = controlled && !*controlled;
        console.fail(fmt::format("{}: nobody has judged '{}' yet; it stays in the inbox", where, asking.verb),
                     {Fault::unavailable,
                      alone ? "no controller of the run is alive"
                            : fmt::format("no verdict came within {}", readable(asking.timeout)),
                      alone ? fmt::format("kedge run resume {}", id) : fmt::format("kedge run show {}", id)});
        return ExitCode::timed_out;
    }
    if (!(*verdict)->accepted)
        return console.fail(what, {Fault::refused, (*verdict)->says, fmt::format("kedge run show {}", id)});
    if (console.json())
        console.print_item("Verdict", {{"run", id},
                                       {"step", asking.step},
                                       {"verb", asking.verb},
                                       {"who", asker->person},
                                       {"played", asker->played},
                                       {"accepted", true}});
    else
        console.print_line(fmt::format("{} {}: {} by {}{}", glyph({"✔", "+", "", Tone::good}, console.out()), where,
                                       asking.verb, asker->person, asker->played ? " (played)" : ""));
    return ExitCode::ok;
}

}  // namespace kedge
