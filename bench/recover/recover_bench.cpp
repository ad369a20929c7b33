// How long a database takes to come back, by Kedge and by the usual means, in turns on one machine.
//
//     recover_bench KEDGE DIRECTORY [MEGABYTES [ROUNDS [PART-OF-NAME]]]
//
// KEDGE is the program; DIRECTORY keeps what is recovered between runs; MEGABYTES of rows as text are made once and as
// many of log (4000; of 300 a custom dump had 107 MB); each way is taken ROUNDS times (1; 0: only make the material).
//
// All is timed from the first command to the server that answers. The page cache is warm. Beside each figure stands
// what is known of the database by then: speed alone would favour whoever looks least.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include "base/check.h"
#include "os/clock.h"
#include "os/process.h"
#include "recover/material.h"
#include "verify/restore/own_postgres.h"
#include "verify/restore/workplace.h"

namespace kedge::bench {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using verify::OwnPostgres;

constexpr int major = 15;
constexpr Span one_limit = 20min;

// One way back: what it is called, what is known of its result, and how long it takes.
struct Way {
    std::string name, known;
    std::function<Span()> once;
    std::vector<Span> spans{};
};

// As a server in use is set, and one that has nothing to lose.
constexpr const char* in_use =
    "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nwal_level = replica\nmax_wal_senders = 4\n"
    "autovacuum = on\nshared_buffers = 1GB\nmax_wal_size = 4GB\nmaintenance_work_mem = 64MB\n";
constexpr const char* tuned =
    "shared_buffers = 2GB\nmax_wal_size = 50GB\nmaintenance_work_mem = 1GB\ncheckpoint_timeout = 1h\n";

void do_or_stop(const Arguments& words, const RunOptions& options = {}) {
    const auto done = run_or_fail(words, within(one_limit), options);
    check(done.has_value(), done ? "" : done.error().message);
}

class Ways {
public:
    explicit Ways(const Material& material) : material_(material), owner_(verify::postgres_owner().value()) {}

    std::vector<Way> restores() {
        return {
            {"pg_restore -v, a server in use (the runbook)", "pg_restore ended without an error",
             [this] { return pg_restore(in_use, {"-v"}); }},
            {"pg_restore -j2, a server in use", "the same", [this] { return pg_restore(in_use, {"-j2"}); }},
            {"pg_restore -j2, tuned and not durable", "the same; nothing is on disk for sure",
             [this] { return pg_restore(tuned, {"-j2"}); }},
            {"kedge recover restore",
             "dump read whole before; every table's rows counted; statistics; synced, durable again",
             [this] {
                 return kedge(material_.estate(), {"recover", "restore"});
             }},
            {fmt::format("kedge recover restore, {} people erased", erased_people),
             "the same; nobody erased ever reached it, and their absence is proved",
             [this] {
                 return kedge(material_.filtering_estate(), {"recover", "restore"});
             }},
            {"kedge recover exchange --load, of a copy into a server in use",
             "every table's rows counted in both; statistics; what is there serves meanwhile",
             [this] { return load_into_living(); }},
            {"kedge recover pitr --to consistent", "every file and page of the base backup checked; synced, durable",
             [this] {
                 return kedge(material_.estate(), {"recover", "pitr", "--to", "consistent"});
             }},
        };
    }

    std::vector<Way> recoveries() {
        std::vector<Way> ways = {
            {"cp of the base, restore_command = cp", "the server says that it is there",
             [this] { return replay(in_use); }},
            {"the same, tuned and not durable", "the same; nothing is on disk for sure",
             [this] { return replay(tuned); }},
            {"kedge recover pitr --to TIME",
             "log without a gap, each record, file and page checked before; last transaction proved; durable",
             [this] {
                 return kedge(material_.estate(), {"recover", "pitr", "--to", moment()});
             }},
        };
        if (material_.has_pgbackrest)
            ways.insert(ways.begin() + 2, {"pgbackrest restore --type=time",
                                           "files checked by their digests; the server says it is there",
                                           [this] { return pgbackrest(); }});
        return ways;
    }

    // All that ways read is in the page cache before each of them: what the one before left there decides nothing.
    void read_all() const {
        std::vector<char> piece(std::size_t{1} << 20);
        for (const auto& file : fs::recursive_directory_iterator(material_.directory + "/store")) {
            if (!file.is_regular_file()) continue;
            std::ifstream stream(file.path(), std::ios::binary);
            while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size()))) {
            }
        }
    }

private:
    // Empty, and the server's own.
    void renew(const std::string& place) const {
        fs::remove_all(place);
        fs::create_directories(place);
        if (owner_) do_or_stop({"chown", "-R", owner_->name, "--", place});
    }
    std::string new_place() const {
        renew(material_.place());
        renew(material_.place() + "/server");
        return material_.place() + "/server";
    }
    template <class Work>
    Span timed(const Work& work) const {
        const Moment begun = SystemClock{}.now();
        work();
        return SystemClock{}.now() - begun;
    }
    std::string ask(const OwnPostgres& server, const std::string& database, const std::string& sql) const {
        const auto answer = server.query(database, sql, one_limit, {});
        check(answer.has_value(), answer ? "" : answer.error().message);
        return answer->substr(0, answer->find('\n'));
    }

    Span pg_restore(const std::string& settings, Arguments how) const {
        const std::string place = new_place();
        const OwnPostgres server = OwnPostgres::start(place, major, owner_, {}, settings).value();
        Arguments words = {server.program("pg_restore"), "-h", place, "-U", "postgres", "-d", "company", "--no-owner"};
        words.insert(words.end(), how.begin(), how.end());
        words.push_back(material_.dump);
        ask(server, "postgres", "CREATE DATABASE company");
        const Span took = timed([&] { do_or_stop(words); });
        check(ask(server, "company", "SELECT count(*) FROM users") == std::to_string(material_.users),
              "every user is there");
        return took;
    }

    // A base that is in place/data, to the moment: until the server answers, which it does when it is promoted.
    void start_to_moment(const std::string& place, const std::string& settings) const {
        const OwnPostgres server =
            OwnPostgres::start_on_copy(
                place,
                {.major = major, .owner = owner_, .settings = settings + "hot_standby = off\n", .limit = one_limit}, {})
                .value();
        expect_moment(ask(server, "postgres", "SELECT count(*) FROM marker"));
    }
    static void expect_moment(const std::string& markers) {
        check(markers == "0", "what was committed behind the moment is not there");
    }

    Span replay(const std::string& settings) const {
        const std::string place = new_place();
        return timed([&] {
            do_or_stop({"cp", "-r", material_.base, place + "/data"});
            do_or_stop({"touch", place + "/data/recovery.signal"});
            do_or_stop({"chmod", "-R", "u=rwX,go=", place + "/data"});
            if (owner_) do_or_stop({"chown", "-R", owner_->name, place + "/data"});
            start_to_moment(place, fmt::format("{}restore_command = 'cp {}/%f %p'\nrecovery_target_time = '{}'\n"
                                               "recovery_target_action = promote\n",
                                               settings, material_.log(), material_.target));
        });
    }

    Span pgbackrest() const {
        const std::string place = new_place();
        return timed([&] {
            do_or_stop(
                {"pgbackrest", "--config=" + material_.pgbackrest_config(), "--stanza=company", "--type=time",
                 "--target=" + material_.target, "--target-action=promote", "--pg1-path=" + place + "/data", "restore"},
                {.login = owner_});
            start_to_moment(place, in_use);
        });
    }

    // RFC 3339, as `--to` takes it.
    std::string moment() const {
        std::string text = material_.target;  // "2026-11-26 12:00:00.123456+00"
        text[10] = 'T';
        return text.replace(text.rfind('+'), std::string::npos, "Z");
    }

    void say(const std::string& estate, Arguments words) const {
        words.insert(words.begin(), material_.kedge);
        words.insert(words.end(), {"--estate", estate, "--state", material_.directory + "/state"});
        do_or_stop(words);
    }
    Span recover(const std::string& estate, Arguments words) const {
        fs::remove_all(material_.place());  // it makes its own
        words.insert(words.end(), {"--name", "bench", "--place", material_.place()});
        return timed([&] { say(estate, words); });
    }
    void discard(const std::string& estate) const {
        say(estate, {"recover", "discard", "bench", "--confirm", "bench"});
    }

    // The copy is there before; only the loading counts.
    Span load_into_living() const {
        recover(material_.estate(), {"recover", "restore"});
        renew(material_.living());
        const OwnPostgres server = OwnPostgres::start(material_.living(), major, owner_, {}, in_use).value();
        const Span took = timed([&] {
            say(material_.living_estate(),
                {"recover", "exchange", "bench", "--in", "here", "--load", "--confirm", "bench"});
        });
        check(ask(server, "postgres_from_bench", "SELECT count(*) FROM users") == std::to_string(material_.users),
              "every user is there");
        discard(material_.living_estate());
        return took;
    }

    Span kedge(const std::string& estate, const Arguments& words) const {
        const Span took = recover(estate, words);
        const std::string where = fmt::format("host={}/bench user=postgres dbname=postgres", material_.place());
        const auto counted = run_or_fail({verify::postgres_programs(major) + "/psql", "-X", "-A", "-t", "-d", where,
                                          "-c", "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM marker)"},
                                         within(one_limit));
        check(counted.has_value(), counted ? "" : counted.error().message);
        const std::uint64_t gone = estate == material_.filtering_estate() ? erased_people : 0;
        check(counted->out == fmt::format("{}|0\n", material_.users - gone), "every user is there who should be");
        discard(estate);
        return took;
    }

    const Material& material_;
    const std::optional<Login> owner_;
};

// `part`: only ways with that in their name.
void measure(const std::string& title, std::vector<Way> ways, int rounds, const std::string& part,
             const std::function<void()>& prepare) {
    std::erase_if(ways, [&](const Way& way) { return way.name.find(part) == std::string::npos; });
    if (ways.empty()) return;
    for (int round = 0; round < rounds; ++round)
        for (Way& way : ways) {
            prepare();
            way.spans.push_back(way.once());
            fmt::print(stderr, "{}: {:.1f} s\n", way.name, seconds(way.spans.back()));
        }
    const auto median = [](Way& way) {
        std::ranges::sort(way.spans);
        return seconds(way.spans[way.spans.size() / 2]);
    };
    fmt::print(
        "\n{}; {} in turns\n\n| what | seconds | least..most | times the first | what is known then |\n"
        "|---|---|---|---|---|\n",
        title, rounds == 1 ? "once" : fmt::format("{} rounds", rounds));
    for (Way& way : ways)
        fmt::print("| {} | {:.1f} | {:.1f}..{:.1f} | {:.2f} | {} |\n", way.name, median(way),
                   seconds(way.spans.front()), seconds(way.spans.back()), median(ways.front()) / median(way),
                   way.known);
}

}  // namespace
}  // namespace kedge::bench

int main(int argc, char** argv) {
    using namespace kedge::bench;
    if (argc < 3) {
        fmt::print(stderr, "usage: recover_bench KEDGE DIRECTORY [MEGABYTES [ROUNDS [PART-OF-NAME]]]\n");
        return 3;
    }
    const Material material = make_material(std::filesystem::absolute(argv[1]), std::filesystem::absolute(argv[2]),
                                            argc > 3 ? std::stoull(argv[3]) : 4000);
    const int rounds = argc > 4 ? std::stoi(argv[4]) : 1;
    if (rounds == 0) return 0;
    const std::string part = argc > 5 ? argv[5] : "";
    Ways ways(material);
    const auto megabytes = [](std::uint64_t bytes) { return bytes / 1'000'000; };
    measure(fmt::format("A dump of {} MB ({} MB as a base backup)", megabytes(material.dump_bytes),
                        megabytes(material.base_bytes)),
            ways.restores(), rounds, part, [&] { ways.read_all(); });
    measure(fmt::format("{} MB of log to a moment, from a base backup of {} MB", megabytes(material.log_bytes),
                        megabytes(material.base_bytes)),
            ways.recoveries(), rounds, part, [&] { ways.read_all(); });
    for (const std::string& used : {material.place(), material.living()}) std::filesystem::remove_all(used);
    return 0;
}
