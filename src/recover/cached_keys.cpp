#include "recover/cached_keys.h"

#include <fmt/format.h>

#include <charconv>

#include "verify/restore/own_redis.h"

namespace kedge::recover {
namespace {

constexpr std::string_view person_mark = "${person}";
constexpr Span sweep_limit = std::chrono::hours(2);

// The server runs them: no key, whatever bytes it has, needs to be read and sent back. Nobody waits for this server.
constexpr const char* drop_script = R"(redis.call('SELECT', ARGV[1])
local cursor, count = '0', 0
repeat
  local found = redis.call('SCAN', cursor, 'MATCH', ARGV[2], 'COUNT', 1000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do count = count + redis.call('UNLINK', key) end
until cursor == '0'
return count .. ' 0')";

// ARGV: database, pattern, where in the value the person stands, the persons.
constexpr const char* erase_script = R"(redis.call('SELECT', ARGV[1])
local erased = {}
for i = 4, #ARGV do erased[ARGV[i]] = true end
local cursor, count, unread = '0', 0, 0
repeat
  local found = redis.call('SCAN', cursor, 'MATCH', ARGV[2], 'COUNT', 1000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do
    local value = redis.pcall('GET', key)
    local is_json, holder = false, nil
    if type(value) == 'string' then is_json, holder = pcall(cjson.decode, value) end
    if not is_json then
      if value then unread = unread + 1 end
    else
      for part in string.gmatch(ARGV[3], '[^/]+') do
        if type(holder) == 'table' then holder = holder[part] else holder = nil end
      end
      if holder ~= nil and erased[tostring(holder)] then count = count + redis.call('UNLINK', key) end
    end
  end
until cursor == '0'
return count .. ' ' .. unread)";

struct Swept {
    std::uint64_t gone = 0, unread = 0;
};

Result<Swept> sweep(const std::string& directory, const std::vector<std::string>& databases, const char* script,
                    const std::vector<std::string>& words, const std::stop_token& stop) {
    Swept all;
    for (const std::string& database : databases) {
        std::vector<std::string> command = {"EVAL", script, "0", database};
        command.insert(command.end(), words.begin(), words.end());
        const std::string answer = TRY(verify::ask_own_redis(directory, command, sweep_limit, stop));
        Swept one;
        const char* const end = answer.data() + answer.size();
        const auto gone = std::from_chars(answer.data(), end, one.gone);
        if (gone.ec != std::errc() || gone.ptr == end ||
            std::from_chars(gone.ptr + 1, end, one.unread).ec != std::errc())
            return Error{Fault::corrupt, "the recovered copy answers " + answer};
        all.gone += one.gone;
        all.unread += one.unread;
    }
    return all;
}

// Removes, and looks again: a sweep that finds nothing proves it.
Result<std::uint64_t> sweep_out(const std::string& directory, const std::vector<std::string>& databases,
                                const char* script, const std::vector<std::string>& words,
                                const std::stop_token& stop) {
    const Swept first = TRY(sweep(directory, databases, script, words, stop));
    const Swept again = TRY(sweep(directory, databases, script, words, stop));
    if (first.unread > 0 || again.gone > 0)
        return Error{Fault::refused,
                     fmt::format("{} keys of `{}` hold nothing that says whose they are, {} came back", first.unread,
                                 words.front(), again.gone),
                     "drop them by a pattern, or make `personal-keys` fit"};
    return first.gone;
}

// In a pattern each of `*?[]\` stands for itself.
std::string quoted(const std::string& text) {
    std::string safe;
    for (const char c : text) {
        if (std::string_view("*?[]\\^-").find(c) != std::string_view::npos) safe += '\\';
        safe += c;
    }
    return safe;
}

Result<std::uint64_t> erase_by_name(const std::string& directory, const std::vector<std::string>& databases,
                                    const PersonalKeys& rule, const std::set<std::string>& people,
                                    const std::stop_token& stop) {
    std::uint64_t gone = 0;
    for (const std::string& person : people) {
        std::string pattern = rule.match;
        for (std::size_t at = pattern.find(person_mark); at != std::string::npos; at = pattern.find(person_mark, at)) {
            const std::string name = quoted(person);
            pattern.replace(at, person_mark.size(), name);
            at += name.size();
        }
        gone += TRY(sweep_out(directory, databases, drop_script, {pattern}, stop));
    }
    return gone;
}

}  // namespace

std::vector<std::string> databases_in(const Json& facts) {
    std::vector<std::string> numbers;
    for (const Json& database : get(facts, "databases"))
        numbers.push_back(std::to_string(get_integer(database, "number").value_or(0)));
    return numbers;
}

Result<std::map<std::string, std::uint64_t>> drop_keys(const std::string& directory,
                                                       const std::vector<std::string>& databases,
                                                       const std::vector<std::string>& patterns,
                                                       const std::stop_token& stop) {
    std::map<std::string, std::uint64_t> dropped;
    for (const std::string& pattern : patterns)
        dropped[pattern] = TRY(sweep_out(directory, databases, drop_script, {pattern}, stop));
    return dropped;
}

std::optional<std::vector<PersonalKeys>> personal_keys_of(const Target& cache) {
    if (get(cache.settings.json(), "personal-keys").is_null()) return std::nullopt;
    std::vector<PersonalKeys> rules;
    for (const Settings& rule : cache.settings.sections("personal-keys"))
        rules.push_back({rule.text("match").value_or(""), rule.text("holds").value_or("")});
    return rules;
}

Result<Erased> erase_keys(const std::string& directory, const std::vector<std::string>& databases, const Target& cache,
                          const ErasureLedger& ledger, const std::stop_token& stop) {
    if (const auto open = ledger.open_findings(); !open.empty())
        return Error{Fault::refused, fmt::format("finding {} of the erasure ledger is open", open.front().number),
                     "kedge erasure list shows it"};
    const std::set<std::string> people = ledger.erased();
    Erased erased{.ledger_head = ledger.head(), .subjects = people.size(), .held = ledger.held().size(), .rows = {}};
    if (people.empty()) return erased;
    const auto rules = personal_keys_of(cache);
    if (!rules)
        return Error{Fault::refused, fmt::format("the estate does not say which keys of {} are a person's", cache.name),
                     "say it under its `personal-keys`; an empty list says that none are"};
    for (const PersonalKeys& rule : *rules) {
        if (rule.match.find(person_mark) != std::string::npos) {
            erased.rows[rule.match] += TRY(erase_by_name(directory, databases, rule, people, stop));
            continue;
        }
        if (rule.holds.empty())
            return Error{Fault::refused,
                         fmt::format("`{}` of {} does not say whose keys they are", rule.match, cache.name),
                         "put ${person} into the pattern, or say with `holds` where the id stands"};
        std::vector<std::string> words = {rule.match, rule.holds};
        words.insert(words.end(), people.begin(), people.end());
        erased.rows[rule.match] += TRY(sweep_out(directory, databases, erase_script, words, stop));
    }
    return erased;
}

}  // namespace kedge::recover
