#include <algorithm>
#include <cmath>

#include "rows.hpp"

namespace edge {

namespace {
constexpr size_t depth_max = 16;
constexpr size_t bytes_max = 64 << 20;

std::string_view view(const mw_text &text) { return std::string_view(text.text, text.length); }

std::string list(const std::vector<spec> &specs) {
    std::string text;
    for (const spec &one : specs) text += (text.empty() ? "" : ", ") + ("'" + one.name + "'");
    return text;
}

size_t find(const std::vector<spec> &specs, std::string_view name, const char *what) {
    for (size_t index = 0; index < specs.size(); index++)
        if (specs[index].name == name) return index;
    throw refusal{"the model has no " + std::string(what) + " '" + std::string(name) + "'", "It has " + list(specs)};
}

class requests final : public format {
  public:
    requests(const manifest &manifest)
        : manifest(manifest), parser(mw_json_parser_new(bytes_max, depth_max), mw_json_parser_free) {}

    bool read(lines &from, std::string &record) override {
        std::string_view line;
        do
            if (!from.next(line)) return false;
        while (line.find_first_not_of(" \t") == std::string_view::npos);
        record = line;
        return true;
    }

    void parse(const std::string &record, size_t, request &into) override {
        mw_infer_view view;
        mw_json_error error;
        if (mw_infer_parse(parser.get(), record.data(), record.size(), &view, &error)) {
            std::string where = error.where[0] ? std::string(" at ") + error.where : "";
            throw refusal{std::string(error.message) + where,
                          R"(Write {"inputs":[{"name":…,"datatype":…,"shape":…,"data":…}]} on one line)"};
        }
        into.id = view.has_id ? std::string(edge::view(view.id)) : "";
        std::vector<bool> given(manifest.inputs.size());
        into.inputs.resize(manifest.inputs.size());
        for (size_t index = 0; index < view.input_count; index++) {
            const mw_tensor &tensor = view.inputs[index];
            size_t place = find(manifest.inputs, edge::view(tensor.name), "input");
            take(tensor, manifest.inputs[place], into.inputs[place]);
            given[place] = true;
        }
        auto missing = std::find(given.begin(), given.end(), false);
        if (missing != given.end())
            throw refusal{"the input '" + manifest.inputs[static_cast<size_t>(missing - given.begin())].name +
                              "' is not in the request",
                          "The model takes " + list(manifest.inputs)};
        into.wanted.clear();
        for (size_t index = 0; index < view.output_count; index++)
            into.wanted.push_back(find(manifest.outputs, edge::view(view.outputs[index].name), "output"));
        if (into.wanted.empty())
            for (size_t index = 0; index < manifest.outputs.size(); index++) into.wanted.push_back(index);
    }

  private:
    void take(const mw_tensor &from, const spec &input, tensor &into) {
        if (from.kind == MW_DATA_ABSENT)
            throw refusal{"the input '" + input.name + "' has no data", "Put its elements into 'data'"};
        if (from.null_count > 0 && !is_real(from.datatype))
            throw refusal{"the input '" + input.name + "' has a null, which is no " + std::string(name_of(from.datatype)),
                          "Give every value"};
        into.type = from.datatype;
        into.shape.assign(from.shape, from.shape + from.rank);
        into.bytes.resize(mw_tensor_size(&from));
        mw_tensor_write(&from, into.bytes.data());
        check_fits(manifest, input, into);
    }

    const edge::manifest &manifest;
    std::unique_ptr<mw_json_parser, void (*)(mw_json_parser *)> parser;
};
}  // namespace

std::unique_ptr<format> json_format(const manifest &manifest) { return std::make_unique<requests>(manifest); }

void check_fits(const manifest &manifest, const spec &input, const tensor &given) {
    // Forests count in doubles: any number will do.
    bool converts = manifest.runtime != "onnxruntime" && given.type != MW_BYTES && given.type != MW_FP16 &&
                    given.type != MW_BF16;
    if (given.type != input.type && !converts)
        throw refusal{"the input '" + input.name + "' takes " + std::string(name_of(input.type)) + " and was given " +
                          std::string(name_of(given.type)),
                      "Send it as " + std::string(name_of(input.type))};
    bool fits = given.shape.size() == input.shape.size();
    for (size_t index = 0; fits && index < input.shape.size(); index++)
        fits = input.shape[index] < 0 || input.shape[index] == given.shape[index];
    if (!fits)
        throw refusal{"the input '" + input.name + "' has the shape " + text_of(input.shape) + " and was given " +
                          text_of(given.shape),
                      "-1 stands for any size; send the others as they are"};
}

void write_text(std::string &out, std::string_view text) {
    size_t start = out.size();
    out.resize(start + 6 * text.size() + 2);
    out.resize(start + mw_json_escape(out.data() + start, out.size() - start, text.data(), text.size()));
}

void write_answer(std::string &out, const manifest &manifest, const request &request,
                  const std::vector<tensor> &answers) {
    out += "{\"model_name\":";
    write_text(out, manifest.name);
    out += ",\"model_version\":";
    write_text(out, manifest.version);
    if (!request.id.empty()) {
        out += ",\"id\":";
        write_text(out, request.id);
    }
    out += ",\"outputs\":[";
    for (size_t index = 0; index < answers.size(); index++) {
        const tensor &answer = answers[index];
        out += index ? ",{\"name\":" : "{\"name\":";
        write_text(out, manifest.outputs[request.wanted[index]].name);
        out += ",\"datatype\":\"";
        out += name_of(answer.type);
        out += "\",\"shape\":" + text_of(answer.shape) + ",\"data\":[";
        size_t count = count_of(answer.shape);
        size_t start = out.size();
        out.resize(start + mw_elements_capacity(answer.type, answer.bytes.size(), count));
        out.resize(start + mw_elements_format(out.data() + start, out.size() - start, answer.type, answer.bytes.data(),
                                              answer.bytes.size(), count));
        out += "]}";
    }
    out += "]}\n";
}

void write_refusal(std::string &out, size_t number, const refusal &refusal) {
    out += "{\"row\":" + std::to_string(number) + ",\"error\":";
    write_text(out, refusal.message);
    out += ",\"remedy\":";
    write_text(out, refusal.remedy);
    out += "}\n";
}

}  // namespace edge
