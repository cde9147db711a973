#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "manifest.hpp"

namespace edge {

/// What the model is asked at once.
struct request {
    /// The caller's own name of it; empty for none.
    std::string id;
    /// One for each input of the manifest, in its order, checked against it.
    std::vector<tensor> inputs;
    /// Indices of the outputs that are answered.
    std::vector<size_t> wanted;
};

/// The lines of a file descriptor.
class lines {
  public:
    explicit lines(int descriptor);

    /// The next line without its end; false after the last. It lives until the next call.
    /// - Throws: `refusal` for a line that is too long, which is skipped; `failure` where the input can not be read.
    bool next(std::string_view &line);
    /// The same, leaving the line to be read again.
    bool peek(std::string_view &line);
    /// Whether a whole line is at hand without waiting for the writer.
    bool is_ready() const;

  private:
    bool fill();

    const int descriptor;
    std::string buffer;
    size_t position = 0;
    /// How far no end of line was found.
    size_t searched = 0;
    bool at_end = false;
    bool skipping = false;
};

/// A form that rows come in.
class format {
  public:
    virtual ~format() = default;

    /// Reads the text of the next record; false after the last.
    virtual bool read(lines &from, std::string &record) = 0;
    /// - Parameter number: of the record, from 1.
    /// - Throws: `refusal`.
    virtual void parse(const std::string &record, size_t number, request &into) = 0;
};

/// One request of the Open Inference Protocol (V2) on each line.
std::unique_ptr<format> json_format(const manifest &manifest);
/// A header and one row for each record, as RFC 4180 has it.
/// - Throws: `failure` where the header lacks a column of the model.
std::unique_ptr<format> csv_format(const manifest &manifest, lines &from);

/// Splits a record of CSV into its fields.
/// - Throws: `refusal` for a quote that does not close, or closes before the end of its field.
void split_csv(std::string_view record, std::vector<std::string> &fields);

/// - Throws: `refusal` where a tensor is not one that the input takes.
void check_fits(const manifest &manifest, const spec &input, const tensor &given);

/// Adds the answer of a request, a line of JSON as the protocol has it.
void write_answer(std::string &out, const manifest &manifest, const request &request,
                  const std::vector<tensor> &answers);
/// Adds the line that stands in the place of an answer.
void write_refusal(std::string &out, size_t number, const refusal &refusal);
/// Adds a text as a JSON string.
void write_text(std::string &out, std::string_view text);

}  // namespace edge
