// Which files of a data directory hold pages: those of tables, indexes and what belongs to them (PostgreSQL:
// relpath.c).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kedge::verify {

struct RelationFile {
    std::uint32_t tablespace = 0, database = 0, relation = 0;  // as the log names them: 1663 default, 1664 global
    std::uint8_t fork = 0;                                     // 0 main, 1 free space map, 2 visibility map, 3 init
    std::uint32_t segment = 0;  // files have at most 1 GiB; the next one of the same fork is `.1`
};
// By a path relative to the data directory; nothing for a file that has no pages.
std::optional<RelationFile> parse_relation_path(std::string_view path);

}  // namespace kedge::verify
