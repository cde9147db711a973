#include "bench.hpp"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace edge {

namespace {
constexpr size_t records_max = 10'000;

double microseconds(clockid_t clock) {
    timespec now;
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

/// The largest resident size of this program in MiB. The usage that the system keeps for a process would count the memory
/// of whoever started it, too.
double peak_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("VmHWM:", 0) == 0) return std::strtod(line.c_str() + 6, nullptr) / 1024;
    return 0;
}

/// The smallest of sorted values that a share of them does not exceed.
double percentile(const std::vector<float> &sorted, double share) {
    auto rank = static_cast<size_t>(share * static_cast<double>(sorted.size()));
    return sorted[std::min(rank, sorted.size() - 1)];
}
}  // namespace

std::string bench(const manifest &manifest, model &model, format &format, lines &from, size_t calls) {
    std::vector<std::string> records;
    std::string record;
    while (records.size() < records_max && format.read(from, record)) records.push_back(record);
    if (records.empty()) throw failure{wrong_use, "there are no rows to measure with", "Name a file of rows"};
    request request;
    std::vector<tensor> answers;
    std::string out;
    auto call = [&](size_t number) {
        size_t place = number % records.size();
        out.clear();
        format.parse(records[place], place + 1, request);
        model.run(request.inputs, request.wanted, answers);
        write_answer(out, manifest, request, answers);
    };
    // Memory that the first calls ask for is not what a call costs.
    for (size_t number = 0; number < std::min<size_t>(calls, 100); number++) call(number);
    std::vector<float> times(calls);
    double processor = microseconds(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t number = 0; number < calls; number++) {
        double start = microseconds(CLOCK_MONOTONIC);
        call(number);
        times[number] = static_cast<float>(microseconds(CLOCK_MONOTONIC) - start);
    }
    processor = microseconds(CLOCK_PROCESS_CPUTIME_ID) - processor;
    std::sort(times.begin(), times.end());
    char line[320];
    std::snprintf(line, sizeof line,
                  "{\"calls\":%zu,\"p50_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,\"max_us\":%.2f,"
                  "\"processor_us\":%.2f,\"peak_memory_mb\":%.1f}\n",
                  calls, percentile(times, 0.5), percentile(times, 0.99), percentile(times, 0.999), times.back(),
                  processor / static_cast<double>(calls), peak_memory());
    return line;
}

}  // namespace edge
