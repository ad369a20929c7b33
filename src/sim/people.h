// The people of an estate: they see what a run waits for, take their time, and answer through the inbox like
// anybody. They can be late, answer twice, say the wrong thing, or not be there.
#pragma once

#include <set>
#include <string>
#include <unordered_map>

#include "sim/controller.h"

namespace kedge::sim {

struct Habits {
    Span least = 0ms, most = 0ms;  // from what they are asked until they answer
    double absent = 0;             // nobody answers this question
    double twice = 0;              // the answer comes two times
    double wrong = 0;              // first a wrong one: another word, another digest, a person who may not
    double says_no = 0;
    bool takes_risks = true;
    bool minds_the_run = true;  // comes to a run that holds: retries, takes over what is owed
};

class People {
public:
    // All outlive it.
    People(World& world, Controller& controller, const Assignment& assignment, Random random);

    Habits habits;
    // Looks at what the run waits for and sees to it. To be called after every turn of the controller.
    void look();
    // Answers one question at once, whatever the habits.
    void answer(const RunState& state, std::size_t step, bool agree);
    // Comes to a run that holds, now.
    void mind_the_run();
    // Somebody who may asks this of the run as a whole.
    void ask_of_run(const std::string& verb);
    // The digest that each request carried, by its id.
    const std::unordered_map<std::string, std::string>& digests() const { return digests_; }
    std::uint64_t requests() const { return asked_; }
    std::uint64_t wrong_answers() const { return wrong_; }
    std::uint64_t repeated() const { return repeated_; }
    std::uint64_t absences() const { return absent_; }
    // Forgets who was absent: they come now.
    void come_back() { seen_.clear(); }

private:
    void see_to(const RunState& state, std::size_t step);
    void agree(const RunState& state, std::size_t step);
    void mind(const RunState& state);
    void ask_soon(const std::string& step, const std::string& verb, const std::string& text, const std::string& digest,
                  const Person& person);
    void ask(Request request);
    void answer_wrongly(const RunState& state, std::size_t step);
    std::vector<const Person*> others(const RunState& state, const std::vector<std::string>& roles) const;

    World& world_;
    Controller& controller_;
    const Assignment& assignment_;
    Random random_;
    std::set<std::string> seen_;  // questions that somebody has seen to
    std::unordered_map<std::string, std::string> digests_;
    std::uint64_t asked_ = 0, wrong_ = 0, repeated_ = 0, absent_ = 0;
};

}  // namespace kedge::sim
