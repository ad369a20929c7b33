#include "os/files.h"
#include "seeds.h"
#include "targets/postgres/scratch_cluster.h"
#include "targets/redis/scratch_redis.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
    return read_file(path.string(), std::size_t{64} << 20).value();
}

// Its first files, so that it fits: its own checksum is wrong then, and all else is as it was.
std::string shortened_manifest(const std::string& manifest) {
    const std::string beginning = manifest.substr(0, manifest.rfind(",\n", 4000));
    return beginning + manifest.substr(manifest.rfind("\n],"));
}

}  // namespace

void add_redis(Seeds& seeds) {
    const ScratchRedis redis(
        {.regions = {"one"}, .node_settings = {"appendonly yes", "aof-timestamp-enabled yes", "appendfsync always"}});
    for (int i = 0; i < 40; ++i) {
        const std::string n = std::to_string(i);
        for (const RedisCommand& command :
             {RedisCommand{"SET", "key" + n, std::string(static_cast<std::size_t>(i) * 5, 'v')},
              {"RPUSH", "list", n},
              {"SADD", "numbers", n},
              {"HSET", "hash", "field" + n, n},
              {"ZADD", "scores", n + ".5", "member" + n},
              {"XADD", "stream", "*", "field", n},
              {"EXPIRE", "key" + n, "86400"}})
            (void)redis.ask("one", command);
    }
    (void)redis.ask("one", {"XGROUP", "CREATE", "stream", "readers", "0"});
    (void)redis.ask("one", {"SAVE"});
    const fs::path directory = redis.ask("one", {"CONFIG", "GET", "dir"}).substr(4);
    seeds.add("rdb", content(directory / "dump.rdb"));
    for (const auto& file : fs::directory_iterator(directory / "appendonlydir"))
        seeds.add(file.path().extension() == ".rdb" ? "rdb" : "aof", content(file.path()));
}

void add_base_backup(Seeds& seeds) {
    const ScratchDirectory directory;
    const auto server = ScratchServer::initialize(directory, "seeds");
    server->start();
    server->sql("CREATE TABLE seeds AS SELECT g AS id, 'row ' || g AS says FROM generate_series(1, 100) g");
    for (const char* algorithm : {"SHA256", "CRC32C", "NONE"}) {
        const fs::path path = fs::path(directory.path()) / algorithm;
        directory.run({std::string(scratch_bin_directory) + "/pg_basebackup", "-D", path.string(), "-d",
                       server->conninfo(), "-c", "fast", "--no-sync",
                       fmt::format("--manifest-checksums={}", algorithm)});
        seeds.add("base_files", std::string(1, '\0') + shortened_manifest(content(path / "backup_manifest")));
        seeds.add("base_files", "\1" + content(path / "global" / "pg_control"));
        seeds.add("base_files", "\2" + content(path / "backup_label"));
        const std::string tar = path.string() + ".tar";
        directory.run({"tar", "-b", "1", "-C", path.string(), "-cf", tar, "backup_label", "PG_VERSION",
                       "global/pg_control", "global/pg_filenode.map"});
        seeds.add("base_files", "\4" + content(tar));
        for (const auto& file : fs::directory_iterator(path / "pg_wal"))
            if (file.is_regular_file()) seeds.add("wal", content(file.path()));
    }
    seeds.add("base_files", "\00316385 /var/lib/spaces/one\n");
}

}  // namespace kedge::verify
