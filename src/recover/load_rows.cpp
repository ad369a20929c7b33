#include "recover/load_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <iterator>
#include <mutex>
#include <thread>

#include "backup/sql_text.h"
#include "base/check.h"
#include "recover/binary_rows.h"
#include "recover/sql_session.h"
#include "targets/postgres/copy_in.h"

namespace kedge::recover {
namespace {

// Fits the second-level cache with what is being inflated.
constexpr std::size_t read_bytes = 256 << 10;
using verify::text_end;

std::uint64_t count_lines(std::string_view text) {
    std::uint64_t lines = 0;
    for (const char* at = text.data(); at != nullptr; ++lines) {
        at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(text.end() - at)));
        if (at == nullptr) break;
        ++at;
    }
    return lines;
}

std::string name_of(const verify::TableText& table) {
    return table.schema + "." + table.table;
}

// The rows of a text, many at a time and each of them whole. What ends it is taken off.
class RowPieces {
public:
    explicit RowPieces(verify::ByteStream& text) : text_(text), buffer_(2 * read_bytes, '\0') {}

    // Empty behind the last row.
    Result<std::string_view> next() {
        std::memmove(buffer_.data(), buffer_.data() + given_, filled_ - given_);
        filled_ -= given_;
        given_ = 0;
        while (!is_over_) {
            if (buffer_.size() - filled_ < read_bytes) buffer_.resize(2 * buffer_.size());
            const auto room = std::as_writable_bytes(std::span(buffer_).subspan(filled_, read_bytes));
            const std::size_t count = TRY(text_.read(room));
            filled_ += count;
            is_over_ = count < room.size();
            if (is_over_) break;
            const std::size_t last = std::string_view(buffer_.data(), filled_ - text_end.size()).rfind('\n');
            if (last == std::string_view::npos) continue;
            given_ = last + 1;
            return std::string_view(buffer_.data(), given_);
        }
        if (filled_ == 0) return std::string_view();
        const std::string_view rest(buffer_.data(), filled_);
        if (!rest.ends_with(text_end)) return Error{Fault::corrupt, "its rows do not end as they should"};
        given_ = filled_;
        return rest.substr(0, rest.size() - text_end.size());
    }

private:
    verify::ByteStream& text_;
    std::vector<char> buffer_;
    std::size_t filled_ = 0, given_ = 0;
    bool is_over_ = false;
};

class Loading {
public:
    Loading(const ServerAccess& access, const verify::RowTexts& texts, FilterPlan& plan, const LoadRowsOptions& options)
        : access_(access),
          texts_(texts),
          plan_(plan),
          options_(options),
          is_begun_(texts.tables().size()),
          is_scanned_(texts.tables().size()),
          is_known_(texts.tables().size()),
          weight_(texts.tables().size()) {
        check(plan.tables.empty() || plan.tables.size() == texts.tables().size(), "a plan is about its own dump");
        for (std::size_t i = 0; i < weight_.size(); ++i) {
            weigh(i);
            is_known_[i] = !gives(i);
        }
        for (const verify::TableText& table : texts.tables()) bytes_ += table.bytes;
    }

    Result<LoadedRows> run() {
        const std::stop_callback on_stop(options_.until.stop, [this] { stop_.request_stop(); });
        {
            std::vector<std::jthread> workers;
            for (std::size_t i = 0; i < std::min(std::max<std::size_t>(options_.threads, 1), weight_.size()); ++i)
                workers.emplace_back([this] { work(); });
        }
        if (error_) return *error_;
        return std::move(loaded_);
    }

private:
    const TableFilter* filter_of(std::size_t table) const {
        return plan_.tables.empty() ? nullptr : &plan_.tables[table];
    }

    // Of a table: its own bytes and those of the longest way through tables that wait for it.
    std::uint64_t weigh(std::size_t table) {
        if (weight_[table] > 0) return weight_[table];
        std::uint64_t longest = 0;
        for (std::size_t other = 0; other < plan_.tables.size(); ++other)
            if (std::ranges::count(plan_.tables[other].waits_for, table) > 0) longest = std::max(longest, weigh(other));
        return weight_[table] = texts_.tables()[table].bytes + longest + 1;
    }

    void work() {
        const auto done = [this]() -> Result<void> {
            CopyIn copy = TRY(connect());
            while (const auto job = next()) {
                if (job->key)
                    TRY(build(*job->key));
                else
                    TRY((job->is_scan ? scan(job->table) : load(copy, job->table))
                            .within(name_of(texts_.tables()[job->table])));
            }
            return {};
        }();
        if (done) return;
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = done.error();
        stop_.request_stop();
        changed_.notify_all();
    }

    Result<CopyIn> connect() const {
        CopyIn copy(TRY(CopyLink::open(access_, Until(options_.until.deadline, stop_.get_token()), options_.settings)));
        // As pg_restore sets them (_doSetFixedOutputState of pg_backup_archiver.c).
        TRY(
            copy.execute("SET standard_conforming_strings = on; SET check_function_bodies = off; "
                         "SET xmloption = content; SET row_security = off; SET client_min_messages = warning; "
                         "SET search_path = ''; SET synchronous_commit = off"));
        if (!texts_.encoding().empty()) TRY(copy.execute("SET client_encoding = " + sql_literal(texts_.encoding())));
        return copy;
    }

    struct Job {
        std::size_t table = 0;
        bool is_scan = false;               // the table is only read, for what others ask about it
        std::optional<std::int64_t> key{};  // that is to be built; nothing: the table is to be loaded
    };
    // First what others wait for, else the heaviest table of those that wait for none, else a key; waits until there
    // is one of them. Nothing once all tables have begun and no key can be built beside one, or one failed.
    std::optional<Job> next() {
        std::unique_lock lock(mutex_);
        for (;;) {
            if (error_) return std::nullopt;
            if (const auto table = heaviest(is_scanned_, [this](std::size_t i) { return gives(i) ? weight_[i] : 0; })) {
                is_scanned_[*table] = true;
                return Job{.table = *table, .is_scan = true};
            }
            if (const auto table =
                    heaviest(is_begun_, [this](std::size_t i) { return texts_.tables()[i].bytes + 1; })) {
                is_begun_[*table] = true;
                ++loading_;
                return Job{.table = *table};
            }
            if (loading_ > 0 && !keys_.empty()) {
                const std::int64_t key = keys_.front();
                keys_.pop_front();
                return Job{.key = key};
            }
            const bool is_one_left = std::ranges::count(is_begun_, false) > 0;
            if (!is_one_left && (loading_ == 0 || !options_.build)) return std::nullopt;
            changed_.wait(lock);
        }
    }

    // Of those that are not in `begun` and wait for none; 0: it is none of those.
    template <class Weight>
    std::optional<std::size_t> heaviest(const std::vector<bool>& begun, const Weight& weight) const {
        std::optional<std::size_t> best;
        std::uint64_t most = 0;
        for (std::size_t i = 0; i < begun.size(); ++i)
            if (!begun[i] && is_ready(i) && weight(i) > most) {
                best = i;
                most = weight(i);
            }
        return best;
    }
    bool gives(std::size_t table) const {
        const TableFilter* filter = filter_of(table);
        return filter != nullptr && !filter->gives.empty();
    }
    bool is_ready(std::size_t table) const {
        const TableFilter* filter = filter_of(table);
        return filter == nullptr ||
               std::ranges::all_of(filter->waits_for, [&](std::size_t other) { return is_known_[other]; });
    }

    // To read rows and send none is quick: nobody waits for the loading of a table, only for what stays behind of it.
    Result<void> scan(std::size_t index) {
        const auto text = TRY(texts_.open(texts_.tables()[index]));
        const TableFilter& filter = *filter_of(index);
        RowFilter rows(filter.rules);
        TRY(pass_lines(*text, &rows, [](std::string_view) { return Result<void>{}; }));
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < filter.gives.size(); ++i) plan_.sets[filter.gives[i]].merge(rows.keys()[i]);
        is_known_[index] = true;
        changed_.notify_all();
        return {};
    }

    Result<void> build(std::int64_t key) {
        TRY(options_.build(key, stop_.get_token()));
        const std::lock_guard lock(mutex_);
        loaded_.built.insert(key);
        return {};
    }

    Result<void> load(CopyIn& copy, std::size_t index) {
        const verify::TableText& table = texts_.tables()[index];
        const auto text = TRY(texts_.open(table));
        TRY(copy.execute("BEGIN"));
        if (table.is_alone)
            TRY(copy.execute(fmt::format("TRUNCATE ONLY {}.{}", sql_name(table.schema), sql_name(table.table))));
        TRY(copy.begin(fmt::format("COPY {} FROM STDIN WITH (FORMAT {}{})", table.target,
                                   table.is_binary ? "binary" : "text", table.is_alone ? ", FREEZE" : "")));
        const TableFilter* filter = filter_of(index);
        const bool is_filtered = filter != nullptr && !filter->is_idle();
        check(!is_filtered || !table.is_binary, "what is filtered is text");
        RowFilter rows(filter == nullptr ? RowRules{} : filter->rules);
        const auto fill = [&](std::string_view some) { return copy.fill(some); };
        const std::uint64_t read =
            TRY(table.is_binary ? pass_binary(copy, *text) : pass_lines(*text, is_filtered ? &rows : nullptr, fill));
        const std::uint64_t taken = TRY(copy.end());
        TRY(copy.execute("COMMIT"));
        if (taken + rows.dropped() != read)
            return Error{Fault::corrupt, fmt::format("{} rows were read, {} stayed behind, and the server took {}",
                                                     read, rows.dropped(), taken)};
        finish(index, rows, read, taken);
        return {};
    }

    // All of them, and to `take` what goes on; how many there were.
    Result<std::uint64_t> pass_lines(verify::ByteStream& text, RowFilter* filter, const RowFilter::Take& take) {
        std::uint64_t read = 0;
        RowPieces pieces(text);
        for (auto piece = TRY(pieces.next()); !piece.empty(); piece = TRY(pieces.next())) {
            if (stop_.stop_requested()) return Error{Fault::unavailable, "called off"};
            read += count_lines(piece);
            TRY(filter == nullptr ? take(piece) : filter->pass(piece, take));
        }
        return read;
    }
    Result<std::uint64_t> pass_binary(CopyIn& copy, verify::ByteStream& stream) {
        std::vector<char> buffer(read_bytes);
        BinaryRows rows;
        for (std::size_t count = buffer.size(); count == buffer.size();) {
            if (stop_.stop_requested()) return Error{Fault::unavailable, "called off"};
            count = TRY(stream.read(std::as_writable_bytes(std::span(buffer))));
            const std::string_view piece(buffer.data(), count);
            TRY(rows.pass(piece));
            TRY(copy.fill(piece));
        }
        if (!rows.is_whole()) return Error{Fault::corrupt, "its rows do not end as they should"};
        return rows.count();
    }

    void finish(std::size_t index, RowFilter& rows, std::uint64_t read, std::uint64_t taken) {
        const std::string name = name_of(texts_.tables()[index]);
        const std::lock_guard lock(mutex_);
        loaded_.read[name] += read;
        loaded_.taken[name] += taken;
        if (rows.dropped() > 0) loaded_.dropped[name] += rows.dropped();
        if (rows.changed() > 0) loaded_.changed[name] += rows.changed();
        --loading_;
        if (options_.build && texts_.tables()[index].bytes >= options_.worth_building)
            std::ranges::copy(texts_.tables()[index].keys, std::back_inserter(keys_));
        done_bytes_ += texts_.tables()[index].bytes;
        if (options_.on_progress) options_.on_progress(done_bytes_, bytes_);
        changed_.notify_all();
    }

    const ServerAccess& access_;
    const verify::RowTexts& texts_;
    FilterPlan& plan_;  // its sets: guarded by the mutex, and read only by tables whose givers are known
    const LoadRowsOptions& options_;
    std::stop_source stop_;
    std::uint64_t bytes_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    // Guarded by the mutex.
    std::vector<bool> is_begun_, is_scanned_;  // somebody has begun
    std::vector<bool> is_known_;               // what stays behind of it
    std::vector<std::uint64_t> weight_;
    std::uint64_t done_bytes_ = 0;
    std::size_t loading_ = 0;        // tables that have begun and are not done
    std::deque<std::int64_t> keys_;  // that may be built
    LoadedRows loaded_;
    std::optional<Error> error_;
};

}  // namespace

Result<LoadedRows> load_rows(const ServerAccess& access, const verify::RowTexts& texts, FilterPlan& plan,
                             const LoadRowsOptions& options) {
    return Loading(access, texts, plan, options).run();
}

}  // namespace kedge::recover
