// For tests: services that people are told by, as they behave towards whoever sends to them. They check what they are
// sent against the documented form and limits, and refuse what the real ones would refuse.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "os/http_stub.h"

namespace kedge {

// Answers with `answers` in turn first; what is posted after that is judged.
class Receiver {
public:
    explicit Receiver(std::vector<HttpResponse> answers = {}) : answers_(std::move(answers)) {}
    virtual ~Receiver() = default;

    std::string url() const { return stub_.url(); }
    // Every request that arrived, those that got one of the prepared answers included.
    std::vector<HttpRequest> requests() const {
        const std::lock_guard lock(mutex_);
        return requests_;
    }
    void fall_silent() { stub_.fall_silent(); }

protected:
    // Empty if the request is as the service wants it.
    virtual std::string wrong_with(const HttpRequest& request, const Json& body) const = 0;
    virtual HttpResponse accept(const Json& body, const std::string& path) = 0;
    virtual HttpResponse refuse(const std::string& why) const = 0;

    static bool has_only(const Json& object, const std::set<std::string>& known) {
        for (const auto& [key, value] : object.items())
            if (!known.contains(key)) return false;
        return object.is_object();
    }
    // Characters, not bytes.
    static std::size_t length(const std::string& text) {
        return static_cast<std::size_t>(
            std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
    }

    mutable std::mutex mutex_;

private:
    HttpResponse answer(const HttpRequest& request) {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
        if (requests_.size() <= answers_.size()) return answers_[requests_.size() - 1];
        const Result<Json> body = parse_json(request.body);
        if (!body) return refuse("it is no JSON");
        const auto type = std::ranges::find(request.headers, "Content-Type", &HttpHeaders::value_type::first);
        if (request.method != "POST" || type == request.headers.end() || !type->second.starts_with("application/json"))
            return refuse("it is no POST of JSON");
        const std::string wrong = wrong_with(request, *body);
        return wrong.empty() ? accept(*body, request.target) : refuse(wrong);
    }

    std::vector<HttpResponse> answers_;
    std::vector<HttpRequest> requests_;
    HttpStub stub_{[this](const HttpRequest& request) { return answer(request); }};
};

class SlackReceiver final : public Receiver {
public:
    using Receiver::Receiver;
    static constexpr const char* secret_path = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";
    std::string webhook() const { return url() + secret_path; }
    std::vector<Json> messages() const {
        const std::lock_guard lock(mutex_);
        return messages_;
    }

private:
    std::string wrong_with(const HttpRequest& request, const Json& body) const override {
        if (request.target != secret_path) return "no_service";
        if (!has_only(body, {"text", "blocks"})) return "invalid_payload";
        const std::string text = get_string(body, "text").value_or("");
        if (text.empty() || length(text) > 40'000 || !is_escaped(text)) return "invalid_payload";
        const Json& blocks = get(body, "blocks");
        if (!blocks.is_array() || blocks.empty() || blocks.size() > 50) return "invalid_blocks";
        for (const Json& block : blocks) {
            const Json& object =
                get_string(block, "type") == "context" ? get(block, "elements")[0] : get(block, "text");
            const std::string part = get_string(object, "text").value_or("");
            if (get_string(object, "type") != "mrkdwn" || part.empty() || length(part) > 3000 || !is_escaped(part))
                return "invalid_blocks";
        }
        return "";
    }
    static bool is_escaped(const std::string& text) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            const std::string rest = text.substr(i, 5);
            if (text[i] == '<' || text[i] == '>') return false;
            if (text[i] == '&' && rest != "&amp;" && !rest.starts_with("&lt;") && !rest.starts_with("&gt;"))
                return false;
        }
        return true;
    }
    HttpResponse accept(const Json& body, const std::string&) override {
        messages_.push_back(body);
        return {.status = 200, .headers = {{"Content-Type", "text/html"}}, .body = "ok"};
    }
    HttpResponse refuse(const std::string& why) const override {
        return {.status = why == "no_service" ? 404 : 400, .body = why};
    }

    std::vector<Json> messages_;
};

class PagerdutyReceiver final : public Receiver {
public:
    using Receiver::Receiver;
    static constexpr const char* routing_key = "0123456789abcdef0123456789abcdef";
    // Open alarms: the deduplication key to how often it was triggered.
    std::map<std::string, int> open() const {
        const std::lock_guard lock(mutex_);
        return open_;
    }
    std::vector<Json> events() const {
        const std::lock_guard lock(mutex_);
        return events_;
    }

private:
    std::string wrong_with(const HttpRequest& request, const Json& body) const override {
        if (request.body.size() > 512 * 1024) return "too large";
        if (length(get_string(body, "routing_key").value_or("")) != 32)
            return "Length of 'routing_key' is incorrect (should be 32 characters)";
        const bool is_change = request.target == "/v2/change/enqueue";
        if (!is_change && request.target != "/v2/enqueue") return "no such path";
        const std::string action = get_string(body, "event_action").value_or("");
        if (!is_change && action != "trigger" && action != "acknowledge" && action != "resolve")
            return "'event_action' is invalid";
        const std::string dedup = get_string(body, "dedup_key").value_or("");
        if (length(dedup) > 255 || (action == "resolve" && dedup.empty())) return "'dedup_key' is invalid";
        if (action == "resolve") return has_only(body, {"routing_key", "event_action", "dedup_key"}) ? "" : "too much";
        return wrong_with_payload(get(body, "payload"), is_change);
    }
    static std::string wrong_with_payload(const Json& payload, bool is_change) {
        if (!has_only(payload,
                      {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}))
            return "'payload' is invalid";
        const std::string summary = get_string(payload, "summary").value_or("");
        if (summary.empty() || length(summary) > 1024) return "'summary' is missing, blank or too long";
        if (!is_change && get_string(payload, "source").value_or("").empty()) return "'source' is missing or blank";
        static const std::set<std::string> severities{"critical", "error", "warning", "info"};
        if (is_change == payload.contains("severity")) return "'severity' is missing or too much";
        if (!is_change && !severities.contains(get_string(payload, "severity").value_or("")))
            return "'severity' is invalid";
        const auto at = get_string(payload, "timestamp");
        return at && !parse_moment(*at) ? "'timestamp' is invalid" : "";
    }
    HttpResponse accept(const Json& body, const std::string&) override {
        events_.push_back(body);
        const std::string key = get_string(body, "dedup_key").value_or("");
        if (get_string(body, "event_action") == "trigger") ++open_[key];
        if (get_string(body, "event_action") == "resolve") open_.erase(key);
        const Json said = {{"status", "success"}, {"message", "Event processed"}, {"dedup_key", key}};
        return {.status = 202, .body = dump(said)};
    }
    HttpResponse refuse(const std::string& why) const override {
        const Json said = {
            {"status", "invalid event"}, {"message", "Event object is invalid"}, {"errors", Json::array({why})}};
        return {.status = 400, .body = dump(said)};
    }

    std::map<std::string, int> open_;
    std::vector<Json> events_;
};

}  // namespace kedge
