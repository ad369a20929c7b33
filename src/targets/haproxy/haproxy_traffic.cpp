#include "targets/haproxy/haproxy_traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "os/socket.h"

namespace kedge {
namespace {

// A region's weights add up to twice its share.
constexpr int weight_scale = 2;
constexpr int weight_max = 256;  // of one server
// Any of these bits of srv_admin_state takes a server out of use: maintenance (1, 2, 4, 32) or drain (8, 16).
constexpr int out_of_use = 1 | 2 | 4 | 8 | 16 | 32;
constexpr int runs = 2;  // srv_op_state

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

struct Server {
    std::optional<std::int64_t> weight, operation, administration, sessions;
};

bool is_name(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.' || c == ':';
    });
}

// Sums up a region's servers. What one of them does not tell is unknown for the region.
TrafficShare sum(const std::vector<std::string>& names, const std::map<std::string, Server, std::less<>>& servers) {
    TrafficShare share{.weight = 0, .open = Truth::no, .healthy = Truth::no, .sessions = 0};
    std::int64_t weight = 0;
    for (const std::string& name : names) {
        const auto found = servers.find(name);
        const Server server = found == servers.end() ? Server{} : found->second;
        if (!server.weight || !server.administration || !server.operation) {
            share.open = share.healthy = Truth::unknown;
            share.sessions.reset();
            continue;
        }
        weight += *server.weight;
        const bool open = *server.weight > 0 && (*server.administration & out_of_use) == 0;
        if (open && share.open == Truth::no) share.open = Truth::yes;
        if (*server.operation == runs && share.healthy == Truth::no) share.healthy = Truth::yes;
        if (share.sessions && server.sessions)
            *share.sessions += *server.sessions;
        else
            share.sessions.reset();
    }
    share.weight = static_cast<int>((weight + weight_scale / 2) / weight_scale);
    return share;
}

}  // namespace

Result<std::unique_ptr<HaproxyTraffic>> HaproxyTraffic::create(HaproxySettings settings) {
    const auto refuse = [&](const std::string& what) {
        return Error{Fault::invalid_input, fmt::format("traffic {}: {}", settings.name, what)};
    };
    if (!is_name(settings.backend)) return refuse(fmt::format("'{}' is no name of a backend", settings.backend));
    for (const auto& [region, servers] : settings.servers) {
        if (servers.empty()) return refuse(fmt::format("region {} has no servers", region));
        for (const std::string& server : servers)
            if (!is_name(server)) return refuse(fmt::format("'{}' is no name of a server", server));
    }
    return std::unique_ptr<HaproxyTraffic>(new HaproxyTraffic(std::move(settings)));
}

Result<std::string> HaproxyTraffic::ask(const std::string& line, Moment deadline, bool changes) const {
    const auto where = [&] { return fmt::format("traffic {}: HAProxy at {}", settings_.name, settings_.socket); };
    Result<Stream> stream = Stream::connect_unix(settings_.socket, deadline);
    if (!stream) return stream.error().within(where());
    TRY(stream->write_all(line + "\n", deadline).within(where()));
    Result<std::string> answer = stream->read_to_end(deadline);
    if (answer || !changes) return std::move(answer).within(where());
    // The line went out: it may have been carried out.
    return Error{Fault::outcome_unknown, answer.error().message}.within(where());
}

Result<TrafficLook> HaproxyTraffic::look(Moment deadline) {
    // Servers of all proxies: by its name a frontend would be found before a backend that is called the same.
    const std::string text =
        TRY(ask(fmt::format("show servers state {};show stat -1 4 -1", settings_.backend), deadline, false));
    std::map<std::string, Server, std::less<>> servers;
    for (const std::string_view line : split(text, '\n')) {
        const std::vector<std::string_view> parts = split(line, ' ');
        // be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight ...
        if (parts.size() > 8 && parts[1] == settings_.backend && number(parts[0]))
            servers[std::string(parts[3])] = {.weight = number(parts[7]),
                                              .operation = number(parts[5]),
                                              .administration = number(parts[6]),
                                              .sessions = {}};
    }
    std::vector<std::string_view> columns;
    for (const std::string_view line : split(text, '\n')) {
        if (line.starts_with("# pxname,")) columns = split(line.substr(2), ',');
        const std::vector<std::string_view> values = split(line, ',');
        if (columns.empty() || values.size() < columns.size() - 1 || values[0] != settings_.backend) continue;
        const auto column = std::find(columns.begin(), columns.end(), "scur");
        const auto found = servers.find(values[1]);
        if (column == columns.end() || found == servers.end()) continue;
        found->second.sessions = number(values[static_cast<std::size_t>(column - columns.begin())]);
    }
    if (servers.empty())
        return Error{Fault::not_found,
                     fmt::format("traffic {}: HAProxy has no backend {}", settings_.name, settings_.backend)};
    TrafficLook look;
    for (const auto& [region, names] : settings_.servers) look[region] = sum(names, servers);
    return look;
}

Result<void> HaproxyTraffic::shift(const std::map<std::string, int>& weights, Moment deadline) {
    std::string open, close;  // what takes over is opened before what is left is closed
    for (const auto& [region, share] : weights) {
        const auto found = settings_.servers.find(region);
        if (found == settings_.servers.end())
            return Error{Fault::not_found,
                         fmt::format("traffic {}: no servers are known in region {}", settings_.name, region)};
        const int count = static_cast<int>(found->second.size());
        if (share < 0 || share * weight_scale > weight_max * count)
            return Error{Fault::invalid_input,
                         fmt::format("traffic {}: a share of {} cannot be set in {}", settings_.name, share, region)};
        const int total = share * weight_scale;
        for (int i = 0; i < count; ++i) {
            const std::string server = settings_.backend + "/" + found->second[static_cast<std::size_t>(i)];
            const int weight = total / count + (i < total % count ? 1 : 0);
            std::string& line = share == 0 ? close : open;
            line += fmt::format(";set weight {} {};set server {} state {}", server, weight, server,
                                share == 0 ? "maint" : "ready");
        }
    }
    if (weights.empty())
        return Error{Fault::invalid_input, fmt::format("traffic {}: no weights were given", settings_.name)};
    const std::string answer = TRY(ask((open + close).substr(1), deadline, true));
    for (const std::string_view line : split(answer, '\n'))
        if (!line.empty())
            return Error{Fault::refused, fmt::format("traffic {}: HAProxy says: {}", settings_.name, line)};
    return {};
}

Result<void> HaproxyTraffic::cut_sessions(const std::string& region, Moment deadline) {
    const auto found = settings_.servers.find(region);
    if (found == settings_.servers.end())
        return Error{Fault::not_found,
                     fmt::format("traffic {}: no servers are known in region {}", settings_.name, region)};
    std::string line;
    for (const std::string& server : found->second)
        line += fmt::format(";shutdown sessions server {}/{}", settings_.backend, server);
    const std::string answer = TRY(ask(line.substr(1), deadline, true));
    for (const std::string_view said : split(answer, '\n'))
        if (!said.empty())
            return Error{Fault::refused, fmt::format("traffic {}: HAProxy says: {}", settings_.name, said)};
    return {};
}

}  // namespace kedge
