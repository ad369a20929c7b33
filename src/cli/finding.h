// Finds what commands work on: the estate, the plans beside it, the state directory with the journal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/context.h"
#include "estate/estate.h"
#include "journal/sqlite/sqlite_journal.h"
#include "plan/plan.h"

namespace kedge {

// Under which labs have their directories: what `lab:` of an estate is below.
std::string lab_root();

// --estate, else $KEDGE_ESTATE, else $XDG_CONFIG_HOME/kedge/estate.yaml, else /etc/kedge/estate.yaml.
Result<std::string> find_estate_file(const Context& context);
Result<Parsed<Estate>> read_estate(const Context& context);
// The same for commands that need it whole: the message lists every mistake.
Result<Estate> find_estate(const Context& context);

// Files *.yaml of the plans' directory that hold a plan, sorted. The directory: --plans, else $KEDGE_PLANS, else
// where the estate lies.
Result<std::vector<std::string>> find_plan_files(const Context& context);
// `name` as a path if it has a slash or ends in .yaml, else as the name of a plan in the plans' directory.
Result<std::string> find_plan_file(const Context& context, const std::string& name);
Result<Parsed<Plan>> read_plan(const std::string& path);
Result<Plan> find_plan(const Context& context, const std::string& name);

// --state, else $KEDGE_STATE, else the directory of the lab that the estate belongs to, else `state_directory`.
Result<std::string> find_state_directory(const Context& context);
// The same without regard to a lab: what outlives it, as reports do.
Result<std::string> find_lasting_directory(const Context& context);
// For reading: null if there is no journal yet, which for most commands is an empty one.
Result<std::unique_ptr<SqliteJournal>> journal_to_read(const Context& context);
// For reading a run that must be there: not_found if there is no journal.
Result<std::unique_ptr<SqliteJournal>> journal_with_runs(const Context& context);
Result<std::unique_ptr<SqliteJournal>> journal_to_write(const Context& context);

}  // namespace kedge
