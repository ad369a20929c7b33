// The corruption bench of Redis snapshots: files that a real server saved, beside redis-check-rdb.
//
//     rdb_corruption [SEED [SCALE]]        SCALE: a part of the full amounts, 0.1 for a tenth
#include <cstdlib>

#include "base/check.h"
#include "corruption.h"
#include "os/files.h"
#include "targets/redis/scratch_redis.h"

namespace kedge::verify {
namespace {

class Snapshots {
public:
    Snapshots() {
        for (int i = 0; i < 400; ++i) {
            const std::string n = std::to_string(i);
            ask({"SET", "text " + n, "value " + std::string(static_cast<std::size_t>(i % 90), 'v') + n});
            ask({"SET", "number " + n, std::to_string(i * 7919)});
            ask({"RPUSH", "list " + std::to_string(i % 7), "item " + n, n});
            ask({"HSET", "hash " + std::to_string(i % 5), "field " + n, n});
            ask({"SADD", "set " + std::to_string(i % 3), n});
            ask({"ZADD", "scores", n + ".25", "member " + n});
            ask({"XADD", "stream", "*", "field", n});
        }
        ask({"XGROUP", "CREATE", "stream", "readers", "0"});
    }

    std::string saved() const {
        ask({"SAVE"});
        return read_file(redis_.ask("one", {"CONFIG", "GET", "dir"}).substr(4) + "/dump.rdb").value();
    }
    void change() { ask({"SET", "changed", std::to_string(++changes_)}); }

private:
    void ask(const RedisCommand& command) const {
        const std::string answer = redis_.ask("one", command);
        check(!answer.starts_with("(error)"), "the server takes what it is told");
    }

    const ScratchRedis redis_{{.regions = {"one"}, .node_settings = {"appendonly no"}}};
    int changes_ = 0;
};

std::uint64_t run_all(std::uint64_t seed, double scale) {
    Snapshots snapshots;
    const Subject subject{
        "Redis 7.0, RDB with its checksum",
        {{"", snapshots.saved()}},
        [&] {
            snapshots.change();
            return BackupFiles{{"", snapshots.saved()}};
        },
        {kedge_checker(), kedge_checker_with_manifest(), program_checker("redis-check-rdb", {"redis-check-rdb"})}};
    std::string pattern = "/tmp/kedge-corruption-XXXXXX";
    check(mkdtemp(pattern.data()) != nullptr, "there is a place for temporary files");
    const std::uint64_t behind = corrupt(subject, part_of(scale), seed, pattern);
    check(remove_tree(pattern).has_value(), "what was made can be removed");
    return behind;
}

}  // namespace
}  // namespace kedge::verify

int main(int argc, char** argv) {
    const std::uint64_t seed = argc > 1 ? std::stoull(argv[1]) : 1;
    const double scale = argc > 2 ? std::stod(argv[2]) : 1;
    return kedge::verify::run_all(seed, scale) == 0 ? 0 : 15;
}
