#include <algorithm>
#include <new>

#include "parser.hpp"

namespace mw {

void fail(mw_json_error *error, mw_json_status status, const char *where, const char *format, ...) {
    if (error) {
        error->status = status;
        std::snprintf(error->where, sizeof error->where, "%s", where);
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    throw failure{status};
}

dom::element parse(mw_json_parser &parser, const void *bytes, size_t count, mw_json_error *error) {
    if (count > parser.max_bytes) {
        fail(error, MW_JSON_LIMIT, "", "the JSON has %zu bytes, more than the %zu allowed", count, parser.max_bytes);
    }
    if (!bytes || count == 0) fail(error, MW_JSON_SYNTAX, "", "the JSON is empty");
    if (!parser.simd) parser.simd = std::make_unique<dom::parser>(std::max<size_t>(parser.max_bytes, 64));
    if (parser.simd->capacity() < count) {
        size_t capacity = 4096;
        while (capacity < count) capacity *= 2;
        capacity = std::min(capacity, std::max<size_t>(parser.max_bytes, 64));
        if (parser.simd->allocate(capacity, parser.max_depth) != simdjson::SUCCESS) throw std::bad_alloc();
    }
    dom::element root;
    auto code = parser.simd->parse(static_cast<const uint8_t *>(bytes), count, true).get(root);
    switch (code) {
    case simdjson::SUCCESS: return root;
    case simdjson::DEPTH_ERROR:
        fail(error, MW_JSON_LIMIT, "", "the JSON nests deeper than the %zu levels allowed", parser.max_depth);
    case simdjson::CAPACITY: fail(error, MW_JSON_LIMIT, "", "the JSON is longer than allowed");
    case simdjson::MEMALLOC: throw std::bad_alloc();
    case simdjson::UTF8_ERROR: fail(error, MW_JSON_SYNTAX, "", "the JSON is not valid UTF-8");
    case simdjson::EMPTY: fail(error, MW_JSON_SYNTAX, "", "the JSON is empty");
    case simdjson::STRING_ERROR: fail(error, MW_JSON_SYNTAX, "", "the JSON has a malformed string");
    case simdjson::UNCLOSED_STRING: fail(error, MW_JSON_SYNTAX, "", "the JSON has a string that is never closed");
    case simdjson::UNESCAPED_CHARS:
        fail(error, MW_JSON_SYNTAX, "", "the JSON has a control character inside a string that is not escaped");
    case simdjson::NUMBER_ERROR:
        fail(error, MW_JSON_SYNTAX, "", "the JSON has a malformed number, or one out of the range of its type");
    default: fail(error, MW_JSON_SYNTAX, "", "the JSON is malformed");
    }
}

mw_value value_of(dom::element element) {
    mw_value value{};
    switch (element.type()) {
    case dom::element_type::NULL_VALUE: value.kind = MW_VALUE_NULL; break;
    case dom::element_type::BOOL:
        value.kind = MW_VALUE_BOOL;
        value.boolean = bool(element);
        break;
    case dom::element_type::INT64:
        value.kind = MW_VALUE_INT64;
        value.int64 = int64_t(element);
        value.number = double(value.int64);
        break;
    case dom::element_type::UINT64:
        value.kind = MW_VALUE_UINT64;
        value.uint64 = uint64_t(element);
        value.number = double(value.uint64);
        break;
    case dom::element_type::DOUBLE:
        value.kind = MW_VALUE_DOUBLE;
        value.number = double(element);
        break;
    case dom::element_type::STRING:
        value.kind = MW_VALUE_TEXT;
        value.text = text_of(std::string_view(element));
        break;
    case dom::element_type::OBJECT: value.kind = MW_VALUE_OBJECT; break;
    case dom::element_type::ARRAY: value.kind = MW_VALUE_ARRAY; break;
    }
    return value;
}

}  // namespace mw

extern "C" {

mw_json_parser *mw_json_parser_new(size_t max_bytes, size_t max_depth) {
    auto *parser = new (std::nothrow) mw_json_parser{};
    if (!parser) return nullptr;
    // simdjson addresses with 32 bits.
    parser->max_bytes = std::min<size_t>(max_bytes, 0xFFFFFFFF - 64);
    // simdjson counts the root as a level of its own.
    parser->max_depth = std::min<size_t>(std::max<size_t>(max_depth, 1), 1024) + 1;
    return parser;
}

void mw_json_parser_free(mw_json_parser *parser) { delete parser; }

size_t mw_json_parser_footprint(const mw_json_parser *parser) {
    if (!parser) return 0;
    // Per byte of capacity simdjson holds the copy, 4 bytes of index, 8 of tape and about 2 of strings.
    size_t total = sizeof *parser + (parser->simd ? parser->simd->capacity() * 15 : 0);
    auto held = [](const auto &items) { return items.capacity() * sizeof(*items.data()); };
    total += held(parser->doubles) + held(parser->int64s) + held(parser->uint64s) + held(parser->booleans);
    total += held(parser->texts) + held(parser->nulls) + held(parser->parameters) + held(parser->inputs);
    return total + held(parser->outputs) + held(parser->nodes);
}

void mw_json_parser_trim(mw_json_parser *parser, size_t bytes) {
    if (!parser || mw_json_parser_footprint(parser) <= bytes) return;
    size_t max_bytes = parser->max_bytes, max_depth = parser->max_depth;
    *parser = mw_json_parser{};
    parser->max_bytes = max_bytes;
    parser->max_depth = max_depth;
}

}  // extern "C"
