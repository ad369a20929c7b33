// Short ways to examine dumps in memory, for tests.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>

#include "verify/dump/dump.h"

namespace kedge::verify {

inline Examination examine_custom(std::string_view archive, std::size_t threads = 2, const Limits& limits = {}) {
    const MemorySource source(as_bytes(archive));
    Effort effort{.threads = threads};
    return verify_custom_dump(source, effort, limits).value();
}

inline Examination examine_custom_stream(std::string_view archive, const Limits& limits = {}) {
    const MemorySource source(as_bytes(archive));
    SourceStream stream(source);
    Effort effort;
    return verify_custom_dump(stream, "stream", effort, limits).value();
}

inline Examination examine_tar(std::string_view tar) {
    const MemorySource source(as_bytes(tar));
    Effort effort{.threads = 2};
    return verify_tar_dump(source, effort, Limits{}).value();
}

inline Examination examine_tar_stream(std::string_view tar) {
    const MemorySource source(as_bytes(tar));
    SourceStream stream(source);
    Effort effort;
    return verify_tar_dump(stream, "stream", effort, Limits{}).value();
}

inline Examination examine_directory(const std::map<std::string, std::string>& files) {
    std::vector<Member> members;
    for (const auto& [name, bytes] : files) members.push_back(memory_member(name, as_bytes(bytes)));
    Effort effort{.threads = 2};
    return verify_directory_dump(members, effort, Limits{}).value();
}

inline bool is_sound(const Examination& examination) {
    return !examination.findings.any(Weight::damage) && !examination.findings.any(Weight::doubt) &&
           examination.rung() >= Rung::decoded;
}

// All findings, a line each.
inline std::string said(const Examination& examination) {
    std::string text;
    for (const Finding& finding : examination.findings.kept())
        text += fmt::format("{} {} ({}): {}\n", to_string(finding.weight), finding.code, finding.where, finding.says);
    return text;
}

}  // namespace kedge::verify
