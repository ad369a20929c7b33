// Indexes that are derived from a database: searches are answered without one while it is built anew, and by it again
// once it was checked against its source.

#include <algorithm>
#include <cmath>

#include "actions/catalogue.h"
#include "actions/says.h"

namespace kedge {
namespace {

constexpr double longest_estimate = 1e9;  // seconds: thirty years

// It can be asked, and says in which mode it is.
bool is_known(const IndexLook& look) {
    return look.reachable == Truth::yes && look.mode.has_value();
}

Result<Look> look_mode(const Call& call, IndexMode wanted, Truth allowed, const std::string& why) {
    const IndexLook look = TRY(TRY(call.index())->look(call.deadline));
    if (!is_known(look)) return unclear(look.says);
    if (look.mode == wanted) return condition(Truth::yes, look.says);
    return absent(allowed, why.empty() ? look.says : fmt::format("{}; {}", look.says, why));
}

Result<Json> apply_mode(const Call& call, IndexMode wanted) {
    TRY(TRY(call.index())->set_mode(wanted, call.deadline));
    return Json::object();
}

Result<Look> look_degraded(const Call& call) {
    return look_mode(call, IndexMode::degraded, Truth::yes, "");
}
Result<Json> apply_degrade(const Call& call) {
    return apply_mode(call, IndexMode::degraded);
}

// Only what was checked in this run serves.
Result<Look> look_serving(const Call& call) {
    const bool checked = std::ranges::any_of(
        call.facts, [](const Fact& fact) { return fact.action == "index.check" && fact.succeeded; });
    return look_mode(call, IndexMode::serving, truth(checked), checked ? "" : "nothing in this run has checked it");
}
Result<Look> look_serving_again(const Call& call) {
    return look_mode(call, IndexMode::serving, Truth::yes, "");
}
Result<Json> apply_serve(const Call& call) {
    return apply_mode(call, IndexMode::serving);
}

// "2300 of 5000 rows, the others take roughly 3 s"
std::string how_far(const IndexJob& job) {
    std::string says = fmt::format("{} of {} rows", job.done, job.total);
    if (job.state != JobState::running || job.done >= job.total) return says;
    if (!job.per_second || *job.per_second <= 0) return says + ", how long the others take is unknown";
    const double seconds = std::min(static_cast<double>(job.total - job.done) / *job.per_second, longest_estimate);
    return says + ", the others take roughly " + readable(Span(static_cast<std::int64_t>(std::ceil(seconds)) * 1s));
}

// What is built takes the place of what serves: that must not be before somebody has checked it.
Look may_begin(const IndexLook& look, std::string says) {
    if (look.mode == IndexMode::degraded) return absent(Truth::yes, std::move(says));
    return absent(Truth::no, says + "; what is built would serve before it was checked: degraded mode first");
}

Look look_at_own(const Call& call, const IndexLook& look) {
    const IndexJob& job = look.job;
    const std::string says = fmt::format("{}: {}", job.name, how_far(job));
    const Json evidence = {{"job", job.name}, {"done_rows", job.done}, {"total_rows", job.total}};
    if (job.state == JobState::finished) {
        Json built = evidence;
        built["position"] = look.position;
        if (look.entries) built["entries"] = *look.entries;
        return condition(Truth::yes, fmt::format("{}: built from {}", job.name, how_far(job)), std::move(built));
    }
    Look seen = may_begin(look, job.state == JobState::died ? says + "; it died, and goes on from there" : says);
    seen.evidence = evidence;
    seen.progress = job.total > 0 ? std::min(1.0, static_cast<double>(job.done) / static_cast<double>(job.total)) : 0.0;
    seen.cut_off = call.accepted && job.state == JobState::died;
    return seen;
}

Result<Look> look_rebuilt(const Call& call) {
    const IndexLook look = TRY(TRY(call.index())->look(call.deadline));
    if (!is_known(look)) return unclear(look.says);
    if (look.job.name == call.key) return look_at_own(call, look);
    if (look.job.state == JobState::running)
        return absent(Truth::no, fmt::format("another job builds it: {}, {}", look.job.name, how_far(look.job)));
    Look seen = may_begin(look, look.says);
    seen.cut_off = call.accepted;
    return seen;
}

Result<Json> apply_rebuild(const Call& call) {
    TRY(TRY(call.index())->rebuild(call.key, call.deadline));
    return Json{{"job", call.key}};
}

Result<Look> look_checked(const Call& call) {
    const auto asked = TRY(call.index())->sample(call.integer("sample"), call.deadline);
    if (!asked) return unclear(asked.error().message);
    const IndexSample& sample = *asked;
    // Of nothing, every share is found.
    if (sample.rows == 0 || sample.asked == 0)
        return unclear(fmt::format("{} rows of the source were asked for: nothing is proved", sample.asked));
    const auto rows = static_cast<double>(sample.rows);
    const double differ = std::abs(static_cast<double>(sample.entries) - rows) / rows;
    const double recall = static_cast<double>(sample.found) / static_cast<double>(sample.asked);
    const bool holds =
        differ <= call.number("differ") && recall >= call.number("recall") && sample.stale <= call.integer("stale");
    return condition(
        truth(holds),
        fmt::format("{} entries for {} rows; {} of {} rows are found; {} of {} entries are of no row any more",
                    sample.entries, sample.rows, sample.found, sample.asked, sample.stale, sample.looked_up),
        {{"rows", sample.rows},
         {"entries", sample.entries},
         {"asked", sample.asked},
         {"found", sample.found},
         {"recall", recall},
         {"looked_up", sample.looked_up},
         {"stale", sample.stale}});
}

}  // namespace

std::vector<Action> index_actions() {
    constexpr TargetKind index = TargetKind::index;
    using P = ParameterType;
    return {
        {{.name = "index.degrade",
          .on = index,
          .needs_region = false,
          .says = "degraded mode: searches are answered without the index, more slowly",
          .effect = Effect::idempotent,
          .undo = "index.serve-again",
          .owes = {{"degraded mode", false, "{target} is in degraded mode"}},
          .by_hand = "run the estate's program `degrade` of ${target}",
          .deadline = 1min,
          .call_limit = 20s},
         look_degraded,
         apply_degrade},
        {{.name = "index.rebuild",
          .on = index,
          .needs_region = false,
          .says = "a job builds the index anew from its source; one that dies goes on where it stopped",
          .effect = Effect::idempotent,
          .point_of_no_return = true,
          .by_hand = "run the estate's program `rebuild` of ${target}, and `look` until its job has finished",
          .deadline = 8h,
          .call_limit = 1min,
          .grants = {"what the programs' own login may"}},
         look_rebuilt,
         apply_rebuild},
        {{.name = "index.check",
          .on = index,
          .needs_region = false,
          .says = "the index holds what its source holds: counts, and rows and entries chosen at random",
          .parameters =
              {{"sample", P::integer, false, "200", "how many rows, and how many entries, are asked for"},
               {"recall", P::number, false, "0.99", "the least share of these rows that is found"},
               {"differ", P::number, false, "0.001",
                "the largest share of the rows by which the counts may differ: what is written meanwhile"},
               {"stale", P::integer, false, "0",
                "how many of these entries may be of rows that are not there any more: of erased people, say"}},
          .by_hand = "run the estate's program `sample` of ${target}",
          .deadline = 5min,
          .call_limit = 1min},
         look_checked},
        {{.name = "index.serve",
          .on = index,
          .needs_region = false,
          .says = "the index answers searches again, once it was checked in this run",
          .effect = Effect::idempotent,
          .pays = {"degraded mode"},
          .by_hand = "run the estate's program `serve` of ${target}",
          .deadline = 1min,
          .call_limit = 20s},
         look_serving,
         apply_serve},
        {{.name = "index.serve-again",
          .on = index,
          .needs_region = false,
          .says = "the index that was there answers searches again",
          .effect = Effect::idempotent,
          .pays = {"degraded mode"},
          .by_hand = "run the estate's program `serve` of ${target}",
          .deadline = 1min,
          .call_limit = 20s},
         look_serving_again,
         apply_serve},
    };
}

}  // namespace kedge
