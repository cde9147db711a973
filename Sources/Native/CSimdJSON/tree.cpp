#include "parser.hpp"

namespace {

// The depth is bounded by simdjson's own limit, so recursion is safe.
void append(mw_json_parser &parser, std::string_view key, dom::element element, size_t parent) {
    size_t index = parser.nodes.size();
    parser.nodes.push_back(mw_node{mw::text_of(key), mw::value_of(element), 0, parent});
    if (element.is_object()) {
        for (auto field : dom::object(element)) append(parser, field.key, field.value, index);
    } else if (element.is_array()) {
        for (auto child : dom::array(element)) append(parser, std::string_view(), child, index);
    }
    parser.nodes[index].end = parser.nodes.size();
}

}  // namespace

extern "C" {

mw_json_status mw_tree_parse(mw_json_parser *parser, const void *bytes, size_t count, mw_tree_view *view,
                             mw_json_error *error) {
    return mw::guarded(error, [&] {
        if (!parser || !view) mw::fail(error, MW_JSON_SHAPE, "", "a parser and a view are needed");
        *view = mw_tree_view{};
        parser->nodes.clear();
        // As many as rows of short members come to: growing would copy them again and again.
        parser->nodes.reserve(count / 16 + 1);
        append(*parser, std::string_view(), mw::parse(*parser, bytes, count, error), 0);
        *view = mw_tree_view{parser->nodes.data(), parser->nodes.size()};
    });
}

int64_t mw_tree_member(const mw_tree_view *view, size_t object, const char *key, size_t length) {
    if (!view || !key || object >= view->count || view->nodes[object].value.kind != MW_VALUE_OBJECT) return -1;
    std::string_view wanted(key, length);
    int64_t found = -1;
    size_t end = view->nodes[object].end;
    for (size_t index = object + 1; index < end; index = view->nodes[index].end) {
        const mw_text &name = view->nodes[index].key;
        if (std::string_view(name.text, name.length) == wanted) found = int64_t(index);
    }
    return found;
}

}  // extern "C"
