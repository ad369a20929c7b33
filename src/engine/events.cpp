#include "engine/events.h"

namespace kedge::events {

Draft moved(const StepMove& move, Moment now) {
    Json body = make_object(8);
    body["step"] = move.step;
    body["to"] = to_string(move.to);
    body["cause"] = to_string(move.cause);
    body["says"] = move.says;
    if (move.intent) body["intent"] = true;
    if (move.waits_for != WaitFor::nothing) {
        body["waits_for"] = to_string(move.waits_for);
        body["digest"] = move.digest;
        body["asks"] = move.asks;
    }
    if (move.evidence) body["evidence"] = **move.evidence;
    return {std::string(step_moved), std::move(body), now};
}

Draft waits(std::string_view step, std::string_view says, Moment now) {
    return {std::string(step_waits), Json{{"step", step}, {"says", says}}, now};
}

Draft claimed(std::string_view controller, Moment now) {
    return {std::string(run_claimed), Json{{"controller", controller}}, now};
}

Draft phase(RunPhase to, std::string_view says, Moment now, std::optional<RunResult> result, bool cancelling) {
    Json body = make_object(4);
    body["phase"] = to_string(to);
    body["says"] = says;
    if (result) body["result"] = to_string(*result);
    if (cancelling) body["cancelling"] = true;
    return {std::string(run_phase), std::move(body), now};
}

Draft judged(const Request& request, std::string_view who, bool accepted, std::string_view says, Moment now) {
    Json body = make_object(8);
    body["id"] = request.id;
    body["step"] = request.step;
    body["who"] = who;
    body["verb"] = request.verb;
    body["text"] = request.text;
    body["accepted"] = accepted;
    body["says"] = says;
    if (!request.played_as.empty()) body["played"] = true;
    return {std::string(request_judged), std::move(body), now};
}

}  // namespace kedge::events
