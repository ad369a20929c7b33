// The groups of commands, a file each.
#pragma once

#include <vector>

#include "cli/command.h"

namespace kedge {

std::vector<Command> status_commands();      // status
std::vector<Command> check_commands();       // check, run preview, access explain
std::vector<Command> run_start_commands();   // run start, resume, watch
std::vector<Command> run_list_commands();    // run list, show
std::vector<Command> run_decide_commands();  // run approve, confirm, waive, done, reject, withdraw, pause, cancel, ...
std::vector<Command> run_report_commands();  // run report
std::vector<Command> drill_commands();       // drill start, list, report
std::vector<Command> watch_commands();       // watch
std::vector<Command> schedule_commands();    // schedule install, list, remove
std::vector<Command> schedule_run_commands();      // schedule run, overdue
std::vector<Command> plan_commands();              // plan list, show, validate, schema
std::vector<Command> plan_test_commands();         // plan test, drill tabletop
std::vector<Command> estate_commands();            // estate show, check, schema
std::vector<Command> lab_commands();               // lab up, status, break, heal, down
std::vector<Command> journal_commands();           // journal verify, show, export
std::vector<Command> verify_commands();            // verify
std::vector<Command> backup_commands();            // backup window
std::vector<Command> policy_commands();            // backup list, create, verify, prune
std::vector<Command> recover_restore_commands();   // recover restore
std::vector<Command> recover_redis_commands();     // recover redis, keep
std::vector<Command> recover_pitr_commands();      // recover pitr
std::vector<Command> recover_best_commands();      // recover best
std::vector<Command> recover_stranded_commands();  // recover stranded
std::vector<Command> recover_commands();           // recover list, show, erase, discard
std::vector<Command> recover_data_commands();      // recover compare, extract
std::vector<Command> recover_promote_commands();   // recover promote, put-back
std::vector<Command> erasure_commands();           // erasure add, hold, release, pull, acknowledge, list, verify
std::vector<Command> doctor_commands();            // doctor
std::vector<Command> about_commands();             // version, completion, help

}  // namespace kedge
