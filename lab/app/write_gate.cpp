#include "write_gate.h"

#include <fmt/format.h>

#include <utility>

#include "os/files.h"

namespace kedge::lab {

WriteGate::WriteGate(Maintenance mode, std::string kept_in) : kept_in_(std::move(kept_in)), mode_(mode) {
    if (kept_in_.empty()) return;
    if (const auto text = read_file(kept_in_, 64)) mode_ = parse_maintenance(*text).value_or(mode);
}

WriteGate::Pass::Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}

WriteGate::Pass::~Pass() {
    if (gate_ == nullptr) return;
    const std::lock_guard lock{gate_->mutex_};
    --gate_->running_;
    gate_->changed_.notify_all();
}

Result<WriteGate::Pass> WriteGate::enter(Span patience) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, patience, [&] { return mode_ != Maintenance::hold; });
    switch (mode_) {
        case Maintenance::off: ++running_; return Pass{*this};
        case Maintenance::hold: return Error{Fault::unavailable, "maintenance: writes are held"};
        case Maintenance::refuse: return Error{Fault::unavailable, "maintenance: writes are refused"};
    }
    return Error{Fault::unavailable, "maintenance"};
}

Result<void> WriteGate::set(Maintenance mode, Span patience) {
    std::unique_lock lock{mutex_};
    // The file first: after a crash between both the mode is the stricter of what the caller may believe.
    if (!kept_in_.empty()) TRY(write_file_atomically(kept_in_, to_string(mode)).within("keeping the mode"));
    mode_ = mode;
    changed_.notify_all();
    if (mode != Maintenance::off) changed_.wait_for(lock, patience, [&] { return running_ == 0 || mode_ != mode; });
    return {};
}

Maintenance WriteGate::mode() const {
    const std::lock_guard lock{mutex_};
    return mode_;
}

int WriteGate::running() const {
    const std::lock_guard lock{mutex_};
    return running_;
}

}  // namespace kedge::lab
