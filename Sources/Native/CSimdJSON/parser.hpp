#pragma once
#include <simdjson.h>

#include <cstdarg>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include "CSimdJSON.h"

namespace dom = simdjson::dom;

/// The buffers all views point into. Vectors are cleared, never shrunk, so that a steady load allocates nothing.
struct mw_json_parser {
    size_t max_bytes;
    size_t max_depth;
    std::unique_ptr<dom::parser> simd;

    std::vector<double> doubles;
    std::vector<int64_t> int64s;
    std::vector<uint64_t> uint64s;
    std::vector<uint8_t> booleans;
    std::vector<mw_text> texts;
    std::vector<uint8_t> nulls;
    std::vector<mw_parameter> parameters;
    std::vector<mw_tensor> inputs;
    std::vector<mw_output> outputs;
    std::vector<mw_node> nodes;
};

namespace mw {

/// Thrown inside the shim only; every entry point turns it into a status.
struct failure {
    mw_json_status status;
};

/// Fills in the error, if there is one to fill, and throws.
[[noreturn]] __attribute__((format(printf, 4, 5))) void fail(mw_json_error *error, mw_json_status status,
                                                             const char *where, const char *format, ...);

/// Parses `count` bytes within the parser's limits.
dom::element parse(mw_json_parser &parser, const void *bytes, size_t count, mw_json_error *error);

/// A scalar, or the mark of an object or array.
mw_value value_of(dom::element element);

inline mw_text text_of(std::string_view text) { return mw_text{text.data(), text.size()}; }

/// Runs `body` and gives its failure, or one for memory, as a status: no exception crosses into C.
template <typename Body> mw_json_status guarded(mw_json_error *error, Body body) {
    if (error) *error = mw_json_error{MW_JSON_OK, {0}, {0}};
    try {
        body();
        return MW_JSON_OK;
    } catch (const failure &failed) {
        return failed.status;
    } catch (const std::exception &) {
        if (error) {
            error->status = MW_JSON_MEMORY;
            std::snprintf(error->message, sizeof error->message, "no memory is left to read the JSON");
        }
        return MW_JSON_MEMORY;
    }
}

}  // namespace mw
