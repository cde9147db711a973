#pragma once
#include "model.hpp"
#include "rows.hpp"

namespace edge {

/// Measures calls from the text of a row to the text of its answer, one after another on this thread.
/// - Parameters: `calls`: how many, over and over the records that `from` gives.
/// - Returns: a line of JSON: percentiles and the mean of processor time in microseconds, and the peak of memory.
/// - Throws: `failure` where there is no row, `refusal` for one that can not be scored.
std::string bench(const manifest &manifest, model &model, format &format, lines &from, size_t calls);

}  // namespace edge
