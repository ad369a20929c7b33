// Channels: people are told, once.

#include "actions/catalogue.h"
#include "actions/says.h"

namespace kedge {
namespace {

Result<Look> look_announce(const Call& call) {
    if (call.accepted)
        return condition(Truth::yes, fmt::format("'{}' was sent to {}", call.text("title"), call.target));
    const Result<Truth> delivered = TRY(call.channel())->delivered(call.key, call.deadline);
    if (delivered && *delivered == Truth::yes)
        return condition(Truth::yes, fmt::format("'{}' was sent to {} before", call.text("title"), call.target));
    return absent(Truth::yes, call.target + " has not been told");
}

Result<Json> apply_announce(const Call& call) {
    const Receipt receipt = TRY(
        TRY(call.channel())
            ->send({call.key, call.text("severity"), call.text("title"), call.text("text"), call.now}, call.deadline));
    return Json{{"key", call.key},
                {"delivery", receipt.says},
                {"delivered", to_string(receipt.delivered)},
                {"tries", receipt.tries}};
}

}  // namespace

std::vector<Action> channel_actions() {
    using P = ParameterType;
    return {
        {{.name = "channel.announce",
          .on = TargetKind::channel,
          .needs_region = false,
          .says = "people are told through the channel",
          .effect = Effect::keyed,
          .parameters = {{"title", P::text, true, "", "one line"},
                         {"text", P::text, false, "", "more"},
                         {"severity", P::text, false, "info", "info, warning or critical"}},
          .by_hand = "post it in ${target}",
          .deadline = 30s,
          .call_limit = 10s},
         look_announce,
         apply_announce},
    };
}

}  // namespace kedge
