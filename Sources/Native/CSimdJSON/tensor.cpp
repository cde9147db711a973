#include <cmath>
#include <cstring>
#include <string>

#include "layout.hpp"
#include "parser.hpp"

namespace {

template <typename Element, typename Value> void narrow(const Value *values, size_t count, void *out) {
    auto *bytes = static_cast<unsigned char *>(out);
    for (size_t index = 0; index < count; index++) {
        auto element = static_cast<Element>(values[index]);
        std::memcpy(bytes + index * sizeof element, &element, sizeof element);
    }
}

void halves(const double *values, size_t count, void *out, uint16_t (*convert)(double)) {
    auto *bytes = static_cast<unsigned char *>(out);
    for (size_t index = 0; index < count; index++) {
        uint16_t element = convert(values[index]);
        std::memcpy(bytes + index * sizeof element, &element, sizeof element);
    }
}

class attacher {
  public:
    attacher(mw_json_error *error) : error(error) {}

    void attach(mw_tensor &tensor, size_t index, const char *&next, size_t &left) {
        this->index = index;
        const mw_value *size = nullptr;
        for (size_t each = 0; each < tensor.parameters.count; each++) {
            const auto &parameter = tensor.parameters.items[each];
            if (std::string_view(parameter.key.text, parameter.key.length) == "binary_data_size") size = &parameter.value;
        }
        if (!size) {
            if (tensor.kind == MW_DATA_ABSENT) fail("the input has neither 'data' nor a 'binary_data_size'");
            return;
        }
        if (tensor.kind != MW_DATA_ABSENT) fail("the input has 'data' and a 'binary_data_size', too");
        if (size->kind != MW_VALUE_INT64 || size->int64 < 0) fail("'binary_data_size' has to be a whole number, 0 or more");
        auto count = static_cast<uint64_t>(size->int64);
        if (count > left) {
            fail("'binary_data_size' says " + std::to_string(count) + " bytes where " + std::to_string(left) + " are left");
        }
        tensor.raw = mw_text{next, static_cast<size_t>(count)};
        tensor.kind = MW_DATA_RAW;
        next += count;
        left -= count;
        check(tensor);
    }

  private:
    mw_json_error *error;
    size_t index = 0;

    [[noreturn]] void fail(const std::string &message) {
        char where[sizeof(mw_json_error::where)];
        std::snprintf(where, sizeof where, "inputs[%zu]", index);
        mw::fail(error, MW_JSON_SHAPE, where, "%s", message.c_str());
    }

    void check(mw_tensor &tensor) {
        uint64_t elements = 1;
        // The product was seen not to overflow when the shape was read.
        for (size_t axis = 0; axis < tensor.rank; axis++) elements *= static_cast<uint64_t>(tensor.shape[axis]);
        size_t width = mw::width(tensor.datatype);
        if (width) {
            uint64_t wanted;
            if (__builtin_mul_overflow(elements, static_cast<uint64_t>(width), &wanted) || wanted != tensor.raw.length) {
                fail("its " + std::to_string(tensor.raw.length) + " bytes are not " + std::to_string(elements) +
                     " elements of " + std::to_string(width));
            }
            if (tensor.datatype == MW_BOOL) {
                for (size_t at = 0; at < tensor.raw.length; at++) {
                    if (static_cast<unsigned char>(tensor.raw.text[at]) > 1) fail("a BOOL byte is neither 0 nor 1");
                }
            }
        } else {
            mw::strings strings(tensor.raw.text, tensor.raw.length);
            for (uint64_t element = 0; element < elements; element++) {
                if (!strings.next()) {
                    fail("its bytes end before element " + std::to_string(element) + " of " + std::to_string(elements));
                }
            }
            if (!strings.at_end()) fail("bytes follow the last of its " + std::to_string(elements) + " elements");
        }
        tensor.count = static_cast<size_t>(elements);
    }
};

template <typename Element, typename Value> void widen(const mw_tensor &tensor, std::vector<Value> &out) {
    for (size_t index = 0; index < tensor.count; index++) {
        Element element;
        std::memcpy(&element, tensor.raw.text + index * sizeof element, sizeof element);
        out.push_back(static_cast<Value>(element));
    }
}

void read(mw_json_parser &parser, const mw_tensor &tensor) {
    switch (tensor.datatype) {
    case MW_BOOL: widen<uint8_t>(tensor, parser.booleans); break;
    case MW_INT8: widen<int8_t>(tensor, parser.int64s); break;
    case MW_INT16: widen<int16_t>(tensor, parser.int64s); break;
    case MW_INT32: widen<int32_t>(tensor, parser.int64s); break;
    case MW_INT64: widen<int64_t>(tensor, parser.int64s); break;
    case MW_UINT8: widen<uint8_t>(tensor, parser.uint64s); break;
    case MW_UINT16: widen<uint16_t>(tensor, parser.uint64s); break;
    case MW_UINT32: widen<uint32_t>(tensor, parser.uint64s); break;
    case MW_UINT64: widen<uint64_t>(tensor, parser.uint64s); break;
    case MW_FP32: widen<float>(tensor, parser.doubles); break;
    case MW_FP64: widen<double>(tensor, parser.doubles); break;
    case MW_FP16:
    case MW_BF16:
        for (size_t index = 0; index < tensor.count; index++) {
            uint16_t half;
            std::memcpy(&half, tensor.raw.text + index * sizeof half, sizeof half);
            parser.doubles.push_back(tensor.datatype == MW_FP16 ? mw::from_half(half) : mw::from_bfloat(half));
        }
        break;
    case MW_BYTES: {
        mw::strings strings(tensor.raw.text, tensor.raw.length);
        while (auto text = strings.next()) parser.texts.push_back(*text);
        break;
    }
    }
}

/// Which buffer the elements of a datatype are read into.
mw_data_kind kind_of(mw_datatype datatype) {
    switch (datatype) {
    case MW_BOOL: return MW_DATA_BOOL;
    case MW_INT8:
    case MW_INT16:
    case MW_INT32:
    case MW_INT64: return MW_DATA_INT64;
    case MW_UINT8:
    case MW_UINT16:
    case MW_UINT32:
    case MW_UINT64: return MW_DATA_UINT64;
    case MW_BYTES: return MW_DATA_TEXT;
    default: return MW_DATA_DOUBLE;
    }
}

/// Where the elements of an input begin in their buffer; at its end for those that are about to be read.
size_t start(const mw_json_parser &parser, const mw_tensor &tensor, bool about_to_be_read) {
    auto place = [&](const auto *pointer, const auto &items) {
        return about_to_be_read ? items.size() : static_cast<size_t>(pointer - items.data());
    };
    switch (tensor.kind) {
    case MW_DATA_DOUBLE: return place(tensor.doubles, parser.doubles);
    case MW_DATA_INT64: return place(tensor.int64s, parser.int64s);
    case MW_DATA_UINT64: return place(tensor.uint64s, parser.uint64s);
    case MW_DATA_BOOL: return place(tensor.booleans, parser.booleans);
    case MW_DATA_TEXT: return place(tensor.texts, parser.texts);
    default: return 0;
    }
}

}  // namespace

extern "C" {

mw_json_status mw_infer_attach(mw_json_parser *parser, mw_infer_view *view, const void *tail, size_t count,
                               mw_json_error *error) {
    return mw::guarded(error, [&] {
        if (!parser || !view || (!tail && count)) mw::fail(error, MW_JSON_SHAPE, "", "a parser and a view are needed");
        const char *next = static_cast<const char *>(tail);
        size_t left = count;
        attacher each(error);
        for (size_t index = 0; index < parser->inputs.size(); index++) {
            each.attach(parser->inputs[index], index, next, left);
        }
        if (left) mw::fail(error, MW_JSON_SHAPE, "", "%zu bytes behind the JSON belong to no input", left);
    });
}

mw_json_status mw_infer_expand(mw_json_parser *parser, mw_infer_view *view, mw_json_error *error) {
    return mw::guarded(error, [&] {
        if (!parser || !view) mw::fail(error, MW_JSON_SHAPE, "", "a parser and a view are needed");
        // Where each input's elements begin: the buffers move while they grow.
        std::vector<size_t> starts(parser->inputs.size(), 0);
        for (size_t each = 0; each < starts.size(); each++) {
            if (parser->inputs[each].kind != MW_DATA_RAW) starts[each] = start(*parser, parser->inputs[each], false);
        }
        for (size_t each = 0; each < starts.size(); each++) {
            mw_tensor &tensor = parser->inputs[each];
            if (tensor.kind != MW_DATA_RAW) continue;
            tensor.kind = kind_of(tensor.datatype);
            starts[each] = start(*parser, tensor, true);
            read(*parser, tensor);
        }
        size_t index = 0;
        for (auto &tensor : parser->inputs) {
            size_t first = starts[index++];
            switch (tensor.kind) {
            case MW_DATA_DOUBLE: tensor.doubles = parser->doubles.data() + first; break;
            case MW_DATA_INT64: tensor.int64s = parser->int64s.data() + first; break;
            case MW_DATA_UINT64: tensor.uint64s = parser->uint64s.data() + first; break;
            case MW_DATA_BOOL: tensor.booleans = parser->booleans.data() + first; break;
            case MW_DATA_TEXT: tensor.texts = parser->texts.data() + first; break;
            default: break;
            }
        }
    });
}

size_t mw_tensor_size(const mw_tensor *tensor) {
    if (!tensor) return 0;
    if (tensor->kind == MW_DATA_RAW) return tensor->raw.length;
    if (tensor->datatype != MW_BYTES) return tensor->count * mw::width(tensor->datatype);
    size_t size = 0;
    for (size_t index = 0; index < tensor->count; index++) size += 4 + tensor->texts[index].length;
    return size;
}

void mw_tensor_write(const mw_tensor *tensor, void *out) {
    if (!tensor || !out) return;
    size_t count = tensor->count;
    if (tensor->kind == MW_DATA_RAW) {
        if (tensor->raw.length) std::memcpy(out, tensor->raw.text, tensor->raw.length);
        return;
    }
    if (tensor->kind == MW_DATA_ABSENT) return;
    switch (tensor->datatype) {
    case MW_BOOL: narrow<uint8_t>(tensor->booleans, count, out); break;
    case MW_INT8: narrow<int8_t>(tensor->int64s, count, out); break;
    case MW_INT16: narrow<int16_t>(tensor->int64s, count, out); break;
    case MW_INT32: narrow<int32_t>(tensor->int64s, count, out); break;
    case MW_INT64: narrow<int64_t>(tensor->int64s, count, out); break;
    case MW_UINT8: narrow<uint8_t>(tensor->uint64s, count, out); break;
    case MW_UINT16: narrow<uint16_t>(tensor->uint64s, count, out); break;
    case MW_UINT32: narrow<uint32_t>(tensor->uint64s, count, out); break;
    case MW_UINT64: narrow<uint64_t>(tensor->uint64s, count, out); break;
    case MW_FP32: narrow<float>(tensor->doubles, count, out); break;
    case MW_FP64: narrow<double>(tensor->doubles, count, out); break;
    case MW_FP16: halves(tensor->doubles, count, out, mw::to_half); break;
    case MW_BF16: halves(tensor->doubles, count, out, mw::to_bfloat); break;
    case MW_BYTES: {
        auto *bytes = static_cast<char *>(out);
        for (size_t index = 0; index < count; index++) {
            auto length = static_cast<uint32_t>(tensor->texts[index].length);
            std::memcpy(bytes, &length, 4);
            if (length) std::memcpy(bytes + 4, tensor->texts[index].text, length);
            bytes += 4 + length;
        }
        break;
    }
    }
}

}  // extern "C"
