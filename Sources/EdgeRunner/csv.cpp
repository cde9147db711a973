#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "rows.hpp"

namespace edge {

namespace {
constexpr size_t record_bytes_max = 64 << 20;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

[[noreturn]] void unfit(const std::string &column, std::string_view text, mw_datatype type) {
    throw refusal{"the value '" + std::string(text.substr(0, 80)) + "' of '" + column + "' is no " +
                      std::string(name_of(type)),
                  "Mend the value, or leave the row out"};
}

template <typename Element> void put(std::vector<char> &bytes, Element element) {
    auto start = reinterpret_cast<const char *>(&element);
    bytes.insert(bytes.end(), start, start + sizeof element);
}

template <typename Element>
void put_number(std::vector<char> &bytes, const std::string &column, std::string_view text, mw_datatype type) {
    text = trimmed(text);
    if constexpr (std::is_floating_point_v<Element>) {
        if (text.empty()) return put(bytes, std::numeric_limits<Element>::quiet_NaN());
    } else if (text.empty()) {
        throw refusal{"'" + column + "' is missing", "Give every value of a whole number"};
    }
    std::string_view digits = text;
    if (digits.front() == '+' && digits.size() > 1 && digits[1] != '-') digits.remove_prefix(1);
    Element element{};
    auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), element);
    // What is too small to be told from nothing is nothing; what is too large is no number of the type.
    bool is_tiny = false;
    if constexpr (std::is_floating_point_v<Element>)
        is_tiny = problem == std::errc::result_out_of_range && std::abs(std::strtod(std::string(digits).c_str(), nullptr)) < 1;
    if ((problem != std::errc() && !is_tiny) || end != digits.data() + digits.size()) unfit(column, text, type);
    put(bytes, element);
}

/// Adds a field as an element.
void put_field(std::vector<char> &bytes, const std::string &column, const std::string &text, mw_datatype type) {
    switch (type) {
    case MW_BOOL: {
        std::string_view word = trimmed(text);
        bool is_true = word == "true" || word == "TRUE" || word == "True" || word == "1";
        if (!is_true && word != "false" && word != "FALSE" && word != "False" && word != "0") unfit(column, text, type);
        return put(bytes, static_cast<uint8_t>(is_true));
    }
    case MW_UINT8: return put_number<uint8_t>(bytes, column, text, type);
    case MW_UINT16: return put_number<uint16_t>(bytes, column, text, type);
    case MW_UINT32: return put_number<uint32_t>(bytes, column, text, type);
    case MW_UINT64: return put_number<uint64_t>(bytes, column, text, type);
    case MW_INT8: return put_number<int8_t>(bytes, column, text, type);
    case MW_INT16: return put_number<int16_t>(bytes, column, text, type);
    case MW_INT32: return put_number<int32_t>(bytes, column, text, type);
    case MW_INT64: return put_number<int64_t>(bytes, column, text, type);
    case MW_FP32: return put_number<float>(bytes, column, text, type);
    case MW_FP64: return put_number<double>(bytes, column, text, type);
    case MW_BYTES: return append_text(bytes, text);
    case MW_FP16:
    case MW_BF16: break;
    }
    throw failure{wrong_use, "CSV has no " + std::string(name_of(type)), "Send requests as JSON lines"};
}

/// Fields as messages name them.
std::string some(const std::vector<std::string> &fields) {
    std::string text;
    for (size_t index = 0; index < std::min<size_t>(fields.size(), 12); index++)
        text += (index ? ", " : "") + ("'" + fields[index] + "'");
    return fields.size() > 12 ? text + ", …" : text;
}

bool read_record(lines &from, std::string &record) {
    std::string_view line;
    do
        if (!from.next(line)) return false;
    while (line.empty());
    record = line;
    auto quotes = std::count(line.begin(), line.end(), '"');
    // A field in quotes may hold ends of lines, and a quote in it is written twice.
    while (quotes % 2 == 1 && record.size() < record_bytes_max && from.next(line)) {
        quotes += std::count(line.begin(), line.end(), '"');
        record += '\n';
        record += line;
    }
    return true;
}

class table final : public format {
  public:
    table(const manifest &manifest, lines &from) : manifest(manifest) {
        std::string record;
        if (!read_record(from, record)) throw failure{rows_refused, "the input is empty", "Give a header and rows"};
        // Programs for tables like to begin with a mark of UTF-8.
        if (record.rfind("\xEF\xBB\xBF", 0) == 0) record.erase(0, 3);
        try {
            split_csv(record, header);
        } catch (const refusal &refused) {
            throw failure{rows_refused, "the header can not be read: " + refused.message, refused.remedy};
        }
        for (const spec &input : manifest.inputs) places.push_back(find(input));
    }

    bool read(lines &from, std::string &record) override { return read_record(from, record); }

    void parse(const std::string &record, size_t number, request &into) override {
        split_csv(record, fields);
        if (fields.size() != header.size())
            throw refusal{"the row has " + std::to_string(fields.size()) + " fields where the header has " +
                              std::to_string(header.size()),
                          "Put quotes around fields with commas"};
        into.id = std::to_string(number);
        into.inputs.resize(places.size());
        for (size_t index = 0; index < places.size(); index++) {
            const spec &input = manifest.inputs[index];
            tensor &tensor = into.inputs[index];
            tensor.type = input.type;
            tensor.shape = {1};
            if (input.shape.size() == 2) tensor.shape.push_back(static_cast<int64_t>(places[index].size()));
            tensor.bytes.clear();
            for (size_t place : places[index]) put_field(tensor.bytes, header[place], fields[place], input.type);
        }
        into.wanted.clear();
        for (size_t index = 0; index < manifest.outputs.size(); index++) into.wanted.push_back(index);
    }

  private:
    /// Which fields of a record go into an input.
    std::vector<size_t> find(const spec &input) const {
        if (input.shape.empty() || input.shape.size() > 2 || input.shape[0] > 1)
            throw failure{wrong_use, "the input '" + input.name + "' has the shape " + text_of(input.shape) + ", which is no row",
                          "Send requests as JSON lines"};
        std::vector<std::string> names = input.columns;
        size_t width = input.shape.size() == 1 ? 1 : static_cast<size_t>(std::max<int64_t>(input.shape[1], 0));
        if (names.empty() && width == 1) names = {input.name};
        if (names.empty()) {
            if (manifest.inputs.size() > 1 || (width != 0 && header.size() != width))
                throw failure{rows_refused,
                              "the input '" + input.name + "' takes " + std::to_string(width) +
                                  " values without names, and the header has " + std::to_string(header.size()) + " fields",
                              "Give exactly those columns in order, or name them: modelworks export edge --features LIST"};
            names = header;
        }
        std::vector<size_t> found;
        for (const std::string &name : names) {
            auto place = std::find(header.begin(), header.end(), name);
            if (place == header.end())
                throw failure{rows_refused, "the header has no column '" + name + "' but " + some(header),
                              "Rename a column, or add it"};
            found.push_back(static_cast<size_t>(place - header.begin()));
        }
        return found;
    }

    const edge::manifest &manifest;
    std::vector<std::string> header;
    std::vector<std::vector<size_t>> places;
    std::vector<std::string> fields;
};
}  // namespace

void split_csv(std::string_view record, std::vector<std::string> &fields) {
    size_t count = 0;
    size_t at = 0;
    while (true) {
        if (fields.size() == count) fields.emplace_back();
        std::string &field = fields[count++];
        field.clear();
        if (at < record.size() && record[at] == '"') {
            size_t from = at + 1;
            while (true) {
                size_t quote = record.find('"', from);
                if (quote == std::string_view::npos) throw refusal{"a quote is never closed", "Close it, or write it twice"};
                field += record.substr(from, quote - from);
                at = quote + 1;
                if (at >= record.size() || record[at] != '"') break;
                field += '"';
                from = at + 1;
            }
            if (at < record.size() && record[at] != ',')
                throw refusal{"a quote closes before the end of its field", "Write quotes inside a field twice"};
        } else {
            size_t comma = std::min(record.find(',', at), record.size());
            field = record.substr(at, comma - at);
            at = comma;
        }
        if (at >= record.size()) break;
        at++;
    }
    fields.resize(count);
}

std::unique_ptr<format> csv_format(const manifest &manifest, lines &from) {
    return std::make_unique<table>(manifest, from);
}

}  // namespace edge
