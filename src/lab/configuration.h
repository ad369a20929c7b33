// The configuration files of the lab's servers, as text. Pure.
#pragma once

#include <string>

#include "lab/layout.h"

namespace kedge::lab {

std::string postgres_configuration(const Layout& layout, const Place& place);
std::string postgres_access();  // pg_hba.conf
std::string redis_configuration(const Layout& layout, const Place& place);
std::string sentinel_configuration(const Layout& layout, const Place& place);
std::string haproxy_configuration(const Layout& layout);
std::string prometheus_configuration();
std::string application_configuration(const Layout& layout, const Place& place);

// What starts the component.
Arguments start_command(const Layout& layout, const Place& place, const std::string& postgres_programs);

// "us-east-1-a": what HAProxy and Prometheus call an instance of the application.
std::string instance_name(const Place& place);

}  // namespace kedge::lab
