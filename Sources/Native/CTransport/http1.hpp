// One request in HTTP/1.1 and its answer.
#pragma once
#include "internal.hpp"

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <memory_resource>

namespace transport {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr size_t most_reserved = 8 << 20;
constexpr size_t stream_full = 262144;
constexpr size_t stream_room = 65536;

using Allocator = std::pmr::polymorphic_allocator<char>;
using Fields = http::basic_fields<Allocator>;

// Bytes in memory. What a client says its body will have is no reason to make room for all of it.
struct Body {
    using value_type = std::string;
    class reader {
        value_type &body;

      public:
        template <bool isRequest, class F>
        reader(http::header<isRequest, F> &, value_type &target) : body(target) {}

        void init(boost::optional<std::uint64_t> const &length, error_code &error) {
            if (length) body.reserve(static_cast<size_t>(std::min<std::uint64_t>(*length, most_reserved)));
            error = {};
        }

        template <class Buffers>
        size_t put(Buffers const &buffers, error_code &error) {
            size_t size = 0;
            for (auto part : beast::buffers_range_ref(buffers)) {
                body.append(static_cast<const char *>(part.data()), part.size());
                size += part.size();
            }
            error = {};
            return size;
        }

        void finish(error_code &error) { error = {}; }
    };
};

using Parser = http::request_parser<Body, Allocator>;

inline mw_slice slice(beast::string_view text) { return {text.data(), text.size()}; }

beast::string_view reason(int status);

}  // namespace transport

// One request at a time lives in its connection: pipelined ones wait in the buffer until the answer is out.
struct mw_exchange : transport::Session {
    using Session::Session;
    virtual void start_reply() = 0;
    virtual void start_flush() = 0;
    virtual void start_pull() = 0;

    transport::Parser *message = nullptr;
    std::vector<std::pair<boost::beast::string_view, boost::beast::string_view>> headers;
    boost::beast::string_view method, target;
    std::atomic<bool> replied{false};
    bool keep = true;
    bool head = false;
    bool old_version = false;
    int status = 0;
    std::string out_head;
    std::string out_body;
    std::string id;     // goes out with the answer, whoever gives it
    std::string lines;  // so do these
    size_t out_size = 0;

    // A body that its handler takes piece by piece; touched on the loop, but for `whole`, which is settled between two
    // pieces.
    bool piecewise = false, whole = true;
    mw_piece take = nullptr;
    void *take_context = nullptr;

    // Streams are written from any thread.
    std::mutex stream_mutex;
    std::string stream_pending, stream_sending;
    bool streaming = false, stream_flushing = false, stream_ended = false, stream_complete = false, stream_gone = false;
    void (*stream_on_end)(void *, int) = nullptr;
    void *stream_context = nullptr;
    void (*stream_ready)(void *) = nullptr;
    void *stream_ready_context = nullptr;

    void build_head(int code, mw_slice given, const size_t *length);
    void finish_head();
};
