// GET /api/knowledge: a search over what was learnt from debates, by the index or, without it, by the table itself.
#include <fmt/format.h>

#include <algorithm>

#include "api.h"
#include "os/clock.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span search_limit = 2s;
constexpr std::size_t results_max = 20;

// Of the table alone, which has to read all of it: slower.
Statement by_table(const std::vector<std::string>& words) {
    return {
        "SELECT id, content FROM knowledge_nodes WHERE content ~* ALL (ARRAY(SELECT '\\m' || word || '\\M' FROM"
        " jsonb_array_elements_text($1::jsonb) AS word)) ORDER BY id LIMIT $2",
        {dump(Json(words)), std::to_string(results_max)}};
}

// What the index found, as the table has it now: what is not there any more is not shown.
Statement by_ids(std::vector<std::string> ids) {
    if (ids.size() > results_max) ids.resize(results_max);
    return {
        "SELECT id, content FROM jsonb_array_elements_text($1::jsonb) AS found (id) JOIN knowledge_nodes USING (id)"
        " ORDER BY id",
        {dump(Json(ids))}};
}

}  // namespace

Api::Answer Api::search_knowledge(const ApiRequest& request) {
    if (auto refusal = limit("read", bucket_of(request), config_.limits.read)) return std::move(*refusal);
    const auto asked = request.query.find("q");
    const std::vector<std::string> words = words_of(asked == request.query.end() ? "" : asked->second);
    if (words.empty()) return Error{Fault::invalid_input, "say what to search for: ?q=WORDS"};
    const auto index = knowledge_.now();
    const Rows rows = TRY(
        database_.read(index ? by_ids((*index)->search(words)) : by_table(words), SystemClock{}.now() + search_limit));
    Json results = Json::array();
    for (const Row& row : rows) results.push_back({{"id", row[0].value_or("")}, {"content", row[1].value_or("")}});
    Json body{{"answered_by", index ? "index" : "table"},
              {"degraded", !index.has_value()},
              {"count", rows.size()},
              {"results", results}};
    if (!index) body["because"] = index.error().message;
    return ApiResponse{.status = 200, .body = dump(body)};
}

}  // namespace kedge::lab
