// A real Redis and `kedge recover` itself keep the contract of recoveries of caches.
#include <filesystem>
#include <fstream>

#include "recover/own_recoveries.h"
#include "recover/recovery.h"
#include "recover/scratch_snapshots.h"
#include "targets/cache_recoveries_contract.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class OwnCacheRecoveriesWorld final : public CacheRecoveriesWorld {
public:
    OwnCacheRecoveriesWorld() {
        set_ledger(true);
        recoveries_ = std::make_unique<OwnRecoveries>(OwnRecoveriesSettings{
            .estate = redis_.estate, .state_directory = state_, .program = KEDGE_PROGRAM, .place = place_});
    }
    ~OwnCacheRecoveriesWorld() override {
        recoveries_.reset();
        for (const Recovery& one : kedge::recover::recoveries(state_).value_or(std::vector<Recovery>{}))
            EXPECT_TRUE(clear_directory(one, {}));
    }

    Recoveries& recoveries() override { return *recoveries_; }
    Moment now() const override { return SystemClock{}.now(); }
    void pass() override { wait_out(within(50ms)); }
    void set_ledger(bool readable) override {
        ASSERT_TRUE(write_file_atomically(redis_.ledger, readable ? "" : "nobody can read this\n"));
    }
    void end_copy(const std::string& name) override {
        const auto recovery = find_recovery(state_, name);
        ASSERT_TRUE(recovery);
        const auto at = recovery->address.rfind(':');
        ASSERT_TRUE(run_or_fail({"redis-cli", "-h", recovery->address.substr(0, at), "-p",
                                 recovery->address.substr(at + 1), "SHUTDOWN", "NOSAVE"},
                                within(30s)));
    }
    void add_keys(std::int64_t count) override {
        for (; count > 0; --count) redis_.group.ask("east", {"SET", fmt::format("data:{}", ++written_), "x"});
    }
    std::int64_t keys() override {
        const std::string says = redis_.group.ask("east", {"DBSIZE"});
        return std::stoll(says);
    }
    void flush() override { redis_.group.ask("east", {"FLUSHALL"}); }
    void snapshot() override {
        if (!newest_.empty()) ScratchSnapshots::await_the_next_second();
        newest_ = redis_.take(fmt::format("{}.rdb", ++taken_));
    }
    void damage_newest() override { fs::resize_file(newest_, fs::file_size(newest_) / 2); }
    void silence(bool silent) override {
        if (silent)
            redis_.group.freeze("east");
        else
            redis_.group.thaw("east");
    }

private:
    ScratchSnapshots redis_;
    const std::string state_ = redis_.directory.path() + "/state", place_ = redis_.directory.path() + "/place";
    std::int64_t written_ = 0, taken_ = 0;
    std::string newest_;
    std::unique_ptr<OwnRecoveries> recoveries_;
};

INSTANTIATE_TEST_SUITE_P(Own, CacheRecoveriesContract,
                         testing::Values([] { return std::make_unique<OwnCacheRecoveriesWorld>(); }));

}  // namespace
}  // namespace kedge::recover
