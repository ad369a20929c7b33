// The driver `process`: instances that are reached over HTTP at addresses of their own.
//
// An instance says itself whether it serves (`health_path`), whether it could serve once its stores do
// (`ready_path`), and whether it takes writes (`admin_path`: GET and PUT {"mode": "off" | "hold" | "refuse"}).
// An answer that is not such a word, a login page with status 200 for instance, is unknown, never yes.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "os/http.h"
#include "os/process.h"
#include "targets/application.h"
#include "targets/application/probe.h"

namespace kedge {

struct ProcessInstance {
    std::string name;
    std::string url;  // http://HOST:PORT
};

struct ProcessSite {
    std::vector<ProcessInstance> instances;  // every one that should be there
    Arguments scale;                         // sets how many run, `${instances}` in it; empty: cannot be scaled
    Arguments running;                       // prints how many should run; empty: unknown
    Arguments deploy;                        // has all run a release, `${release}` in it; empty: cannot be told
};

struct ProcessApplicationSettings {
    std::string name;
    std::string public_url;
    std::string health_path = "/api/health";
    std::string ready_path = "/readyz";
    std::string admin_path = "/admin/maintenance";
    std::string admin_token;             // reference to a secret, sent as a bearer token; empty: none
    std::map<std::string, Json> probes;  // as the estate declares them
    std::map<std::string, ProcessSite> sites;
};

// Any thread may call. A connection serves one call at a time and is kept for the next: a planned switch has no round
// trip to spare.
class ProcessApplication final : public Application {
public:
    // invalid_input for an address that is no URL, a region without instances, a probe that cannot be run.
    static Result<std::unique_ptr<ProcessApplication>> create(ProcessApplicationSettings settings);

    Result<ApplicationLook> look(const std::string& region, Depth depth, Moment deadline) override;
    // unavailable when no instance was changed; outcome_unknown when some were, or may have been. An instance
    // that still has writes under way after it was told to hold them counts as not done.
    Result<void> set_writes(const std::string& region, Writes writes, Moment deadline) override;
    // refused where the estate names no program for it.
    Result<void> scale(const std::string& region, int instances, Moment deadline) override;
    Result<void> deploy(const std::string& region, const std::string& release, Moment deadline) override;
    // Against every instance of the region, side by side: it holds if it holds for each.
    Result<ProbeLook> probe(const std::string& name, const std::string& region, const std::string& key,
                            Moment deadline) override;

private:
    ProcessApplication(ProcessApplicationSettings settings, std::map<std::string, Probe> probes)
        : settings_(std::move(settings)), probes_(std::move(probes)) {}
    Result<const ProcessSite*> find(const std::string& region) const;
    Result<HttpHeaders> admin_headers() const;
    HttpConnection borrow(const std::string& url);
    void give_back(const std::string& url, HttpConnection connection);

    const ProcessApplicationSettings settings_;
    const std::map<std::string, Probe> probes_;
    std::mutex mutex_;
    std::map<std::string, std::vector<HttpConnection>> idle_;  // by URL of the instance; guarded by mutex_
};

}  // namespace kedge
