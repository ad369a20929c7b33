// Walks an RDB file from its magic to its end mark. Layout: redis/src/rdb.c and rdb.h, versions 1 to 12.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "verify/redis/intake.h"
#include "verify/redis/rdb.h"

namespace kedge::verify {

// One for each file. Belongs to one thread.
class RdbWalk {
public:
    // `now` decides which keys have expired; the `biggest_max` biggest keys are named.
    RdbWalk(Intake& intake, Moment now, std::size_t biggest_max)
        : intake_(intake), now_ms_(now.time_since_epoch().count() / 1000), biggest_max_(biggest_max) {}

    // Goes on until behind the checksum, or to a fault. What is found in containers is in the intake's findings.
    RdbSummary walk() &&;

private:
    // The functions below answer false after they noted a fault.
    struct Text {
        enum class Form { plain, number, packed };
        Form form{};
        std::uint64_t bytes = 0;     // in the file
        std::uint64_t unpacked = 0;  // of what it stands for
    };

    bool magic();
    bool body();
    bool opcode(unsigned code, bool& at_end);
    bool checksum();

    bool auxiliary();
    bool function_library();
    bool module_field();
    bool select_database();
    bool size_hints();

    bool key_and_value(ValueType type);
    bool value(ValueType type);
    bool elements(std::size_t texts_each, std::size_t bytes_each);
    bool sorted_set_with_text_scores();
    bool sorted_set();
    bool text_score();
    bool quicklist();
    bool quicklist_2();
    bool hash_with_expiry();
    bool stream(unsigned layout);
    bool stream_group(unsigned layout);
    bool stream_pending(std::vector<std::pair<std::uint64_t, std::uint64_t>>& ids, bool& remembered);
    bool stream_consumer(unsigned layout, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& pending,
                         bool remembered);
    bool module_value();
    bool module_content();

    bool length(std::uint64_t& value);
    bool lengths(std::size_t count);
    bool text_head(Text& text);
    bool skip_text();
    bool read_text(std::string& into, std::size_t bytes_max);
    bool blob(Container container, Grouping grouping);
    bool skip(std::uint64_t count);
    bool need(std::size_t count) { return intake_.have(count) || ended(); }

    bool ended();
    bool wrong(std::string says, WalkFault::Kind kind = WalkFault::Kind::wrong);
    bool too_big(std::string says, std::uint64_t bytes);
    void remember_if_big(ValueType type);

    Intake& intake_;
    const std::int64_t now_ms_;
    const std::size_t biggest_max_;
    RdbSummary summary_;
    DatabaseTally* database_ = nullptr;
    std::uint64_t database_number_ = 0;
    std::int64_t expires_ms_ = -1;  // of the next key; -1: never
    std::uint64_t value_bytes_ = 0;
    bool is_empty_ = false;
    std::string key_;
    std::string scratch_;
};

}  // namespace kedge::verify
