#include "recover/beside.h"

#include <fmt/format.h>

#include "base/check.h"
#include "os/clock.h"
#include "os/files.h"
#include "recover/gate.h"
#include "recover/instance.h"
#include "verify/restore/base_copy.h"
#include "verify/restore/own_postgres.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;
using verify::OwnPostgres;

constexpr Span recovery_limit = std::chrono::hours(24);
// A heartbeat has the time of whoever wrote it, a transaction that of the server.
constexpr Span clocks_differ = 2s;
constexpr int says_where_it_is = 15;  // the first version that has log_startup_progress_interval

// Of the last line "... redo in progress, elapsed time: 1.00 s, current LSN: 0/5A10F08" (xlogrecovery.c).
std::optional<Lsn> replayed_to(const std::string& log) {
    constexpr std::string_view words = "current LSN: ";
    const std::size_t at = log.rfind(words);
    if (at == std::string::npos) return std::nullopt;
    const std::size_t begin = at + words.size();
    const auto lsn = parse_lsn(std::string_view(log).substr(begin, log.find_first_of(" \n", begin) - begin));
    return lsn ? std::optional(*lsn) : std::nullopt;
}

class Making {
public:
    Making(const std::string& state_directory, Recovery& recovery, const Choice& choice, const Estate& estate,
           const MakeOptions& options)
        : state_(state_directory), recovery_(recovery), choice_(choice), estate_(estate), options_(options) {}

    Result<void> run() {
        const Moment begun = SystemClock{}.now();
        recovery_.stage = Stage::working;
        if (choice_.makes_tablespaces)
            return Error{Fault::refused,
                         "the log makes a tablespace, which a server here would make where the original is",
                         "recover on a machine of its own, or to a moment before it"};
        const Instance instance = TRY(make_instance());
        TRY(copy(instance));
        const Moment copied = SystemClock{}.now();
        const OwnPostgres replayed = TRY(replay(instance));
        const std::string log = replayed.log();
        const Moment ended = SystemClock{}.now();
        TRY(tell("syncing"));
        TRY(instance.stop_server());
        const OwnPostgres postgres = TRY(instance.start_durable(Instance::log_settings()));
        TRY(prove(instance, postgres, log));
        const Moment proved = SystemClock{}.now();
        TRY(note_pace(state_, Work::copy, choice_.recovery.copy_bytes, copied - begun));
        TRY(note_pace(state_, Work::replay, choice_.recovery.replay_bytes, proved - copied));
        recovery_.proof["took_seconds"] = seconds(proved - begun);
        recovery_.proof["copy_seconds"] = seconds(copied - begun);
        recovery_.proof["replay_seconds"] = seconds(ended - copied);
        return {};
    }

private:
    void say(const std::string& step) const {
        if (options_.on_step) options_.on_step(step);
    }
    Result<void> tell(const std::string& step) {
        say(step);
        recovery_.says = step;
        return write_recovery(state_, recovery_);
    }

    Result<Instance> make_instance() {
        const verify::BaseLook look =
            TRY(verify::look_at_base({choice_.base, choice_.log}, TRY(verify::postgres_owner()), options_.stop));
        const auto major = verify::major_of(look.version);
        if (!major) return Error{Fault::corrupt, choice_.base + " does not say of which version it is"};
        recovery_.major = *major;
        Instance instance = TRY(Instance::of(recovery_, *major, options_.stop));
        TRY(tell("preparing"));
        TRY(instance.make_directory(recovery_, look.bytes));
        return instance;
    }

    Result<void> copy(const Instance& instance) {
        const verify::BaseAndLog what{choice_.base, choice_.log};
        const std::string data = recovery_.directory + "/data";
        return verify::copy_base_backup(what, data, instance.owner(), options_.stop,
                                        [&](const std::string& step) { say(step); });
    }

    void show_progress(const std::string& log) const {
        const auto at = replayed_to(log);
        if (!at || !options_.on_replay || *at < choice_.start) return;
        options_.on_replay(at->value - choice_.start.value, choice_.recovery.replay_bytes);
    }

    Result<OwnPostgres> replay(const Instance& instance) {
        TRY(tell("replaying the log to " + recovery_.asked));
        std::string settings =
            verify::recovery_settings(choice_.target) + Instance::replay_settings() + Instance::log_settings();
        if (recovery_.major >= says_where_it_is) settings += "log_startup_progress_interval = 1s\n";
        return OwnPostgres::start_on_copy(recovery_.directory,
                                          {.major = recovery_.major,
                                           .owner = instance.owner(),
                                           .settings = settings,
                                           .limit = recovery_limit,
                                           .on_look = [&](const std::string& log) { show_progress(log); }},
                                          options_.stop);
    }

    Result<void> prove(const Instance& instance, const OwnPostgres& postgres, const std::string& log) {
        const auto last = verify::last_transaction(log);
        std::optional<Moment> expected;
        if (choice_.recovery.last) expected = choice_.recovery.last->time;
        const Json beat = TRY(instance.heartbeat(postgres, recovery_, estate_));
        const std::string timeline =
            TRY(instance.ask(postgres, recovery_.database, "SELECT timeline_id FROM pg_control_checkpoint()"));
        const std::string tables = TRY(instance.ask(postgres, recovery_.database,
                                                    "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND "
                                                    "relnamespace::regnamespace::text NOT IN "
                                                    "('pg_catalog', 'information_schema')"));
        Json& proof = recovery_.proof;
        proof = {{"last_transaction", last ? Json(kedge::to_string(*last)) : Json()},
                 {"expected_last_transaction", expected ? Json(kedge::to_string(*expected)) : Json()},
                 {"heartbeat", beat},
                 {"timeline", timeline},
                 {"tables", tables}};
        const bool both_none = !last && !expected;
        const Truth fits = truth(both_none || (last && expected && *last == *expected));
        const auto written = parse_moment(get_string(beat, "written").value_or(""));
        const bool too_late = choice_.target.kind == verify::RecoveryTarget::Kind::moment && written &&
                              *written > choice_.target.moment + clocks_differ;
        const Truth proved = too_late ? Truth::no : fits;
        proof["proved"] = kedge::to_string(proved);
        recovery_.says = words(proved, too_late, last, expected, beat);
        return {};
    }

    static std::string words(Truth proved, bool too_late, const std::optional<Moment>& last,
                             const std::optional<Moment>& expected, const Json& beat) {
        const auto text = [](const std::optional<Moment>& moment) {
            return moment ? kedge::to_string(*moment) : std::string("none");
        };
        if (too_late) return "it holds a heartbeat that was written after the moment that was asked for";
        if (proved != Truth::yes)
            return fmt::format("its last transaction is {}, but the log has {} there", text(last), text(expected));
        std::string says = fmt::format("its last transaction is the one that the log has there: {}", text(last));
        if (const auto written = get_string(beat, "written")) says += "; its newest heartbeat was written " + *written;
        return says;
    }

    const std::string& state_;
    Recovery& recovery_;
    const Choice& choice_;
    const Estate& estate_;
    const MakeOptions& options_;
};

}  // namespace

Result<void> recover_beside(const std::string& state_directory, Recovery& recovery, const Choice& choice,
                            const Estate& estate, const MakeOptions& options) {
    check(choice.recovery.possible, "only what is possible is made");
    Making making(state_directory, recovery, choice, estate, options);
    return finish(state_directory, recovery, making.run(), estate, options.stop);
}

}  // namespace kedge::recover
