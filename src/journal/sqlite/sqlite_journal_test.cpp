#include "journal/sqlite/sqlite_journal.h"

#include "journal/sqlite/sqlite_world.h"

namespace kedge {
namespace {

std::unique_ptr<JournalWorld> make_sqlite_world() {
    return std::make_unique<SqliteWorld>();
}
INSTANTIATE_TEST_SUITE_P(Sqlite, JournalContract, testing::Values(&make_sqlite_world));

}  // namespace
}  // namespace kedge
