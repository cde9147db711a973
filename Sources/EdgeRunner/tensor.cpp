#include "tensor.hpp"

#include <array>
#include <cstring>

namespace edge {

namespace {
struct kind {
    std::string_view name;
    size_t width;
};

// In the order of mw_datatype.
constexpr std::array<kind, 14> kinds{{{"BOOL", 1},
                                      {"UINT8", 1},
                                      {"UINT16", 2},
                                      {"UINT32", 4},
                                      {"UINT64", 8},
                                      {"INT8", 1},
                                      {"INT16", 2},
                                      {"INT32", 4},
                                      {"INT64", 8},
                                      {"FP16", 2},
                                      {"BF16", 2},
                                      {"FP32", 4},
                                      {"FP64", 8},
                                      {"BYTES", 0}}};
static_assert(MW_BYTES == 13 && MW_FP32 == 11 && MW_INT64 == 8);

template <typename Element> void widen(const std::vector<char> &bytes, std::vector<double> &into) {
    into.resize(bytes.size() / sizeof(Element));
    for (size_t index = 0; index < into.size(); index++) {
        Element element;
        std::memcpy(&element, bytes.data() + index * sizeof element, sizeof element);
        into[index] = static_cast<double>(element);
    }
}
}  // namespace

std::string_view name_of(mw_datatype type) { return kinds.at(type).name; }

mw_datatype type_named(std::string_view name) {
    for (size_t index = 0; index < kinds.size(); index++)
        if (kinds[index].name == name) return static_cast<mw_datatype>(index);
    throw failure{not_loaded, "manifest.json has a type '" + std::string(name) + "' that is none",
                  "Export the model again"};
}

size_t width_of(mw_datatype type) { return kinds.at(type).width; }

size_t count_of(const std::vector<int64_t> &shape) {
    size_t count = 1;
    for (int64_t size : shape)
        if (size < 0 || __builtin_mul_overflow(count, static_cast<size_t>(size), &count))
            throw refusal{"the shape " + text_of(shape) + " has no size", "Give the sizes of the data"};
    return count;
}

std::string text_of(const std::vector<int64_t> &shape) {
    std::string text = "[";
    for (int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
    return text + "]";
}

void append_text(std::vector<char> &bytes, std::string_view text) {
    auto length = static_cast<uint32_t>(text.size());
    auto head = reinterpret_cast<const char *>(&length);
    bytes.insert(bytes.end(), head, head + sizeof length);
    bytes.insert(bytes.end(), text.begin(), text.end());
}

void doubles_of(const tensor &from, std::vector<double> &into) {
    switch (from.type) {
    case MW_BOOL:
    case MW_UINT8: return widen<uint8_t>(from.bytes, into);
    case MW_UINT16: return widen<uint16_t>(from.bytes, into);
    case MW_UINT32: return widen<uint32_t>(from.bytes, into);
    case MW_UINT64: return widen<uint64_t>(from.bytes, into);
    case MW_INT8: return widen<int8_t>(from.bytes, into);
    case MW_INT16: return widen<int16_t>(from.bytes, into);
    case MW_INT32: return widen<int32_t>(from.bytes, into);
    case MW_INT64: return widen<int64_t>(from.bytes, into);
    case MW_FP32: return widen<float>(from.bytes, into);
    case MW_FP64: return widen<double>(from.bytes, into);
    default: throw refusal{std::string(name_of(from.type)) + " is no number a forest takes", "Send FP32 or FP64"};
    }
}

}  // namespace edge
