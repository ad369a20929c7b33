// Every target of an estate, bound to its driver. Built once when a command starts, constant afterwards.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "targets/application.h"
#include "targets/backups.h"
#include "targets/cache.h"
#include "targets/channel.h"
#include "targets/database.h"
#include "targets/index.h"
#include "targets/metrics.h"
#include "targets/migration.h"
#include "targets/recoveries.h"
#include "targets/samples.h"
#include "targets/store.h"
#include "targets/traffic.h"

namespace kedge {

// Makes `call(0)` to `call(count - 1)` at once and returns when all have returned.
using SideBySide = std::function<void(std::size_t count, const std::function<void(std::size_t)>& call)>;
// Each on a thread of its own.
void on_threads(std::size_t count, const std::function<void(std::size_t)>& call);

// Keyed by the target's name in the estate. Owns the drivers.
struct Targets {
    std::map<std::string, std::unique_ptr<Database>> databases;
    std::map<std::string, std::unique_ptr<Cache>> caches;
    std::map<std::string, std::unique_ptr<Application>> applications;
    std::map<std::string, std::unique_ptr<Traffic>> traffic;
    std::map<std::string, std::unique_ptr<Store>> stores;
    std::map<std::string, std::unique_ptr<Channel>> channels;
    std::map<std::string, std::unique_ptr<Metrics>> metrics;
    std::map<std::string, std::unique_ptr<Logs>> logs;
    std::map<std::string, std::unique_ptr<Migration>> migrations;
    std::map<std::string, std::unique_ptr<Index>> indexes;
    std::unique_ptr<Backups> backups;        // of every policy; null where there are none
    std::unique_ptr<Recoveries> recoveries;  // null where nothing can be recovered
    std::unique_ptr<Samples> samples;
    SideBySide side_by_side =
        on_threads;  // how several of them are asked at once; drivers in virtual time have their own
};

}  // namespace kedge
