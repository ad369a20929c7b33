// A strict tree of one YAML document.
//
// YAML reads much that nobody meant. This reader keeps what a configuration needs: maps with distinct plain
// keys, lists, and scalars as the text that stands there; what a scalar means is decided by the shape it is
// read with (shape.h), never by its looks, so that `yes`, `014` and `1e3` are texts until a field asks for
// something else. Refused: duplicate keys, a second document, tags, merge keys, aliases to an ancestor,
// aliases that blow the tree up, deep nesting, large files, bytes that are not printable UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "document/mistake.h"

namespace kedge {

inline constexpr std::size_t yaml_bytes_max = 256 * 1024;
inline constexpr int yaml_depth_max = 24;
// Nodes of the tree with every alias expanded, and nodes that come from aliases.
inline constexpr std::size_t yaml_nodes_max = 50'000;
inline constexpr std::size_t yaml_aliased_nodes_max = 2'000;

enum class NodeKind { nothing, text, list, map };

struct Member;

struct Node {
    NodeKind kind = NodeKind::nothing;
    Place place;
    std::string text;
    bool quoted = false;  // a text in quotes, or a block: never a number or a flag
    std::vector<Node> items;
    std::vector<Member> members;  // in the order of the file

    const Node* find(std::string_view key) const;  // null if this is no map or has no such key
};

struct Member {
    std::string key;
    Place place;  // of the key
    Node value;
};

// `path` is only what messages call the file.
Parsed<Node> parse_yaml(const std::string& path, std::string_view text);

}  // namespace kedge
