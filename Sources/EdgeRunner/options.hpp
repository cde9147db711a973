#pragma once
#include <cstddef>
#include <string>

namespace edge {

/// What the command line asks for.
struct options {
    /// Empty for standard input.
    std::string file;
    /// `json` or `csv`; empty to go by the name, or by what the rows begin with.
    std::string format;
    /// How many calls are measured; 0 to score.
    size_t bench = 0;
    /// Bytes of memory that the process may map; 0 for any.
    size_t memory = 0;
    /// A runtime whose libraries are listed, for the export.
    std::string libraries;
    bool help = false;

    /// - Throws: `failure` for wrong use.
    static options read(int count, char **words);
    static const char *usage;
};

}  // namespace edge
