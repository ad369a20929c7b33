#include "knowledge_job.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <random>

#include "base/json.h"
#include "knowledge_index.h"
#include "os/clock.h"
#include "os/descriptor.h"
#include "os/files.h"
#include "os/process.h"
#include "os/wait.h"
#include "targets/postgres/connection.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t batch_rows = 100;
constexpr Span answer_limit = 20s, begin_limit = 20s, poll = 10ms;
constexpr Durability kept = Durability::after_process_death;  // as all of the lab's own files

struct Order {
    IndexFiles files;
    std::string conninfo, job;
    std::int64_t rows_per_second = 0;  // 0: as fast as it can
};

Moment this_moment() {
    return SystemClock{}.now();
}

// What job.json says.
struct JobNote {
    std::string name, position;
    std::int64_t total = 0;
    // Since when it has been at it, and how many rows were there then.
    Moment since{};
    std::int64_t done_before = 0;
};

Result<JobNote> read_note(const std::string& directory) {
    const Json json = TRY(parse_json(TRY(read_file(job_file(directory)))).within(job_file(directory)));
    JobNote note{.name = get_string(json, "name").value_or(""),
                 .position = get_string(json, "position").value_or(""),
                 .total = get_integer(json, "total").value_or(0),
                 .since = Moment{Span{get_integer(json, "since_us").value_or(0)}},
                 .done_before = get_integer(json, "done_before").value_or(0)};
    if (note.name.empty()) return Error{Fault::corrupt, job_file(directory) + " names no job"};
    return note;
}

Result<void> write_note(const std::string& directory, const JobNote& note) {
    return write_file_atomically(job_file(directory),
                                 dump(Json{{"name", note.name},
                                           {"position", note.position},
                                           {"total", note.total},
                                           {"since_us", note.since.time_since_epoch().count()},
                                           {"done_before", note.done_before}}),
                                 0600, kept);
}

Result<std::unique_ptr<Connection>> connect(const std::string& conninfo) {
    auto opened = Connection::open({conninfo}, this_moment() + answer_limit);
    if (!opened.connection) return Error{Fault::unavailable, opened.lost.says};
    return std::move(opened.connection);
}

Result<Rows> ask(Connection& connection, const Statement& statement) {
    Exchange exchange = connection.exchange({{statement}}, this_moment() + answer_limit);
    if (exchange.lost) return Error{Fault::unavailable, exchange.lost->says};
    TransactionAnswer& answer = exchange.answers.front();
    if (answer.error) return Error{Fault::unavailable, answer.error->message};
    return std::move(answer.rows.front());
}

Result<std::int64_t> ask_number(Connection& connection, const Statement& statement) {
    const Rows rows = TRY(ask(connection, statement));
    const std::string text = rows.empty() ? "" : rows[0][0].value_or("");
    std::int64_t number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc())
        return Error{Fault::corrupt, "the database answers no number"};
    return number;
}

// The job holds the lock alone; those who only look share it, and so do not take each other for a job.
bool is_built_now(const IndexFiles& files) {
    const Descriptor file(open(files.lock().c_str(), O_RDONLY | O_CLOEXEC));
    return file.is_open() && flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

// Where to go on: the last node of the last segment; nothing before the first.
Result<std::string> last_id(const std::string& directory) {
    const std::vector<std::string> segments = TRY(segments_of(directory));
    if (segments.empty()) return std::string();
    const Json nodes = TRY(parse_json(TRY(read_file(directory + "/" + segments.back()))));
    if (!nodes.is_object() || nodes.empty()) return Error{Fault::corrupt, segments.back() + " holds no node"};
    return nodes.rbegin().key();
}

// The note of the job that `order` names, in building/; what another job left there is removed.
Result<JobNote> begin_or_go_on(const Order& order, Connection& connection) {
    const std::string directory = order.files.building();
    const auto there = read_note(directory);
    JobNote note;
    if (there && there->name == order.job) {
        note = *there;
        note.done_before = static_cast<std::int64_t>(TRY(KnowledgeIndex::load(directory)).ids().size());
    } else {
        TRY(remove_tree(directory));
        TRY(make_directories(directory));
        note = {.name = order.job};
        note.total = TRY(ask_number(connection, {"SELECT count(*) FROM knowledge_nodes", {}}));
        note.position = TRY(ask(connection, {"SELECT pg_current_wal_lsn()", {}}))[0][0].value_or("");
    }
    note.since = this_moment();
    TRY(write_note(directory, note));
    return note;
}

Result<void> write_segment(const std::string& directory, const Rows& rows) {
    Json nodes = make_object(rows.size());
    for (const Row& row : rows) nodes[row[0].value_or("")] = words_of(row[1].value_or(""));
    const std::size_t number = TRY(segments_of(directory)).size() + 1;
    return write_file_atomically(fmt::format("{}/segment-{:06}.json", directory, number), dump(nodes), 0600, kept);
}

// What serves is kept under another name, until the next is built. Whoever dies between the two renames leaves nothing
// that serves, and a job that goes on with the second.
Result<void> put_in_place(const IndexFiles& files) {
    if (exists(files.serving())) {
        TRY(remove_tree(files.previous()));
        TRY(rename_into_place(files.serving(), files.previous()));
    }
    return rename_into_place(files.building(), files.serving());
}

bool has_finished(const Order& order) {
    const auto served = read_note(order.files.serving());
    return !exists(order.files.building()) && served && served->name == order.job;
}

// Whoever only looks whether somebody builds holds the lock for a moment.
Result<FileLock> take_lock(const IndexFiles& files) {
    const Moment deadline = this_moment() + 5s;
    for (;;) {
        auto lock = FileLock::acquire(files.lock());
        if (lock || lock.error().fault != Fault::conflict || this_moment() >= deadline) return lock;
        wait_out(within(poll));
    }
}

Result<void> build(const Order& order) {
    const FileLock lock = TRY(take_lock(order.files));
    if (has_finished(order)) return {};
    const std::unique_ptr<Connection> connection = TRY(connect(order.conninfo));
    const JobNote note = TRY(begin_or_go_on(order, *connection));
    std::string last = TRY(last_id(order.files.building()));
    for (std::int64_t done = 0;;) {
        const Rows rows = TRY(ask(*connection, {"SELECT id, content FROM knowledge_nodes WHERE id > $1 ORDER BY id"
                                                " LIMIT $2",
                                                {last, std::to_string(batch_rows)}}));
        if (rows.empty()) return put_in_place(order.files);
        TRY(write_segment(order.files.building(), rows));
        last = rows.back()[0].value_or("");
        done += static_cast<std::int64_t>(rows.size());
        if (order.rows_per_second > 0) wait_out(note.since + Span{done * 1'000'000 / order.rows_per_second});
    }
}

// The job that there is, for people and for Kedge; null if there is none.
Json job_json(const IndexFiles& files) {
    const bool unfinished = exists(files.building());
    const std::string directory = unfinished ? files.building() : files.serving();
    const auto note = read_note(directory);
    const auto built = KnowledgeIndex::load(directory);
    if (!note || !built) return {};
    const auto done = static_cast<std::int64_t>(built->ids().size());
    const bool running = unfinished && is_built_now(files);
    Json job{{"name", note->name},
             {"state", !unfinished ? "finished"
                       : running   ? "running"
                                   : "died"},
             {"done", done},
             {"total", note->total}};
    const double seconds = static_cast<double>((this_moment() - note->since).count()) / 1e6;
    if (running && seconds > 0 && done > note->done_before)
        job["per_second"] = static_cast<double>(done - note->done_before) / seconds;
    return job;
}

Result<void> look(const IndexFiles& files) {
    const bool degraded = TRY(is_degraded(files));
    const auto served = KnowledgeIndex::load(files.serving());
    const auto note = read_note(files.serving());
    fmt::print("{}\n", dump(Json{{"mode", degraded ? "degraded" : "serving"},
                                 {"entries", served ? Json(served->ids().size()) : Json()},
                                 {"position", note ? note->position : ""},
                                 {"job", job_json(files)}}));
    return {};
}

Result<void> rebuild(const std::string& program, const Order& order) {
    const auto is_ours = [&] { return get_string(job_json(order.files), "name") == order.job; };
    if (is_built_now(order.files) && !is_ours()) return Error{Fault::refused, "another job builds it"};
    Child job = TRY(Child::spawn({program, "--index", order.files.root, order.conninfo, "build", order.job,
                                  std::to_string(order.rows_per_second)},
                                 {.errors = Redirect::append_to(order.files.log()),
                                  .directory = order.files.root,
                                  .own_session = true,
                                  .die_with_parent = false}));
    for (const Moment deadline = this_moment() + begin_limit; this_moment() < deadline;) {
        if (const auto ended = job.wait(within(poll)))
            return ended->ok() ? Result<void>()
                               : Error{Fault::unavailable, fmt::format("the job ended with {}: {} says why",
                                                                       kedge::to_string(*ended), order.files.log())};
        if (!is_ours() || !is_built_now(order.files)) continue;
        job.release();
        return {};
    }
    return Error{Fault::unavailable, "the job did not begin in time"};
}

Result<void> sample(const Order& order, std::int64_t size) {
    const KnowledgeIndex index = TRY(KnowledgeIndex::load(order.files.serving()));
    const std::unique_ptr<Connection> connection = TRY(connect(order.conninfo));
    const std::int64_t rows = TRY(ask_number(*connection, {"SELECT count(*) FROM knowledge_nodes", {}}));
    const Rows asked = TRY(ask(
        *connection, {"SELECT id, content FROM knowledge_nodes ORDER BY random() LIMIT $1", {std::to_string(size)}}));
    const auto found = std::ranges::count_if(asked, [&](const Row& row) {
        const std::vector<std::string> ids = index.search(words_of(row[1].value_or("")));
        return std::ranges::find(ids, row[0].value_or("")) != ids.end();
    });
    std::vector<std::string> entries;
    std::mt19937 random{std::random_device{}()};
    std::ranges::sample(index.ids(), std::back_inserter(entries), size, random);
    const std::int64_t living = TRY(ask_number(
        *connection,
        {"SELECT count(*) FROM jsonb_array_elements_text($1::jsonb) AS wanted (id) JOIN knowledge_nodes USING (id)",
         {dump(Json(entries))}}));
    fmt::print("{}\n", dump(Json{{"rows", rows},
                                 {"entries", index.ids().size()},
                                 {"asked", asked.size()},
                                 {"found", found},
                                 {"looked_up", entries.size()},
                                 {"stale", static_cast<std::int64_t>(entries.size()) - living}}));
    return {};
}

std::optional<std::int64_t> number_of(const std::string& text) {
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() && number >= 0 ? std::optional(number)
                                                                                          : std::nullopt;
}

// Whose files these are; nothing if they are the caller's.
Result<std::optional<Login>> other_owner(const std::string& directory) {
    struct stat status {};
    if (stat(directory.c_str(), &status) != 0) return Error{Fault::not_found, "there is no " + directory};
    if (geteuid() != 0 || status.st_uid == 0) return std::optional<Login>();
    return std::optional(TRY(find_login(status.st_uid)));
}

// Runs the same command with the rights of `owner`, and says what it says.
Result<void> run_as(const Login& owner, const std::string& program, const std::vector<std::string>& words) {
    Arguments all{program, "--index"};
    all.insert(all.end(), words.begin(), words.end());
    const RunOutput output = TRY(run(all, within(1min), {.login = owner}));
    fmt::print("{}", output.out);
    if (output.exit.ok()) return {};
    const bool refused = output.exit.signal == 0 && output.exit.code == 1;
    return Error{refused ? Fault::refused : Fault::unavailable, output.err};
}

}  // namespace

Result<void> run_index_command(const std::string& program, const std::vector<std::string>& words) {
    const Error usage{Fault::invalid_input,
                      "usage: kedge-lab-app --index DIRECTORY CONNINFO look | degrade | serve | rebuild JOB [ROWS] | "
                      "build JOB [ROWS] | sample N"};
    if (words.size() < 3 || words.size() > 5 || !words[0].starts_with('/')) return usage;
    if (const auto owner = TRY(other_owner(words[0]))) return run_as(*owner, program, words);
    const std::string& verb = words[2];
    Order order{.files = {words[0]}, .conninfo = words[1]};
    if (words.size() == 3 && verb == "look") return look(order.files);
    if (words.size() == 3 && (verb == "degrade" || verb == "serve"))
        return set_degraded(order.files, verb == "degrade");
    if (words.size() == 3) return usage;
    if (verb == "sample") {
        const auto size = number_of(words[3]);
        return size && words.size() == 4 ? sample(order, *size) : usage;
    }
    if (verb != "rebuild" && verb != "build") return usage;
    order.job = words[3];
    const auto rows = number_of(words.size() == 5 ? words[4] : "0");
    if (!rows || order.job.empty()) return usage;
    order.rows_per_second = *rows;
    return verb == "build" ? build(order) : rebuild(program, order);
}

}  // namespace kedge::lab
