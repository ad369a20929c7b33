// The process that starts, watches, stops and kills everything in a lab.
//
// It knows programs, not databases: the lab tells it what there is (`define`) and in what order to start it. It
// restarts nothing. What it started never outlives it. Its socket is out of band: no fault of the lab reaches it,
// which is why a fence that stands on it holds. A fenced component is killed, seen to be gone, and barred from
// starting until the fence is lowered; all of that survives in `state.json` for whoever cleans up after us.
//
// Requests (see SupervisorClient): define, start, stop, kill, kill-site, pause, continue, bar, unbar, fence,
// fence-status, slow-disk, note-fault, forget-fault, status, shutdown.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "lab/component.h"
#include "lab/departure.h"
#include "lab/line_service.h"
#include "lab/slow_disk.h"

namespace kedge::lab {

inline constexpr std::string_view fence_bar = "fence";

class Supervisor {
public:
    // Listens at `directory`/supervisor.sock and becomes the one to whom orphans of its children pass. `own_program`
    // understands the mode lab-exec (see modes.h).
    static Result<std::unique_ptr<Supervisor>> open(const std::string& directory, const std::string& own_program);
    // Works until it is asked to shut down; then everything has been killed and is gone.
    void run() { loop_.run(); }

private:
    using Reply = LineService::Reply;
    using Answer = std::function<Result<Json>(const Departure::Outcome&)>;

    Supervisor(std::string directory, EventLoop loop) : directory_(std::move(directory)), loop_(std::move(loop)) {}
    Result<Child> spawn(const Component& component);
    Result<void> watch_children();
    void reap();
    void note_end(ProcessId id, Exit exit);

    void handle(const Json& request, const Reply& reply);
    void define(const Json& request, const Reply& reply);
    void start(Component& component, const Reply& reply);
    void stop(Component& component, Moment deadline, const Reply& reply);
    void kill(const std::vector<Component*>& components, Moment deadline, const Reply& reply, Answer answer = {});
    void pause(Component& component, int signal, const Reply& reply);
    void change_bar(Component& component, const std::string& reason, bool raise, const Reply& reply);
    void fence(Component& component, Moment deadline, const Reply& reply);
    void look_at_fence(Component& component, const Reply& reply);
    void slow_disk(Component& component, const Json& request, const Reply& reply);
    void note_fault(const Json& request, bool forget, const Reply& reply);
    void status(const Reply& reply);
    void shut_down(Moment deadline, const Reply& reply);

    std::vector<Component*> all_components();
    void depart(const std::vector<Component*>& components, Departure::Force force, Moment deadline,
                Departure::OnEnd on_end);
    Result<void> save() const;
    Json describe() const;

    const std::string directory_;
    EventLoop loop_;
    std::map<std::string, Component> components_;
    std::vector<std::string> order_;  // as defined
    Json faults_ = Json::object();    // by name: what the one who broke it noted
    std::map<std::uint64_t, std::unique_ptr<Departure>> departures_;
    std::uint64_t next_departure_ = 1;
    Descriptor child_signal_;
    std::unique_ptr<LineService> service_;
    std::unique_ptr<SlowDisk> disk_;
    std::string own_program_;
};

// Runs a supervisor for `directory` in the background and returns once it can be spoken to; the caller must have no
// other thread. conflict if one is running there.
Result<void> start_supervisor(const std::string& directory, const std::string& own_program);

}  // namespace kedge::lab
