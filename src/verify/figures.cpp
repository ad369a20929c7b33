#include "verify/figures.h"

namespace kedge::verify {

std::string counted(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
    return text;
}

std::string counted(std::uint64_t number, std::string_view noun, std::string_view plural) {
    const std::string many = plural.empty() ? std::string(noun) + "s" : std::string(plural);
    return counted(number) + " " + (number == 1 ? std::string(noun) : many);
}

}  // namespace kedge::verify
