#include "include/CTransport.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = net::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr size_t first_read = 8192;
constexpr size_t large_read = 65536;
constexpr size_t kept_capacity = 262144;
constexpr size_t stream_full = 262144;
constexpr size_t stream_room = 65536;
constexpr size_t linger_limit = 1 << 20;
constexpr size_t piece_read = 262144;
constexpr size_t piece_least = 524288;
constexpr size_t most_reserved = 8 << 20;

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

beast::string_view reason(int status) {
    auto text = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
    return text.empty() ? beast::string_view("Unknown") : text;
}

bool same_text(beast::string_view a, beast::string_view b) { return beast::iequals(a, b); }

mw_slice slice(beast::string_view text) { return {text.data(), text.size()}; }

struct Session;

struct Loop {
    net::io_context io{1};
    net::steady_timer sweep{io};
    std::thread thread;
    std::shared_ptr<mw_server> server;  // an exchange may be answered after the server has been freed
    int index = 0;
    std::list<Session *> sessions;
    bool sweeping = false;
    char date[64] = {};
    std::mutex jobs_mutex;
    std::deque<std::pair<void (*)(void *), void *>> jobs;
    bool takes_jobs = true;

    // Every job that was taken is run, by `end_jobs` where the loop has stopped before.
    bool next_job(std::pair<void (*)(void *), void *> &job) {
        std::lock_guard<std::mutex> lock(jobs_mutex);
        if (jobs.empty()) return false;
        job = jobs.front();
        jobs.pop_front();
        return true;
    }

    void end_jobs() {
        {
            std::lock_guard<std::mutex> lock(jobs_mutex);
            takes_jobs = false;
        }
        std::pair<void (*)(void *), void *> job;
        while (next_job(job)) job.first(job.second);
    }
    time_t date_second = 0;

    const char *http_date() {
        time_t now = time(nullptr);
        if (now != date_second) {
            tm parts;
            gmtime_r(&now, &parts);
            strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
            date_second = now;
        }
        return date;
    }
};

thread_local Loop *current_loop = nullptr;

}  // namespace

struct mw_server : std::enable_shared_from_this<mw_server> {
    std::shared_ptr<mw_server> owner;
    mw_server_options options;
    std::string host, certificate, key, client_ca;
    std::shared_ptr<net::ssl::context> tls;  // read and replaced atomically: connections of every loop start with it
    std::vector<std::shared_ptr<Loop>> loops;
    std::optional<tcp::acceptor> acceptor;
    std::optional<net::steady_timer> accept_pause;
    std::vector<net::executor_work_guard<net::io_context::executor_type>> guards;
    std::atomic<size_t> connections{0};
    std::atomic<bool> draining{false};
    std::atomic<bool> stopped{false};
    std::mutex mutex;
    std::condition_variable emptied;
    size_t next_loop = 0;

    void accept();
    void take(tcp::socket socket, size_t index);
    void left() {
        if (connections.fetch_sub(1) == 1) {
            std::lock_guard<std::mutex> lock(mutex);
            emptied.notify_all();
        }
    }
};

namespace {

enum class Phase { handshake, idle, header, body, handling, writing, streaming, lingering, closing };

}  // namespace

struct mw_loop {
    std::shared_ptr<Loop> loop;
};

// One request at a time lives in its connection: pipelined ones wait in the buffer until the answer is out.
struct mw_exchange {
    virtual ~mw_exchange() = default;
    virtual void start_reply() = 0;
    virtual void start_flush() = 0;
    virtual void start_pull() = 0;

    std::shared_ptr<Loop> loop;  // first: the io_context must outlive the socket of the session
    Parser *message = nullptr;
    std::vector<std::pair<beast::string_view, beast::string_view>> headers;
    beast::string_view method, target;
    std::string remote;
    std::string client_subject;
    std::atomic<bool> replied{false};
    bool keep = true;
    bool head = false;
    bool old_version = false;
    int status = 0;
    std::string out_head;
    std::string out_body;
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

    void build_head(int code, mw_slice lines, const size_t *length) {
        status = code;
        // What the peer still sends of a body that nobody wants would be read as the next request.
        if (!whole || loop->server->draining.load(std::memory_order_relaxed)) keep = false;
        char number[32];
        out_head.clear();
        out_head += "HTTP/1.1 ";
        snprintf(number, sizeof number, "%03d ", code);
        out_head += number;
        auto text = reason(code);
        out_head.append(text.data(), text.size());
        out_head += "\r\n";
        if (lines.size) out_head.append(lines.data, lines.size);
        if (!length) {
            if (!old_version) out_head += "Transfer-Encoding: chunked\r\n";
        } else if (code >= 200 && code != 204 && code != 304) {
            snprintf(number, sizeof number, "%zu", *length);
            out_head += "Content-Length: ";
            out_head += number;
            out_head += "\r\n";
        }
        if (!keep) {
            out_head += "Connection: close\r\n";
        } else if (old_version) {
            out_head += "Connection: keep-alive\r\n";
        }
    }

    void finish_head() {
        out_head += "Date: ";
        out_head += loop->http_date();
        out_head += "\r\n\r\n";
    }
};

namespace {

std::string subject_of(SSL *ssl) {
    std::string text;
    X509 *certificate = SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get1_peer_certificate(ssl) : nullptr;
    if (!certificate) return text;
    if (BIO *memory = BIO_new(BIO_s_mem())) {
        char *data = nullptr;
        X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
        long size = BIO_get_mem_data(memory, &data);
        if (size > 0) text.assign(data, static_cast<size_t>(size));
        BIO_free(memory);
    }
    X509_free(certificate);
    return text;
}

struct Session : mw_exchange, std::enable_shared_from_this<Session> {
    Phase phase = Phase::idle;
    Clock::time_point deadline = Clock::time_point::max();
    std::list<Session *>::iterator place;
    bool timed_out = false;

    virtual void expire() = 0;
    virtual void cut() = 0;
    virtual void close_if_idle() = 0;
    virtual void begin() = 0;
};

void sweep(Loop &loop) {
    if (loop.sweeping) return;
    loop.sweeping = true;
    auto &options = loop.server->options;
    int least = std::min(std::min(options.header_timeout_ms, options.body_timeout_ms),
                         std::min(options.idle_timeout_ms, options.write_timeout_ms));
    loop.sweep.expires_after(milliseconds(std::max(5, std::min(100, least / 4))));
    loop.sweep.async_wait([&loop](error_code error) {
        loop.sweeping = false;
        if (error) return;
        auto now = Clock::now();
        std::vector<std::shared_ptr<Session>> expired;
        for (auto *session : loop.sessions)
            if (session->deadline <= now) expired.push_back(session->shared_from_this());
        for (auto &session : expired) session->expire();
        if (!loop.sessions.empty()) sweep(loop);
    });
}

template <class Stream>
struct Connection final : Session {
    static constexpr bool secure = !std::is_same_v<Stream, tcp::socket>;

    std::array<std::byte, 4096> arena_start;
    std::optional<std::pmr::monotonic_buffer_resource> arena;
    std::optional<Parser> parser;
    Stream stream;
    beast::flat_buffer buffer;
    std::string spare_body;
    std::shared_ptr<Session> held;  // while somebody else owns the exchange
    Clock::time_point body_start;
    size_t body_received = 0;
    size_t lingered = 0;
    bool header_seen = false;
    bool watching = false;
    int refusal = 0;
    mw_outcome broken = MW_OK;
    bool awaited = false;

    template <class... A>
    Connection(std::shared_ptr<Loop> owner, A &&...arguments) : stream(std::forward<A>(arguments)...) {
        loop = std::move(owner);
        buffer.reserve(first_read);
        place = loop->sessions.insert(loop->sessions.end(), this);
        sweep(*loop);
    }

    ~Connection() override { leave(); }

    bool listed = true;
    void leave() {
        if (!listed) return;
        listed = false;
        loop->sessions.erase(place);
        loop->server->left();
    }

    tcp::socket &socket() {
        if constexpr (secure) return stream.next_layer();
        else return stream;
    }

    const mw_server_options &options() const { return loop->server->options; }
    std::shared_ptr<Connection> self() { return std::static_pointer_cast<Connection>(shared_from_this()); }

    void enter(Phase next, int timeout_ms) {
        phase = next;
        deadline = Clock::now() + milliseconds(timeout_ms);
    }

    void enter_unlimited(Phase next) {
        phase = next;
        deadline = Clock::time_point::max();
    }

    int with_rate(int timeout_ms, size_t bytes) const {
        return timeout_ms + static_cast<int>(std::min<size_t>(bytes / std::max(1, options().minimum_rate), 1 << 20) * 1000);
    }

    void begin() override {
        error_code ignored;
        auto peer = socket().remote_endpoint(ignored);
        if (!ignored) remote = peer.address().to_string(ignored);
        if constexpr (secure) {
            enter(Phase::handshake, options().header_timeout_ms);
            stream.async_handshake(net::ssl::stream_base::server, [me = self()](error_code error) {
                if (error) return me->cut();
                me->client_subject = subject_of(me->stream.native_handle());
                me->next_request(me->options().header_timeout_ms);
            });
        } else {
            next_request(options().header_timeout_ms);
        }
    }

    void next_request(int idle_ms) {
        if (loop->server->draining.load(std::memory_order_relaxed) && buffer.size() == 0) return cut();
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
        if (encodings && !same_text(encoding, "chunked")) return 501;
        if (encodings && old_version) return 400;
        if (hosts > 1 || (hosts == 0 && !old_version)) return 400;
        auto expect = request[http::field::expect];
        if (!expect.empty() && !same_text(expect, "100-continue")) return 417;
        auto length = parser->content_length();
        // One that has come already is simply there.
        if ((length ? *length > buffer.size() : encodings > 0) && options().on_header)
            piecewise = options().on_header(options().context, this) != 0;
        size_t limit = piecewise ? options().piecewise_limit : options().body_limit;
        parser->body_limit(limit);
        if (length && *length > limit) return 413;
        return 0;
    }

    bool expects_continue() { return !old_version && same_text(parser->get()[http::field::expect], "100-continue"); }

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
        options().on_request(options().context, this);
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
        net::async_write(stream, parts, [me](error_code error, size_t) {
            if (error) return me->cut();
            if (me->keep) return me->next_request(me->options().idle_timeout_ms);
            me->finish();
        });
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

    void close_if_idle() override {
        if (phase == Phase::idle || phase == Phase::handshake) cut();
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

using PlainConnection = Connection<tcp::socket>;
using SecureConnection = Connection<net::ssl::stream<tcp::socket>>;

}  // namespace

void mw_server::take(tcp::socket socket, size_t index) {
    if (draining) return left();
    auto &loop = loops[index];
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    std::shared_ptr<Session> session;
    if (auto context = std::atomic_load(&tls)) {
        session = std::make_shared<SecureConnection>(loop, std::move(socket), *context);
    } else {
        session = std::make_shared<PlainConnection>(loop, std::move(socket));
    }
    session->begin();
}

// One acceptor hands connections to the loops in turn. SO_REUSEPORT would let a second process listen on the same port
// without an error and take half of the connections.
void mw_server::accept() {
    size_t index = next_loop++ % loops.size();
    acceptor->async_accept(loops[index]->io, [this, index](error_code error, tcp::socket socket) {
        if (error == net::error::operation_aborted || draining) return;
        if (error) {
            accept_pause->expires_after(milliseconds(50));
            accept_pause->async_wait([this](error_code stop) {
                if (!stop) accept();
            });
            return;
        }
        if (connections.fetch_add(1) >= options.connection_limit) {
            left();
            static const char busy[] =
                "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";
            if (!std::atomic_load(&tls)) (void)::send(socket.native_handle(), busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (options.on_refused) options.on_refused(options.context, 503);
        } else if (index == 0) {
            take(std::move(socket), 0);
        } else {
            net::post(loops[index]->io, [this, index, socket = std::move(socket)]() mutable { take(std::move(socket), index); });
        }
        accept();
    });
}

namespace {

struct StartFailure {
    mw_outcome outcome;
    std::string text;
};

void open_acceptor(mw_server &server) {
    error_code error;
    auto &io = server.loops[0]->io;
    auto address = net::ip::make_address(server.host, error);
    if (error) {
        tcp::resolver resolver(io);
        auto found = resolver.resolve(server.host, "", error);
        if (error || found.empty()) throw StartFailure{MW_BAD_HOST, error ? error.message() : "no address"};
        address = found.begin()->endpoint().address();
    }
    tcp::endpoint endpoint(address, server.options.port);
    server.acceptor.emplace(io);
    server.acceptor->open(endpoint.protocol(), error);
    if (!error) server.acceptor->set_option(net::socket_base::reuse_address(true), error);
    if (!error) server.acceptor->bind(endpoint, error);
    if (!error) server.acceptor->listen(4096, error);
    if (!error) return;
    auto outcome = error == net::error::address_in_use    ? MW_PORT_IN_USE
                   : error == net::error::access_denied   ? MW_NO_PERMISSION
                   : error.value() == EADDRNOTAVAIL       ? MW_BAD_HOST
                                                          : MW_OTHER;
    throw StartFailure{outcome, error.message()};
}

std::string tls_reason() {
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : nullptr;
    ERR_clear_error();
    return text ? text : "it can not be read";
}

std::string utc(const ASN1_TIME *time) {
    tm parts{};
    char text[32] = "an unknown time";
    if (ASN1_TIME_to_tm(time, &parts)) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

void load_tls(net::ssl::context &context, const mw_server &server) {
    SSL_CTX *handle = context.native_handle();
    auto failed = [](const std::string &file, const std::string &text) -> StartFailure {
        return {MW_BAD_TLS, "'" + file + "': " + text};
    };
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
    SSL_CTX_set_options(handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // A key with a passphrase must fail, not ask on the terminal.
    SSL_CTX_set_default_passwd_cb(handle, [](char *, int, int, void *) { return 0; });
    if (SSL_CTX_use_certificate_chain_file(handle, server.certificate.c_str()) != 1)
        throw failed(server.certificate, tls_reason());
    X509 *leaf = SSL_CTX_get0_certificate(handle);
    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0)
        throw failed(server.certificate, "the certificate expired at " + utc(X509_get0_notAfter(leaf)));
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
        throw failed(server.certificate, "the certificate is valid from " + utc(X509_get0_notBefore(leaf)) + " only");
    if (SSL_CTX_use_PrivateKey_file(handle, server.key.c_str(), SSL_FILETYPE_PEM) != 1) {
        bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
                        ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH;
        auto text = tls_reason();
        throw failed(server.key, mismatch ? "the key does not belong to the certificate '" + server.certificate + "'" : text);
    }
    if (SSL_CTX_check_private_key(handle) != 1)
        throw failed(server.key, "the key does not belong to the certificate '" + server.certificate + "'");
    if (!server.client_ca.empty()) {
        auto *names = SSL_load_client_CA_file(server.client_ca.c_str());
        if (!names || SSL_CTX_load_verify_locations(handle, server.client_ca.c_str(), nullptr) != 1) {
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            throw failed(server.client_ca, tls_reason());
        }
        SSL_CTX_set_client_CA_list(handle, names);
        SSL_CTX_set_verify(handle, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        static const unsigned char scope[] = "modelworks";
        SSL_CTX_set_session_id_context(handle, scope, sizeof scope - 1);
    }
    // ALPN: a client that insists on h2 alone is told at once instead of getting bytes it can not read.
    SSL_CTX_set_alpn_select_cb(
        handle,
        [](SSL *, const unsigned char **out, unsigned char *size, const unsigned char *in, unsigned int count, void *) {
            static const unsigned char ours[] = "\x08http/1.1";
            auto *chosen = const_cast<unsigned char **>(out);
            int found = SSL_select_next_proto(chosen, size, ours, sizeof ours - 1, in, count);
            return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
        },
        nullptr);
}

void open_tls(mw_server &server) {
    if (server.certificate.empty()) return;
    auto context = std::make_shared<net::ssl::context>(net::ssl::context::tls_server);
    load_tls(*context, server);
    std::atomic_store(&server.tls, context);
}

void copy_text(const std::string &text, char *target, size_t size) {
    if (size) snprintf(target, size, "%s", text.c_str());
}

void start_on_loop(mw_exchange *exchange) {
    if (current_loop == exchange->loop.get()) return exchange->start_reply();
    auto keep = static_cast<Session *>(exchange)->shared_from_this();
    net::post(exchange->loop->io, [keep] { keep->start_reply(); });
}

}  // namespace

extern "C" {

mw_server *mw_server_start(const mw_server_options *options, uint16_t *port, mw_outcome *outcome, char *error, size_t size) {
    auto server = std::make_shared<mw_server>();
    *outcome = MW_OK;
    try {
        server->options = *options;
        server->host = options->host;
        if (options->certificate_path) server->certificate = options->certificate_path;
        if (options->key_path) server->key = options->key_path;
        if (options->client_ca_path) server->client_ca = options->client_ca_path;
        for (int index = 0; index < std::max(1, options->threads); index++) {
            auto loop = std::make_shared<Loop>();
            loop->server = server;
            loop->index = index;
            server->loops.push_back(std::move(loop));
        }
        open_tls(*server);
        open_acceptor(*server);
        *port = server->acceptor->local_endpoint().port();
        server->accept_pause.emplace(server->loops[0]->io);
        server->accept();
        for (auto &loop : server->loops) server->guards.push_back(net::make_work_guard(loop->io));
        for (auto &loop : server->loops) {
            auto *raw = loop.get();
            loop->thread = std::thread([raw] {
                current_loop = raw;
                raw->io.run();
            });
        }
        server->owner = server;
        return server.get();
    } catch (const StartFailure &failure) {
        *outcome = failure.outcome;
        copy_text(failure.text, error, size);
    } catch (const std::exception &failure) {
        *outcome = MW_OTHER;
        copy_text(failure.what(), error, size);
    }
    for (auto &loop : server->loops) {
        loop->io.stop();
        if (loop->thread.joinable()) loop->thread.join();
    }
    server->acceptor.reset();
    server->accept_pause.reset();
    server->guards.clear();
    server->loops.clear();
    return nullptr;
}

size_t mw_server_stop(mw_server *server, int drain_ms) {
    if (server->stopped.exchange(true)) return 0;
    server->draining = true;
    net::post(server->loops[0]->io, [server] {
        error_code ignored;
        server->acceptor->close(ignored);
        server->accept_pause->cancel();
    });
    auto on_sessions = [server](void (*act)(Session &)) {
        for (auto &loop : server->loops) {
            net::post(loop->io, [raw = loop.get(), act] {
                std::vector<std::shared_ptr<Session>> all;
                for (auto *session : raw->sessions) all.push_back(session->shared_from_this());
                for (auto &session : all) act(*session);
            });
        }
    };
    on_sessions([](Session &session) { session.close_if_idle(); });
    size_t rest = 0;
    {
        std::unique_lock<std::mutex> lock(server->mutex);
        server->emptied.wait_for(lock, milliseconds(drain_ms), [server] { return server->connections == 0; });
        rest = server->connections;
        lock.unlock();
        if (rest > 0) on_sessions([](Session &session) { session.cut(); });
        lock.lock();
        // Streams learn of the cut on the loop, so the loops go on until they have been told.
        server->emptied.wait_for(lock, milliseconds(2000), [server] { return server->connections == 0; });
    }
    server->guards.clear();
    for (auto &loop : server->loops) {
        net::post(loop->io, [raw = loop.get()] {
            raw->sweep.cancel();
            raw->io.stop();
        });
    }
    for (auto &loop : server->loops) {
        if (loop->thread.joinable()) loop->thread.join();
        loop->end_jobs();
    }
    server->acceptor.reset();
    server->accept_pause.reset();
    return rest;
}

void mw_server_free(mw_server *server) {
    mw_server_stop(server, 0);
    auto last = std::move(server->owner);
    server->loops.clear();
}

mw_outcome mw_server_reload_tls(mw_server *server, char *error, size_t size) {
    try {
        open_tls(*server);
        return MW_OK;
    } catch (const StartFailure &failure) {
        copy_text(failure.text, error, size);
        return failure.outcome;
    } catch (const std::exception &failure) {
        copy_text(failure.what(), error, size);
        return MW_OTHER;
    }
}

mw_slice mw_exchange_client_subject(const mw_exchange *exchange) { return slice(exchange->client_subject); }

void mw_exchange_post(mw_exchange *exchange, void (*run)(void *), void *context) {
    net::post(exchange->loop->io, [run, context] { run(context); });
}

mw_loop *mw_exchange_retain_loop(const mw_exchange *exchange) { return new mw_loop{exchange->loop}; }

void mw_loop_release(mw_loop *loop) { delete loop; }

int mw_loop_post(mw_loop *handle, void (*run)(void *), void *context) {
    auto loop = handle->loop;
    {
        std::lock_guard<std::mutex> lock(loop->jobs_mutex);
        if (!loop->takes_jobs) return 0;
        loop->jobs.emplace_back(run, context);
    }
    net::post(loop->io, [loop = loop.get()] {
        std::pair<void (*)(void *), void *> job;
        if (loop->next_job(job)) job.first(job.second);
    });
    return 1;
}

size_t mw_server_connections(const mw_server *server) { return server->connections; }

mw_slice mw_exchange_method(const mw_exchange *exchange) { return slice(exchange->method); }
mw_slice mw_exchange_target(const mw_exchange *exchange) { return slice(exchange->target); }
mw_slice mw_exchange_remote(const mw_exchange *exchange) { return slice(exchange->remote); }

mw_slice mw_exchange_body(const mw_exchange *exchange) {
    auto &body = exchange->message->get().body();
    return {body.data(), body.size()};
}

size_t mw_exchange_header_count(const mw_exchange *exchange) { return exchange->headers.size(); }

void mw_exchange_header_at(const mw_exchange *exchange, size_t index, mw_slice *name, mw_slice *value) {
    if (index >= exchange->headers.size()) return;
    *name = slice(exchange->headers[index].first);
    *value = slice(exchange->headers[index].second);
}

mw_slice mw_exchange_header(const mw_exchange *exchange, const char *name, size_t size) {
    for (auto &header : exchange->headers)
        if (same_text(header.first, {name, size})) return slice(header.second);
    return {nullptr, 0};
}

int mw_exchange_is_piecewise(const mw_exchange *exchange) { return exchange->piecewise; }

void mw_exchange_take_piece(mw_exchange *exchange, mw_piece take, void *context) {
    auto keep = static_cast<Session *>(exchange)->shared_from_this();
    auto pull = [keep, take, context] {
        keep->take = take;
        keep->take_context = context;
        keep->start_pull();
    };
    if (current_loop == exchange->loop.get()) return pull();
    net::post(exchange->loop->io, pull);
}

int mw_exchange_loop(const mw_exchange *exchange) { return exchange->loop->index; }
int mw_exchange_status(const mw_exchange *exchange) { return exchange->status; }
int mw_exchange_replied(const mw_exchange *exchange) { return exchange->replied.load(std::memory_order_relaxed); }

void *mw_exchange_buffer(mw_exchange *exchange, size_t capacity) {
    if (exchange->out_body.size() < capacity) exchange->out_body.resize(capacity);
    return exchange->out_body.data();
}

void mw_exchange_reply_filled(mw_exchange *exchange, int status, mw_slice headers, size_t size) {
    if (exchange->replied.exchange(true)) return;
    exchange->out_size = std::min(size, exchange->out_body.size());
    exchange->build_head(status, headers, &exchange->out_size);
    start_on_loop(exchange);
}

void mw_exchange_reply(mw_exchange *exchange, int status, mw_slice headers, const void *body, size_t size) {
    if (exchange->replied.load()) return;
    if (size) memcpy(mw_exchange_buffer(exchange, size), body, size);
    mw_exchange_reply_filled(exchange, status, headers, size);
}

void mw_exchange_stream_begin(mw_exchange *exchange, int status, mw_slice headers, void (*on_end)(void *, int), void *context) {
    exchange->replied = true;
    if (exchange->old_version) exchange->keep = false;
    exchange->build_head(status, headers, nullptr);
    exchange->out_head += "\r\n";
    std::lock_guard<std::mutex> lock(exchange->stream_mutex);
    exchange->streaming = true;
    exchange->stream_on_end = on_end;
    exchange->stream_context = context;
    exchange->stream_pending = exchange->out_head;
    exchange->stream_flushing = true;
    auto keep = static_cast<Session *>(exchange)->shared_from_this();
    net::post(exchange->loop->io, [keep] { keep->start_flush(); });
}

int mw_exchange_stream_write(mw_exchange *exchange, const void *bytes, size_t size) {
    std::lock_guard<std::mutex> lock(exchange->stream_mutex);
    if (exchange->stream_gone) return 0;
    if (size == 0 || exchange->head) return 1;
    if (exchange->old_version) {
        exchange->stream_pending.append(static_cast<const char *>(bytes), size);
    } else {
        char length[24];
        exchange->stream_pending.append(length, static_cast<size_t>(snprintf(length, sizeof length, "%zx\r\n", size)));
        exchange->stream_pending.append(static_cast<const char *>(bytes), size);
        exchange->stream_pending.append("\r\n");
    }
    if (!exchange->stream_flushing) {
        exchange->stream_flushing = true;
        auto keep = static_cast<Session *>(exchange)->shared_from_this();
        net::post(exchange->loop->io, [keep] { keep->start_flush(); });
    }
    return exchange->stream_pending.size() > stream_full ? 2 : 1;
}

void mw_exchange_stream_wait(mw_exchange *exchange, void (*ready)(void *), void *context) {
    {
        std::lock_guard<std::mutex> lock(exchange->stream_mutex);
        if (!exchange->stream_gone && exchange->stream_pending.size() > stream_room) {
            exchange->stream_ready = ready;
            exchange->stream_ready_context = context;
            return;
        }
    }
    ready(context);
}

void mw_exchange_stream_end(mw_exchange *exchange, int complete) {
    auto keep = static_cast<Session *>(exchange)->shared_from_this();
    std::lock_guard<std::mutex> lock(exchange->stream_mutex);
    if (exchange->stream_ended) return;
    exchange->stream_ended = true;
    exchange->stream_complete = complete != 0;
    if (complete && !exchange->head && !exchange->old_version) exchange->stream_pending.append("0\r\n\r\n");
    if (exchange->stream_flushing) return;
    exchange->stream_flushing = true;
    net::post(exchange->loop->io, [keep] { keep->start_flush(); });
}

}  // extern "C"
