// What is protected: regions, services with their tier, the targets they stand on, people and channels.
//
// One YAML file, form in docs/formats/estate.md; read by `parse_estate` (parse.h), which reports every mistake
// with line and column. Holds no secrets, only references to them. Constant after it was read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "estate/backup_policy.h"
#include "estate/erasure_map.h"

namespace kedge {

enum class TargetKind { database, cache, application, traffic, store, channel, metrics, logs, migration, index };
std::string_view to_string(TargetKind kind);

// Recovery objectives; names and figures are the estate's own.
struct Tier {
    std::string name;  // "critical"
    Span rto{}, rpo{};
    std::string says;
};

// Settings as the driver's shape (driver_settings.h) allows: every key known, every value of its kind; spans
// and byte counts are kept as they were written and read with the getters.
class Settings {
public:
    Settings() : json_(Json::object()) {}
    explicit Settings(Json json) : json_(std::move(json)) {}

    std::optional<std::string> text(std::string_view key) const;
    std::optional<std::int64_t> integer(std::string_view key) const;
    std::optional<double> number(std::string_view key) const;
    std::optional<bool> flag(std::string_view key) const;
    std::optional<Span> span(std::string_view key) const;
    std::vector<std::string> texts(std::string_view key) const;  // a list of texts; empty if absent
    Settings section(std::string_view key) const;                // a nested map; empty if absent
    std::vector<Settings> sections(std::string_view key) const;  // a list of maps; empty if absent
    const Json& json() const& { return json_; }
    Json json() && { return std::move(json_); }  // of a temporary: a reference would outlive it

private:
    Json json_;
};

// One copy of a target in one region.
struct Site {
    std::string region;
    Settings settings;
};

// A thing that a step acts on, bound to a driver.
struct Target {
    std::string name;  // "aragora-postgres"
    TargetKind kind{};
    std::string driver;  // "host", "sentinel", "haproxy", ...
    std::string says;
    std::string tier;                    // name of a tier; may be empty for channels and the like
    bool armed = false;                  // Kedge may change it; otherwise it only looks
    std::vector<std::string> stands_on;  // other targets or services
    Settings settings;
    std::vector<Site> sites;  // empty for targets that have no place
    int line = 0;             // in the file

    const Site* site(std::string_view region) const;  // null if it has none there
};

// What the business names: "Core API", "Billing". Has no driver; stands on targets and other services.
struct Service {
    std::string name;
    std::string says;
    std::string tier;
    std::vector<std::string> stands_on;
    int line = 0;
};

struct Person {
    std::string name;  // key in the file, used in approvals: "rahel"
    std::string full_name;
    std::string login;               // operating-system login; empty = can approve nothing here
    std::vector<std::string> roles;  // commander, approver, engineering-lead, ...
    std::string contact;
};

struct Dashboard {
    std::string name, url;
};

// Whom to reach, outside of Kedge: the first page of the runbook.
struct Contact {
    std::string role;   // "On-call engineer"
    std::string reach;  // "PagerDuty"
    std::string when;   // "SEV-1"; may be empty
};

struct Region {
    std::string name;
    std::string says;
};

struct Estate {
    std::string name;
    std::string summary;
    std::string lab;  // state directory of the lab that owns it; empty for a real estate
    std::string lab_name;
    std::vector<Region> regions;
    std::vector<Tier> tiers;  // strictest first
    std::vector<Service> services;
    std::vector<Target> targets;
    std::vector<BackupPolicy> backups;
    ErasureMap erasure;  // not declared: nobody is taken out of what is brought back
    std::vector<Person> people;
    std::vector<Dashboard> dashboards;
    std::vector<Contact> contacts;
    std::map<std::string, std::string> inputs;  // of plans, where a run gives none: how long to soak here, say
    std::string path;                           // where it was read from
    std::string text;                           // the file itself; what a run pins
    std::string digest;                         // SHA-256 of `text`

    const Region* region(std::string_view name) const;  // null if there is none; the estate owns it
    const Tier* tier(std::string_view name) const;
    const Target* target(std::string_view name) const;
    const Service* service(std::string_view name) const;
    const BackupPolicy* backup(std::string_view name) const;
    const Person* person(std::string_view name) const;
    const Person* person_by_login(std::string_view login) const;
    // refused, with the names of those that are not armed and what to do. None of them: success.
    Result<void> require_armed(const std::vector<std::string>& not_armed) const;
    Result<void> require_armed(const Target& target) const;
};

}  // namespace kedge
