#include "options.hpp"

#include <charconv>
#include <string_view>

#include "tensor.hpp"

namespace edge {

const char *options::usage = R"(Scores rows with the model in this folder, on one thread.

Usage: score [FILE] [options]

FILE holds requests of the Open Inference Protocol, one on each line, or CSV with a header; standard input where none is
named. Each answer is a line of JSON; a row that can not be scored gets a line with its number and what is wrong.

Options:
  --format json|csv    what the rows are (default: by the name of FILE, or by what they begin with)
  --bench N            measure N calls, one after another, over the rows of FILE (default: example.jsonl)
  --memory-limit MB    end cleanly where the process would map more memory
  --libraries RUNTIME  list the library files that onnxruntime, lightgbm or xgboost needs
  --help               show this

Exit codes: 0 done, 1 some rows could not be scored, 2 wrong use, 3 the model can not be loaded, 4 the memory limit.
)";

namespace {
size_t number(std::string_view option, std::string_view text, size_t most) {
    size_t value = 0;
    auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size() || value == 0 || value > most)
        throw failure{wrong_use, "'" + std::string(option) + "' must be a whole number from 1 to " + std::to_string(most),
                      "See --help"};
    return value;
}
}  // namespace

options options::read(int count, char **words) {
    options read;
    for (int index = 1; index < count; index++) {
        std::string_view word = words[index];
        auto value = [&]() -> std::string_view {
            if (index + 1 >= count) throw failure{wrong_use, "'" + std::string(word) + "' needs a value", "See --help"};
            return words[++index];
        };
        if (word == "--help") {
            read.help = true;
        } else if (word == "--format") {
            read.format = value();
            if (read.format != "json" && read.format != "csv")
                throw failure{wrong_use, "'--format' must be json or csv", "See --help"};
        } else if (word == "--bench") {
            read.bench = number(word, value(), 100'000'000);
        } else if (word == "--memory-limit") {
            read.memory = number(word, value(), 1 << 20) << 20;
        } else if (word == "--libraries") {
            read.libraries = value();
        } else if (word.substr(0, 2) == "--") {
            throw failure{wrong_use, "there is no option '" + std::string(word) + "'", "See --help"};
        } else if (read.file.empty()) {
            read.file = word;
        } else {
            throw failure{wrong_use, "'" + std::string(word) + "' is one argument too many", "See --help"};
        }
    }
    return read;
}

}  // namespace edge
