// What a verification found, for people and for programs.
#pragma once

#include <string>

#include "base/json.h"
#include "base/time.h"
#include "cli/exit_code.h"
#include "cli/look.h"
#include "verify/files/examine.h"

namespace kedge {

enum class Verdict { sound, damaged, undecided };
std::string_view to_string(Verdict verdict);
// Damage decides, then doubt; what was never recognised is undecided.
Verdict verdict_of(const verify::Examination& examination);
ExitCode exit_code_of(Verdict verdict);

struct VerificationView {
    Moment now;
    Span took{};
    bool everything = false;  // of the contents and findings, not only the first
};

std::string rendered(const verify::ExaminedBackup& backup, const VerificationView& view, const Surface& surface);
Json as_json(const verify::ExaminedBackup& backup, const VerificationView& view);

}  // namespace kedge
