#include "plan/parse.h"

namespace kedge {
namespace {

Shape gate_shape() {
    return shape::record(
        "a gate",
        {optional("confirm", shape::text(), "what the person who started the run must type"),
         defaulted("approvals", shape::integer(0, 5), "0", "how many others must approve"),
         optional("roles", shape::list(shape::name()), "an approver has one of these; absent = any role"),
         defaulted("expires", shape::span(), "30m", "how long the question stays open"),
         optional("says", shape::text(), "what is asked, and what cannot be kept; `${input}` may stand in it")});
}

Shape input_shape() {
    return shape::record(
        "an input",
        {required("type", shape::choice({"region", "target", "text", "integer", "number", "span", "flag", "choice"}),
                  "what may be given"),
         optional("choices", shape::list(shape::text(), 2), "of a choice: what can be chosen"),
         optional("default", shape::text(), "when it is not given; absent = it must be given"),
         optional("says", shape::text(), "what it means")});
}

Shape step_shape() {
    return shape::record(
        "a step",
        {optional("id", shape::name(), "what other steps and people call it; required outside of `always`"),
         optional("title", shape::text(), "for people"),
         optional("check", shape::text(), "the action that only looks; every step has one of check, do and person"),
         optional("do", shape::text(), "the action with one effect"),
         optional("person", shape::text(), "what a person does by hand, and then says it is done"),
         optional("on", shape::text(), "`target@region`, or `target` where the action needs no region"),
         optional("with", shape::map(shape::any()), "the action's parameters; texts may hold `${input}`"),
         optional("needs", shape::list(shape::name()), "steps that must be done before"),
         optional("when", shape::map(shape::text()),
                  "input to value: otherwise the step is skipped, which counts as done"),
         optional("deadline", shape::open_span(), "how long it may take in all; absent = the action's own"),
         optional("steady", shape::open_span(), "of a check: how long it must hold without a break"),
         defaulted("attempts", shape::integer(1, 20), "3", "how often the effect may be tried"),
         defaulted("if-blocked", shape::choice({"stop", "ask"}), "stop",
                   "what happens when the action may not act: `ask` = two people may take the risk by name"),
         defaulted(
             "if-failed", shape::choice({"stop", "go-on", "ignore"}), "stop",
             "`go-on` = the others go on, and the run has failed in the end; `ignore` = it may still succeed. Only "
             "for steps that nothing relies on: probes, announcements"),
         optional("undo-on-failure", shape::list(shape::name()),
                  "if this step fails, these are taken back, then the run holds"),
         optional("gate", gate_shape(), "people who must agree before it begins")});
}

}  // namespace

Shape plan_shape() {
    const Shape link =
        shape::record("a link", {required("title", shape::text(), ""), required("to", shape::text(), "")});
    return shape::record(
        "the plan", {required("plan", shape::name(), "its name"),
                     required("summary", shape::text(), "what it is for, in a sentence"),
                     optional("answers", shape::list(shape::choice({"L1", "L2", "L3", "L4", "L5", "L6"})),
                              "categories of disaster that it answers"),
                     required("owner", shape::text(), "who keeps it true"),
                     required("review-by", shape::date(), "when it must have been read again"),
                     optional("links", shape::list(link), "related documents"),
                     optional("drill", shape::text(), "the kind of drill that it serves: `regional failover`"),
                     optional("inputs", shape::map(input_shape()), "what a run is started with, by name"),
                     optional("gate", gate_shape(), "people who must agree before the first step"),
                     required("steps", shape::list(step_shape(), 1, 500),
                              "what is done; steps without an order between them run side by side"),
                     optional("always", shape::list(step_shape(), 0, 50),
                              "what is done at the end whatever happened, in this order"),
                     optional("leaves", shape::map_of_texts(shape::text()),
                              "obligations that stay open at the end, to be taken over by name, and what pays them")});
}

}  // namespace kedge
