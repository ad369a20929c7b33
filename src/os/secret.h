// Secrets are named, never written down: `env:NAME` or `file:PATH`.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace kedge {

// The secret that `reference` names, read now; a file's last line end is cut off. Call it just before use and keep
// the answer no longer than that. invalid_input for another form, not_found where nothing is there, refused for an
// empty one; a message names the reference and never the secret.
Result<std::string> read_secret(std::string_view reference);

// `text` with every occurrence of `secret` replaced by `***`: for what another side said, before it is written down.
std::string without_secret(std::string text, std::string_view secret);

}  // namespace kedge
