#include "recover/promote.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "backup/shelf.h"
#include "os/clock.h"
#include "os/files.h"
#include "recover/gate.h"
#include "recover/instance.h"
#include "recover/sequences.h"
#include "targets/postgres/data_directory.h"
#include "verify/restore/own_postgres.h"
#include "verify/wal/wal_file_name.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Span short_work = 60s, copy_limit = 10min;
// Production goes on serving until it is stopped, which may be minutes later.
constexpr std::int64_t given_out_until_stopped = 1'000'000;

Result<struct stat> stat_of(const std::string& path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0) return status;
    return Error{errno == ENOENT ? Fault::not_found : Fault::unavailable,
                 fmt::format("{}: {}", path, std::strerror(errno))};
}

Result<std::vector<std::string>> names_in(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code failed;
    for (fs::directory_iterator entry(directory, failed); !failed && entry != fs::directory_iterator();
         entry.increment(failed))
        names.push_back(entry->path().filename());
    if (failed) return Error{Fault::unavailable, fmt::format("{}: {}", directory, failed.message())};
    std::ranges::sort(names);
    return names;
}

std::string parent_of(const std::string& path) {
    return fs::path(path).parent_path();
}

// A rename would not take along what lies elsewhere.
Result<void> check_holds_itself(const std::string& data) {
    if (!S_ISDIR(TRY(stat_of(data)).st_mode))
        return Error{Fault::refused, data + " is a link: what lies behind it would not change places"};
    if (!S_ISDIR(TRY(stat_of(data + "/pg_wal")).st_mode))
        return Error{Fault::refused, data + "/pg_wal is a link: the log lies elsewhere and would not change places"};
    if (!TRY(names_in(data + "/pg_tblspc")).empty())
        return Error{Fault::refused, data + " has tablespaces, which lie elsewhere and would not change places"};
    return {};
}

}  // namespace

std::string kept_directory(const Recovery& recovery) {
    return get_string(get(recovery.proof, "promotion"), "kept").value_or("");
}

Promotion::Promotion(std::string state_directory, const Estate& estate, Recovery& recovery,
                     const Production& production, std::stop_token stop)
    : state_(std::move(state_directory)),
      estate_(estate),
      recovery_(recovery),
      production_(production),
      stop_(std::move(stop)),
      server_(production.name, production.site, production.database, production.probe_schema),
      copy_(recovery.directory + "/data"),
      data_(production.site.host.data_directory),
      kept_(fmt::format("{}.kedge-before-{}", data_, recovery.name)) {}

Result<Promotion::Whereabouts> Promotion::whereabouts() const {
    const bool copy = exists(copy_), data = exists(data_), kept = exists(kept_);
    if (copy && data && !kept) return Whereabouts::beside;
    if (copy && !data && kept) return Whereabouts::aside;
    if (!copy && data && kept) return Whereabouts::in_place;
    const auto is = [](bool there) { return there ? "there" : "not there"; };
    return Error{Fault::conflict,
                 fmt::format("which data are where is not clear: {} is {}, {} is {}, {} is {}", data_, is(data), copy_,
                             is(copy), kept_, is(kept)),
                 "nothing was touched; a person has to look"};
}

Result<ControlData> Promotion::control_of(const std::string& data) const {
    const auto output = TRY(server_.machine().run_or_fail({server_.machine().tool("pg_controldata"), "-D", data},
                                                          within(short_work, stop_), {}, Fault::corrupt));
    return parse_control_data(output.out).within(data);
}

Result<void> Promotion::check_production() {
    const HostSite& site = production_.site;
    if (!site.host.ssh.empty())
        return Error{Fault::refused,
                     fmt::format("{} is on another machine ({}) than the copy", production_.name, site.host.ssh),
                     "recover on that machine, with --place on the file system of its data directory"};
    if (site.fence.look.empty())
        return Error{Fault::refused, production_.name + " has no fence: nothing could prove that it stays stopped",
                     "give the site a `fence` in the estate"};
    if (exists(data_ + "/patroni.dynamic.json"))
        return Error{Fault::refused, production_.name + " is run by patroni, which starts and rebuilds by its own mind",
                     "take rows back with kedge recover extract, or recover by that manager's own means"};
    if (TRY(server_.is_running(within(short_work, stop_))))
        TRY(server_.require_no_manager(within(short_work, stop_).deadline));
    return {};
}

Result<void> Promotion::check_directories() const {
    for (const std::string& data : {copy_, data_}) TRY(check_holds_itself(data));
    const struct stat copy = TRY(stat_of(copy_)), data = TRY(stat_of(data_)), parent = TRY(stat_of(parent_of(data_)));
    if (copy.st_dev != data.st_dev || data.st_dev != parent.st_dev)
        return Error{Fault::refused, fmt::format("{} and {} cannot change places by a rename", copy_, data_),
                     fmt::format("recover with --place on the file system of {}", parent_of(data_))};
    if (copy.st_uid != data.st_uid || copy.st_gid != data.st_gid)
        return Error{Fault::refused, fmt::format("{} belongs to {}:{}, {} to {}:{}", copy_, copy.st_uid, copy.st_gid,
                                                 data_, data.st_uid, data.st_gid)};
    return {};
}

// The newest that production or its archive know of.
Result<std::uint32_t> Promotion::newest_timeline() const {
    std::uint32_t newest = TRY(control_of(data_)).timeline;
    for (const std::string& name : TRY(names_in(data_ + "/pg_wal")))
        newest = std::max(newest, verify::parse_wal_file_name(name).timeline);
    const BackupPolicy* base = estate_.backup(recovery_.policy);
    const BackupPolicy* log = base == nullptr ? nullptr : estate_.backup(base->log);
    if (log == nullptr)
        return Error{Fault::not_found,
                     fmt::format("the estate does not say where the log of {} is archived", recovery_.policy)};
    const backup::Shelf archive = TRY(backup::look_at_shelf(estate_, *log, SystemClock{}.now()));
    for (const backup::LogFile& file : archive.log.files) newest = std::max(newest, file.parts.timeline);
    return newest;
}

Result<void> Promotion::check_identity() {
    const ControlData copy = TRY(control_of(copy_)), data = TRY(control_of(data_));
    if (copy.system_identifier != data.system_identifier)
        return Error{Fault::refused,
                     fmt::format("{} is another cluster than {} (system identifiers {} and {}): its log could not "
                                 "follow in the same archive, and no standby could follow it",
                                 recovery_.name, production_.name, copy.system_identifier, data.system_identifier),
                     "of a dump: take tables back with kedge recover extract"};
    const std::uint32_t newest = TRY(newest_timeline());
    if (copy.timeline > newest) return {};
    return Error{Fault::refused,
                 fmt::format("the copy is on timeline {}, but there is a timeline {} already: a failover or another "
                             "recovery came between",
                             copy.timeline, newest),
                 "recover once more: the new copy gets a timeline of its own"};
}

Result<void> Promotion::check_not_exchanged() const {
    if (!is_exchanged(recovery_)) return {};
    return Error{Fault::conflict,
                 recovery_.name + " was loaded into the running server, to take a database's name there",
                 fmt::format("kedge recover exchange {0}, or kedge recover put-back {0}", recovery_.name)};
}

Result<void> Promotion::check() {
    TRY(check_not_exchanged());
    if (recovery_.stage != Stage::prepared) TRY(check_proved(recovery_));
    TRY(check_production());
    if (TRY(whereabouts()) != Whereabouts::beside)
        return Error{Fault::refused, fmt::format("{} is swapped in, or half of it is", recovery_.name)};
    TRY(check_directories());
    return check_identity();
}

// Whatever it took over from production must not work beside it: this file alone is read by every server, wherever its
// settings are.
Result<void> Promotion::ensure_copy_runs() const {
    if (look_at_server(recovery_, stop_).answers == Truth::yes) return {};
    const Instance instance = TRY(Instance::of(recovery_, recovery_.major, stop_));
    TRY(server_.machine().write(copy_ + "/postgresql.auto.conf", "", within(short_work, stop_)));
    TRY(instance.start_durable(Instance::log_settings()));
    return {};
}

Result<std::string> Promotion::move_sequences() {
    const Until until = within(short_work, stop_);
    const auto rows = server_.sql().ask({sequences_query(given_out_until_stopped), {}}, until.deadline);
    // One that serves gives out numbers that nobody could move behind then; one that is gone cannot be asked.
    if (!rows && TRY(server_.is_running(until))) return rows.error().within("where its sequences stand");
    if (!rows) return "sequences stand as they did at the point: " + rows.error().message;
    std::vector<SequenceNumber> numbers;
    for (const Row& row : *rows) numbers.push_back({row.at(0).value_or(""), row.at(1).value_or("")});
    return move_sequences_on(recovery_.server(), recovery_.name, numbers, until);
}

// The log of earlier timelines came from the archive. Offered again it would be refused by an archive that overwrites
// nothing, and all that follows would wait behind it.
Result<void> Promotion::mark_archived(std::uint32_t timeline) const {
    const std::string log = copy_ + "/pg_wal", status = log + "/archive_status";
    std::vector<std::string> names = TRY(names_in(log));
    for (const std::string& name : TRY(names_in(status)))
        if (name.ends_with(".ready")) names.push_back(name.substr(0, name.size() - std::string_view(".ready").size()));
    Arguments touch{"touch", "--"};
    for (const std::string& name : names) {
        const verify::WalFileName parts = verify::parse_wal_file_name(name);
        if (parts.kind == verify::WalFileKind::foreign || parts.timeline >= timeline) continue;
        touch.push_back(fmt::format("{}/{}.done", status, name));
    }
    if (touch.size() == 2) return {};
    TRY(server_.machine().run_or_fail(touch, within(short_work, stop_)));
    for (const std::string& done : std::vector(touch.begin() + 2, touch.end())) {
        std::error_code failed;
        fs::remove(done.substr(0, done.size() - std::string_view("done").size()) + "ready", failed);
        if (failed) return Error{Fault::unavailable, fmt::format("{}: {}", done, failed.message())};
    }
    return {};
}

Result<void> Promotion::take_own_files() const {
    for (const std::string& name : TRY(names_in(copy_)))
        if (!is_servers_own(name))
            TRY(server_.machine().remove(fmt::format("{}/{}", copy_, name), within(copy_limit, stop_)));
    for (const std::string& name : TRY(names_in(data_)))
        if (!is_servers_own(name) && !is_log(name))
            TRY(server_.machine().run_or_fail({"cp", "-a", "--", fmt::format("{}/{}", data_, name), copy_},
                                              within(copy_limit, stop_)));
    return {};
}

Result<ControlData> Promotion::lay_out() const {
    const Instance instance = TRY(Instance::of(recovery_, recovery_.major, stop_));
    TRY(instance.stop_server());
    ControlData copy = TRY(control_of(copy_));
    if (!copy.is_shut_down())
        return Error{Fault::unavailable, fmt::format("{} did not stop in order: it is {}", recovery_.name, copy.state)};
    TRY(mark_archived(copy.timeline));
    TRY(take_own_files());
    TRY(instance.sync());
    return copy;
}

// It stays prepared whatever happens, and only a whole pass is written down: one that was cut off is made again.
Result<void> Promotion::take_out_erased() {
    if (!TRY(is_gate_outdated(recovery_, estate_))) return {};
    TRY(ensure_copy_runs());
    Recovery passed = recovery_;
    pass_gate(passed, estate_, stop_);
    TRY(check_usable(passed));
    TRY(lay_out());
    recovery_.proof["erasure"] = passed.proof["erasure"];
    return write_recovery(state_, recovery_);
}

Result<void> Promotion::note(Stage stage, const std::string& says) {
    recovery_.stage = stage;
    recovery_.says = says;
    return write_recovery(state_, recovery_);
}

Result<void> Promotion::prepare() {
    TRY(check_not_exchanged());
    if (recovery_.stage == Stage::prepared || recovery_.stage == Stage::promoted) return {};
    TRY(check());
    TRY(ensure_copy_runs());
    // The ledger may have grown since.
    pass_gate(recovery_, estate_, stop_);
    TRY(write_recovery(state_, recovery_));
    TRY(check_usable(recovery_));
    const std::string sequences = TRY(move_sequences());
    const ControlData copy = TRY(lay_out());
    recovery_.proof["promotion"] = {
        {"region", production_.region}, {"timeline", copy.timeline}, {"data", data_},         {"kept", kept_},
        {"of", production_.name},       {"proof", recovery_.says},   {"sequences", sequences}};
    return note(Stage::prepared,
                fmt::format("its server is stopped, and it has the settings of {}; nothing has changed places yet",
                            production_.name));
}

Result<void> Promotion::require_fenced() {
    const Until until = within(short_work, stop_);
    const FenceLook fence = TRY(look_at_fence(production_.site.fence, production_.name, until.deadline));
    if (fence.fenced != Truth::yes)
        return Error{Fault::refused,
                     fmt::format("{} is not proved to be unable to write: {}", production_.name, fence.proof),
                     "its fence has to be up while the data change places"};
    if (TRY(server_.is_running(until)))
        return Error{Fault::refused, fmt::format("a server runs in {} behind its fence", data_)};
    return {};
}

Result<void> Promotion::swap() {
    TRY(check_not_exchanged());
    if (recovery_.stage != Stage::prepared && recovery_.stage != Stage::promoted)
        return Error{Fault::refused, fmt::format("{} is not prepared to be swapped in: it is {}", recovery_.name,
                                                 to_string(recovery_.stage))};
    Whereabouts where = TRY(whereabouts());
    if (recovery_.stage == Stage::promoted) {
        if (where == Whereabouts::in_place) return {};
        return Error{Fault::conflict, recovery_.name + " was swapped in, and is not where it was put"};
    }
    TRY(require_fenced());
    const auto head = TRY(ledger_head(recovery_, estate_));
    if (where == Whereabouts::beside) {
        TRY(take_out_erased());
        if (!TRY(control_of(copy_)).is_shut_down())
            return Error{Fault::refused, fmt::format("{} did not stop in order", recovery_.name)};
        TRY(check_directories());
        TRY(check_identity());
        TRY(rename_into_place(data_, kept_));
        where = TRY(whereabouts());
    }
    if (where == Whereabouts::aside) TRY(rename_into_place(copy_, data_));
    if (TRY(whereabouts()) != Whereabouts::in_place)
        return Error{Fault::conflict, fmt::format("{} is not where it was put", recovery_.name)};
    recovery_.proof["promotion"]["at"] = kedge::to_string(SystemClock{}.now());
    if (head) recovery_.proof["promotion"]["ledger_head"] = *head;
    return note(Stage::promoted, fmt::format("it is {} now; what that was is kept in {}", production_.name, kept_));
}

Result<void> Promotion::check_nobody_erased_since() const {
    const auto then = get_string(get(recovery_.proof, "promotion"), "ledger_head");
    const auto now = TRY(ledger_head(recovery_, estate_));
    if (!then || !now || *then == *now) return {};
    return Error{Fault::refused,
                 fmt::format("the erasure ledger has gone on since {} was swapped in, and what was production may hold "
                             "people who were erased meanwhile",
                             recovery_.name),
                 "with --though-erased it is put back: take them out of it before anybody may use it"};
}

Result<void> Promotion::put_back(bool though_erased) {
    TRY(check_not_exchanged());
    if (recovery_.stage != Stage::prepared && recovery_.stage != Stage::promoted)
        return Error{Fault::refused, fmt::format("{} stands beside production", recovery_.name)};
    Whereabouts where = TRY(whereabouts());
    if (where != Whereabouts::beside) {
        TRY(require_fenced());
        if (!though_erased) TRY(check_nobody_erased_since());
    }
    if (where == Whereabouts::in_place) {
        TRY(rename_into_place(data_, copy_));
        where = TRY(whereabouts());
    }
    if (where == Whereabouts::aside) TRY(rename_into_place(kept_, data_));
    if (TRY(whereabouts()) != Whereabouts::beside)
        return Error{Fault::conflict, fmt::format("{} is not where it was put", recovery_.name)};
    TRY(ensure_copy_runs());
    const std::string says = get_string(get(recovery_.proof, "promotion"), "proof").value_or("");
    recovery_.proof.erase("promotion");
    return note(Stage::recovered, says);
}

}  // namespace kedge::recover
