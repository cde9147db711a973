#pragma once
#include <cmath>
#include <cstring>
#include <optional>

#include "CSimdJSON.h"

/// How the binary tensor data extension lays elements out: little-endian, without padding.
namespace mw {

/// Bytes of an element; 0 for BYTES, whose elements differ.
inline size_t width(mw_datatype datatype) {
    switch (datatype) {
    case MW_BOOL:
    case MW_UINT8:
    case MW_INT8: return 1;
    case MW_UINT16:
    case MW_INT16:
    case MW_FP16:
    case MW_BF16: return 2;
    case MW_UINT32:
    case MW_INT32:
    case MW_FP32: return 4;
    case MW_UINT64:
    case MW_INT64:
    case MW_FP64: return 8;
    case MW_BYTES: return 0;
    }
    return 0;
}

/// Goes through the elements of BYTES: four bytes of length each, then as many bytes.
class strings {
  public:
    strings(const char *start, size_t length) : position(start), left(length) {}

    /// The next element; nothing at the end, or where its length reaches past it.
    std::optional<mw_text> next() {
        uint32_t length;
        if (left < sizeof length) return std::nullopt;
        std::memcpy(&length, position, sizeof length);
        if (left - sizeof length < length) return std::nullopt;
        mw_text text{position + sizeof length, length};
        position += sizeof length + length;
        left -= sizeof length + length;
        return text;
    }

    bool at_end() const { return left == 0; }

  private:
    const char *position;
    size_t left;
};

/// The nearest number of half precision (IEEE 754 binary16), ties to even.
inline uint16_t to_half(double value) {
    auto half = static_cast<_Float16>(value);
    uint16_t bits;
    std::memcpy(&bits, &half, sizeof bits);
    return bits;
}

inline double from_half(uint16_t bits) {
    _Float16 half;
    std::memcpy(&half, &bits, sizeof half);
    return static_cast<double>(half);
}

/// The nearest bfloat16, the upper half of a single, ties to even.
inline uint16_t to_bfloat(double value) {
    auto single = static_cast<float>(value);
    uint32_t bits;
    std::memcpy(&bits, &single, sizeof bits);
    if (std::isnan(single)) return static_cast<uint16_t>((bits >> 16) | 0x40);
    return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

inline double from_bfloat(uint16_t bits) {
    uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float single;
    std::memcpy(&single, &wide, sizeof single);
    return static_cast<double>(single);
}

}  // namespace mw
