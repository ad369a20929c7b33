#include "os/http_retry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>

namespace kedge {
namespace {

bool is_final(int status) {
    return status != 408 && status != 429 && status < 500;
}

// What the server asks for. A date is not read: the clocks of both would have to agree.
std::optional<Span> asked_pause(const HttpResponse& response) {
    const std::string text = response.header("Retry-After").value_or("");
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return std::chrono::seconds{value};
}

Span shortened_by_chance(Span pause) {
    thread_local std::minstd_rand chance{std::random_device{}()};
    return Span{std::uniform_int_distribution<Span::rep>{pause.count() / 2, pause.count()}(chance)};
}

// What one try came to: the answer if it is final, else why not and how long the server asks to wait.
struct Try {
    std::optional<HttpResponse> response;
    std::string why;
    std::optional<Span> asked;
};

Result<Try> try_once(const HttpRequest& request, const Until& until, const HttpOptions& options) {
    Result<HttpResponse> response = http_request(request, until, options);
    // A name that is not found today may be found in a second: names fail along with what they name.
    if (!response) {
        if (response.error().fault != Fault::unavailable && response.error().fault != Fault::not_found)
            return response.error();
        return Try{.response = {}, .why = response.error().message, .asked = {}};
    }
    if (is_final(response->status)) return Try{.response = std::move(*response), .why = {}, .asked = {}};
    return Try{.response = {}, .why = fmt::format("answered {}", response->status), .asked = asked_pause(*response)};
}

}  // namespace

Result<FinalAnswer> http_request_until_answered(HttpRequest request, const Until& until, const Retries& retries,
                                                const HttpOptions& options) {
    request.idempotent = true;
    const SystemClock clock;
    Span pause = retries.first_pause;
    for (int tries = 1;; ++tries) {
        const Until this_try{std::min(until.deadline, clock.now() + retries.try_limit), until.stop};
        Try tried = TRY(try_once(request, this_try, options));
        if (tried.response) return FinalAnswer{std::move(*tried.response), tries};
        const auto gave_up = [&](std::string_view because) {
            return Error{Fault::unavailable, fmt::format("{} ({}, tries: {})", tried.why, because, tries)};
        };
        if (tries >= retries.tries_max) return gave_up("given up");
        const Span wait = tried.asked.value_or(shortened_by_chance(pause));
        pause = std::min(2 * pause, retries.pause_max);
        if (clock.now() + wait >= until.deadline)
            return gave_up(tried.asked ? fmt::format("it asks to wait {}, longer than is left", readable(wait))
                                       : "no time is left for another try");
        if (!wait_out({clock.now() + wait, until.stop})) return gave_up("called off");
    }
}

}  // namespace kedge
