#include "lab/slow_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace kedge::lab {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t native_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t native_architecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t native_architecture = 0;  // no filter: the slow disk is refused there
#endif

// From Linux 5.19; older headers do not name it. A sync that we have been told of then waits through the signals that
// PostgreSQL's processes send each other all the time.
constexpr unsigned wait_killable_flag = 1U << 5;

// The listener of a filter that tells us of fsync and fdatasync, and lets everything else pass.
Descriptor install_filter() {
    constexpr auto number = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
    constexpr auto architecture = static_cast<std::uint32_t>(offsetof(seccomp_data, arch));
    std::array<sock_filter, 7> program = {{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, architecture},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, native_architecture},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, number},
        {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, SYS_fdatasync},
        {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_fsync},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
    }};
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    if (native_architecture == 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return {};
    for (const unsigned flags : {wait_killable_flag, 0U}) {
        const long listener =
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &filter);
        if (listener >= 0) return Descriptor(static_cast<int>(listener));
    }
    return {};
}

// A byte, and with it the descriptor if there is one (unix(7), SCM_RIGHTS).
void send_descriptor(int to, const Descriptor& descriptor) {
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptor.is_open()) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = descriptor.get();
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    sendmsg(to, &message, MSG_NOSIGNAL);
}

Descriptor receive_descriptor(int from) {
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1) return {};
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return {};
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return Descriptor(fd);
}

void let_it_go_on(int listener, std::uint64_t id) {
    seccomp_notif_resp answer{};
    answer.id = id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);  // fails if the process has died: nothing is owed then
}

}  // namespace

Error execute_under_watch(int to, const Arguments& arguments) {
    send_descriptor(to, install_filter());
    close(to);
    std::vector<char*> words;
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    execv(words.front(), words.data());
    return {Fault::unavailable, fmt::format("cannot execute {}: {}", arguments.front(), std::strerror(errno))};
}

Result<std::unique_ptr<SlowDisk>> SlowDisk::start() {
    Descriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake.is_open()) return Error{Fault::unavailable, fmt::format("eventfd: {}", std::strerror(errno))};
    std::unique_ptr<SlowDisk> disk(new SlowDisk(TRY(EventLoop::open()), std::move(wake)));
    SlowDisk* const raw = disk.get();
    raw->loop_.watch(raw->wake_.get(), EPOLLIN, [raw](std::uint32_t) { raw->take_over_new(); });
    raw->thread_ = std::jthread([raw](const std::stop_token& stop) { raw->loop_.run(stop); });
    return disk;
}

SlowDisk::~SlowDisk() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

Result<SlowDisk::Prepared> SlowDisk::prepare(const std::string& own_program, const Arguments& arguments) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return Error{Fault::unavailable, fmt::format("socketpair: {}", std::strerror(errno))};
    Prepared prepared{.arguments = {own_program, "lab-exec", std::to_string(ends[1])},
                      .ours = Descriptor(ends[0]),
                      .theirs = Descriptor(ends[1])};
    prepared.arguments.insert(prepared.arguments.end(), arguments.begin(), arguments.end());
    return prepared;
}

bool SlowDisk::adopt(const std::string& component, const Descriptor& ours) {
    Descriptor listener = receive_descriptor(ours.get());
    const std::lock_guard lock(mutex_);
    if (!listener.is_open()) {
        delays_.erase(component);
        return false;
    }
    delays_.try_emplace(component, Span::zero());  // a delay outlives a restart: it is the disk's
    new_.push_back({component, std::move(listener)});
    eventfd_write(wake_.get(), 1);
    return true;
}

Result<void> SlowDisk::set_delay(const std::string& component, Span delay) {
    const std::lock_guard lock(mutex_);
    const auto found = delays_.find(component);
    if (found == delays_.end())
        return Error{Fault::refused, fmt::format("{}: its syncs are not watched: this kernel refused the filter, or it "
                                                 "was never started",
                                                 component)};
    found->second = delay;
    return {};
}

Span SlowDisk::delay_of(const std::string& component) {
    const std::lock_guard lock(mutex_);
    const auto found = delays_.find(component);
    return found == delays_.end() ? Span::zero() : found->second;
}

void SlowDisk::take_over_new() {
    eventfd_t count = 0;
    eventfd_read(wake_.get(), &count);
    std::vector<Watched> arrived;
    {
        const std::lock_guard lock(mutex_);
        arrived.swap(new_);
    }
    for (Watched& one : arrived) {
        const int listener = one.listener.get();
        watched_.emplace(listener, std::move(one));
        loop_.watch(listener, EPOLLIN, [this, listener](std::uint32_t events) { receive(listener, events); });
    }
}

void SlowDisk::forget(int listener) {
    loop_.forget(listener);
    watched_.erase(listener);
}

void SlowDisk::receive(int listener, std::uint32_t events) {
    if ((events & EPOLLIN) == 0) return forget(listener);  // the last process under the filter has ended
    // The kernel may know more fields than our headers do.
    alignas(seccomp_notif) std::array<char, 512> room{};
    auto* const told = reinterpret_cast<seccomp_notif*>(room.data());
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, told) != 0) {
        if (errno != ENOENT && errno != EINTR) forget(listener);
        return;
    }
    const Span delay = delay_of(watched_.at(listener).component);
    if (delay <= Span::zero()) return let_it_go_on(listener, told->id);
    loop_.schedule(loop_.now() + delay, [this, listener, id = told->id] {
        if (watched_.contains(listener)) let_it_go_on(listener, id);
    });
}

}  // namespace kedge::lab
