#include "recover/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <map>
#include <set>

#include "os/clock.h"
#include "recover/extract_definitions.h"
#include "recover/extract_live.h"
#include "recover/extract_source.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;

constexpr int rounds_max = 10'000;  // a chain of rows that refer to each other is not followed further
constexpr Span asking_limit = 30s;  // about a transaction whose commit was not answered
constexpr Span asking_interval = 250ms;

const char* const absent = "'absent'";
const char* const absent_or_differs = "'absent', 'differs'";

// The columns that are brought: those that both have, but for what live computes itself.
std::vector<Column> brought_columns(const Table& recovered, const Table& live) {
    std::vector<Column> columns;
    for (const Column& column : recovered.columns) {
        const Column* other = live.column(column.name);
        if (other != nullptr && !other->generated) columns.push_back(column);
    }
    return columns;
}

class Extracting {
public:
    Extracting(const backup::PostgresServer& recovered, ExtractSource& source, ExtractLive& live,
               const ExtractOptions& options, const Until& until)
        : recovered_(recovered), source_(source), live_(live), options_(options), until_(until) {}

    // Everything but the end of the transaction. Conflicts that stop it are in `found`.
    Result<Extraction> run() {
        found_.transaction = live_.transaction();
        TRY(choose_tables());
        TRY(make_tables());
        for (const Chosen& chosen : options_.chosen) TRY(bring_chosen(chosen));
        TRY(bring_parents());
        if (options_.on_conflict == OnConflict::stop &&
            std::ranges::any_of(tables_, [](const auto& table) { return table.second.conflicts > 0; })) {
            found_.end = ExtractEnd::conflicts;
        } else {
            TRY(write());
        }
        for (auto& [name, table] : tables_) found_.tables.push_back(std::move(table));
        return std::move(found_);
    }

private:
    void step(const std::string& says) const {
        if (options_.on_step) options_.on_step(says);
    }
    bool is_made_again(const std::string& table) const {
        return std::ranges::find(made_again_, table) != made_again_.end();
    }
    const Table& in_recovered(const std::string& name) const {
        const Table* table = source_.catalogue().table(name);
        check(table != nullptr, "a chosen table is in the recovered database");
        return *table;
    }
    ExtractedTable& told(const std::string& name) {
        ExtractedTable& table = tables_[name];
        table.name = name;
        table.made_again = is_made_again(name);
        return table;
    }

    // What was written becomes the names of tables; what cannot be brought is said before anything is done.
    Result<void> choose_tables() {
        for (const Chosen& chosen : options_.chosen) {
            const std::string name = TRY(table_meant(chosen.table, source_.catalogue(), source_.catalogue()));
            if (names_.contains(name)) return Error{Fault::invalid_input, name + " is named twice"};
            names_.insert(name);
            name_of_[chosen.table] = name;
            if (in_recovered(name).unlogged) return Error{Fault::refused, name + " is unlogged: a recovery empties it"};
            if (live_.catalogue().table(name) == nullptr) made_again_.push_back(name);
        }
        return {};
    }

    Result<void> make_tables() {
        if (made_again_.empty()) return {};
        step("making tables again");
        definitions_ = TRY(read_definitions(recovered_, source_, made_again_, until_));
        TRY(live_.define(definitions_.before_rows));
        TRY(live_.reload());
        found_.notes = TRY(not_made_again(source_, live_, made_again_));
        return {};
    }

    Result<void> bring_chosen(const Chosen& chosen) {
        const Table& table = in_recovered(name_of_.at(chosen.table));
        step("choosing rows of " + table.name);
        ExtractedTable& told_of = told(table.name);
        told_of.chosen = true;
        const std::uint64_t count = TRY(source_.choose(table, chosen.where));
        told_of.rows += count;
        if (is_made_again(table.name)) return copy_straight(table, count, 0);
        const Table& live = *live_.catalogue().table(table.name);
        TRY(check_fit(table, live));
        Trial& trial = TRY(try_out(table, live)).get();
        TRY(live_.lock(live));
        TRY(live_.judge(trial));
        told_of.same += trial.same;
        told_of.conflicts += trial.differs;
        if (trial.differs > 0) told_of.conflict_keys = TRY(live_.differing_keys(trial, options_.keys_max));
        if (options_.on_conflict == OnConflict::keep) told_of.kept += trial.differs;
        const bool replaces = options_.on_conflict == OnConflict::replace;
        return note_written(table, trial, replaces ? absent_or_differs : absent, 0);
    }

    Result<void> check_fit(const Table& recovered, const Table& live) {
        if (live.has_rules)
            return Error{Fault::refused, live.name + " has rules that rewrite what is written to it",
                         "drop or disable them first, or bring the rows by hand"};
        for (const Column& column : recovered.columns)
            if (live.column(column.name) == nullptr)
                found_.notes.push_back(
                    fmt::format("{}: live has no column {}: its values are not brought", live.name, column.name));
        return {};
    }

    // A table that was made again has nothing in it that could be in the way.
    Result<void> copy_straight(const Table& table, std::uint64_t count, int round) {
        const Table& live = *live_.catalogue().table(table.name);
        const std::vector<Column> columns = brought_columns(table, live);
        TRY(source_.begin_candidates(table, columns, ExtractSource::Numbers::without));
        TRY(live_.session().begin_filling(fmt::format("{} ({})", live.name, column_list(columns))));
        while (const auto row = TRY(source_.next_candidate())) TRY(live_.session().fill(*row));
        const std::uint64_t filled = TRY(live_.session().end_filling().within(live.name));
        if (filled != count)
            return Error{Fault::corrupt, fmt::format("{}: {} rows were counted and {} read", live.name, count, filled)};
        told(table.name).inserted += count;
        TRY(source_.write_all(table, round));
        if (count > 0) written_in_[round].insert(table.name);
        return {};
    }

    Result<std::reference_wrapper<Trial>> try_out(const Table& table, const Table& live) {
        const std::vector<Column> columns = brought_columns(table, live);
        TRY(source_.begin_candidates(table, columns, ExtractSource::Numbers::with));
        Trial& trial = trials_.emplace_back(TRY(live_.begin_trial(live, columns)));
        while (const auto row = TRY(source_.next_candidate())) TRY(live_.session().fill(*row));
        TRY(live_.end_trial(trial));
        return std::ref(trial);
    }

    // The recovered side learns which candidates are written: what they refer to is looked for next.
    Result<void> note_written(const Table& table, const Trial& trial, const char* states, int round) {
        if (trial.absent + trial.differs == 0) return {};
        TRY(source_.begin_written());
        TRY(live_.begin_numbers(trial, states));
        while (const auto number = TRY(live_.session().next_row())) TRY(source_.add_written(*number));
        TRY(source_.end_written(table, round));
        written_in_[round].insert(table.name);
        return {};
    }

    Result<void> bring_parents() {
        step("looking for rows that they refer to");
        for (int round = 0; written_in_.contains(round); ++round) {
            if (round == rounds_max)
                return Error{Fault::refused, fmt::format("rows refer to each other over more than {} steps", round)};
            for (const ForeignKey& key : source_.catalogue().foreign_keys) {
                const Table* parent = source_.catalogue().table(key.parent);
                // A key that points to a partition is checked by live like any other; nothing is looked for by it.
                if (written_in_[round].contains(key.child) && parent != nullptr)
                    TRY(bring_parents_by(key, *parent, round));
            }
        }
        return {};
    }

    Result<void> bring_parents_by(const ForeignKey& key, const Table& parent, int round) {
        const std::uint64_t count = TRY(source_.choose_parents(key, in_recovered(key.child), parent, round));
        if (count == 0) return {};
        if (is_made_again(parent.name)) {
            told(parent.name).rows += count;
            return copy_straight(parent, count, round + 1);
        }
        const Table* live = live_.catalogue().table(parent.name);
        if (live == nullptr)
            return Error{Fault::refused,
                         fmt::format("{} refers to {} rows of {}, which live no longer has ({})", key.child, count,
                                     parent.name, key.name),
                         fmt::format("bring it too: --table '{}'", parent.name)};
        Trial& trial = TRY(try_out(parent, *live)).get();
        TRY(live_.judge_parents(trial, key));
        if (trial.absent > 0) {
            TRY(check_fit(parent, *live));
            TRY(live_.lock(*live));
            // Somebody may have been faster.
            TRY(live_.judge_parents(trial, key));
        }
        if (trial.differs > 0) return in_the_way(key, trial);
        ExtractedTable& told_of = told(parent.name);
        told_of.rows += count;
        told_of.same += trial.same;
        return note_written(parent, trial, absent, round + 1);
    }

    Error in_the_way(const ForeignKey& key, const Trial& trial) {
        std::string keys;
        if (const auto first = live_.differing_keys(trial, 3); first)
            for (const std::string& one : *first) keys += fmt::format("{}({})", keys.empty() ? "" : ", ", one);
        return Error{
            Fault::refused,
            fmt::format("{} refers to rows of {} that live has with other content, so that {} does not hold: {}",
                        key.child, trial.table->name, key.name, keys),
            fmt::format("choose them too (--table '{}'), with --on-conflict replace", trial.table->name)};
    }

    // Parents before children, by the keys of live that are checked at once.
    Result<std::vector<std::string>> in_order(std::set<std::string> left) const {
        std::vector<std::string> order;
        while (!left.empty()) {
            const auto waits = [&](const std::string& table) {
                return std::ranges::any_of(live_.catalogue().foreign_keys, [&](const ForeignKey& key) {
                    return key.child == table && key.parent != table && !key.deferrable && left.contains(key.parent);
                });
            };
            const auto next = std::ranges::find_if_not(left, waits);
            if (next == left.end()) return in_a_circle(left);
            order.push_back(*next);
            left.erase(next);
        }
        return order;
    }

    static Error in_a_circle(const std::set<std::string>& tables) {
        std::string names;
        for (const std::string& table : tables) names += (names.empty() ? "" : ", ") + table;
        return Error{Fault::refused, names + " refer to each other, and each needs the other's rows first",
                     "make one of their foreign keys DEFERRABLE (ALTER TABLE ... ALTER CONSTRAINT ... DEFERRABLE)"};
    }

    Result<void> write() {
        std::map<std::string, std::vector<const Trial*>> to_insert;
        std::set<std::string> touched, with_inserts;
        for (const Trial& trial : trials_) {
            const bool replaces = options_.on_conflict == OnConflict::replace && trial.differs > 0;
            if (trial.absent == 0 && !replaces) continue;
            touched.insert(trial.table->name);
            if (trial.absent == 0) continue;
            to_insert[trial.table->name].push_back(&trial);
            with_inserts.insert(trial.table->name);
        }
        for (const std::string& table : touched)
            found_.triggers_off += TRY(live_.switch_triggers_off(*live_.catalogue().table(table)));
        for (const std::string& table : TRY(in_order(with_inserts))) {
            step("writing " + table);
            told(table).inserted += TRY(live_.insert(to_insert[table]));
        }
        TRY(replace_rows());
        TRY(live_.check_constraints());
        TRY(finish_tables());
        TRY(live_.put_triggers_back());
        return move_sequences(with_inserts);
    }

    Result<void> replace_rows() {
        if (options_.on_conflict != OnConflict::replace) return {};
        for (const Trial& trial : trials_)
            if (trial.differs > 0) told(trial.table->name).replaced += TRY(live_.replace(trial));
        return {};
    }

    Result<void> finish_tables() {
        if (made_again_.empty()) return {};
        step("making indexes and constraints");
        TRY(live_.define(definitions_.after_rows));
        found_.foreign_keys = TRY(point_to_again(source_.catalogue(), live_, made_again_));
        return {};
    }

    Result<void> move_sequences(const std::set<std::string>& written) {
        for (const Sequence& sequence : live_.catalogue().sequences) {
            if (!written.contains(sequence.table) && !is_made_again(sequence.table)) continue;
            const auto moved = TRY(live_.move_on(sequence, recovered_value(sequence)));
            if (moved) found_.sequences.push_back(*moved);
        }
        return {};
    }

    // Where the sequence of the same column stands in the recovered database.
    std::optional<std::int64_t> recovered_value(const Sequence& of) const {
        for (const Sequence& sequence : source_.catalogue().sequences)
            if (sequence.table == of.table && sequence.column == of.column) return sequence.last;
        return std::nullopt;
    }

    const backup::PostgresServer& recovered_;
    ExtractSource& source_;
    ExtractLive& live_;
    const ExtractOptions& options_;
    const Until& until_;
    Extraction found_;
    std::set<std::string> names_;
    std::map<std::string, std::string> name_of_;  // by what was written
    std::vector<std::string> made_again_;
    Definitions definitions_;
    std::map<std::string, ExtractedTable> tables_;
    std::list<Trial> trials_;                          // a list: others hold on to its elements
    std::map<int, std::set<std::string>> written_in_;  // tables with rows that are written, by round
};

// A server that crashed before anything of the transaction had reached its disk has forgotten that it was: it calls its
// number one of the future, and asking for its status is an error.
std::string status_query(const std::string& transaction) {
    return fmt::format(
        "SELECT CASE WHEN '{0}'::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN 'aborted' ELSE "
        "pg_xact_status('{0}') "
        "END",
        transaction);
}

// What fresh connections say of a transaction: "committed", "aborted", or the last words about one that is neither.
std::string status_of(const backup::PostgresServer& live, const std::string& transaction) {
    const Until until = within(asking_limit);
    for (;;) {
        const auto status = backup::ask_postgres(live, status_query(transaction), asking_limit, {});
        // One "in progress" has not noticed yet that nobody is there any more.
        if (!status || *status != "in progress") return status ? *status : status.error().message;
        if (until.deadline <= SystemClock{}.now()) return *status;
        wait_out(within(asking_interval));
    }
}

// The connection was lost at the commit: the server itself knows what came of it.
Result<void> find_out(const backup::PostgresServer& live, const Extraction& extraction, const Error& lost) {
    const std::string& transaction = extraction.transaction;
    const std::string status = status_of(live, transaction);
    if (status == "committed") return {};
    if (status == "aborted")
        return Error{Fault::unavailable, lost.message + ": the transaction was rolled back", "repeat"};
    return Error{Fault::outcome_unknown,
                 fmt::format("{}: transaction {} may have been committed; asked about it: {}", lost.message,
                             transaction, status),
                 "ask the primary: " + status_query(transaction)};
}

Result<void> end_transaction(const backup::PostgresServer& server, ExtractLive& live, const ExtractOptions& options,
                             Extraction& extraction) {
    if (extraction.end == ExtractEnd::conflicts) return live.session().execute("ROLLBACK");
    if (options.expected && *options.expected != extraction.tables)
        return Error{Fault::conflict, "live has changed since the preview: the numbers are others now", "look again"};
    if (options.dry_run) return live.session().execute("ROLLBACK");
    if (options.on_step) options.on_step("committing");
    const auto committed = live.session().commit();
    if (!committed && committed.error().fault != Fault::outcome_unknown) return committed.error();
    if (!committed) {
        TRY(find_out(server, extraction, committed.error()));
        extraction.notes.push_back(fmt::format(
            "the connection was lost at the commit; the server says that transaction {} is committed, and not whether "
            "its standbys have it",
            extraction.transaction));
    }
    extraction.end = ExtractEnd::committed;
    return {};
}

}  // namespace

Result<Extraction> extract(const backup::PostgresServer& recovered, const backup::PostgresServer& live,
                           const ExtractOptions& options) {
    if (options.chosen.empty()) return Error{Fault::invalid_input, "no table is named"};
    const Until until = within(options.limit, options.stop);
    ExtractSource source = TRY(ExtractSource::open(recovered, until));
    ExtractLive target = TRY(ExtractLive::open(live, options.lock_limit, options.limit, until));
    Extraction extraction = TRY(Extracting(recovered, source, target, options, until).run());
    TRY(end_transaction(live, target, options, extraction));
    return extraction;
}

}  // namespace kedge::recover
