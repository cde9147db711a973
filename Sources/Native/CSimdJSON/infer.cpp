#include <cmath>
#include <limits>

#include "layout.hpp"
#include "parser.hpp"

namespace {

struct datatype_row {
    std::string_view name;
    mw_datatype datatype;
    mw_data_kind kind;
    int64_t low;
    uint64_t high;
};

constexpr datatype_row datatypes[] = {
    {"FP64", MW_FP64, MW_DATA_DOUBLE, 0, 0},
    {"FP32", MW_FP32, MW_DATA_DOUBLE, 0, 0},
    {"INT64", MW_INT64, MW_DATA_INT64, INT64_MIN, INT64_MAX},
    {"BYTES", MW_BYTES, MW_DATA_TEXT, 0, 0},
    {"BOOL", MW_BOOL, MW_DATA_BOOL, 0, 1},
    {"INT32", MW_INT32, MW_DATA_INT64, INT32_MIN, INT32_MAX},
    {"INT16", MW_INT16, MW_DATA_INT64, INT16_MIN, INT16_MAX},
    {"INT8", MW_INT8, MW_DATA_INT64, INT8_MIN, INT8_MAX},
    {"UINT64", MW_UINT64, MW_DATA_UINT64, 0, UINT64_MAX},
    {"UINT32", MW_UINT32, MW_DATA_UINT64, 0, UINT32_MAX},
    {"UINT16", MW_UINT16, MW_DATA_UINT64, 0, UINT16_MAX},
    {"UINT8", MW_UINT8, MW_DATA_UINT64, 0, UINT8_MAX},
    {"FP16", MW_FP16, MW_DATA_DOUBLE, 0, 0},
    {"BF16", MW_BF16, MW_DATA_DOUBLE, 0, 0},
};

/// Where the reader is, spelled out only when an error needs it.
struct place {
    const char *list = "";
    size_t index = 0;
    const char *member = "";
    bool has_element = false;
    size_t element = 0;

    void write(char *out, size_t capacity) const {
        if (!*list) {
            std::snprintf(out, capacity, "%s", member);
        } else if (has_element) {
            std::snprintf(out, capacity, "%s[%zu].%s[%zu]", list, index, member, element);
        } else {
            std::snprintf(out, capacity, "%s[%zu]%s%s", list, index, *member ? "." : "", member);
        }
    }
};

class reader {
  public:
    reader(mw_json_parser &parser, mw_json_error *error) : parser(parser), error(error) {}

    void read(dom::element root, mw_infer_view &view) {
        dom::object members;
        if (root.get_object().get(members)) fail("an infer request has to be a JSON object");
        dom::element inputs, outputs;
        bool has_inputs = false, has_outputs = false;
        for (auto field : members) {
            if (field.key == "id") {
                at = place{"", 0, "id", false, 0};
                std::string_view id;
                if (field.value.is_null()) continue;
                if (field.value.get_string().get(id)) fail("the request id has to be a string");
                view.has_id = true;
                view.id = mw::text_of(id);
            } else if (field.key == "parameters") {
                at = place{"", 0, "parameters", false, 0};
                view.parameters = parameters(field.value);
            } else if (field.key == "inputs") {
                inputs = field.value;
                has_inputs = true;
            } else if (field.key == "outputs") {
                outputs = field.value;
                has_outputs = !field.value.is_null();
            }
        }
        at = place{"", 0, "inputs", false, 0};
        dom::array list;
        if (!has_inputs) fail("the infer request lacks 'inputs'");
        if (inputs.get_array().get(list)) fail("'inputs' has to be an array");
        size_t index = 0;
        for (auto element : list) input(element, index++);
        if (has_outputs) {
            at = place{"", 0, "outputs", false, 0};
            if (outputs.get_array().get(list)) fail("'outputs' has to be an array");
            index = 0;
            for (auto element : list) output(element, index++);
        }
        settle(view);
    }

  private:
    mw_json_parser &parser;
    mw_json_error *error;
    place at;

    [[noreturn]] void fail(const char *message) {
        char where[sizeof(mw_json_error::where)];
        at.write(where, sizeof where);
        mw::fail(error, MW_JSON_SHAPE, where, "%s", message);
    }

    // Pointers into vectors that still grow would dangle, so until `settle` they hold offsets counted from here.
    template <typename Type> static const Type *offset(size_t value) {
        return reinterpret_cast<const Type *>(value * sizeof(Type));
    }
    template <typename Type> static void rebase(const Type *&pointer, const std::vector<Type> &items) {
        pointer = items.data() + reinterpret_cast<size_t>(pointer) / sizeof(Type);
    }

    mw_parameters parameters(dom::element element) {
        mw_parameters list{offset<mw_parameter>(parser.parameters.size()), 0};
        if (element.is_null()) return list;
        dom::object members;
        if (element.get_object().get(members)) fail("'parameters' has to be an object");
        for (auto field : members) {
            parser.parameters.push_back(mw_parameter{mw::text_of(field.key), mw::value_of(field.value)});
            list.count++;
        }
        return list;
    }

    void output(dom::element element, size_t index) {
        at = place{"outputs", index, "", false, 0};
        dom::object members;
        if (element.get_object().get(members)) fail("an output has to be an object");
        mw_output output{};
        bool named = false;
        for (auto field : members) {
            if (field.key == "name") {
                at.member = "name";
                std::string_view name;
                if (field.value.get_string().get(name)) fail("the name of an output has to be a string");
                output.name = mw::text_of(name);
                named = true;
            } else if (field.key == "parameters") {
                at.member = "parameters";
                output.parameters = parameters(field.value);
            }
        }
        at.member = "";
        if (!named) fail("the output lacks 'name'");
        parser.outputs.push_back(output);
    }

    void input(dom::element element, size_t index) {
        at = place{"inputs", index, "", false, 0};
        dom::object members;
        if (element.get_object().get(members)) fail("an input has to be an object");
        mw_tensor tensor{};
        dom::element shape, data;
        const datatype_row *row = nullptr;
        bool named = false, shaped = false, filled = false;
        for (auto field : members) {
            std::string_view text;
            if (field.key == "name") {
                at.member = "name";
                if (field.value.get_string().get(text)) fail("the name of an input has to be a string");
                tensor.name = mw::text_of(text);
                named = true;
            } else if (field.key == "datatype") {
                at.member = "datatype";
                if (field.value.get_string().get(text)) fail("the datatype has to be a string");
                row = find(text);
                tensor.datatype_name = mw::text_of(text);
            } else if (field.key == "shape") {
                shape = field.value;
                shaped = true;
            } else if (field.key == "data") {
                data = field.value;
                filled = true;
            } else if (field.key == "parameters") {
                at.member = "parameters";
                tensor.parameters = parameters(field.value);
            }
        }
        at.member = "";
        if (!named) fail("the input lacks 'name'");
        if (!row) fail("the input lacks 'datatype'");
        if (!shaped) fail("the input lacks 'shape'");
        tensor.datatype = row->datatype;
        uint64_t expected = read_shape(shape, tensor);
        if (filled) {
            at.member = "data";
            if (!data.is_array()) fail("'data' has to be an array, flat or nested to the shape");
            fill(tensor, *row, data);
            at.has_element = false;
            if (tensor.count != expected) {
                char message[sizeof(mw_json_error::message)];
                std::snprintf(message, sizeof message, "the shape asks for %llu elements and 'data' has %zu",
                              static_cast<unsigned long long>(expected), tensor.count);
                fail(message);
            }
        }
        parser.inputs.push_back(tensor);
    }

    const datatype_row *find(std::string_view name) {
        for (const auto &row : datatypes) {
            if (row.name == name) return &row;
        }
        fail("the datatype is none of BOOL, UINT8-64, INT8-64, FP16, BF16, FP32, FP64, BYTES");
    }

    uint64_t read_shape(dom::element element, mw_tensor &tensor) {
        at.member = "shape";
        dom::array list;
        if (element.get_array().get(list)) fail("the shape has to be an array of whole numbers");
        uint64_t product = 1;
        for (auto dimension : list) {
            at.has_element = true;
            at.element = tensor.rank;
            int64_t size;
            if (tensor.rank == MW_MAX_RANK) fail("a shape can have 8 dimensions at most");
            if (!dimension.is_int64() || dimension.get_int64().get(size) || size < 0) {
                fail("a dimension has to be a whole number, 0 or more");
            }
            if (__builtin_mul_overflow(product, static_cast<uint64_t>(size), &product)) {
                fail("the dimensions multiply to more than can be counted");
            }
            tensor.shape[tensor.rank++] = size;
        }
        at.has_element = false;
        at.member = "";
        return product;
    }

    void fill(mw_tensor &tensor, const datatype_row &row, dom::element data) {
        tensor.kind = row.kind;
        size_t first_null = parser.nulls.size();
        switch (row.kind) {
        case MW_DATA_DOUBLE:
            tensor.doubles = offset<double>(parser.doubles.size());
            each(tensor, first_null, data, [&](dom::element value, bool null) { number(row, value, null); });
            break;
        case MW_DATA_INT64:
            tensor.int64s = offset<int64_t>(parser.int64s.size());
            each(tensor, first_null, data, [&](dom::element value, bool null) { signed_integer(row, value, null); });
            break;
        case MW_DATA_UINT64:
            tensor.uint64s = offset<uint64_t>(parser.uint64s.size());
            each(tensor, first_null, data, [&](dom::element value, bool null) { unsigned_integer(row, value, null); });
            break;
        case MW_DATA_BOOL:
            tensor.booleans = offset<uint8_t>(parser.booleans.size());
            each(tensor, first_null, data, [&](dom::element value, bool null) { boolean(value, null); });
            break;
        case MW_DATA_TEXT:
            tensor.texts = offset<mw_text>(parser.texts.size());
            each(tensor, first_null, data, [&](dom::element value, bool null) { text(value, null); });
            break;
        case MW_DATA_ABSENT:
        case MW_DATA_RAW: break;
        }
        if (tensor.null_count) {
            parser.nulls.resize(first_null + tensor.count, 0);
            tensor.nulls = offset<uint8_t>(first_null + 1);
        }
    }

    template <typename Body> void each(mw_tensor &tensor, size_t first_null, dom::array list, const Body &body) {
        for (auto value : list) {
            if (value.is_array()) {
                each(tensor, first_null, dom::array(value), body);
                continue;
            }
            at.has_element = true;
            at.element = tensor.count;
            bool null = value.is_null();
            if (null) {
                // Most tensors have no null, so the marks are made when the first one shows up.
                parser.nulls.resize(first_null + tensor.count, 0);
                parser.nulls.push_back(1);
                tensor.null_count++;
            }
            body(value, null);
            tensor.count++;
        }
    }
    template <typename Body> void each(mw_tensor &tensor, size_t first_null, dom::element data, const Body &body) {
        each(tensor, first_null, dom::array(data), body);
    }

    void number(const datatype_row &row, dom::element value, bool null) {
        double read = std::numeric_limits<double>::quiet_NaN();
        if (!null) {
            if (value.is_double()) {
                read = double(value);
            } else if (value.is_int64()) {
                read = double(int64_t(value));
            } else if (value.is_uint64()) {
                read = double(uint64_t(value));
            } else {
                fail("a floating-point tensor holds something that is no number");
            }
            if (!fits(row.datatype, read)) fail("the number is beyond the range of the datatype");
        }
        parser.doubles.push_back(read);
    }

    static bool fits(mw_datatype datatype, double value) {
        switch (datatype) {
        case MW_FP64: return true;
        case MW_FP16: return !std::isinf(mw::from_half(mw::to_half(value)));
        case MW_BF16: return !std::isinf(mw::from_bfloat(mw::to_bfloat(value)));
        default: return !std::isinf(static_cast<float>(value));
        }
    }

    void signed_integer(const datatype_row &row, dom::element value, bool null) {
        int64_t read = 0;
        if (!null) {
            if (!value.is_int64()) fail("an integer tensor holds something that is no integer of its range");
            read = int64_t(value);
            if (read < row.low || read > static_cast<int64_t>(row.high)) {
                fail("the integer is beyond the range of the datatype");
            }
        }
        parser.int64s.push_back(read);
    }

    void unsigned_integer(const datatype_row &row, dom::element value, bool null) {
        uint64_t read = 0;
        if (!null) {
            if (value.is_int64() && int64_t(value) >= 0) {
                read = static_cast<uint64_t>(int64_t(value));
            } else if (value.is_uint64()) {
                read = uint64_t(value);
            } else {
                fail("an unsigned tensor holds something that is no integer of 0 or more");
            }
            if (read > row.high) fail("the integer is beyond the range of the datatype");
        }
        parser.uint64s.push_back(read);
    }

    void boolean(dom::element value, bool null) {
        uint8_t read = 0;
        if (!null) {
            if (value.is_bool()) {
                read = bool(value) ? 1 : 0;
            } else if (value.is_int64() && (int64_t(value) == 0 || int64_t(value) == 1)) {
                read = static_cast<uint8_t>(int64_t(value));
            } else {
                fail("a BOOL tensor holds something other than true, false, 0 or 1");
            }
        }
        parser.booleans.push_back(read);
    }

    void text(dom::element value, bool null) {
        std::string_view read;
        if (!null && value.get_string().get(read)) fail("a BYTES tensor holds something that is no string");
        parser.texts.push_back(null ? mw_text{"", 0} : mw::text_of(read));
    }

    void settle(mw_infer_view &view) {
        rebase(view.parameters.items, parser.parameters);
        for (auto &tensor : parser.inputs) {
            rebase(tensor.parameters.items, parser.parameters);
            switch (tensor.kind) {
            case MW_DATA_DOUBLE: rebase(tensor.doubles, parser.doubles); break;
            case MW_DATA_INT64: rebase(tensor.int64s, parser.int64s); break;
            case MW_DATA_UINT64: rebase(tensor.uint64s, parser.uint64s); break;
            case MW_DATA_BOOL: rebase(tensor.booleans, parser.booleans); break;
            case MW_DATA_TEXT: rebase(tensor.texts, parser.texts); break;
            case MW_DATA_ABSENT:
            case MW_DATA_RAW: break;
            }
            // Counted from one, so that none and the first can be told apart.
            if (tensor.nulls) tensor.nulls = parser.nulls.data() + reinterpret_cast<size_t>(tensor.nulls) - 1;
        }
        for (auto &output : parser.outputs) rebase(output.parameters.items, parser.parameters);
        view.inputs = parser.inputs.data();
        view.input_count = parser.inputs.size();
        view.outputs = parser.outputs.data();
        view.output_count = parser.outputs.size();
    }
};

}  // namespace

extern "C" mw_json_status mw_infer_parse(mw_json_parser *parser, const void *bytes, size_t count, mw_infer_view *view,
                                         mw_json_error *error) {
    auto status = mw::guarded(error, [&] {
        if (!parser || !view) mw::fail(error, MW_JSON_SHAPE, "", "a parser and a view are needed");
        *view = mw_infer_view{};
        parser->doubles.clear();
        parser->int64s.clear();
        parser->uint64s.clear();
        parser->booleans.clear();
        parser->texts.clear();
        parser->nulls.clear();
        parser->parameters.clear();
        parser->inputs.clear();
        parser->outputs.clear();
        reader(*parser, error).read(mw::parse(*parser, bytes, count, error), *view);
    });
    // Half-read views hold offsets instead of pointers; nobody may see them.
    if (status != MW_JSON_OK && view) *view = mw_infer_view{};
    return status;
}
