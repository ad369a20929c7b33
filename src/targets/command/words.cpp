#include "targets/command/words.h"

namespace kedge {

Arguments filled(const Arguments& words, const Values& values) {
    Arguments all;
    for (const std::string& word : words) all.push_back(fill(word, values));
    return all;
}

std::string first_line(const RunOutput& output) {
    for (const std::string* text : {&output.err, &output.out}) {
        std::string line = text->substr(0, text->find('\n'));
        if (!line.empty()) return line;
    }
    return to_string(output.exit);
}

}  // namespace kedge
