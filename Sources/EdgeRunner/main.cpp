// Scores rows with the model beside it: no server, no Python, one thread.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "bench.hpp"
#include "options.hpp"

using namespace edge;

namespace {
constexpr char memory_text[] = "score: the memory limit is reached. Raise --memory-limit, or send fewer rows at once.\n";

/// Ends at once: what was asked for memory could hardly go on without.
[[noreturn]] void end_without_memory() {
    [[maybe_unused]] auto written = ::write(STDERR_FILENO, memory_text, sizeof memory_text - 1);
    _exit(out_of_memory);
}

/// Libraries that catch the lack of memory themselves tell of it in words.
bool tells_of_memory(const std::string &words) {
    for (const char *word : {"bad_alloc", "bad allocation", "allocate memory", "Failed to allocate", "failed to map segment"})
        if (words.find(word) != std::string::npos) return true;
    return false;
}

void limit_memory(size_t bytes) {
    std::set_new_handler(end_without_memory);
    if (bytes == 0) return;
    rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        throw failure{wrong_use, std::string("the memory can not be limited: ") + std::strerror(errno),
                      "Give a --memory-limit below the one of this shell"};
}

void write_all(std::string &text) {
    std::string_view rest = text;
    while (!rest.empty()) {
        ssize_t count = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
            throw failure{not_loaded, std::string("the answers can not be written: ") + std::strerror(errno),
                          "Check the free space"};
        rest.remove_prefix(static_cast<size_t>(count));
    }
    text.clear();
}

int opened(const std::string &path) {
    if (path.empty()) return STDIN_FILENO;
    int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw failure{wrong_use, path + " can not be opened: " + std::strerror(errno), "Check the path"};
    return descriptor;
}

std::unique_ptr<format> chosen(const options &options, const std::string &path, const manifest &manifest, lines &from) {
    std::string name = options.format;
    auto ends = [&](std::string_view ending) {
        return path.size() >= ending.size() && path.compare(path.size() - ending.size(), ending.size(), ending) == 0;
    };
    if (name.empty()) name = ends(".csv") ? "csv" : ends(".json") || ends(".jsonl") ? "json" : "";
    std::string_view line;
    if (name.empty()) name = from.peek(line) && line.find('{') != line.find_first_not_of(" \t") ? "csv" : "json";
    return name == "csv" ? csv_format(manifest, from) : json_format(manifest);
}

/// - Returns: how many rows could not be scored.
size_t score(const manifest &manifest, model &model, format &format, lines &from) {
    constexpr size_t write_size = 1 << 16;
    std::string record, out, first;
    request request;
    std::vector<tensor> answers;
    size_t number = 0, refused = 0;
    while (true) {
        try {
            number++;
            if (!format.read(from, record)) break;
            size_t start = out.size();
            try {
                format.parse(record, number, request);
                model.run(request.inputs, request.wanted, answers);
                write_answer(out, manifest, request, answers);
            } catch (...) {
                out.resize(start);
                throw;
            }
        } catch (const refusal &refusal) {
            if (tells_of_memory(refusal.message)) end_without_memory();
            if (refused++ == 0) first = "row " + std::to_string(number) + ": " + refusal.message + ". " + refusal.remedy + ".";
            write_refusal(out, number, refusal);
        }
        // An answer never waits for a row that is not written yet.
        if (out.size() >= write_size || !from.is_ready()) write_all(out);
    }
    write_all(out);
    if (refused > 0)
        std::fprintf(stderr, "score: %zu of %zu rows could not be scored. The first is %s\n", refused, number - 1, first.c_str());
    return refused;
}

int run(int count, char **words) {
    options options = options::read(count, words);
    if (options.help) {
        std::fputs(options::usage, stdout);
        return done;
    }
    // Read by OpenMP when a runtime brings it along.
    setenv("OMP_NUM_THREADS", "1", 1);
    limit_memory(options.memory);
    if (!options.libraries.empty()) {
        open_runtime(options.libraries);
        for (const std::string &path : open_libraries()) std::puts(path.c_str());
        return done;
    }
    manifest manifest = manifest::read(own_folder());
    std::string path = options.file.empty() && options.bench > 0 ? manifest.folder + "/example.jsonl" : options.file;
    lines from(opened(path));
    std::unique_ptr<model> model = model::open(manifest);
    std::unique_ptr<format> format = chosen(options, path, manifest, from);
    if (options.bench == 0) return score(manifest, *model, *format, from) > 0 ? rows_refused : done;
    std::string line = bench(manifest, *model, *format, from, options.bench);
    write_all(line);
    return done;
}

int complain(int code, const std::string &message, const std::string &remedy) {
    if (tells_of_memory(message)) end_without_memory();
    std::fprintf(stderr, "score: %s. %s.\n", message.c_str(), remedy.c_str());
    return code;
}
}  // namespace

int main(int count, char **words) {
    try {
        return run(count, words);
    } catch (const failure &failed) {
        return complain(failed.code, failed.message, failed.remedy);
    } catch (const refusal &refused) {
        return complain(rows_refused, refused.message, refused.remedy);
    } catch (const std::bad_alloc &) {
        end_without_memory();
    } catch (const std::exception &error) {
        return complain(not_loaded, error.what(), "Export the model again");
    }
}
