// A queue of bytes in one piece of memory that is not cleared before it is written.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace transport {

class Bytes {
    char *memory = nullptr;
    size_t start = 0, end = 0, capacity = 0;

  public:
    Bytes() = default;
    Bytes(const Bytes &) = delete;
    Bytes &operator=(const Bytes &) = delete;
    ~Bytes() { free(memory); }

    const char *data() const { return memory + start; }
    size_t size() const { return end - start; }
    bool empty() const { return end == start; }

    /// Room for `more` bytes behind the last one.
    char *room(size_t more) {
        if (capacity - end < more && start > 0) {
            if (end > start) memmove(memory, memory + start, end - start);
            end -= start;
            start = 0;
        }
        if (capacity - end < more) {
            size_t wanted = end + more;
            if (wanted < more) throw std::bad_alloc();
            wanted = wanted > capacity * 2 ? wanted : capacity * 2;
            auto *grown = static_cast<char *>(realloc(memory, wanted));
            if (!grown) throw std::bad_alloc();
            memory = grown;
            capacity = wanted;
        }
        return memory + end;
    }

    void grew(size_t count) { end += count; }

    void append(const void *bytes, size_t count) {
        if (count == 0) return;
        memcpy(room(count), bytes, count);
        end += count;
    }

    void consume(size_t count) {
        start += count < size() ? count : size();
        if (start == end) start = end = 0;
    }

    /// Forgets all bytes, and the memory too where it is more than `kept`.
    void clear(size_t kept) {
        start = end = 0;
        if (capacity <= kept) return;
        free(memory);
        memory = nullptr;
        capacity = 0;
    }
};

}  // namespace transport
