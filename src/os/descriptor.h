// A file descriptor with one owner: closed when the owner goes, moved but never copied.
#pragma once

#include <utility>

namespace kedge {

class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~Descriptor() { close(); }

    bool is_open() const { return fd_ >= 0; }
    // The number, still owned by this; -1 if none is open.
    int get() const { return fd_; }
    // Gives it up to the caller, who closes it.
    int release() { return std::exchange(fd_, -1); }
    // Closes it now. What close(2) answers is dropped: it says nothing about data that matters to us.
    void close();

private:
    int fd_ = -1;
};

}  // namespace kedge
