#include "targets/patroni/patroni_rest.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "os/http.h"

namespace kedge {
namespace {

constexpr int ok = 200, bad_request = 400, unauthorized = 401, forbidden = 403, precondition_failed = 412,
              unavailable = 503;

Error not_patroni(const std::string& where, std::string_view what) {
    return {Fault::corrupt, fmt::format("{}: {}", where, what), "is that the REST API of a Patroni member?"};
}

// Its texts are for people, but nothing else tells apart what happened (api.py of version 3.0).
bool says(std::string_view text, std::string_view words) {
    return text.find(words) != std::string_view::npos;
}

}  // namespace

const PatroniMember* PatroniCluster::leader() const {
    const auto found = std::ranges::find_if(members, [](const PatroniMember& member) {
        return member.role == "leader" || member.role == "standby_leader";
    });
    return found == members.end() ? nullptr : &*found;
}

const PatroniMember* PatroniCluster::find(std::string_view member) const {
    const auto found = std::ranges::find(members, member, &PatroniMember::name);
    return found == members.end() ? nullptr : &*found;
}

PatroniRest::PatroniRest(std::string url, Credentials credentials)
    : url_(std::move(url)), credentials_(std::move(credentials)) {}

Result<std::string> PatroniRest::get(const std::string& path, const Until& until) const {
    const HttpResponse response = TRY(http_request({.target = url_ + path}, until));
    if (response.status != ok) return not_patroni(url_ + path, fmt::format("answered with status {}", response.status));
    return response.body;
}

Result<PatroniCluster> PatroniRest::cluster(const Until& until) const {
    const std::string body = TRY(get("/cluster", until));
    const Json answer = TRY(parse_json(body).within(url_ + "/cluster"));
    const Json& members = kedge::get(answer, "members");
    if (!members.is_array()) return not_patroni(url_ + "/cluster", "lists no members");
    PatroniCluster cluster;
    for (const Json& member : members) {
        const auto name = get_string(member, "name"), role = get_string(member, "role");
        if (!name || !role) return not_patroni(url_ + "/cluster", "has a member without name or role");
        cluster.members.push_back({*name, *role, get_string(member, "state").value_or("unknown")});
    }
    cluster.paused = get_bool(answer, "pause").value_or(false);
    return cluster;
}

Result<PatroniStatus> PatroniRest::status(const Until& until) const {
    const std::string body = TRY(get("/patroni", until));
    const Json answer = TRY(parse_json(body).within(url_ + "/patroni"));
    const auto scope = get_string(kedge::get(answer, "patroni"), "scope");
    if (!scope) return not_patroni(url_ + "/patroni", "names no scope");
    return PatroniStatus{*scope, get_string(answer, "state").value_or("unknown"),
                         get_string(answer, "role").value_or("unknown")};
}

Result<PatroniRest::Answer> PatroniRest::post(const std::string& path, const Json& body, const Until& until) const {
    HttpRequest request{.method = "POST",
                        .target = url_ + path,
                        .headers = {{"Content-Type", "application/json"}},
                        .body = dump(body),
                        .idempotent = false};
    if (!credentials_.username.empty())
        request.headers.emplace_back("Authorization",
                                     "Basic " + base64(credentials_.username + ":" + credentials_.password));
    const HttpResponse response = TRY(http_request(request, until));
    const Answer answer{response.status, fmt::format("{}{}: {}", url_, path, response.body)};
    switch (response.status) {
        case ok:
        case unavailable: return answer;
        case bad_request:
        case precondition_failed: return Error{Fault::refused, answer.says};
        case unauthorized:
        case forbidden:
            return Error{Fault::not_allowed, answer.says, "give the target the user name and password of its REST API"};
        default: return Error{Fault::outcome_unknown, fmt::format("{} (status {})", answer.says, response.status)};
    }
}

// It answers 503 when it knows that it failed, and when it does not know; and 200 when another took over.
Result<void> PatroniRest::change_leader(const std::string& path, const Json& body, const Until& until) const {
    const Answer answer = TRY(post(path, body, until));
    if (answer.status == ok && !says(answer.says, "instead of")) return {};
    if (answer.status == ok || says(answer.says, "failed")) return Error{Fault::refused, answer.says};
    return Error{Fault::outcome_unknown, answer.says};
}

Result<void> PatroniRest::switch_over(const std::string& leader, const std::string& candidate,
                                      const Until& until) const {
    return change_leader("/switchover", Json{{"leader", leader}, {"candidate", candidate}}, until);
}

Result<void> PatroniRest::fail_over(const std::string& candidate, const Until& until) const {
    return change_leader("/failover", Json{{"candidate", candidate}}, until);
}

Result<void> PatroniRest::reinitialize(const Until& until) const {
    const Answer answer = TRY(post("/reinitialize", Json{{"force", true}}, until));
    if (answer.status == ok) return {};
    return Error{Fault::refused, answer.says};
}

}  // namespace kedge
