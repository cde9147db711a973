// HTTP/1.1 connections: one request at a time, parsed by Boost.Beast.
#include "http1.hpp"

#include <sys/socket.h>

#include <array>
#include <limits>

namespace transport {

namespace {

constexpr size_t first_read = 8192;
constexpr size_t large_read = 65536;
constexpr size_t kept_capacity = 262144;
constexpr size_t linger_limit = 1 << 20;
constexpr size_t piece_read = 262144;
constexpr size_t piece_least = 524288;

enum class Phase { idle, header, body, handling, writing, streaming, lingering, closing };

template <class Stream>
struct Connection final : mw_exchange {
    static constexpr bool secure = !std::is_same_v<Stream, tcp::socket>;

    std::array<std::byte, 4096> arena_start;
    std::optional<std::pmr::monotonic_buffer_resource> arena;
    std::optional<Parser> parser;
    Stream stream;
    Phase phase = Phase::idle;
    bool timed_out = false;
    beast::flat_buffer buffer;
    std::string spare_body;
    std::shared_ptr<Connection> held;  // while somebody else owns the exchange
    Clock::time_point body_start;
    size_t body_received = 0;
    size_t lingered = 0;
    bool header_seen = false;
    bool watching = false;
    // While a request is being handed over, and whether its answer was sent meanwhile.
    bool handing_over = false, went_out = false;
    int refusal = 0;
    mw_outcome broken = MW_OK;
    bool awaited = false;

    Connection(Arrival arrival, Stream taken) : mw_exchange(std::move(arrival)), stream(std::move(taken)) {
        buffer.reserve(first_read);
    }

    tcp::socket &socket() {
        if constexpr (secure) return stream.next_layer();
        else return stream;
    }

    std::shared_ptr<Connection> self() { return std::static_pointer_cast<Connection>(shared_from_this()); }

    void enter(Phase next, int timeout_ms) {
        phase = next;
        deadline = Clock::now() + milliseconds(timeout_ms);
    }

    void enter_unlimited(Phase next) {
        phase = next;
        deadline = Clock::time_point::max();
    }

    void begin() override { next_request(options().header_timeout_ms); }

    void next_request(int idle_ms) {
        if (draining() && buffer.size() == 0) return cut();
        if (parser) spare_body = std::move(parser->get().body());
        spare_body.clear();
        if (spare_body.capacity() > kept_capacity) spare_body.shrink_to_fit();
        if (out_body.capacity() > kept_capacity) std::string().swap(out_body);
        headers.clear();
        parser.reset();
        arena.emplace(arena_start.data(), arena_start.size());
        parser.emplace(std::piecewise_construct, std::make_tuple(), std::make_tuple(Allocator(&*arena)));
        parser->header_limit(static_cast<std::uint32_t>(options().header_limit));
        // Known once the header has told which handler takes it.
        parser->body_limit(std::numeric_limits<std::uint64_t>::max());
        parser->get().body() = std::move(spare_body);
        message = &*parser;
        header_seen = false;
        replied.store(false, std::memory_order_relaxed);
        keep = true;
        head = old_version = false;
        refusal = 0;
        body_received = 0;
        piecewise = awaited = false;
        whole = true;
        broken = MW_OK;
        {
            std::lock_guard<std::mutex> lock(stream_mutex);
            streaming = stream_flushing = stream_ended = stream_complete = stream_gone = false;
            stream_pending.clear();
            stream_sending.clear();
        }
        if (buffer.size() > 0) {
            enter(Phase::header, options().header_timeout_ms);
            return advance();
        }
        enter(Phase::idle, idle_ms);
        read();
    }

    void read() {
        size_t size = header_seen ? large_read : first_read;
        stream.async_read_some(buffer.prepare(size), [me = self()](error_code error, size_t count) {
            if (error) return me->read_failed();
            me->buffer.commit(count);
            if (me->phase == Phase::idle) me->enter(Phase::header, me->options().header_timeout_ms);
            if (me->phase == Phase::body) {
                me->body_received += count;
                me->deadline = me->body_start + milliseconds(me->with_rate(me->options().body_timeout_ms, me->body_received));
            }
            me->advance();
        });
    }

    void read_failed() {
        if (timed_out && (phase == Phase::header || phase == Phase::body)) return refuse(408);
        cut();
    }

    // Feeds the buffer to the parser until the request is whole, refused, or more bytes are needed.
    void advance() {
        for (;;) {
            error_code error;
            size_t used = 0;
            if (buffer.size() > 0) {
                parser->eager(header_seen);
                used = parser->put(buffer.data(), error);
                buffer.consume(used);
                if (error == http::error::need_more) {
                    error = {};
                    if (buffer.size() > options().header_limit + large_read) return refuse(header_seen ? 400 : 431);
                    if (!header_seen && buffer.size() > options().header_limit) return refuse(431);
                }
                if (error) return refuse(status_of(error));
            }
            if (!header_seen && parser->is_header_done()) {
                header_seen = true;
                if (int code = check_header()) return refuse(code);
                if (!parser->is_done()) {
                    if (piecewise) {
                        whole = false;
                        return dispatch();
                    }
                    body_start = Clock::now();
                    enter(Phase::body, options().body_timeout_ms);
                    if (buffer.size() == 0 && expects_continue()) return send_continue();
                }
                if (!parser->is_done() && buffer.size() > 0) continue;
            }
            if (parser->is_done()) return dispatch();
            if (used == 0 || buffer.size() == 0) return read();
        }
    }

    static int status_of(error_code error) {
        if (error == http::error::body_limit) return 413;
        if (error == http::error::header_limit) return 431;
        if (error == http::error::bad_version) return 505;
        return 400;
    }

    int check_header() {
        auto &request = parser->get();
        size_t lengths = 0, encodings = 0, hosts = 0;
        beast::string_view encoding;
        for (auto &field : request) {
            headers.emplace_back(field.name_string(), field.value());
            switch (field.name()) {
            case http::field::content_length:
                lengths++;
                // The parser takes a list of equal numbers; a proxy in front may take only one of them.
                if (field.value().find_first_not_of("0123456789") != beast::string_view::npos) return 400;
                break;
            case http::field::transfer_encoding: encodings++; encoding = field.value(); break;
            case http::field::host: hosts++; break;
            default: break;
            }
        }
        method = request.method_string();
        target = request.target();
        head = request.method() == http::verb::head;
        old_version = request.version() < 11;
        keep = request.keep_alive();
        if (lengths > 1 || encodings > 1 || (lengths && encodings)) return 400;
        if (encodings && !beast::iequals(encoding, "chunked")) return 501;
        if (encodings && old_version) return 400;
        if (hosts > 1 || (hosts == 0 && !old_version)) return 400;
        auto expect = request[http::field::expect];
        if (!expect.empty() && !beast::iequals(expect, "100-continue")) return 417;
        auto length = parser->content_length();
        // One that has come already is simply there.
        if ((length ? *length > buffer.size() : encodings > 0) && options().on_header)
            piecewise = options().on_header(options().context, this) != 0;
        size_t limit = piecewise ? options().piecewise_limit : options().body_limit;
        parser->body_limit(limit);
        if (length && *length > limit) return 413;
        return 0;
    }

    bool expects_continue() { return !old_version && beast::iequals(parser->get()[http::field::expect], "100-continue"); }

    void send_continue() {
        static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
        net::async_write(stream, net::buffer(text, sizeof text - 1), [me = self()](error_code error, size_t) {
            if (error && me->piecewise) return me->pull_failed(MW_CLOSED);
            if (error) return me->cut();
            if (me->piecewise) return me->pull_more();
            me->read();
        });
    }

    // On the loop: hands over what has come of a body, or reads on.
    void start_pull() override {
        if (broken != MW_OK || is_piece()) return deliver();
        if (phase == Phase::closing) return pull_failed(MW_CLOSED);
        if (!awaited) {
            awaited = true;
            if (buffer.size() == 0 && expects_continue()) {
                enter(Phase::body, options().body_timeout_ms);
                return send_continue();
            }
        }
        if (buffer.size() > 0) {
            error_code error;
            parser->eager(true);
            buffer.consume(parser->put(buffer.data(), error));
            if (error && error != http::error::need_more)
                return pull_failed(error == http::error::body_limit ? MW_TOO_LARGE : MW_BAD_RESPONSE);
            if (is_piece()) return deliver();
        }
        pull_more();
    }

    // Whether enough has come to be worth handing over.
    bool is_piece() { return parser->is_done() || parser->get().body().size() >= piece_least; }

    void pull_more() {
        enter(Phase::body, options().body_timeout_ms);
        stream.async_read_some(buffer.prepare(piece_read), [me = self()](error_code error, size_t count) {
            if (error) return me->pull_failed(me->timed_out ? MW_TIMED_OUT : MW_CLOSED);
            me->buffer.commit(count);
            me->start_pull();
        });
    }

    void pull_failed(mw_outcome outcome) {
        broken = outcome;
        deliver();
    }

    void deliver() {
        if (phase != Phase::closing) enter_unlimited(Phase::handling);
        auto &body = parser->get().body();
        auto ready = take;
        take = nullptr;
        if (broken == MW_OK) whole = parser->is_done();
        if (!ready) return;
        ready(take_context, broken, body.data(), broken == MW_OK ? body.size() : 0);
        body.clear();
    }

    void dispatch() {
        enter_unlimited(Phase::handling);
        auto me = self();
        held = me;
        handing_over = true;
        options().on_request(options().context, this);
        handing_over = false;
        if (std::exchange(went_out, false)) go_on();
    }

    // Answers by the transport itself; what the client still sends is read away for a while, since closing a socket
    // with unread bytes resets it and the peer might never see the answer.
    void refuse(int code) {
        refusal = code;
        if (options().on_refused) options().on_refused(options().context, code);
        keep = false;
        auto text = reason(code);
        std::string why(text.data(), text.size());
        for (auto &letter : why) letter = static_cast<char>(tolower(letter));
        const char *name = code == 413 || code == 431 ? "RESOURCE_EXHAUSTED" : code == 408 ? "DEADLINE_EXCEEDED" : "INVALID_ARGUMENT";
        out_body = "{\"code\":\"" + std::string(name) + "\",\"error\":\"the request was refused: " + why + "\"}";
        out_size = out_body.size();
        static const char type[] = "Content-Type: application/json\r\n";
        build_head(code, {type, sizeof type - 1}, &out_size);
        held = self();
        start_reply();
    }

    void start_reply() override {
        finish_head();
        enter(Phase::writing, with_rate(options().write_timeout_ms, out_size));
        std::array<net::const_buffer, 2> parts{net::buffer(out_head), net::buffer(out_body.data(), head ? 0 : out_size)};
        auto me = self();
        held.reset();
        if constexpr (!secure) {
            // Nearly every answer fits into the socket's buffer and needs no turn of the loop. Where requests wait already
            // it takes one, so that answering them does not nest; and whoever answers still uses the request.
            error_code error;
            size_t sent = handing_over && buffer.size() == 0 ? stream.write_some(parts, error) : 0;
            went_out = !error && sent == net::buffer_size(parts);
            if (went_out) return;
            auto rest = parts[0] + sent;
            parts = {rest, parts[1] + (sent - std::min(sent, parts[0].size()))};
        }
        net::async_write(stream, parts, [me](error_code error, size_t) {
            if (error) return me->cut();
            me->go_on();
        });
    }

    void go_on() {
        if (keep) return next_request(options().idle_timeout_ms);
        finish();
    }

    // A close in good order: TLS says goodbye, TCP sends FIN, and after a refusal the rest of the request is read away.
    void finish() {
        if constexpr (secure) {
            enter(Phase::closing, std::min(2000, options().write_timeout_ms));
            stream.async_shutdown([me = self()](error_code) { me->half_close(); });
        } else {
            half_close();
        }
    }

    void half_close() {
        error_code ignored;
        socket().shutdown(tcp::socket::shutdown_send, ignored);
        if (!refusal && whole && buffer.size() == 0) return cut();
        enter(Phase::lingering, std::min(2000, options().write_timeout_ms));
        buffer.consume(buffer.size());
        linger();
    }

    void linger() {
        socket().async_read_some(buffer.prepare(first_read), [me = self()](error_code error, size_t count) {
            me->lingered += count;
            if (error || me->lingered > linger_limit) return me->cut();
            me->linger();
        });
    }

    void expire() override {
        if (phase == Phase::header || phase == Phase::body) {
            timed_out = true;
            deadline = Clock::time_point::max();
            error_code ignored;
            socket().cancel(ignored);
            return;
        }
        cut();
    }

    void cut() override {
        phase = Phase::closing;
        deadline = Clock::time_point::max();
        error_code ignored;
        socket().close(ignored);
        leave();
        stream_lost();
    }

    void drain() override {
        if (phase == Phase::idle) cut();
    }

    // Tells the writer of a stream that nobody reads any more; the exchange stays until the writer ends it.
    void stream_lost() {
        void (*ready)(void *) = nullptr;
        void (*on_end)(void *, int) = nullptr;
        void *ready_context = nullptr, *context = nullptr;
        bool release = false;
        {
            std::lock_guard<std::mutex> lock(stream_mutex);
            if (!streaming) return;
            stream_gone = true;
            std::string().swap(stream_pending);
            std::swap(ready, stream_ready);
            ready_context = stream_ready_context;
            std::swap(on_end, stream_on_end);
            context = stream_context;
            release = stream_ended && !stream_flushing;
        }
        if (ready) ready(ready_context);
        if (on_end) on_end(context, 1);
        if (release) held.reset();
    }

    // On the loop: sends what has gathered since the last write, or ends the stream.
    void start_flush() override {
        auto me = self();
        void (*on_end)(void *, int) = nullptr;
        void *context = nullptr;
        bool ended = false, complete = false, gone = false;
        {
            std::lock_guard<std::mutex> lock(stream_mutex);
            gone = stream_gone || phase == Phase::closing;
            if (gone) {
                stream_gone = true;
                stream_pending.clear();
            }
            if (stream_pending.empty()) {
                stream_flushing = false;
                ended = stream_ended;
                complete = stream_complete;
                if (ended) {
                    std::swap(on_end, stream_on_end);
                    context = stream_context;
                    streaming = gone;
                }
            } else {
                stream_sending.clear();
                std::swap(stream_sending, stream_pending);
            }
        }
        if (gone) {
            if (on_end) on_end(context, 1);
            stream_lost();
            if (ended) held.reset();
            return;
        }
        if (ended) {
            if (on_end) on_end(context, 0);
            held.reset();
            if (!complete) return cut();
            if (keep) return next_request(options().idle_timeout_ms);
            return finish();
        }
        if (stream_sending.empty()) {
            enter_unlimited(Phase::streaming);
            return;
        }
        enter(Phase::streaming, with_rate(options().write_timeout_ms, stream_sending.size()));
        watch();
        net::async_write(stream, net::buffer(stream_sending), [me](error_code error, size_t) {
            if (error) {
                {
                    std::lock_guard<std::mutex> lock(me->stream_mutex);
                    me->stream_flushing = false;
                }
                return me->cut();
            }
            me->stream_sent();
            me->start_flush();
        });
    }

    void stream_sent() {
        void (*ready)(void *) = nullptr;
        void *context = nullptr;
        {
            std::lock_guard<std::mutex> lock(stream_mutex);
            stream_sending.clear();
            if (stream_pending.size() <= stream_room) {
                std::swap(ready, stream_ready);
                context = stream_ready_context;
            }
        }
        if (ready) ready(context);
    }

    // A peer that leaves while the writer has nothing to say is seen by its FIN. Waiting takes no bytes away from the
    // next request. Under TLS the goodbye is a record like any other; there the next write finds out.
    void watch() {
        if (watching || secure || buffer.size() > 0) return;
        watching = true;
        socket().async_wait(tcp::socket::wait_read, [me = self()](error_code error) {
            me->watching = false;
            if (error || me->phase != Phase::streaming) return;
            char byte;
            ssize_t count = ::recv(me->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
            if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) me->cut();
        });
    }
};

}  // namespace

std::shared_ptr<Session> http1(Arrival arrival, tcp::socket socket) {
    return std::make_shared<Connection<tcp::socket>>(std::move(arrival), std::move(socket));
}

std::shared_ptr<Session> http1(Arrival arrival, SecureStream stream) {
    return std::make_shared<Connection<SecureStream>>(std::move(arrival), std::move(stream));
}

}  // namespace transport
