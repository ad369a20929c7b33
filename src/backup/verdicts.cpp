#include "backup/verdicts.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "backup/shelf.h"
#include "os/files.h"

namespace kedge::backup {
namespace {

constexpr std::int64_t version = 1;
constexpr std::size_t judgements_max = 1000;
constexpr std::string_view hold_infix = ".hold-";

std::string directory_in(const std::string& state_directory) {
    return state_directory + "/backups";
}

std::string file_of(const std::string& state_directory, const std::string& policy) {
    return fmt::format("{}/{}.json", directory_in(state_directory), policy);
}

std::string lock_of(const std::string& state_directory, const std::string& policy) {
    return fmt::format("{}/{}.lock", directory_in(state_directory), policy);
}

std::optional<Truth> truth_of(std::string_view word) {
    for (const Truth truth : {Truth::yes, Truth::no, Truth::unknown})
        if (to_string(truth) == word) return truth;
    return std::nullopt;
}

Json answer_json(const Answer& answer) {
    return {{"question", answer.question},
            {"holds", to_string(answer.holds)},
            {"says", answer.says},
            {"evidence", answer.evidence}};
}

Result<Answer> answer_of(const Json& json) {
    const auto question = get_string(json, "question"), holds = get_string(json, "holds"),
               says = get_string(json, "says");
    const auto truth = truth_of(holds.value_or(""));
    if (!question || !says || !truth) return Error{Fault::corrupt, "an answer in it cannot be"};
    return Answer{*question, *truth, *says, get(json, "evidence")};
}

Result<Judgement> judgement_of(const Json& json) {
    const auto name = get_string(json, "name"), fingerprint = get_string(json, "fingerprint");
    const auto bytes = get_integer(json, "bytes");
    if (!name || !fingerprint || !bytes || *bytes < 0) return Error{Fault::corrupt, "a judgement in it cannot be"};
    Judgement judgement{.name = *name,
                        .fingerprint = *fingerprint,
                        .digest = get_string(json, "digest").value_or(""),
                        .at = TRY(parse_moment(get_string(json, "at").value_or(""))),
                        .bytes = static_cast<std::uint64_t>(*bytes),
                        .rung = get_string(json, "rung").value_or("")};
    if (const auto read = get_string(json, "read_at")) judgement.read_at = TRY(parse_moment(*read));
    if (const auto taken = get_string(json, "taken")) judgement.taken = TRY(parse_moment(*taken));
    for (const Json& answer : get(json, "answers")) judgement.answers.push_back(TRY(answer_of(answer)));
    return judgement;
}

Result<Verdicts> parse(const std::string& text) {
    const Json json = TRY(parse_json(text));
    if (get_integer(json, "version") != version) return Error{Fault::corrupt, "it is of another version"};
    Verdicts verdicts;
    for (const Json& judgement : get(json, "judgements")) verdicts.judgements.push_back(TRY(judgement_of(judgement)));
    return verdicts;
}

}  // namespace

const Answer* Judgement::answer(std::string_view question) const {
    const auto found = std::ranges::find(answers, question, &Answer::question);
    return found == answers.end() ? nullptr : &*found;
}

bool Judgement::is_sound() const {
    const Answer *intact = answer("intact"), *proved = answer("proved");
    return intact != nullptr && intact->holds == Truth::yes && proved != nullptr && proved->holds == Truth::yes;
}

Truth Judgement::holds() const {
    Truth all = Truth::yes;
    for (const Answer& answer : answers) all = both(all, answer.holds);
    return all;
}

const Judgement* Verdicts::of(std::string_view name) const {
    const auto found = std::ranges::find(judgements, name, &Judgement::name);
    return found == judgements.end() ? nullptr : &*found;
}

void Verdicts::add(Judgement judgement) {
    std::erase_if(judgements, [&](const Judgement& other) { return other.name == judgement.name; });
    judgements.insert(judgements.begin(), std::move(judgement));
    if (judgements.size() > judgements_max) judgements.resize(judgements_max);
}

Json judgement_json(const Judgement& judgement) {
    Json json{{"name", judgement.name},
              {"holds", to_string(judgement.holds())},
              {"at", to_string(judgement.at)},
              {"read_at", to_string(judgement.read_at)},
              {"taken", judgement.taken ? Json(to_string(*judgement.taken)) : Json()},
              {"bytes", judgement.bytes},
              {"rung", judgement.rung},
              {"digest", judgement.digest},
              {"fingerprint", judgement.fingerprint},
              {"answers", Json::array()}};
    for (const Answer& answer : judgement.answers) json["answers"].push_back(answer_json(answer));
    return json;
}

Result<Verdicts> read_verdicts(const std::string& state_directory, const std::string& policy) {
    const std::string path = file_of(state_directory, policy);
    const Result<std::string> text = read_file(path);
    if (!text && text.error().fault == Fault::not_found) return Verdicts{};
    if (!text) return text.error();
    Result<Verdicts> verdicts = parse(*text);
    if (!verdicts)
        return Error{Fault::corrupt, fmt::format("{}: {}", path, verdicts.error().message),
                     "move it away: then everything is examined again"};
    return verdicts;
}

Result<void> write_verdicts(const std::string& state_directory, const std::string& policy, const Verdicts& verdicts) {
    Json json{{"version", version}, {"policy", policy}, {"judgements", Json::array()}};
    for (const Judgement& judgement : verdicts.judgements) json["judgements"].push_back(judgement_json(judgement));
    return write_file_atomically(file_of(state_directory, policy), dump_pretty(json) + "\n");
}

Result<LockFile> lock_policy(const std::string& state_directory, const std::string& policy) {
    TRY(make_directories(directory_in(state_directory)));
    std::optional<LockFile> lock = TRY(LockFile::try_acquire(lock_of(state_directory, policy)));
    if (!lock)
        return Error{Fault::conflict, fmt::format("{}: its backups are being made, judged or removed already", policy),
                     "wait until that has ended"};
    return std::move(*lock);
}

Result<BackupHold> hold_backups(const std::string& state_directory, const std::string& policy,
                                const std::string& holder) {
    TRY(make_directories(directory_in(state_directory)));
    std::optional<LockFile> lock =
        TRY(LockFile::try_acquire(fmt::format("{}/{}{}{}", directory_in(state_directory), policy, hold_infix, holder)));
    if (!lock) return Error{Fault::conflict, fmt::format("{} holds the backups of {} already", holder, policy)};
    return BackupHold(std::move(*lock));
}

Result<std::vector<BackupHold>> hold_with_copies(const std::string& state_directory, const Estate& estate,
                                                 const BackupPolicy& policy, const std::string& holder) {
    std::vector<BackupHold> holds;
    for (const BackupPolicy* one : with_copies(estate, policy))
        holds.push_back(TRY(hold_backups(state_directory, one->name, holder)));
    return holds;
}

Result<std::vector<std::string>> holders_of_backups(const std::string& state_directory, const std::string& policy) {
    namespace fs = std::filesystem;
    const std::string directory = directory_in(state_directory), prefix = policy + std::string(hold_infix);
    std::vector<std::string> holders;
    std::error_code failed;
    for (fs::directory_iterator entry(directory, failed); !failed && entry != fs::directory_iterator();
         entry.increment(failed)) {
        const std::string name = entry->path().filename();
        if (name.starts_with(prefix) && TRY(LockFile::is_held(entry->path())))
            holders.push_back(name.substr(prefix.size()));
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        return Error{Fault::unavailable, fmt::format("{}: {}", directory, failed.message())};
    return holders;
}

Result<bool> is_policy_locked(const std::string& state_directory, const std::string& policy) {
    return LockFile::is_held(lock_of(state_directory, policy));
}

}  // namespace kedge::backup
