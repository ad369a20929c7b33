#include "targets/command/command_index.h"

#include <fmt/format.h>

#include <array>

#include "targets/command/words.h"

namespace kedge {
namespace {

Error malformed(std::string_view what) {
    return {Fault::corrupt, fmt::format("the answer does not say {}", what)};
}

Result<std::int64_t> count_of(const Json& json, std::string_view key) {
    const auto count = get_integer(json, key);
    if (!count || *count < 0) return malformed(fmt::format("`{}`, a number from 0", key));
    return *count;
}

template <class Word, std::size_t size>
Result<Word> word_of(const Json& json, std::string_view key, const std::array<Word, size>& words) {
    const std::string said = get_string(json, key).value_or("");
    for (const Word word : words)
        if (to_string(word) == said) return word;
    return malformed(fmt::format("a `{}` that is known", key));
}

Result<IndexJob> job_of(const Json& json) {
    constexpr std::array states = {JobState::running, JobState::died, JobState::finished};
    if (json.is_null()) return IndexJob{};
    const std::string name = get_string(json, "name").value_or("");
    if (name.empty()) return malformed("the `name` of its job");
    return IndexJob{.name = name,
                    .state = TRY(word_of(json, "state", states)),
                    .done = TRY(count_of(json, "done")),
                    .total = TRY(count_of(json, "total")),
                    .per_second = get_number(json, "per_second")};
}

std::string in_words(const IndexLook& look) {
    std::string says = fmt::format("{}, {} entries", look.mode ? to_string(*look.mode) : "in no known mode",
                                   look.entries ? std::to_string(*look.entries) : "an unknown number of");
    if (look.job.state != JobState::none)
        says += fmt::format("; job {} {}, {} of {}", look.job.name, to_string(look.job.state), look.job.done,
                            look.job.total);
    return says;
}

}  // namespace

Result<IndexLook> parse_index_look(const std::string& answer) {
    constexpr std::array modes = {IndexMode::serving, IndexMode::degraded};
    const Json json = TRY(parse_json(answer).within("the answer"));
    IndexLook look{.reachable = Truth::yes, .mode = TRY(word_of(json, "mode", modes))};
    if (!json.contains("entries")) return malformed("`entries`");
    if (!get(json, "entries").is_null()) look.entries = TRY(count_of(json, "entries"));
    look.job = TRY(job_of(get(json, "job")));
    look.position = get_string(json, "position").value_or("");
    look.says = in_words(look);
    return look;
}

Result<IndexSample> parse_index_sample(const std::string& answer) {
    const Json json = TRY(parse_json(answer).within("the answer"));
    const IndexSample sample{.rows = TRY(count_of(json, "rows")),
                             .entries = TRY(count_of(json, "entries")),
                             .asked = TRY(count_of(json, "asked")),
                             .found = TRY(count_of(json, "found")),
                             .looked_up = TRY(count_of(json, "looked_up")),
                             .stale = TRY(count_of(json, "stale"))};
    if (sample.found > sample.asked || sample.stale > sample.looked_up)
        return Error{Fault::corrupt, "the answer says that more was found than was asked for"};
    return sample;
}

Result<IndexLook> CommandIndex::look(Moment deadline) {
    const auto ask = [&]() -> Result<IndexLook> {
        const RunOutput output = TRY(run_or_fail(settings_.look, deadline));
        return parse_index_look(output.out);
    };
    Result<IndexLook> look = ask().within(settings_.name);
    if (!look) return IndexLook{.says = look.error().message};
    look->says = settings_.name + ": " + look->says;
    return look;
}

Result<void> CommandIndex::order(const Arguments& words, Moment deadline) const {
    const RunOutput output = TRY(run(words, deadline).within(settings_.name));
    if (output.exit.ok()) return {};
    const bool refused = output.exit.signal == 0 && output.exit.code == 1;
    return Error{refused ? Fault::refused : Fault::outcome_unknown, settings_.name + ": " + first_line(output)};
}

Result<void> CommandIndex::set_mode(IndexMode mode, Moment deadline) {
    return order(mode == IndexMode::degraded ? settings_.degrade : settings_.serve, deadline);
}

Result<void> CommandIndex::rebuild(const std::string& job, Moment deadline) {
    return order(filled(settings_.rebuild, {{"job", job}}), deadline);
}

Result<IndexSample> CommandIndex::sample(std::int64_t size, Moment deadline) {
    const RunOutput output =
        TRY(run_or_fail(filled(settings_.sample, {{"size", std::to_string(size)}}), deadline).within(settings_.name));
    return parse_index_sample(output.out).within(settings_.name);
}

}  // namespace kedge
