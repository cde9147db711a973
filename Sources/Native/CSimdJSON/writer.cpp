#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "CSimdJSON.h"
#include "layout.hpp"

namespace {

template <typename Number> size_t shortest(char *buffer, Number value) {
    if (!buffer) return 0;
    if (!std::isfinite(value)) {
        std::memcpy(buffer, "null", 4);
        return 4;
    }
    if (value == 0 && std::signbit(value)) {
        // Readers take "-0" for an integer, which has no such zero.
        std::memcpy(buffer, "-0.0", 4);
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

template <typename Element> Element element_at(const char *bytes, size_t index) {
    Element element;
    std::memcpy(&element, bytes + index * sizeof element, sizeof element);
    return element;
}

template <typename Element> char *integers(char *out, const char *bytes, size_t count) {
    for (size_t index = 0; index < count; index++) {
        if (index) *out++ = ',';
        out = std::to_chars(out, out + MW_NUMBER_CAPACITY, element_at<Element>(bytes, index)).ptr;
    }
    return out;
}

template <typename Element, typename Widen> char *numbers(char *out, const char *bytes, size_t count, Widen widen) {
    for (size_t index = 0; index < count; index++) {
        if (index) *out++ = ',';
        out += shortest(out, widen(element_at<Element>(bytes, index)));
    }
    return out;
}

char *booleans(char *out, const char *bytes, size_t count) {
    for (size_t index = 0; index < count; index++) {
        if (index) *out++ = ',';
        std::string_view text = bytes[index] ? "true" : "false";
        std::memcpy(out, text.data(), text.size());
        out += text.size();
    }
    return out;
}

/// Null where the data ends before its last element.
char *texts(char *out, const char *bytes, size_t length, size_t count) {
    mw::strings strings(bytes, length);
    for (size_t index = 0; index < count; index++) {
        auto text = strings.next();
        if (!text) return nullptr;
        if (index) *out++ = ',';
        out += mw_json_escape(out, 6 * text->length + 2, text->text, text->length);
    }
    return out;
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

size_t mw_elements_capacity(mw_datatype datatype, size_t bytes, size_t count) {
    size_t each, all;
    switch (datatype) {
    case MW_BOOL: each = 6; break;
    case MW_UINT8:
    case MW_INT8: each = 5; break;
    case MW_UINT16:
    case MW_INT16: each = 7; break;
    case MW_UINT32:
    case MW_INT32: each = 12; break;
    case MW_UINT64:
    case MW_INT64: each = 21; break;
    case MW_FP16:
    case MW_BF16:
    case MW_FP32: each = 17; break;
    case MW_FP64: each = 26; break;
    case MW_BYTES: each = 3; break;
    default: return SIZE_MAX;
    }
    // std::to_chars is offered a whole number's room, also for the last one.
    if (__builtin_mul_overflow(each, count, &all) || __builtin_add_overflow(all, MW_NUMBER_CAPACITY, &all)) return SIZE_MAX;
    if (datatype != MW_BYTES) return all;
    size_t escaped;
    if (__builtin_mul_overflow(bytes, 6, &escaped) || __builtin_add_overflow(all, escaped, &all)) return SIZE_MAX;
    return all;
}

size_t mw_elements_format(char *buffer, size_t capacity, mw_datatype datatype, const void *data, size_t bytes,
                          size_t count) {
    if (!buffer || (!data && count) || capacity < mw_elements_capacity(datatype, bytes, count)) return 0;
    const auto *from = static_cast<const char *>(data);
    size_t width = mw::width(datatype);
    if (width && bytes / width < count) return 0;
    char *end = nullptr;
    switch (datatype) {
    case MW_BOOL: end = booleans(buffer, from, count); break;
    case MW_INT8: end = integers<int8_t>(buffer, from, count); break;
    case MW_INT16: end = integers<int16_t>(buffer, from, count); break;
    case MW_INT32: end = integers<int32_t>(buffer, from, count); break;
    case MW_INT64: end = integers<int64_t>(buffer, from, count); break;
    case MW_UINT8: end = integers<uint8_t>(buffer, from, count); break;
    case MW_UINT16: end = integers<uint16_t>(buffer, from, count); break;
    case MW_UINT32: end = integers<uint32_t>(buffer, from, count); break;
    case MW_UINT64: end = integers<uint64_t>(buffer, from, count); break;
    case MW_FP32: end = numbers<float>(buffer, from, count, [](float value) { return value; }); break;
    case MW_FP64: end = numbers<double>(buffer, from, count, [](double value) { return value; }); break;
    case MW_FP16:
        end = numbers<uint16_t>(buffer, from, count, [](uint16_t bits) { return float(mw::from_half(bits)); });
        break;
    case MW_BF16:
        end = numbers<uint16_t>(buffer, from, count, [](uint16_t bits) { return float(mw::from_bfloat(bits)); });
        break;
    case MW_BYTES: end = texts(buffer, from, bytes, count); break;
    }
    return end ? static_cast<size_t>(end - buffer) : 0;
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
