#include "company.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <random>

#include "base/check.h"
#include "os/clock.h"

namespace kedge::verify {
namespace {

class Words {
public:
    Words() {
        constexpr const char* syllables[] = {"de", "ra",  "to", "in", "ment", "al", "con", "ver", "sa",  "li",
                                             "no", "per", "tu", "ic", "ex",   "or", "an",  "the", "ing", "qua"};
        std::mt19937 random(7);
        for (int i = 0; i < 8000; ++i) {
            std::string word;
            for (unsigned n = 1 + random() % 4; n > 0; --n) word += syllables[random() % std::size(syllables)];
            words_.push_back(word);
        }
    }

    // A word whose rank is distributed as words of a language are: the n-th about 1/n as often as the first.
    const std::string& next() {
        const double share = std::uniform_real_distribution<double>(0, 1)(random_);
        return words_[static_cast<std::size_t>(std::pow(static_cast<double>(words_.size()), share)) - 1];
    }

    std::string text(std::size_t bytes) {
        std::string text;
        while (text.size() < bytes) {
            text += next();
            text += random_() % 12 == 0 ? ". " : " ";
        }
        return text;
    }

    std::string digest() {
        return fmt::format("{:016x}{:016x}{:016x}{:016x}", random_(), random_(), random_(), random_());
    }
    std::uint64_t number(std::uint64_t below) { return random_() % below; }
    std::string time() {
        return fmt::format("2026-{:02}-{:02} {:02}:{:02}:{:02}.{:06}+00", 1 + number(12), 1 + number(28), number(24),
                           number(60), number(60), number(1'000'000));
    }

private:
    std::vector<std::string> words_;
    std::mt19937_64 random_{11};
};

struct Table {
    const char* name;
    const char* columns;
    double share;  // of all bytes
    std::function<std::string(Words&, std::uint64_t)> row;
};

const std::vector<Table>& tables() {
    static const std::vector<Table> all{
        {"users", "id bigint primary key, email text not null, name text, created timestamptz, settings text", 0.04,
         [](Words& words, std::uint64_t id) {
             return fmt::format("{}\t{}.{}@example.com\t{} {}\t{}\t{}", id, words.next(), id, words.next(),
                                words.next(), words.time(), words.number(3) == 0 ? "\\N" : words.text(40));
         }},
        {"debates", "id bigint primary key, topic text, transcript text, rounds int, created timestamptz", 0.27,
         [](Words& words, std::uint64_t id) {
             return fmt::format("{}\t{}\t{}\t{}\t{}", id, words.text(60), words.text(1500 + words.number(6000)),
                                words.number(9), words.time());
         }},
        {"audit_logs", "id bigint, at timestamptz, actor bigint, action text, target text, digest text", 0.25,
         [](Words& words, std::uint64_t id) {
             return fmt::format("{}\t{}\t{}\t{}.{}\t{}\t{}", id, words.time(), words.number(300'000), words.next(),
                                words.next(), words.text(40), words.digest());
         }},
        {"decision_receipts", "id bigint, debate bigint, verdict text, digest text, signature text", 0.1,
         [](Words& words, std::uint64_t id) {
             return fmt::format("{}\t{}\t{}\t{}\t{}", id, words.number(200'000), words.text(120), words.digest(),
                                words.digest());
         }},
        {"knowledge_nodes", "id bigint, title text, body text, weights real[], created timestamptz", 0.34,
         [](Words& words, std::uint64_t id) {
             std::string weights;
             for (int i = 0; i < 16; ++i)
                 weights += fmt::format("{}0.{:06}", i == 0 ? "" : ",", words.number(1'000'000));
             return fmt::format("{}\t{}\t{}\t{{{}}}\t{}", id, words.text(50), words.text(300 + words.number(1200)),
                                weights, words.time());
         }}};
    return all;
}

}  // namespace

void make_company(const ScratchDirectory& directory, const ScratchServer& server, std::uint64_t bytes) {
    Words words;
    for (const Table& table : tables()) {
        const std::string path = directory.path() + "/" + table.name + ".copy";
        directory.run({"tee", path}, "");
        std::ofstream file(path);
        const auto wanted = static_cast<std::uint64_t>(table.share * static_cast<double>(bytes));
        std::uint64_t written = 0;
        for (std::uint64_t id = 1; written < wanted; ++id) {
            const std::string row = table.row(words, id) + "\n";
            file << row;
            written += row.size();
        }
        file.close();
        check(file.good(), "there is room for the data of a benchmark");
        server.sql(fmt::format("CREATE TABLE {} ({})", table.name, table.columns));
        const auto copied = run_or_fail({std::string(scratch_bin_directory) + "/psql", "-q", "-d", server.conninfo(),
                                         "-c", fmt::format("COPY {} FROM '{}'", table.name, path)},
                                        within(std::chrono::minutes{10}));
        check(copied.has_value(), copied ? "" : copied.error().message);
        directory.run({"rm", "--", path});
    }
}

}  // namespace kedge::verify
