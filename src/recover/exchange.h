// A recovered copy brought into production's running server as a database beside the one that is there, and exchanged
// with it by name.
//
// Unlike a promotion (promote.h) the server goes on: its standbys, its archive, its timeline and its other databases
// stay as they are. So it takes any copy, that of a dump too, and a server on another machine. The copy is loaded as
// LIVE_from_NAME; the exchange renames LIVE to LIVE_before_NAME and LIVE_from_NAME to LIVE in one transaction. Which
// names there are says how far it has come.
//
// Every step looks at what is there before it acts, so that the same call goes on after a crash anywhere. Whoever calls
// holds the recovery's lock.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "estate/estate.h"
#include "recover/copy_database.h"
#include "recover/databases.h"
#include "recover/recovery.h"

namespace kedge::recover {

// What the copy is called beside `live`, and what `live` is called after it.
std::string loaded_name(const std::string& live, const std::string& recovery);
std::string replaced_name(const std::string& live, const std::string& recovery);

// Of one that was loaded or exchanged: it stands beside production again, and its databases in the running server are
// nobody's any more.
Result<void> leave_databases(const std::string& state_directory, Recovery& recovery);

struct ExchangeOptions {
    std::optional<std::string> region{};  // where the primary is expected; nothing: wherever
    std::size_t threads = 1;
    std::stop_token stop{};
    std::function<void(const std::string& step)> on_step{};
};

class Exchange {
public:
    // All outlive this; `recovery` is written down as it changes.
    Exchange(std::string state_directory, const Estate& estate, Recovery& recovery, const Target& target,
             ExchangeOptions options);

    // Whether it could be, by looking only. refused with the reason:
    // - the copy may not be used or did not end where it was asked to, or was prepared for a promotion;
    // - nobody or several take writes, or the one in another region than was expected;
    // - the server is of an older major version than the copy, or something is bound to the database that is there (a
    //   replication slot, a prepared transaction, a subscription);
    // - a name of an earlier exchange is taken.
    Result<void> check();
    // Of one that passed `check`, in words: which database its place would be, and what would become of that.
    Result<std::string> place();
    // `check`, then: erased people are taken out once more, and the copy is copied into the running server under the
    // name LIVE_from_NAME, from table to table (copy_database.h), and analyzed; every table has to have as many rows
    // in it as in the copy, or it is dropped again. What is there serves meanwhile.
    Result<void> load();
    // Of one that is loaded: who was erased since is taken out of it, sequences move on behind what production has
    // given out, nobody gets into LIVE any more, and the names change at one moment. Owner, rights and settings of LIVE
    // are the new one's. A LIVE that is not there (it was dropped) leaves nothing to keep. If the names cannot change,
    // LIVE is opened again.
    Result<void> swap();
    // The way back. What was loaded is dropped; after the exchange LIVE is the one from before again, and the other,
    // with all that was written to it, is LIVE_from_NAME. Who was erased meanwhile is taken out of the one from before,
    // and its sequences move on behind what LIVE has given out.
    Result<void> put_back();
    // What it left in the server is dropped, so that the recovery can be discarded: of one that was exchanged what
    // LIVE was before. conflict if it was exchanged and that was not written down: `swap` does.
    Result<void> remove_databases();

private:
    enum class Whereabouts { not_loaded, beside, in_place };
    Result<Whereabouts> whereabouts();
    Result<void> find_server();
    Result<void> require_free_names(const std::set<std::string>& there) const;
    std::string moving() const;  // a directory, for what of the copy goes by files
    Result<CopiedDatabase> copy_over() const;
    Result<std::string> to_load_by() const;
    Result<void> compare_counts(const CopiedDatabase& copied) const;
    Result<void> check_space(const backup::PostgresServer& copy) const;
    Result<void> drop_loading();
    Result<void> move_sequences(const std::string& behind);
    Result<void> take_out_erased_since();
    Result<void> bring_up_to_date();
    Result<void> rename(const std::vector<Renaming>& renamings, const std::string& like);
    Result<void> change_names(const std::vector<Renaming>& renamings, const std::string& like);
    Result<void> reopen();
    Result<void> check_open();
    Error keep_closed(Error error);
    bool was_closed() const;
    Result<void> note_loaded();
    bool replaces() const;
    void tell(const std::string& step) const;
    Result<void> note(Stage stage, const std::string& says);

    const std::string state_;
    const Estate& estate_;
    Recovery& recovery_;
    const Target& target_;
    const ExchangeOptions options_;
    std::optional<Databases> server_;
    std::string region_;
    const std::string live_, from_, before_, loading_;
};

}  // namespace kedge::recover
