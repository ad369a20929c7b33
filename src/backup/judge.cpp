#include "backup/judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/judge_log.h"
#include "backup/production.h"
#include "backup/restore_any.h"
#include "os/clock.h"
#include "verify/figures.h"
#include "verify/files/examine.h"

namespace kedge::backup {
namespace {

using namespace std::chrono_literals;
using verify::Weight;

// Clocks differ; more than that is no freshness but a mistake.
constexpr Span future_allowed = 2min;

verify::Rung asked(ProofAsked proof) {
    switch (proof) {
        case ProofAsked::decoded: return verify::Rung::decoded;
        case ProofAsked::checksummed: return verify::Rung::checksummed;
        case ProofAsked::restored: return verify::Rung::restored;
    }
    return verify::Rung::restored;
}

std::string first_finding(const verify::Examination& examination, Weight weight) {
    for (const verify::Finding& finding : examination.findings.kept())
        if (finding.weight == weight)
            return fmt::format("{}{}{}", finding.says, finding.where.empty() ? "" : ": ", finding.where);
    return "";
}

Answer intactness(const verify::Examination& examination) {
    Answer answer{.question = "intact"};
    const std::uint64_t damages = examination.findings.count(Weight::damage);
    answer.evidence = {
        {"bytes", examination.bytes}, {"damages", damages}, {"doubts", examination.findings.count(Weight::doubt)}};
    if (damages > 0) {
        answer.holds = Truth::no;
        answer.says = first_finding(examination, Weight::damage);
    } else if (examination.findings.any(Weight::doubt) || examination.rung() < verify::Rung::decoded) {
        answer.says = examination.findings.any(Weight::doubt) ? first_finding(examination, Weight::doubt)
                                                              : "it could not be decoded";
    } else {
        answer.holds = Truth::yes;
        answer.says = fmt::format("{} read, nothing is damaged", verify::sized(examination.bytes));
    }
    return answer;
}

Answer proof(const verify::Examination& examination, ProofAsked asked_for) {
    Answer answer{.question = "proved",
                  .holds = truth(examination.rung() >= asked(asked_for)),
                  .evidence = {{"rung", to_string(examination.rung())}}};
    if (answer.holds == Truth::yes) {
        answer.says = examination.proofs.back().says;
        return answer;
    }
    // A server that is lacking here says nothing of the backup.
    if (!examination.findings.any(Weight::damage)) answer.holds = Truth::unknown;
    answer.says =
        fmt::format("it is proved as far as {}, {} is asked for", to_string(examination.rung()), to_string(asked_for));
    if (!examination.unproved.empty()) answer.says += "; not " + examination.unproved.back();
    return answer;
}

// Rows by the names that policies have: of a base backup those of the policy's own database.
std::map<std::string, std::uint64_t> rows_of(const verify::Examination& examination, const BackupPolicy& policy,
                                             const Estate& estate) {
    std::string prefix;
    if (policy.kind == BackupKind::base_backup)
        prefix = estate.target(policy.of)->settings.text("database").value_or("postgres") + ".";
    std::map<std::string, std::uint64_t> rows;
    for (const verify::Content& content : examination.contents)
        if (content.kind == "table" && content.rows && content.name.starts_with(prefix))
            rows[content.name.substr(prefix.size())] += *content.rows;
    return rows;
}

Answer tables(const BackupPolicy& policy, const std::map<std::string, std::uint64_t>& rows) {
    Answer answer{.question = "tables", .holds = Truth::yes};
    Json counts = Json::object();
    std::string lacking, all;
    for (const TablePolicy& table : policy.tables) {
        const auto found = rows.find(table.name);
        if (found == rows.end()) {
            lacking += fmt::format("{}{} is not in it", lacking.empty() ? "" : "; ", table.name);
            continue;
        }
        counts[table.name] = found->second;
        all += fmt::format("{}{} {}", all.empty() ? "" : ", ", table.name, verify::counted(found->second));
        if (found->second < static_cast<std::uint64_t>(table.rows_at_least))
            lacking += fmt::format("{}{} has {}, at least {} are asked for", lacking.empty() ? "" : "; ", table.name,
                                   verify::counted(found->second, "row"), table.rows_at_least);
    }
    answer.evidence["rows"] = std::move(counts);
    if (!lacking.empty()) answer.holds = Truth::no;
    answer.says = lacking.empty() ? all : lacking;
    return answer;
}

// A table that held rows in the backup before and holds none now. What it held then stands in that one's evidence.
Answer emptiness(const std::map<std::string, std::uint64_t>& rows, const Judgement* before) {
    constexpr std::size_t remembered_max = 10'000;
    Answer answer{.question = "filled", .holds = Truth::yes};
    Json counts = Json::object();
    for (const auto& [table, count] : rows)
        if (count > 0 && counts.size() < remembered_max) counts[table] = count;
    answer.says = verify::counted(counts.size(), "table holds", "tables hold") + " rows";
    answer.evidence["rows"] = std::move(counts);
    const Answer* then = before != nullptr ? before->answer(answer.question) : nullptr;
    if (then == nullptr) {
        answer.says += "; no backup was judged before it";
        return answer;
    }
    std::string emptied;
    for (const auto& [table, count] : get(then->evidence, "rows").items()) {
        const auto now = rows.find(table);
        if (now != rows.end() && now->second > 0) continue;
        emptied += fmt::format("{}{} {}, it had {}", emptied.empty() ? "" : "; ", table,
                               now == rows.end() ? "is not in it" : "is empty",
                               verify::counted(count.get<std::uint64_t>(), "row"));
    }
    if (!emptied.empty()) {
        answer.holds = Truth::no;
        answer.says = emptied;
    }
    answer.says += " in " + before->name;
    return answer;
}

Answer keys(const verify::Examination& examination, std::int64_t at_least) {
    std::uint64_t all = 0;
    for (const verify::Content& content : examination.contents)
        if (content.kind == "database" && content.rows) all += *content.rows;
    return {.question = "keys",
            .holds = truth(all >= static_cast<std::uint64_t>(at_least)),
            .says = fmt::format("{}, at least {} are asked for", verify::counted(all, "key"), at_least),
            .evidence = {{"keys", all}}};
}

// Held against what was counted in the backup, which stands in the answer `tables`.
Answer production(const Estate& estate, const BackupPolicy& policy, const Json& rows, const std::stop_token& stop) {
    std::vector<std::string> names;
    for (const TablePolicy& table : policy.tables)
        if (table.near_production) names.push_back(table.name);
    const auto there = count_in_production(*estate.target(policy.of), names, stop);
    Answer answer{.question = "production", .holds = Truth::yes};
    for (const TablePolicy& table : policy.tables) {
        if (!table.near_production) continue;
        const ProductionRows& production = there.at(table.name);
        const auto here = get_integer(rows, table.name);
        const Comparison comparison =
            here ? compare_with_production(static_cast<std::uint64_t>(*here), production, *table.near_production)
                 : Comparison{.says = "it was not counted in the backup"};
        answer.holds = both(answer.holds, comparison.difference ? truth(comparison.within) : Truth::unknown);
        answer.says += fmt::format("{}{}: {}", answer.says.empty() ? "" : "; ", table.name, comparison.says);
        answer.evidence[table.name] = {{"backup_rows", here ? Json(*here) : Json()},
                                       {"production_rows", production.rows ? Json(*production.rows) : Json()},
                                       {"how", production.how}};
    }
    return answer;
}

bool compares_with_production(const BackupPolicy& policy) {
    return std::ranges::any_of(policy.tables,
                               [](const TablePolicy& table) { return table.near_production.has_value(); });
}

class PolicyJudge {
public:
    PolicyJudge(const Estate& estate, const BackupPolicy& policy, const Verdicts& known, const JudgeOptions& options)
        : estate_(estate), policy_(policy), known_(known), options_(options) {}

    Result<Judgement> run() {
        Judgement judgement = TRY(policy_.kind == BackupKind::log    ? judge_log(estate_, policy_, options_)
                                  : policy_.kind == BackupKind::copy ? judge_copies(estate_, policy_, options_)
                                                                     : newest());
        judgement.at = options_.now;
        for (Answer& answer : judgement.answers) answer.evidence["key"] = options_.key;
        return judgement;
    }

private:
    void step(const std::string& says) const {
        if (options_.on_step) options_.on_step(says);
    }

    Result<Judgement> newest() {
        const Shelf shelf = TRY(look_at_shelf(estate_, policy_, options_.now));
        const StoredBackup* backup = shelf.newest();
        if (backup == nullptr) return Judgement{.name = ".", .answers = {freshness(policy_, shelf, options_.now)}};
        Judgement judgement{.name = backup->name,
                            .fingerprint = backup->fingerprint,
                            .taken = backup->taken,
                            .bytes = backup->bytes,
                            .answers = {freshness(policy_, shelf, options_.now)}};
        const Judgement* before = known_.of(backup->name);
        if (!options_.again && is_known(before, *backup, policy_, options_.now))
            take_over(*before, judgement);
        else
            TRY(read(*backup, judgement));
        if (const Answer* counted = judgement.answer("tables");
            counted != nullptr && compares_with_production(policy_)) {
            step("comparing with production");
            const Json rows = get(counted->evidence, "rows");
            judgement.answers.push_back(production(estate_, policy_, rows, options_.stop));
        }
        if (options_.recovery && policy_.kind == BackupKind::base_backup)
            judgement.answers.push_back(TRY(recover_by_chance(estate_, policy_, options_)));
        return judgement;
    }

    // The answers that only reading could change.
    static void take_over(const Judgement& before, Judgement& judgement) {
        judgement.digest = before.digest;
        judgement.rung = before.rung;
        judgement.read_at = before.read_at;
        for (const char* question : {"intact", "proved", "tables", "filled", "keys"})
            if (const Answer* answer = before.answer(question)) judgement.answers.push_back(*answer);
    }

    Result<void> read(const StoredBackup& backup, Judgement& judgement) {
        step("reading " + backup.name);
        verify::Effort effort{.threads = options_.threads};
        const std::stop_callback on_stop(options_.stop, [&] { effort.stop = true; });
        verify::ExaminedPath found = TRY(verify::examine_path(backup.path, {.now = options_.now}, effort));
        if (found.backups.empty()) return Error{Fault::conflict, backup.path + " is gone"};
        verify::ExaminedBackup& examined = found.backups.front();
        if (policy_.prove == ProofAsked::restored) TRY(restore(examined));
        const verify::Examination& examination = examined.examination;
        judgement.digest = get_string(examination.facts, "digest").value_or("");
        judgement.rung = to_string(examination.rung());
        judgement.read_at = options_.now;
        judgement.answers.push_back(intactness(examination));
        judgement.answers.push_back(proof(examination, policy_.prove));
        const std::map<std::string, std::uint64_t> rows = rows_of(examination, policy_, estate_);
        if (!policy_.tables.empty()) judgement.answers.push_back(tables(policy_, rows));
        const Judgement* before = judged_before(backup);
        // The tables of a base backup are known only once a server took it.
        const bool known = policy_.kind == BackupKind::dump || examination.facts.contains("restored_rows");
        if (known && (!rows.empty() || before != nullptr)) judgement.answers.push_back(emptiness(rows, before));
        if (policy_.kind == BackupKind::snapshot) judgement.answers.push_back(keys(examination, policy_.keys_at_least));
        return {};
    }

    // The newest judgement of another backup, and not of a younger one.
    const Judgement* judged_before(const StoredBackup& backup) const {
        for (const Judgement& judgement : known_.judgements)
            if (judgement.name != backup.name && judgement.taken && backup.taken && *judgement.taken <= *backup.taken &&
                judgement.answer("filled") != nullptr)
                return &judgement;
        return nullptr;
    }

    Result<void> restore(verify::ExaminedBackup& examined) {
        verify::RestoreOptions restore{.threads = options_.threads, .stop = options_.stop, .on_step = options_.on_step};
        if (!options_.place.empty()) restore.place = options_.place;
        std::string wal;
        if (!policy_.log.empty()) wal = TRY(directory_of(estate_, *estate_.backup(policy_.log)));
        return restore_any(examined, wal, restore);
    }

    const Estate& estate_;
    const BackupPolicy& policy_;
    const Verdicts& known_;
    const JudgeOptions& options_;
};

}  // namespace

bool is_known(const Judgement* judgement, const StoredBackup& newest, const BackupPolicy& policy, Moment now) {
    if (judgement == nullptr || judgement->fingerprint != newest.fingerprint) return false;
    if (now - judgement->read_at > policy.read_again) return false;
    return judgement->is_sound();
}

Answer freshness(const BackupPolicy& policy, const Shelf& shelf, Moment now) {
    Answer answer{.question = "fresh", .holds = Truth::no};
    const StoredBackup* newest = shelf.newest();
    if (newest == nullptr) {
        answer.says = fmt::format("there is no backup in {}", shelf.directory);
        if (!shelf.backups.empty())
            answer.says += fmt::format("; {}: {}", shelf.backups.front().name,
                                       shelf.backups.front().unusable.empty() ? "it does not say when it was taken"
                                                                              : shelf.backups.front().unusable);
        return answer;
    }
    const Span age = now - *newest->taken;
    answer.evidence = {
        {"name", newest->name}, {"age_seconds", seconds(age)}, {"limit_seconds", seconds(policy.max_age)}};
    if (age < -future_allowed) {
        answer.holds = Truth::unknown;
        answer.says =
            fmt::format("{} says that it was taken {} from now: a clock is wrong", newest->name, readable(-age));
        return answer;
    }
    answer.holds = truth(age <= policy.max_age);
    answer.says = fmt::format("{} is {} old, {} is allowed", newest->name, readable(std::max(age, Span{})),
                              readable(policy.max_age));
    return answer;
}

Result<Judgement> judge(const Estate& estate, const BackupPolicy& policy, const Verdicts& known,
                        const JudgeOptions& options) {
    return PolicyJudge(estate, policy, known, options).run();
}

}  // namespace kedge::backup
