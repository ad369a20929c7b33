// The lab as the ground of drills: its breaker, and the writer that puts numbered rows through its entrance and into
// its stores.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lab/lab.h"
#include "os/process.h"
#include "response/drill.h"

namespace kedge::lab {

// Belongs to one thread; reads the writer's output on one of its own. The lab must be up.
class LabGround final : public DrillGround {
public:
    explicit LabGround(Lab lab) : lab_(std::move(lab)) {}
    ~LabGround() override;

    // invalid_input, with the nearest known word, for a fault that the lab cannot inject on `region`.
    static Result<void> check_fault(const std::string& fault, const std::string& region);

    std::vector<LoadStream> streams() const override;
    Result<void> start_load() override;
    Result<std::vector<Attempt>> next_attempts(const std::string& stream, Span limit) override;
    Result<LoadRecord> stop_load(std::optional<Moment> fault) override;
    Result<Moment> inject(const std::string& fault, const std::string& region) override;
    Result<void> heal(const std::string& fault, const std::string& region) override;
    std::vector<std::string> limits() const override;

private:
    std::string directory() const { return lab_.layout().root + "/writer"; }
    std::string log() const { return directory() + "/attempts.jsonl"; }
    std::string configuration() const { return directory() + "/writer.json"; }
    Result<void> configure() const;
    void follow(const std::stop_token& stop);
    void take_lines(std::string& unread);
    Result<void> end_writer();

    const Lab lab_;
    std::unique_ptr<Child> writer_;
    std::mutex mutex_;
    std::condition_variable_any there_;
    std::map<std::string, std::deque<Attempt>> attempts_;  // by stream, not yet handed out; guarded by mutex_
    bool ended_ = false;                                   // the writer prints no more; guarded by mutex_
    std::jthread follower_;                                // last: joined before what it uses goes
};

// Reads what `kedge-lab-writer --read-back` printed. Pure.
std::map<std::string, std::optional<Loss>> parse_read_back(const Json& document);

}  // namespace kedge::lab
