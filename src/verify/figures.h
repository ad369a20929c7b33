// Figures inside sentences for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kedge::verify {

// "4,046,900"
std::string counted(std::uint64_t number);
// "1 key", "4,046,900 keys"; the plural is `noun` and an s unless it is given.
std::string counted(std::uint64_t number, std::string_view noun, std::string_view plural = {});
// "812 bytes", "1.12 GB": decimal, three digits.
std::string sized(std::uint64_t bytes);

}  // namespace kedge::verify
