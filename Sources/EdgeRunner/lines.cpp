#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "rows.hpp"

namespace edge {

namespace {
constexpr size_t line_bytes_max = 64 << 20;
constexpr size_t chunk = 1 << 16;
}  // namespace

lines::lines(int descriptor) : descriptor(descriptor) {}

bool lines::fill() {
    buffer.erase(0, position);
    searched -= position;
    position = 0;
    size_t before = buffer.size();
    buffer.resize(before + chunk);
    ssize_t count;
    do count = ::read(descriptor, buffer.data() + before, chunk);
    while (count < 0 && errno == EINTR);
    buffer.resize(before + static_cast<size_t>(count > 0 ? count : 0));
    if (count < 0)
        throw failure{rows_refused, std::string("the input can not be read: ") + std::strerror(errno), "Name a file of rows"};
    at_end = count == 0;
    return count > 0;
}

bool lines::peek(std::string_view &line) {
    while (true) {
        size_t end = buffer.find('\n', searched);
        if (end == std::string::npos && !at_end) {
            searched = buffer.size();
            if (buffer.size() - position > line_bytes_max) {
                skipping = true;
                position = searched;
            }
            fill();
            continue;
        }
        bool is_last = end == std::string::npos;
        if (is_last && position == buffer.size() && !skipping) return false;
        if (is_last) end = buffer.size();
        if (skipping) {
            skipping = false;
            position = searched = is_last ? end : end + 1;
            throw refusal{"the line is longer than 64 MiB", "Send fewer rows in one request"};
        }
        searched = end;
        line = std::string_view(buffer).substr(position, end - position);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        return true;
    }
}

bool lines::next(std::string_view &line) {
    if (!peek(line)) return false;
    position = searched < buffer.size() ? searched + 1 : searched;
    searched = position;
    return true;
}

bool lines::is_ready() const { return buffer.find('\n', position) != std::string::npos; }

}  // namespace edge
