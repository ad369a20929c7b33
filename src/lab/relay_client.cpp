#include "lab/relay_client.h"

namespace kedge::lab {

Result<void> RelayClient::change(const std::vector<PathChange>& paths, const std::vector<HostChange>& hosts,
                                 const Until& until) const {
    Json changes = Json::array();
    for (const PathChange& path : paths) {
        Json change = {{"from", to_string(path.from)}, {"to", to_string(path.to)}};
        if (path.delay) change["delay"] = kedge::to_string(*path.delay);
        if (path.jitter) change["jitter"] = kedge::to_string(*path.jitter);
        if (path.loss) change["loss"] = *path.loss;
        if (path.passage) change["passage"] = to_string(*path.passage);
        changes.push_back(std::move(change));
    }
    for (const HostChange& host : hosts) changes.push_back({{"host", host.host}, {"passage", to_string(host.passage)}});
    TRY(ask(path_, {{"change", changes}}, until));
    return {};
}

Result<Json> RelayClient::describe(const Until& until) const {
    return ask(path_, Json::object(), until);
}

}  // namespace kedge::lab
