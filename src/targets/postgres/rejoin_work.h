// Makes a stopped server a standby of another, step by step, so that a crash at any step leaves a state from which
// the same call goes on.
//
// Beside the data directory D lie, while it lasts (and only then):
//     D.kedge-rejoin    how far it got, in a word (see Stage)
//     D.kedge-kept      the server's own settings and logs: pg_rewind and pg_basebackup bring the other server's
//     D.kedge-old       the old data directory while a base backup is made and until the new standby streams
//     D.kedge-passfile  a password for pg_rewind
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "targets/database.h"
#include "targets/postgres/host_server.h"

namespace kedge {

class RejoinWork {
public:
    // `report` gets the progress in words.
    RejoinWork(HostServer& own, HostServer& primary, RejoinBy by, std::function<void(std::string)> report);

    // Whether it can be done, by looking only: refused with the reason when not. A rewind that was cut short has left
    // a data directory that nothing but a base backup repairs: from then on that is what is done.
    Result<void> check(Moment deadline);
    // Does it; returns when the new standby has received from its primary. The fence comes down when the data directory
    // is a standby's. Ends early with an error when `stop` is requested.
    Result<void> carry_out(std::stop_token stop);

private:
    enum class Stage {
        none,
        rewinding,  // pg_rewind may have begun to change the data directory
        copying,    // the old data directory is, or is about to be, D.kedge-old
        ready,      // the data directory is a standby's
    };
    Result<Stage> read_stage(const Until& until) const;
    Result<void> write_stage(Stage stage, const Until& until) const;
    Result<void> check_primary(Moment deadline);
    Result<void> check_own(Moment deadline) const;
    Result<void> check_room(Moment deadline);

    Until short_work() const;
    Until long_work() const;
    Result<void> await_earlier_tools();
    Result<void> keep_settings() const;
    Result<void> put_settings_back() const;
    Result<void> move_logs(const std::string& from, const std::string& to) const;
    Result<void> rewind();
    Result<void> copy();
    Result<void> run_pg_basebackup();
    Result<void> put_old_back(Stage before) const;
    Result<void> become_standby();
    Result<void> ensure_slot();
    Result<void> await_stream();
    Result<void> clean_up() const;
    Result<std::string> rewind_source() const;
    // Where its settings are when they are not in the data directory; else "".
    std::string config_file() const;
    // The value of a setting as the stopped server would read it; "" when it cannot.
    std::string setting(const std::string& name) const;

    std::string beside(const char* what) const { return data_ + ".kedge-" + what; }
    Result<RunOutput> run_telling(const Arguments& arguments, const std::string& what) const;

    HostServer& own_;
    HostServer& primary_;
    const ServerHost& machine_;
    const std::string data_;
    RejoinBy by_;
    const std::function<void(std::string)> report_;
    std::stop_token stop_;
};

}  // namespace kedge
