#include <charconv>
#include <cmath>
#include <cstring>

#include "CSimdJSON.h"

namespace {

template <typename Number> size_t shortest(char *buffer, Number value) {
    if (!buffer) return 0;
    if (!std::isfinite(value)) {
        std::memcpy(buffer, "null", 4);
        return 4;
    }
    return static_cast<size_t>(std::to_chars(buffer, buffer + MW_NUMBER_CAPACITY, value).ptr - buffer);
}

/// The length of the well-formed UTF-8 sequence at `bytes` (Unicode 15, table 3-7), or 0.
size_t sequence(const unsigned char *bytes, size_t left) {
    auto follows = [&](size_t index, unsigned low = 0x80, unsigned high = 0xBF) {
        return index < left && bytes[index] >= low && bytes[index] <= high;
    };
    unsigned lead = bytes[0];
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        unsigned low = lead == 0xE0 ? 0xA0 : 0x80, high = lead == 0xED ? 0x9F : 0xBF;
        return follows(1, low, high) && follows(2) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        unsigned low = lead == 0xF0 ? 0x90 : 0x80, high = lead == 0xF4 ? 0x8F : 0xBF;
        return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

extern "C" {

size_t mw_double_format(char *buffer, double value) { return shortest(buffer, value); }

size_t mw_float_format(char *buffer, float value) { return shortest(buffer, value); }

size_t mw_doubles_format(char *buffer, size_t capacity, const double *values, size_t count) {
    if (!buffer || !values || capacity / MW_NUMBER_CAPACITY < count) return 0;
    char *out = buffer;
    for (size_t index = 0; index < count; index++) {
        if (index) *out++ = ',';
        out += shortest(out, values[index]);
    }
    return static_cast<size_t>(out - buffer);
}

size_t mw_json_escape(char *buffer, size_t capacity, const char *text, size_t length) {
    if (!buffer || (!text && length) || capacity < 2 || (capacity - 2) / 6 < length) return 0;
    static const char digits[] = "0123456789abcdef";
    const auto *bytes = reinterpret_cast<const unsigned char *>(text);
    char *out = buffer;
    *out++ = '"';
    for (size_t index = 0; index < length;) {
        unsigned char byte = bytes[index];
        if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
            *out++ = static_cast<char>(byte);
            index++;
        } else if (byte < 0x80) {
            *out++ = '\\';
            switch (byte) {
            case '"': *out++ = '"'; break;
            case '\\': *out++ = '\\'; break;
            case '\n': *out++ = 'n'; break;
            case '\r': *out++ = 'r'; break;
            case '\t': *out++ = 't'; break;
            default:
                std::memcpy(out, "u00", 3);
                out[3] = digits[byte >> 4];
                out[4] = digits[byte & 15];
                out += 5;
            }
            index++;
        } else if (size_t width = sequence(bytes + index, length - index)) {
            std::memcpy(out, bytes + index, width);
            out += width;
            index += width;
        } else {
            std::memcpy(out, "\xEF\xBF\xBD", 3);
            out += 3;
            index++;
        }
    }
    *out++ = '"';
    return static_cast<size_t>(out - buffer);
}

}  // extern "C"
