// ONNX Runtime on one thread.
#include <algorithm>
#include <cstring>
#include <utility>

#include "COnnxRuntime.h"
#include "model.hpp"

namespace edge {

namespace {
void check(OrtStatus status) {
    if (!status) return;
    std::string words = OrtGetErrorMessage(status);
    OrtReleaseStatus(status);
    std::replace(words.begin(), words.end(), '\n', ' ');
    throw refusal{"ONNX Runtime says: " + words.substr(0, 1000), "Check the shapes and values against the manifest"};
}

/// A handle that is let go with the object.
template <typename Handle, void (*release)(Handle)> class owned {
  public:
    owned() = default;
    owned(owned &&other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
    ~owned() {
        if (handle) release(handle);
    }
    Handle *out() { return &handle; }
    operator Handle() const { return handle; }

  private:
    Handle handle = nullptr;
};
using value = owned<OrtValue, OrtReleaseValue>;
using tensor_info = owned<OrtTensorInfo, OrtReleaseTensorTypeAndShapeInfo>;

constexpr struct {
    mw_datatype type;
    int onnx;
} types[] = {{MW_BOOL, MW_ORT_BOOL},     {MW_UINT8, MW_ORT_UINT8},     {MW_UINT16, MW_ORT_UINT16},
             {MW_UINT32, MW_ORT_UINT32}, {MW_UINT64, MW_ORT_UINT64},   {MW_INT8, MW_ORT_INT8},
             {MW_INT16, MW_ORT_INT16},   {MW_INT32, MW_ORT_INT32},     {MW_INT64, MW_ORT_INT64},
             {MW_FP16, MW_ORT_FLOAT16},  {MW_BF16, MW_ORT_BFLOAT16},   {MW_FP32, MW_ORT_FLOAT},
             {MW_FP64, MW_ORT_DOUBLE},   {MW_BYTES, MW_ORT_STRING}};

int onnx_type(mw_datatype type) {
    for (const auto &pair : types)
        if (pair.type == type) return pair.onnx;
    return 0;
}

mw_datatype type_of(int onnx) {
    for (const auto &pair : types)
        if (pair.onnx == onnx) return pair.type;
    throw refusal{"the model answers with a type that JSON has not", "Export the model with other outputs"};
}

/// Copies a tensor out of the library.
void take(OrtValue from, tensor &into) {
    tensor_info info;
    int type;
    size_t rank;
    check(OrtGetTensorTypeAndShape(from, info.out()));
    check(OrtGetTensorElementType(info, &type));
    check(OrtGetDimensionsCount(info, &rank));
    into.type = type_of(type);
    into.shape.resize(rank);
    check(OrtGetDimensions(info, into.shape.data(), rank));
    size_t count = count_of(into.shape);
    if (into.type != MW_BYTES) {
        void *data = nullptr;
        into.bytes.resize(count * width_of(into.type));
        if (count == 0) return;
        check(OrtGetTensorMutableData(from, &data));
        std::memcpy(into.bytes.data(), data, into.bytes.size());
        return;
    }
    into.bytes.clear();
    if (count == 0) return;
    size_t length;
    check(OrtGetStringTensorDataLength(from, &length));
    std::string text(length, 0);
    std::vector<size_t> starts(count + 1, length);
    check(OrtGetStringTensorContent(from, text.data(), length, starts.data(), count));
    starts[count] = length;
    for (size_t index = 0; index < count; index++)
        append_text(into.bytes, std::string_view(text).substr(starts[index], starts[index + 1] - starts[index]));
}

/// Texts of the elements of a tensor of keys.
std::vector<std::string> keys_of(const tensor &keys) {
    std::vector<std::string> found;
    if (keys.type == MW_BYTES) {
        each_text(keys.bytes, [&](std::string_view text) { found.emplace_back(text); });
        return found;
    }
    for (size_t index = 0; index + sizeof(int64_t) <= keys.bytes.size(); index += sizeof(int64_t)) {
        int64_t key;
        std::memcpy(&key, keys.bytes.data() + index, sizeof key);
        found.push_back(std::to_string(key));
    }
    return found;
}

class onnx_model final : public model {
  public:
    onnx_model(const manifest &manifest) : outputs(manifest.outputs) {
        owned<OrtSessionOptions, OrtReleaseSessionOptions> options;
        check(OrtCreateSessionOptions(options.out()));
        check(OrtSetSessionExecutionMode(options, MW_ORT_SEQUENTIAL));
        check(OrtSetIntraOpNumThreads(options, 1));
        check(OrtSetSessionGraphOptimizationLevel(options, 99));
        check(OrtSetSessionLogSeverityLevel(options, MW_ORT_LOG_FATAL));
        check(OrtDisableCpuMemArena(options));
        check(OrtDisableMemPattern(options));
        check(OrtAddSessionConfigEntry(options, "session.load_model_format", "ONNX"));
        std::vector<std::string> contents;
        std::vector<const char *> names, starts;
        std::vector<size_t> lengths;
        contents.reserve(manifest.files.size());
        for (const manifest::file &file : manifest.files) {
            if (file.name == manifest.model) continue;
            const std::string &bytes = contents.emplace_back(manifest.contents(file));
            names.push_back(file.name.c_str());
            starts.push_back(bytes.data());
            lengths.push_back(bytes.size());
        }
        if (!names.empty())
            check(OrtAddExternalInitializersFromFilesInMemory(options, names.data(), starts.data(), lengths.data(),
                                                              names.size()));
        std::string bytes = manifest.contents();
        check(OrtCreateSessionFromArray(mw_ort_env(), bytes.data(), bytes.size(), options, session.out()));
        check(OrtCreateCpuMemoryInfo(MW_ORT_ALLOCATOR_DEVICE, MW_ORT_MEMORY_DEFAULT, memory.out()));
        check(OrtGetAllocatorWithDefaultOptions(&allocator));
        for (const spec &input : manifest.inputs) input_names.push_back(input.name);
    }

    void run(const std::vector<tensor> &inputs, const std::vector<size_t> &wanted,
             std::vector<tensor> &answers) override {
        std::vector<value> made(inputs.size());
        std::vector<OrtValue> given;
        std::vector<const char *> from, to;
        for (size_t index = 0; index < inputs.size(); index++) {
            put(inputs[index], made[index]);
            given.push_back(made[index]);
            from.push_back(input_names.at(index).c_str());
        }
        for (size_t index : wanted) to.push_back(outputs.at(index).name.c_str());
        std::vector<value> results(wanted.size());
        std::vector<OrtValue> raw(wanted.size());
        OrtStatus status = OrtRun(session, nullptr, from.data(), given.data(), given.size(), to.data(), to.size(), raw.data());
        for (size_t index = 0; index < raw.size(); index++) *results[index].out() = raw[index];
        check(status);
        answers.resize(wanted.size());
        for (size_t index = 0; index < wanted.size(); index++) {
            int kind;
            check(OrtGetValueType(results[index], &kind));
            if (kind == MW_ORT_TYPE_TENSOR) {
                take(results[index], answers[index]);
            } else {
                take_maps(results[index], kind == MW_ORT_TYPE_SEQUENCE, outputs[wanted[index]], answers[index]);
            }
        }
    }

  private:
    void put(const tensor &from, value &into) {
        const auto &shape = from.shape;
        if (from.type != MW_BYTES)
            return check(OrtCreateTensorWithDataAsOrtValue(memory, from.bytes.data(), from.bytes.size(), shape.data(),
                                                           shape.size(), onnx_type(from.type), into.out()));
        check(OrtCreateTensorAsOrtValue(allocator, shape.data(), shape.size(), MW_ORT_STRING, into.out()));
        size_t index = 0;
        each_text(from.bytes, [&](std::string_view text) {
            char *place;
            check(OrtGetResizedStringTensorElementBuffer(into, index++, text.size(), &place));
            if (!text.empty()) std::memcpy(place, text.data(), text.size());
        });
    }

    /// A classifier's scores, a map for each row, as one tensor whose columns are the classes in ascending order.
    void take_maps(OrtValue from, bool is_sequence, const spec &output, tensor &into) {
        size_t rows = 1;
        if (is_sequence) check(OrtGetValueCount(from, &rows));
        std::vector<std::string> classes = output.labels;
        into.bytes.clear();
        for (size_t row = 0; row < rows; row++) {
            value map, key_part, value_part;
            if (is_sequence) check(OrtGetValue(from, static_cast<int>(row), allocator, map.out()));
            OrtValue pairs = is_sequence ? map : from;
            check(OrtGetValue(pairs, 0, allocator, key_part.out()));
            check(OrtGetValue(pairs, 1, allocator, value_part.out()));
            tensor keys, values;
            take(key_part, keys);
            take(value_part, values);
            std::vector<std::string> names = keys_of(keys);
            if (classes.empty()) {
                classes = names;
                bool by_value = keys.type != MW_BYTES;
                std::sort(classes.begin(), classes.end(), [&](const std::string &one, const std::string &other) {
                    return by_value ? std::stoll(one) < std::stoll(other) : one < other;
                });
            }
            into.type = values.type;
            size_t width = width_of(values.type);
            if (names.size() != classes.size() || values.bytes.size() != names.size() * width)
                throw refusal{"the rows of '" + output.name + "' have different classes", "Export the model without maps"};
            for (const std::string &name : classes) {
                auto place = std::find(names.begin(), names.end(), name);
                if (place == names.end())
                    throw refusal{"'" + output.name + "' gives nothing for the class '" + name + "'", "Export the model again"};
                const char *element = values.bytes.data() + static_cast<size_t>(place - names.begin()) * width;
                into.bytes.insert(into.bytes.end(), element, element + width);
            }
        }
        into.shape = {static_cast<int64_t>(rows), static_cast<int64_t>(classes.size())};
    }

    const std::vector<spec> outputs;
    std::vector<std::string> input_names;
    owned<OrtSession, OrtReleaseSession> session;
    owned<OrtMemoryInfo, OrtReleaseMemoryInfo> memory;
    OrtAllocator allocator = nullptr;
};
}  // namespace

std::unique_ptr<model> open_onnx(const manifest &manifest) {
    try {
        return std::make_unique<onnx_model>(manifest);
    } catch (const refusal &refused) {
        throw failure{not_loaded, "the model can not be loaded: " + refused.message, "Export it again"};
    }
}

}  // namespace edge
