#include "targets/notification/slack_channel.h"

#include <fmt/format.h>

#include "os/secret.h"
#include "targets/notification/outlet.h"

namespace kedge {
namespace {

// Limits of the Block Kit reference: 3000 characters of text in a block, 50 blocks in a message; bytes are counted
// here, of which a character has at least one. A message of `text` alone is cut at 40 000 characters.
constexpr std::size_t block_bytes_max = 3000, text_bytes_max = 40'000, blocks_max = 50;
constexpr std::size_t title_bytes_max = 1000, key_bytes_max = 500;  // escaped, they still fit into a block

// The three characters that Slack reads as markup must be escaped, and no others.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else
            out += c;
    }
    return out;
}

Json section(std::string text) {
    return {{"type", "section"}, {"text", {{"type", "mrkdwn"}, {"text", std::move(text)}}}};
}

// What of the escaped `text` fits into one block and leaves room for an ellipsis: up to the last line end in reach,
// else as much of the line as can be, without a part of a character or of "&amp;" at its end.
std::string_view next_piece(std::string_view text) {
    constexpr std::size_t piece_bytes_max = block_bytes_max - ellipsis.size();
    if (text.size() <= piece_bytes_max) return text;
    const std::size_t line_end = text.rfind('\n', piece_bytes_max - 1);
    if (line_end != std::string_view::npos) return text.substr(0, line_end + 1);
    const std::string_view piece = text.substr(0, whole_characters(text, piece_bytes_max));
    const std::size_t escape = piece.rfind('&');
    const bool is_torn = escape != std::string_view::npos && piece.find(';', escape) == std::string_view::npos;
    return is_torn ? piece.substr(0, escape) : piece;
}

std::string headline(const Notice& notice) {
    return fmt::format("{}{}",
                       notice.is_over              ? "over: "
                       : notice.severity == "info" ? ""
                                                   : notice.severity + ": ",
                       escaped(shortened(notice.title, title_bytes_max / 5)));
}

}  // namespace

Json slack_message(const Notice& notice) {
    Json blocks = Json::array({section("*" + headline(notice) + "*")});
    const std::string all = escaped(notice.text);
    std::string_view rest = all;
    while (!rest.empty() && blocks.size() < blocks_max - 1) {
        const std::string_view piece = next_piece(rest);
        rest.remove_prefix(piece.size());
        const bool is_cut = !rest.empty() && blocks.size() == blocks_max - 2;
        blocks.push_back(section(std::string(piece) + (is_cut ? std::string(ellipsis) : "")));
    }
    // Slack knows no keys: people see by it that a message came twice.
    const std::string key = escaped(shortened(notice.key, key_bytes_max));
    blocks.push_back({{"type", "context"},
                      {"elements", Json::array({{{"type", "mrkdwn"},
                                                 {"text", fmt::format("{} · {}", key, to_string(notice.at))}}})}});
    std::string text = headline(notice);
    if (!notice.text.empty()) text += "\n" + escaped(shortened(notice.text, text_bytes_max / 6));
    return {{"text", std::move(text)}, {"blocks", std::move(blocks)}};
}

Result<Receipt> SlackChannel::send(const Notice& notice, Moment deadline) {
    const std::string where = "channel " + settings_.name;
    const std::string webhook = TRY(read_secret(settings_.webhook).within(where));
    TRY(is_fit_for_secrets(webhook).within(fmt::format("{}: {}", where, settings_.webhook)));
    const std::string path = parse_url(webhook).value().target;
    Result<FinalAnswer> answer = post_json(webhook, slack_message(notice), deadline, settings_.retries);
    if (!answer) return Error{answer.error().fault, without_secret(answer.error().message, path)}.within(where);
    const std::string said = without_secret(shortened(answer->response.body, 200), path);
    if (answer->response.status == 200 && answer->response.body == "ok")
        return Receipt{Truth::yes, "posted", answer->tries};
    if (answer->response.status == 200)
        return Error{Fault::corrupt, fmt::format("{}: answered 200, but not as Slack does: '{}'", where, said)};
    return Error{Fault::refused, fmt::format("{}: Slack answered {}: '{}'", where, answer->response.status, said),
                 "the webhook may have been revoked, or its channel archived: post a message to it by hand"};
}

Result<Truth> SlackChannel::delivered(const std::string&, Moment) {
    return Truth::unknown;
}

}  // namespace kedge
