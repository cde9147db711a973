#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "CSimdJSON.h"

namespace edge {

/// The name, type and shape of an input or output; -1 in a shape is a size that each request chooses.
struct spec {
    std::string name;
    mw_datatype type;
    std::vector<int64_t> shape;
    /// Of an input: what its values are called in a table, in order; empty where they have no names.
    std::vector<std::string> columns;
    /// Of an output: the classes its last dimension stands for, in order; empty where the model does not tell.
    std::vector<std::string> labels;
};

/// Elements as the binary tensor data extension of the Open Inference Protocol lays them out.
struct tensor {
    mw_datatype type;
    std::vector<int64_t> shape;
    std::vector<char> bytes;
};

/// One row, or one request of several rows, that can not be scored; the next one may be.
struct refusal {
    std::string message;
    std::string remedy;
};

/// What ends the program, with its exit code.
struct failure {
    int code;
    std::string message;
    std::string remedy;
};

/// What the program's exit codes say.
enum exit_code { done = 0, rows_refused = 1, wrong_use = 2, not_loaded = 3, out_of_memory = 4 };

/// The protocol's name of a type.
std::string_view name_of(mw_datatype type);
/// - Throws: `failure` for a name the protocol does not have.
mw_datatype type_named(std::string_view name);
/// Bytes of an element; 0 for BYTES.
size_t width_of(mw_datatype type);
inline bool is_real(mw_datatype type) { return type >= MW_FP16 && type <= MW_FP64; }
/// The number of elements; `refusal` where it is no number, or a size is negative.
size_t count_of(const std::vector<int64_t> &shape);
/// A shape as people write it: `[1, 30]`.
std::string text_of(const std::vector<int64_t> &shape);
/// Adds an element of BYTES.
void append_text(std::vector<char> &bytes, std::string_view text);
/// Calls `body` with each element of BYTES; `refusal` where the last one is cut off.
template <typename Body> void each_text(const std::vector<char> &bytes, Body body) {
    std::string_view rest(bytes.data(), bytes.size());
    while (!rest.empty()) {
        uint32_t length = 0;
        if (rest.size() < sizeof length) throw refusal{"a text is cut off", "Send the request again"};
        __builtin_memcpy(&length, rest.data(), sizeof length);
        rest.remove_prefix(sizeof length);
        if (rest.size() < length) throw refusal{"a text is cut off", "Send the request again"};
        body(rest.substr(0, length));
        rest.remove_prefix(length);
    }
}
/// The elements of a tensor of numbers as doubles; `refusal` for other tensors.
void doubles_of(const tensor &from, std::vector<double> &into);

}  // namespace edge
