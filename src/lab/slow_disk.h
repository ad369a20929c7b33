// A disk that takes longer to sync, for one component at a time, without root and without touching the program.
//
// A component that is started through `execute_under_watch` carries a seccomp filter (seccomp_unotify(2)): its fsync
// and fdatasync calls are told to us first, and go on when we say so: at once, or after the delay that is set. The call
// itself is still the kernel's own. It slows down syncs only: reads, and writes into the page cache, are as fast
// as ever. What it costs while no delay is set: one switch to our thread and back for each sync.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lab/event_loop.h"
#include "os/process.h"

namespace kedge::lab {

// In the process that is to become the component: asks the kernel for a filter, hands its listener to whoever holds the
// other end of the socket `to` (nothing if the kernel has no such filter), and executes `arguments`.
// Returns only if that failed.
Error execute_under_watch(int to, const Arguments& arguments);

// The watching side, with a thread of its own: a supervisor that is busy does not slow anybody down.
class SlowDisk {
public:
    static Result<std::unique_ptr<SlowDisk>> start();
    ~SlowDisk();

    // The arguments to start instead, with the socket that the new process must keep open as descriptor `kept`.
    struct Prepared {
        Arguments arguments;
        Descriptor ours, theirs;
    };
    static Result<Prepared> prepare(const std::string& own_program, const Arguments& arguments);
    // To be called when the process has been started: takes its listener over. False if the kernel gave none.
    bool adopt(const std::string& component, const Descriptor& ours);

    // How much longer each sync of the component takes from now on. refused if it is not watched.
    Result<void> set_delay(const std::string& component, Span delay);

private:
    struct Watched {
        std::string component;
        Descriptor listener;
    };
    SlowDisk(EventLoop loop, Descriptor wake) : loop_(std::move(loop)), wake_(std::move(wake)) {}
    void take_over_new();
    void receive(int listener, std::uint32_t events);
    void forget(int listener);
    Span delay_of(const std::string& component);

    EventLoop loop_;                  // the thread's
    Descriptor wake_;                 // says that there is something in new_
    std::map<int, Watched> watched_;  // by listener; the thread's
    std::mutex mutex_;
    std::vector<Watched> new_;            // guarded by mutex_
    std::map<std::string, Span> delays_;  // guarded by mutex_; every component that is watched
    std::jthread thread_;                 // the last: it ends before anything that it uses
};

}  // namespace kedge::lab
