// Logins, debates and heartbeats: the requests that store or read rows.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "api.h"
#include "base/digest.h"
#include "os/clock.h"
#include "password.h"
#include "releases.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr int session_seconds = 3600;
constexpr Span read_limit = 2s;
constexpr std::size_t task_bytes_max = 4000;

Moment read_deadline() {
    return SystemClock{}.now() + read_limit;
}

ApiResponse answer_json(int status, const Json& json) {
    return {.status = status, .body = dump(json)};
}

void show_allowance(ApiResponse& response, const Allowance& allowance) {
    response.headers.emplace_back("X-RateLimit-Limit", std::to_string(allowance.limit));
    response.headers.emplace_back("X-RateLimit-Remaining", std::to_string(allowance.remaining));
}

// A JSON column, or null.
Json parsed(const std::optional<std::string>& text) {
    if (!text) return {};
    return parse_json(*text).value_or(Json{});
}

Json text_or_null(const std::optional<std::string>& text) {
    return text ? Json(*text) : Json();
}

// What the schema has to have for it depends on the release.
std::string insert_debate(const std::string& name) {
    const Release* const release = find_release(name);
    const bool writes = release != nullptr && release->writes_language();
    const std::string language = !writes                   ? ""
                                 : release->reads_locale() ? ", (SELECT locale FROM users WHERE id = $3)"
                                                           : ", 'en'";
    return fmt::format(
        "INSERT INTO debates (id, tenant_id, creator_id, task, status, agents, rounds{}) VALUES ($1, $2, "
        "$3, $4, 'created', $5, $6{}) ON CONFLICT (id) DO NOTHING",
        writes ? ", language" : "", language);
}

bool is_stream_name(const std::string& name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

}  // namespace

Api::Answer Api::login(const ApiRequest& request) {
    if (auto refusal = limit("login", request.client, config_.limits.login)) return std::move(*refusal);
    const Json body = TRY(parse_json(request.body));
    const auto email = get_string(body, "email");
    const auto password = get_string(body, "password");
    if (!email || !password) return Error{Fault::invalid_input, "email and password are required"};
    const Rows rows = TRY(database_.read({"SELECT id, tenant_id, password_hash, password_salt, name, role FROM users"
                                          " WHERE email = $1 AND is_active",
                                          {*email}},
                                         read_deadline()));
    // An unknown user costs the same work as a wrong password.
    const std::string salt = rows.empty() ? "" : rows[0][3].value_or("");
    const std::string hash = rows.empty() ? "" : rows[0][2].value_or("");
    if (!is_same_secret(hash_password(*password, salt), hash) || rows.empty())
        return Error{Fault::not_allowed, "Invalid email or password"};

    const Row& user = rows[0];
    const std::string token = new_token();
    const Json session{{"user_id", user[0].value_or("")}, {"tenant_id", user[1].value_or("")}};
    TRY(cache_.run({{"SET", "session:" + sha256_hex(token), dump(session), "EX", std::to_string(session_seconds)}})
            .within("session store"));
    // The login stands without this note: a database that takes no writes now must not forbid it.
    if (const auto pass = gate_.enter(Span{0}))
        (void)database_.write({{"UPDATE users SET last_login_at = now() WHERE id = $1", {user[0]}}},
                              SystemClock{}.now() + 100ms);
    return answer_json(
        200, {{"user",
               {{"id", text_or_null(user[0])},
                {"email", *email},
                {"name", text_or_null(user[4])},
                {"org_id", text_or_null(user[1])},
                {"role", text_or_null(user[5])}}},
              {"token", token},
              {"tokens", {{"access_token", token}, {"token_type", "Bearer"}, {"expires_in", session_seconds}}}});
}

Api::Answer Api::create_debate(const ApiRequest& request) {
    const Caller caller = TRY(identify(request));
    Allowance allowance;
    if (auto refusal = limit("create", caller.bucket, config_.limits.create, &allowance)) return std::move(*refusal);
    const Json body = TRY(parse_json(request.body));
    const auto question = get_string(body, "question");
    const auto task = question ? question : get_string(body, "task");
    if (!task || task->empty() || task->size() > task_bytes_max)
        return Error{Fault::invalid_input, fmt::format("question must have 1 to {} bytes", task_bytes_max)};
    const auto rounds = get(body, "rounds").is_null() ? std::optional<std::int64_t>{3} : get_integer(body, "rounds");
    if (!rounds || *rounds < 1 || *rounds > 20) return Error{Fault::invalid_input, "rounds must be 1 to 20"};
    const Json& agents = get(body, "agents");

    // The key, a client's or one made here, is what makes it safe to write again after a lost answer.
    const std::string key =
        request.idempotency_key.empty() ? new_token() : caller.user_id + "/" + request.idempotency_key;
    const std::string id = "deb_" + sha256_hex(key).substr(0, 24);
    const std::optional<std::string> creator =
        caller.user_id.empty() ? std::nullopt : std::optional<std::string>(caller.user_id);
    const Transaction transaction{
        {insert_debate(config_.release),
         {id, caller.tenant_id, creator, *task, agents.is_array() ? dump(agents) : "[]", std::to_string(*rounds)}},
        {"INSERT INTO audit_logs (id, tenant_id, user_id, action, resource_type, resource_id)"
         " VALUES ($1, $2, $3, 'debate.create', 'debate', $4) ON CONFLICT (id) DO NOTHING",
         {"aud_" + id, caller.tenant_id, creator, id}}};
    TRY(write(transaction));
    ApiResponse response =
        answer_json(200, {{"success", true}, {"debate_id", id}, {"id", id}, {"status", "created"}, {"task", *task}});
    show_allowance(response, allowance);
    return response;
}

Api::Answer Api::read_debate(const ApiRequest& request, const std::string& id) {
    Allowance allowance;
    if (auto refusal = limit("read", bucket_of(request), config_.limits.read, &allowance)) return std::move(*refusal);
    const Rows rows =
        TRY(database_.read({"SELECT id, tenant_id, creator_id, task, status, agents, rounds, result, consensus_reached,"
                            " created_at FROM debates WHERE id = $1",
                            {id}},
                           read_deadline()));
    if (rows.empty()) return Error{Fault::not_found, "Debate not found: " + id};
    const Row& row = rows[0];
    ApiResponse response = answer_json(200, {{"id", text_or_null(row[0])},
                                             {"debate_id", text_or_null(row[0])},
                                             {"org_id", text_or_null(row[1])},
                                             {"creator_id", text_or_null(row[2])},
                                             {"task", text_or_null(row[3])},
                                             {"status", text_or_null(row[4])},
                                             {"agents", parsed(row[5])},
                                             {"rounds", parsed(row[6])},
                                             {"result", parsed(row[7])},
                                             {"consensus_reached", row[8] ? Json(*row[8] == "t") : Json()},
                                             {"created_at", text_or_null(row[9])}});
    show_allowance(response, allowance);
    return response;
}

Api::Answer Api::list_debates(const ApiRequest& request) {
    Allowance allowance;
    if (auto refusal = limit("list", bucket_of(request), config_.limits.list, &allowance)) return std::move(*refusal);
    const auto asked = request.query.find("limit");
    const std::string count = asked == request.query.end() ? "20" : asked->second;
    if (count.empty() || count.size() > 2 || count.find_first_not_of("0123456789") != std::string::npos)
        return Error{Fault::invalid_input, "limit must be 0 to 99"};
    const Rows rows = TRY(database_.read(
        {"SELECT id, task, status, created_at FROM debates ORDER BY created_at DESC, id LIMIT $1", {count}},
        read_deadline()));
    Json debates = Json::array();
    for (const Row& row : rows)
        debates.push_back({{"id", text_or_null(row[0])},
                           {"debate_id", text_or_null(row[0])},
                           {"task", text_or_null(row[1])},
                           {"status", text_or_null(row[2])},
                           {"created_at", text_or_null(row[3])}});
    ApiResponse response = answer_json(200, {{"debates", debates}, {"count", rows.size()}});
    show_allowance(response, allowance);
    return response;
}

Api::Answer Api::take_heartbeat(const ApiRequest& request) {
    if (!is_service(request)) return Error{Fault::not_allowed, "Authentication required"};
    const Json body = TRY(parse_json(request.body));
    const auto stream = get_string(body, "stream");
    const auto sequence = get_integer(body, "seq");
    if (!stream || !is_stream_name(*stream)) return Error{Fault::invalid_input, "stream must be a short name"};
    if (!sequence || *sequence < 0) return Error{Fault::invalid_input, "seq must be a number from 0"};
    const Rows rows =
        TRY(write({{"WITH written AS (INSERT INTO lab_heartbeat (stream, seq) VALUES ($1, $2)"
                    " ON CONFLICT (stream, seq) DO NOTHING RETURNING at)"
                    " SELECT at FROM written"
                    " UNION ALL SELECT at FROM lab_heartbeat WHERE stream = $1 AND seq = $2 LIMIT 1",
                    {*stream, std::to_string(*sequence)}}}));
    return answer_json(200, {{"stream", *stream},
                             {"seq", *sequence},
                             {"at", rows.empty() ? Json() : text_or_null(rows[0][0])},
                             {"region", config_.region},
                             {"instance", config_.instance}});
}

Api::Answer Api::list_heartbeats(const ApiRequest& request) {
    const auto stream = request.query.find("stream");
    if (stream == request.query.end() || !is_stream_name(stream->second))
        return Error{Fault::invalid_input, "name a stream: ?stream=NAME"};
    // Numbers that follow each other have the same distance to their rank.
    const Rows rows =
        TRY(database_.read({"SELECT min(seq), max(seq) FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS run"
                            " FROM lab_heartbeat WHERE stream = $1) AS numbered GROUP BY run ORDER BY 1 LIMIT 10000",
                            {stream->second}},
                           read_deadline()));
    Json ranges = Json::array();
    for (const Row& row : rows) ranges.push_back({std::stoll(row[0].value_or("0")), std::stoll(row[1].value_or("0"))});
    return answer_json(200, {{"stream", stream->second}, {"ranges", ranges}});
}

}  // namespace kedge::lab
