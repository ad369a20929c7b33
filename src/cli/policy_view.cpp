#include "cli/policy_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/judge.h"
#include "cli/table.h"
#include "verify/figures.h"

namespace kedge {
namespace {

using backup::Judgement;
using backup::Shelf;
using backup::StoredBackup;

std::string age_text(const std::optional<Moment>& taken, Moment now) {
    if (!taken) return "does not say";
    return *taken > now ? "in the future" : readable(now - *taken) + " old";
}

// Its judgement if it was about what lies there now.
const Judgement* judgement_of(const StoredBackup& stored, const backup::Verdicts& verdicts) {
    const Judgement* judgement = verdicts.of(stored.name);
    return judgement != nullptr && judgement->fingerprint == stored.fingerprint ? judgement : nullptr;
}

Cell verdict_cell(const Judgement* judgement, bool changed, Moment now, const Surface& surface) {
    if (judgement == nullptr) return Cell(changed ? "changed since it was judged" : "never judged", Tone::unknown);
    Cell cell = Cell::of(mark_of(judgement->holds()), surface);
    cell.text += fmt::format(", {}, {} ago", judgement->rung, readable(now - judgement->at));
    for (const backup::Answer& answer : judgement->answers)
        if (answer.holds == Truth::no) cell.text += fmt::format("; {}: {}", answer.question, answer.says);
    return cell;
}

std::string heading(const BackupPolicy& policy, const Surface& surface) {
    return fmt::format("{}  {}{}\n", painted(policy.name, Tone::strong, surface), to_string(policy.kind),
                       policy.says.empty() ? "" : ", " + printable(policy.says));
}

std::string log_lines(const Inventory& inventory, const Surface& surface) {
    const backup::StoredLog& log = inventory.shelf->log;
    if (log.segments == 0)
        return fmt::format("  {}\n", painted("no log in " + inventory.shelf->directory, Tone::bad, surface));
    std::string text = fmt::format("  {}, {}, oldest {} ({} old by the file's time), newest {} ({} old)\n",
                                   verify::counted(log.segments, "segment"), size_text(log.bytes), log.oldest,
                                   readable(inventory.now - log.oldest_modified), log.newest,
                                   readable(inventory.now - log.newest_modified));
    for (const std::string& gap : log.gaps) text += fmt::format("  {}\n", painted("gap: " + gap, Tone::bad, surface));
    const Judgement* judgement = inventory.verdicts.of(".");
    text += fmt::format("  last judged: {}\n", judgement == nullptr
                                                   ? "never"
                                                   : fmt::format("{}, {} ago", to_string(judgement->holds()),
                                                                 readable(inventory.now - judgement->at)));
    return text;
}

// Of log and copies what was judged is the directory as a whole.
bool is_judged_as_a_whole(const BackupPolicy& policy) {
    return policy.kind == BackupKind::log || policy.kind == BackupKind::copy;
}

Json age_json(const std::optional<Moment>& taken, Moment now) {
    return {{"taken", taken ? Json(to_string(*taken)) : Json()},
            {"age_seconds", taken ? Json(seconds(now - *taken)) : Json()}};
}

Json backup_json(const StoredBackup& stored, const backup::Verdicts& verdicts, Moment now) {
    const Judgement* judgement = judgement_of(stored, verdicts);
    Json json{{"name", stored.name}, {"path", stored.path}};
    json.update(age_json(stored.taken, now));
    json["bytes"] = stored.bytes;
    json["manifest"] = stored.has_manifest;
    json["unusable"] = stored.unusable;
    json["judgement"] = judgement != nullptr ? backup::judgement_json(*judgement) : Json();
    return json;
}

Truth age_holds(const BackupPolicy& policy, const Shelf& shelf, Moment now) {
    if (policy.kind != BackupKind::log) return backup::freshness(policy, shelf, now).holds;
    if (shelf.log.segments == 0 || shelf.log.missing > 0) return Truth::no;
    return truth(now - shelf.log.newest_modified <= policy.max_age);
}

std::string log_pruning_lines(const backup::LogPruning& log, const Surface& surface) {
    std::string text = printable(log.why) + "\n";
    if (log.going.empty()) return text + "nothing goes\n";
    return text + fmt::format("{}: {} files, {}, from {} to {}\n", painted("goes", Tone::bad, surface),
                              log.going.size(), size_text(log.bytes), printable(log.going.front().name),
                              printable(log.going.back().name));
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
    return verify::sized(bytes);
}

Truth in_time(const Inventory& inventory) {
    if (!inventory.shelf) return inventory.shelf.error().fault == Fault::not_found ? Truth::no : Truth::unknown;
    const Truth age = age_holds(inventory.policy, *inventory.shelf, inventory.now);
    const StoredBackup* newest = inventory.shelf->newest();
    const Judgement* judgement = is_judged_as_a_whole(inventory.policy) ? inventory.verdicts.of(".")
                                 : newest != nullptr                    ? judgement_of(*newest, inventory.verdicts)
                                                                        : nullptr;
    return both(age, judgement != nullptr ? judgement->holds() : Truth::unknown);
}

std::string rendered(const Inventory& inventory, bool everything, const Surface& surface) {
    constexpr std::size_t few = 3;
    std::string text = heading(inventory.policy, surface);
    if (!inventory.shelf)
        return text + fmt::format("  {}\n\n", painted(printable(inventory.shelf.error().message), Tone::bad, surface));
    if (inventory.policy.kind == BackupKind::log) return text + log_lines(inventory, surface) + "\n";
    const Shelf& shelf = *inventory.shelf;
    const backup::Answer fresh = backup::freshness(inventory.policy, shelf, inventory.now);
    if (fresh.holds != Truth::yes)
        text += fmt::format("  {}\n", painted((fresh.holds == Truth::no ? "overdue: " : "") + printable(fresh.says),
                                              Tone::bad, surface));
    Table table({{"  BACKUP"}, {"AGE"}, {"SIZE", Align::right}, {"LAST VERDICT"}});
    std::size_t shown = 0;
    for (const StoredBackup& stored : shelf.backups) {
        if (!everything && shown++ == few) break;
        const Judgement* judgement = judgement_of(stored, inventory.verdicts);
        table.add({"  " + stored.name, age_text(stored.taken, inventory.now), size_text(stored.bytes),
                   !stored.unusable.empty() ? Cell("unusable: " + stored.unusable, Tone::bad)
                                            : verdict_cell(judgement, inventory.verdicts.of(stored.name) != nullptr,
                                                           inventory.now, surface)});
    }
    text += table.rendered(surface);
    if (!everything && shelf.backups.size() > few)
        text += fmt::format("  and {} more: --all\n", shelf.backups.size() - few);
    for (const std::string& name : shelf.unfinished)
        text += fmt::format("  not finished, being taken or left by one that was killed: {}\n", printable(name));
    return text + "\n";
}

Json as_json(const Inventory& inventory) {
    Json json{{"policy", inventory.policy.name},
              {"kind", to_string(inventory.policy.kind)},
              {"max_age_seconds", seconds(inventory.policy.max_age)},
              {"unreachable", inventory.shelf ? Json() : Json(inventory.shelf.error().message)}};
    if (!inventory.shelf) return json;
    const Shelf& shelf = *inventory.shelf;
    json["directory"] = shelf.directory;
    json["in_time"] = to_string(age_holds(inventory.policy, shelf, inventory.now));
    if (inventory.policy.kind == BackupKind::log) {
        const backup::StoredLog& log = shelf.log;
        json["log"] = {{"segments", log.segments}, {"bytes", log.bytes},     {"oldest", log.oldest},
                       {"newest", log.newest},     {"missing", log.missing}, {"gaps", log.gaps}};
        if (log.segments > 0) json["log"]["newest_file_age_seconds"] = seconds(inventory.now - log.newest_modified);
    }
    json["backups"] = Json::array();
    for (const StoredBackup& stored : shelf.backups)
        json["backups"].push_back(backup_json(stored, inventory.verdicts, inventory.now));
    json["unfinished"] = shelf.unfinished;
    if (const Judgement* whole = inventory.verdicts.of("."); whole != nullptr && is_judged_as_a_whole(inventory.policy))
        json["judgement"] = backup::judgement_json(*whole);
    return json;
}

std::string rendered(const std::string& policy, const Judgement& judgement, const Surface& surface) {
    std::string text = fmt::format(
        "{}  {}{}\n", painted(policy, Tone::strong, surface), judgement.name == "." ? "" : printable(judgement.name),
        judgement.read_at < judgement.at && judgement.read_at != Moment{}
            ? fmt::format("  (unchanged since it was read {} ago)", readable(judgement.at - judgement.read_at))
            : "");
    Table table({{"  QUESTION"}, {"ANSWER"}, {"EVIDENCE"}});
    for (const backup::Answer& answer : judgement.answers)
        table.add({"  " + answer.question, Cell::of(mark_of(answer.holds), surface), answer.says});
    return text + table.rendered(surface) + "\n";
}

std::string rendered(const backup::Pruning& pruning, Moment now, const Surface& surface) {
    std::string text = pruning.log ? log_pruning_lines(*pruning.log, surface) : "";
    Table table({{"BACKUP"}, {"AGE"}, {"SIZE", Align::right}, {""}, {"WHY"}});
    for (const backup::Pruning::Row& row : pruning.rows)
        table.add({row.backup.name, age_text(row.backup.taken, now), size_text(row.backup.bytes),
                   row.goes ? Cell("goes", Tone::bad) : Cell("stays"), row.why});
    if (!pruning.log) text += table.rendered(surface);
    for (const std::string& name : pruning.unfinished)
        text += fmt::format("{}  {}: left by one that was not finished\n", printable(name),
                            painted("goes", Tone::bad, surface));
    return text;
}

Json as_json(const backup::Pruning& pruning, Moment now, Removal removal) {
    const auto item = [&](const std::string& name, bool goes, const std::string& why) -> Json {
        return {{"name", name}, {"goes", goes}, {"removed", goes && removal == Removal::done}, {"why", why}};
    };
    Json items = Json::array();
    for (const backup::Pruning::Row& row : pruning.rows) {
        items.push_back(item(row.backup.name, row.goes, row.why));
        items.back()["bytes"] = row.backup.bytes;
        items.back().update(age_json(row.backup.taken, now));
    }
    if (pruning.log)
        for (const backup::LogFile& file : pruning.log->going) {
            items.push_back(item(file.name, true, pruning.log->why));
            items.back()["bytes"] = file.bytes;
        }
    for (const std::string& name : pruning.unfinished)
        items.push_back(item(name, true, "left by one that was not finished"));
    return items;
}

}  // namespace kedge
