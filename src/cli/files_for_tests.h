// For tests: a small estate of people and channels, which are files, and plans that act on them. Real runs go through
// them without any server.
#pragma once

#include <string>

#include "cli/cli_world.h"

namespace kedge {

inline std::string office_estate(const std::string& directory) {
    return R"(estate: office
summary: people and two channels
regions:
  east: {says: here}
tiers:
  critical: {rto: 1h, rpo: 5m}
people:
  ada: {full-name: Ada Lind, login: ada, roles: [on-call]}
  ben: {full-name: Ben Roth, login: ben, roles: [approver]}
  cora: {full-name: Cora Vale, login: cora, roles: [approver]}
services:
  news: {tier: critical, stands-on: [board], says: what people read}
targets:
  board:
    kind: channel
    driver: file
    armed: true
    path: )" +
           directory +
           R"(/board.jsonl
)";
}

// Tells the board, and that is all.
constexpr std::string_view tell_plan = R"(plan: tell
summary: Tell the board.
owner: Ada
review-by: 2020-01-01
inputs:
  what: {type: text, says: the news}
steps:
  - id: tell
    do: channel.announce
    on: board
    with: {title: "${what}"}
)";

// Waits for a typed word and an approval, then for somebody's work, then tells.
constexpr std::string_view asking_plan = R"(plan: asking
summary: Ask before telling.
owner: Ada
review-by: 2099-01-01
gate: {confirm: TELL, approvals: 1, roles: [approver], says: The board will be told.}
steps:
  - id: phone
    person: Call the neighbours.
    deadline: 10m
  - id: tell
    do: channel.announce
    on: board
    needs: [phone]
    with: {title: neighbours were called}
)";

// A target that runs hold, and a plan that would change it once two have agreed. Nobody listens at its socket.
inline std::string door_target(const std::string& directory) {
    return R"(  door:
    kind: traffic
    driver: haproxy
    armed: true
    backend: door
    socket: )" +
           directory + R"(/no-haproxy.sock
    sites:
      east: {servers: [a]}
)";
}
constexpr std::string_view closing_plan = R"(plan: closing
summary: End every session at the door.
owner: Ada
review-by: 2099-01-01
gate: {approvals: 2, roles: [approver], says: Everybody will be sent away.}
steps:
  - id: cut
    do: traffic.cut-sessions
    on: door
    with: {region: east}
    deadline: 1s
)";

class OfficeWorld : public CliWorld {
public:
    OfficeWorld() {
        write("plans/estate.yaml", office_estate(directory));
        write("plans/tell.yaml", tell_plan);
        write("plans/asking.yaml", asking_plan);
    }
    // Adds the door and its plan.
    void add_door() const {
        write("plans/estate.yaml", office_estate(directory) + door_target(directory));
        write("plans/closing.yaml", closing_plan);
    }
    // What stands on the board.
    std::string board() const {
        std::string text;
        if (FILE* file = fopen((directory + "/board.jsonl").c_str(), "r")) {
            for (int c = fgetc(file); c != EOF; c = fgetc(file)) text += static_cast<char>(c);
            fclose(file);
        }
        return text;
    }
};

}  // namespace kedge
