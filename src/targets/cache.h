// A Redis group: one node to a region, and the Sentinels that watch it. Contracts as in database.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

struct CacheLook {
    Truth reachable = Truth::unknown;  // no = refused; unknown = silence
    std::string says;
    Truth master = Truth::unknown;
    Truth link_up = Truth::unknown;             // replica: its link to the master
    std::optional<std::string> follows;         // replica: region (or address) of its master
    std::optional<std::int64_t> offset;         // replication offset, bytes
    std::optional<std::string> replication_id;  // offsets compare only under the same id
    std::optional<std::int64_t> replicas;       // master: attached and online
    std::optional<std::int64_t> keys;
    std::optional<std::string> manager;  // as for databases
    Truth append_only = Truth::unknown;
    Truth saving = Truth::unknown;  // a snapshot or a rewrite of the append-only file is under way
    Truth saved = Truth::unknown;   // the last one succeeded, and so did the last write to the append-only file
    std::optional<std::int64_t> min_replicas_to_write;
};

// One Sentinel's own view.
struct SentinelLook {
    std::string name;  // its address
    Truth reachable = Truth::unknown;
    std::optional<std::string> master;  // region whose node it names master; the address if it is none of ours
    Truth quorum = Truth::unknown;      // SENTINEL CKQUORUM
    Truth calm = Truth::unknown;        // no TILT, no failover under way
    std::optional<Span> down_after;     // so long a node is silent before it takes it for down
    std::optional<std::int64_t> votes;  // so many must take the master for down before they fail over
    std::string says;
};

// That a Sentinel names the node in `region` master, and none names another. refused: one does; unavailable: none says.
Result<void> check_named_master(const std::vector<SentinelLook>& sentinels, const std::string& region);

class Cache {
public:
    virtual ~Cache() = default;

    virtual Result<CacheLook> look(const std::string& region, Moment deadline) = 0;
    // Every Sentinel apart; one that is silent is listed as such.
    virtual Result<std::vector<SentinelLook>> sentinels(Moment deadline) = 0;

    // Holds writes on the node in `region` for at most `limit` (the server lifts it by itself afterwards).
    // refused on a replica, and for a limit so long that the Sentinels would take the master for down.
    virtual Result<void> pause_writes(const std::string& region, Span limit, Moment deadline) = 0;
    virtual Result<void> resume_writes(const std::string& region, Moment deadline) = 0;

    // Asks one Sentinel to fail over so that `region` becomes master; returns when accepted.
    // refused: no replica that could take over, no quorum, Sentinels that disagree; not_found: no Sentinel knows
    // the master's name; conflict: a failover is under way.
    virtual Result<void> fail_over(const std::string& region, Moment deadline) = 0;
    // How long ago the Sentinel that `fail_over` would ask heard from the node in `region`. While it fails over it asks
    // a node again only a second after it last did, and believes in the new master only then: if it has just heard,
    // that second passes while the order is prepared. Nothing: it does not say. Errors as of fail_over.
    virtual Result<std::optional<Span>> since_heard(const std::string& region, Moment deadline) = 0;
    // Makes the node in `region` a replica of the one in `master`.
    virtual Result<void> follow(const std::string& region, const std::string& master, Moment deadline) = 0;

    // Writes `key` with a unique value on the node in `region`, reads it back; refused on a replica.
    virtual Result<void> write_canary(const std::string& region, const std::string& key, Moment deadline) = 0;

    // To bring a data set back, the master copies it from a server at `address` (HOST:PORT) that is no node of the
    // group, as a replica would; no file of a node is touched, and it is the same with the append-only file on or off.
    virtual Result<CacheLook> look_beside(const std::string& address, Moment deadline) = 0;
    // The node in `region`, a master, becomes a replica of that server, and what it holds is discarded. refused unless
    // that server says that it is master; conflict if the node is a replica of another.
    virtual Result<void> take_over(const std::string& region, const std::string& address, Moment deadline) = 0;
    // A node that follows such a server is master again, as it was for the Sentinels all the time: refused if one of
    // them names another, or if it follows a node of the group.
    virtual Result<void> lead(const std::string& region, Moment deadline) = 0;
    // Tells each of these Sentinels, by the names under which they are listed, for how long a node must be silent
    // before it takes it for down. Errors name those that did not take it; the others have.
    virtual Result<void> set_down_after(const std::map<std::string, Span>& spans, Moment deadline) = 0;
    // Has the node in `region` write all that it holds to its disk; returns when it has begun.
    virtual Result<void> persist(const std::string& region, Moment deadline) = 0;
};

}  // namespace kedge
