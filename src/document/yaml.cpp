#include "document/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>

namespace kedge {
namespace {

Place place_of(const YAML::Mark& mark) {
    return mark.is_null() ? Place{} : Place{mark.line + 1, mark.column + 1};
}

std::size_t count(const Node& node) {
    std::size_t nodes = 1;
    for (const Node& item : node.items) nodes += count(item);
    for (const Member& member : node.members) nodes += count(member.value);
    return nodes;
}

// How deep the tree below and with `node` is.
int height(const Node& node) {
    int below = 0;
    for (const Node& item : node.items) below = std::max(below, height(item));
    for (const Member& member : node.members) below = std::max(below, height(member.value));
    return below + 1;
}

// Builds the tree from the parser's events. Once something is beyond a limit it ignores the rest: the file is
// small, so letting the parser run to its end is cheaper than a way out of it.
class TreeBuilder final : public YAML::EventHandler {
public:
    explicit TreeBuilder(Mistakes& mistakes) : mistakes_(mistakes) {}

    Node take() { return std::move(root_); }
    bool gave_up() const { return gave_up_; }
    Place begins() const { return begins_; }

    void OnDocumentStart(const YAML::Mark& mark) override { begins_ = place_of(mark); }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(leaf(NodeKind::nothing, mark), anchor); }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        // The library's word for a scalar that carries no tag: "?" when plain, "!" when quoted.
        if (tag != "?" && tag != "!") refuse_tag(mark, tag);
        Node node = leaf(NodeKind::text, mark);
        node.text = value;
        node.quoted = tag == "!";
        add(std::move(node), anchor);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        if (gave_up_) return;
        const auto anchored = anchors_.find(anchor);
        if (anchored == anchors_.end()) {
            // An anchor is entered here when its node is complete: this one is still being read.
            mistakes_.add(place_of(mark), "an alias stands inside the very node that it names");
            add(leaf(NodeKind::nothing, mark), 0);
            return;
        }
        const std::size_t nodes = count(anchored->second);
        aliased_ += nodes;
        if (aliased_ > yaml_aliased_nodes_max)
            return give_up(mark, fmt::format("aliases expand to more than {} nodes", yaml_aliased_nodes_max));
        nodes_ += nodes;
        if (static_cast<int>(open_.size()) + height(anchored->second) > yaml_depth_max)
            return give_up(mark, fmt::format("nested more than {} deep", yaml_depth_max));
        place(anchored->second);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        start(NodeKind::list, mark, tag, anchor);
    }
    void OnSequenceEnd() override { finish(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        start(NodeKind::map, mark, tag, anchor);
    }
    void OnMapEnd() override { finish(); }

private:
    // A list or map that is being read.
    struct Open {
        Node node;
        YAML::anchor_t anchor = 0;
        std::optional<Member> member{};      // a map's key that waits for its value
        std::map<std::string, int> lines{};  // of the keys that a map has already
    };

    static Node leaf(NodeKind kind, const YAML::Mark& mark) {
        Node node;
        node.kind = kind;
        node.place = place_of(mark);
        return node;
    }

    void give_up(const YAML::Mark& mark, std::string what) {
        gave_up_ = true;
        mistakes_.add(place_of(mark), std::move(what), "write it shorter and plainer");
    }

    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        mistakes_.add(place_of(mark), fmt::format("the tag `{}` is not allowed", tag), "no value needs a tag here");
    }

    void start(NodeKind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        if (gave_up_) return;
        if (static_cast<int>(open_.size()) >= yaml_depth_max)
            return give_up(mark, fmt::format("nested more than {} deep", yaml_depth_max));
        if (!tag.empty() && tag != "?" && tag != "!") refuse_tag(mark, tag);
        open_.push_back(Open{leaf(kind, mark), anchor});
    }

    void finish() {
        if (gave_up_) return;
        Open done = std::move(open_.back());
        open_.pop_back();
        add(std::move(done.node), done.anchor);
    }

    void add(Node node, YAML::anchor_t anchor) {
        if (gave_up_) return;
        if (++nodes_ > yaml_nodes_max) {
            gave_up_ = true;
            mistakes_.add(node.place, fmt::format("more than {} values", yaml_nodes_max));
            return;
        }
        if (anchor != 0) anchors_.insert_or_assign(anchor, node);
        place(std::move(node));
    }

    // Puts a finished node where it belongs: into the innermost open list or map, or at the root.
    void place(Node node) {
        if (open_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = open_.back();
        if (parent.node.kind == NodeKind::list) {
            parent.node.items.push_back(std::move(node));
        } else if (!parent.member) {
            parent.member = key_from(std::move(node), parent);
        } else {
            // An empty value has no place of its own: it is missing after its key.
            if (node.kind == NodeKind::nothing) node.place = parent.member->place;
            parent.member->value = std::move(node);
            parent.node.members.push_back(std::move(*parent.member));
            parent.member.reset();
        }
    }

    Member key_from(Node node, Open& map) {
        if (node.kind != NodeKind::text) {
            mistakes_.add(node.place, "a key must be a plain text");
            return Member{{}, node.place, {}};
        }
        if (node.text == "<<" && !node.quoted)
            mistakes_.add(node.place, "merge keys (`<<`) are not allowed", "write the fields out");
        const auto [first, is_new] = map.lines.emplace(node.text, node.place.line);
        if (!is_new)
            mistakes_.add(node.place, fmt::format("`{}` stands here twice, first in line {}", node.text, first->second),
                          "keep one of the two");
        return Member{std::move(node.text), node.place, {}};
    }

    Mistakes& mistakes_;
    Place begins_;
    Node root_;
    std::vector<Open> open_;
    std::map<YAML::anchor_t, Node> anchors_;
    std::size_t nodes_ = 0, aliased_ = 0;
    bool gave_up_ = false;
};

// The length of the well-formed UTF-8 sequence at `at` (RFC 3629), 0 if there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
    const unsigned first = byte(at), second = byte(at + 1);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(at + 1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool fits = !(first == 0xE0 && second < 0xA0) && !(first == 0xED && second > 0x9F);
        return fits && follows(at + 1) && follows(at + 2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool fits = !(first == 0xF0 && second < 0x90) && !(first == 0xF4 && second > 0x8F);
        return fits && follows(at + 1) && follows(at + 2) && follows(at + 3) ? 4 : 0;
    }
    return 0;
}

// The first byte that no text file of ours may hold, with its place.
void check_bytes(std::string_view text, Mistakes& mistakes) {
    Place place{1, 1};
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const std::size_t length = utf8_length(text, at);
        if (length == 0) return mistakes.add(place, "not UTF-8", "save the file as UTF-8");
        const bool control = (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7F;
        if (control) return mistakes.add(place, fmt::format("the control character 0x{:02X}", byte), "remove it");
        place = byte == '\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + 1};
        at += length;
    }
}

// The library's own words, without its address: that is in the mark.
void add_library_error(const YAML::ParserException& error, Mistakes& mistakes) {
    const bool depth = error.msg == YAML::ErrorMsg::BAD_FILE;
    mistakes.add(place_of(error.mark), depth ? "nested too deep" : "not YAML: " + error.msg);
}

}  // namespace

const Node* Node::find(std::string_view key) const {
    for (const Member& member : members)
        if (member.key == key) return &member.value;
    return nullptr;
}

Parsed<Node> parse_yaml(const std::string& path, std::string_view text) {
    Mistakes mistakes{path};
    if (text.size() > yaml_bytes_max)
        mistakes.add({}, fmt::format("{} bytes, more than the {} allowed", text.size(), yaml_bytes_max));
    else
        check_bytes(text, mistakes);
    if (!mistakes.empty()) return mistakes;

    TreeBuilder builder{mistakes};
    try {
        std::istringstream input{std::string(text)};
        YAML::Parser parser{input};
        if (!parser.HandleNextDocument(builder)) {
            mistakes.add({1, 1}, "the file is empty");
        } else if (!builder.gave_up()) {
            // What follows is read only to see that it is there; its mistakes are not ours to tell.
            Mistakes ignored{path};
            TreeBuilder next{ignored};
            if (parser.HandleNextDocument(next))
                mistakes.add(next.begins(), "a second document", "one file holds one document");
        }
    } catch (const YAML::ParserException& error) {
        // After the builder gave up, the library only stumbles over what was skipped.
        if (!builder.gave_up()) add_library_error(error, mistakes);
    } catch (const YAML::Exception& error) {
        mistakes.add(place_of(error.mark), "not YAML: " + error.msg);
    }
    if (!mistakes.empty()) return mistakes;
    return builder.take();
}

}  // namespace kedge
