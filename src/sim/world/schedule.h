// Virtual time: a queue of events, carried out one after the other, each at its moment.
//
// Events of the same moment come in an order drawn from the seed, so that no code can lean on one. Nothing else
// moves time. Belongs to one thread.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "os/clock.h"
#include "sim/world/random.h"

namespace kedge::sim {

class Schedule final : public Clock {
public:
    Schedule(Moment start, Random random) : now_(start), random_(random) {}
    ~Schedule() override;
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;

    Moment now() const override { return now_; }
    // `deed()` is done once, at `when`; a moment that has passed means now.
    template <class Deed>
    void at(Moment when, Deed deed) {
        Slot& slot = free_slot();
        slot.hold(std::move(deed));
        push(when, slot);
    }
    template <class Deed>
    void after(Span span, Deed deed) {
        at(now_ + span, std::move(deed));
    }
    // Carries out the next event if it is due by `limit`, moving time to it. Otherwise moves time to `limit`: false.
    bool step(Moment limit);
    void run_until(Moment limit);

    std::uint64_t events() const { return serial_; }

private:
    // Where a deed lies until it is done: a small one in the slot itself, so that an event costs no memory of its own.
    struct Slot {
        static constexpr std::size_t room = 256;
        alignas(std::max_align_t) std::array<std::byte, room> place{};
        void (*run)(Slot&) = nullptr;
        void (*drop)(Slot&) = nullptr;

        template <class Deed>
        void hold(Deed deed) {
            static_assert(alignof(Deed) <= alignof(std::max_align_t), "a slot is aligned for it");
            if constexpr (sizeof(Deed) <= room) {
                new (place.data()) Deed(std::move(deed));
                run = [](Slot& slot) { (*std::launder(reinterpret_cast<Deed*>(slot.place.data())))(); };
                drop = [](Slot& slot) { std::launder(reinterpret_cast<Deed*>(slot.place.data()))->~Deed(); };
            } else {
                hold([own = std::make_unique<Deed>(std::move(deed))] { (*own)(); });
            }
        }
    };
    struct Due {
        Moment when;
        std::uint64_t tie, serial;
        Slot* slot;
    };
    struct Later {
        bool operator()(const Due& a, const Due& b) const {
            return std::tie(a.when, a.tie, a.serial) > std::tie(b.when, b.tie, b.serial);
        }
    };
    Slot& free_slot();
    void push(Moment when, Slot& slot);

    Moment now_;
    Random random_;
    std::uint64_t serial_ = 0;
    std::vector<Due> queue_;  // a heap, the next event first
    std::deque<Slot> slots_;  // never moved: a deed may add others while it is done
    std::vector<Slot*> free_;
};

}  // namespace kedge::sim
