// Writes the seeds of the fuzz targets below a directory: what real servers wrote, and what was assembled for versions
// that are not at hand.
//
//     fuzz_seeds DIRECTORY
#include <fmt/format.h>

#include "archive_writer.h"
#include "real_dumps.h"
#include "seeds.h"
#include "verify/redis/rdb_samples_for_tests.h"

namespace kedge::verify {
namespace {

void add_packed(Seeds& seeds) {
    for (const Packing packing : {Packing::gzip, Packing::zlib, Packing::lz4, Packing::zstd})
        for (const std::string& plain : {std::string(), std::string("one row\tof text\n"), std::string(3000, 'a')})
            for (const Checksum checksum : {Checksum::absent, Checksum::present}) {
                const std::string packed = pack(packing, plain, checksum);
                seeds.add("unpack", std::string(1, static_cast<char>(packing)) + packed);
                seeds.add("unpack", std::string(1, static_cast<char>(5 + static_cast<int>(packing))) + packed + packed);
            }
}

void add_written(Seeds& seeds) {
    WrittenDump dump = sample_dump();
    dump.tables[0].text.resize(dump.tables[0].text.find('\n', 200) + 1);
    dump.objects = {{7, "large"}, {8, ""}};
    for (const int minor : {12, 14, 15, 16})
        for (const Packing packing : {Packing::none, Packing::gzip, Packing::lz4, Packing::zstd}) {
            if (minor < 15 && packing != Packing::none && packing != Packing::gzip) continue;
            dump.minor = minor;
            dump.packing = packing;
            for (const bool positions : {true, false}) {
                dump.positions = positions;
                seeds.add("dump_custom", custom_archive(dump));
            }
            const auto files = directory_dump(dump);
            seeds.add("dump_files", tar_of({files.begin(), files.end()}));
            seeds.add("dump_files", tar_dump(dump));
        }
}

void add_texts(Seeds& seeds) {
    const std::string end = "\\.\n\n\n";
    for (const std::string& text :
         {"1\tx\n2\t\\N\n" + end, "\n\n" + end, "a\\\\.\n\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x99\x82\n" + end, end,
          std::string("INSERT INTO public.t VALUES (1, 'a''b'),\n\t(2, NULL);\n\n\n")})
        for (const char columns : {'\0', '\1', '\2'}) seeds.add("dump_text", std::string{columns, '\7'} + text);
}

void add_snapshots(Seeds& seeds) {
    for (unsigned version = 6; version <= 12; ++version) seeds.add("rdb", everything_of(version).whole());
    seeds.add("aof", "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n#TS:1700000000\r\n*1\r\n$4\r\nPING\r\n");
    seeds.add("aof", "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n");
}

void add_real(Seeds& seeds) {
    const RealDatabase database;
    for (const Arguments& arguments :
         {Arguments{"-t", "onecolumn"}, Arguments{"-t", "part1", "--inserts"}, Arguments{"-t", "nocolumns", "-Z0"}}) {
        for (const char* format : {"-Fc", "-Ft"}) {
            if (std::string(format) == "-Ft" && arguments.back() == "-Z0") continue;
            Arguments all = arguments;
            all.insert(all.begin(), format);
            seeds.add(std::string(format) == "-Fc" ? "dump_custom" : "dump_files", database.dump(all));
        }
    }
}

}  // namespace
}  // namespace kedge::verify

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: fuzz_seeds DIRECTORY\n");
        return 3;
    }
    kedge::verify::Seeds seeds{argv[1]};
    kedge::verify::add_packed(seeds);
    kedge::verify::add_written(seeds);
    kedge::verify::add_texts(seeds);
    kedge::verify::add_snapshots(seeds);
    kedge::verify::add_real(seeds);
    kedge::verify::add_redis(seeds);
    kedge::verify::add_base_backup(seeds);
}
