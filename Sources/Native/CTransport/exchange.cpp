// The C face of requests in HTTP/1.1.
#include "http1.hpp"

#include <charconv>
#include <cstring>
#include <string_view>

using namespace transport;

beast::string_view transport::reason(int status) {
    auto text = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
    return text.empty() ? beast::string_view("Unknown") : text;
}

    void mw_exchange::build_head(int code, mw_slice given, const size_t *length) {
        status = code;
        // What the peer still sends of a body that nobody wants would be read as the next request.
        if (!whole || draining()) keep = false;
        char number[32];
        auto digits = [&](auto value) {
            auto end = std::to_chars(number, number + sizeof number, value).ptr;
            return std::string_view(number, static_cast<size_t>(end - number));
        };
        out_head.clear();
        out_head += "HTTP/1.1 ";
        out_head += digits(code);
        out_head += ' ';
        auto text = reason(code);
        out_head.append(text.data(), text.size());
        out_head += "\r\n";
        if (given.size) out_head.append(given.data, given.size);
        out_head += lines;
        if (!id.empty()) {
            out_head += "X-Request-Id: ";
            out_head += id;
            out_head += "\r\n";
        }
        if (!length) {
            if (!old_version) out_head += "Transfer-Encoding: chunked\r\n";
        } else if (code >= 200 && code != 204 && code != 304) {
            out_head += "Content-Length: ";
            out_head += digits(*length);
            out_head += "\r\n";
        }
        if (!keep) {
            out_head += "Connection: close\r\n";
        } else if (old_version) {
            out_head += "Connection: keep-alive\r\n";
        }
    }

    void mw_exchange::finish_head() {
        out_head += "Date: ";
        out_head += loop->http_date();
        out_head += "\r\n\r\n";
    }

namespace {

std::shared_ptr<mw_exchange> keep_alive(mw_exchange *exchange) {
    return std::static_pointer_cast<mw_exchange>(exchange->shared_from_this());
}

void start_on_loop(mw_exchange *exchange) {
    if (current_loop() == exchange->loop.get()) return exchange->start_reply();
    net::post(exchange->loop->io, [keep = keep_alive(exchange)] { keep->start_reply(); });
}

}  // namespace

struct mw_loop {
    std::shared_ptr<transport::Loop> loop;
};

extern "C" {

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
        if (beast::iequals(header.first, {name, size})) return slice(header.second);
    return {nullptr, 0};
}

int mw_exchange_is_piecewise(const mw_exchange *exchange) { return exchange->piecewise; }

void mw_exchange_take_piece(mw_exchange *exchange, mw_piece take, void *context) {
    auto keep = keep_alive(exchange);
    auto pull = [keep, take, context] {
        keep->take = take;
        keep->take_context = context;
        keep->start_pull();
    };
    on_loop(*exchange->loop, pull);
}

int mw_exchange_loop(const mw_exchange *exchange) { return exchange->loop->index; }
int mw_exchange_status(const mw_exchange *exchange) { return exchange->status; }
size_t mw_exchange_size(const mw_exchange *exchange) { return exchange->out_size; }
mw_slice mw_exchange_id(const mw_exchange *exchange) { return slice(exchange->id); }
void mw_exchange_set_id(mw_exchange *exchange, mw_slice id) { exchange->id.assign(id.data, id.size); }
void mw_exchange_add_lines(mw_exchange *exchange, mw_slice lines) { exchange->lines.append(lines.data, lines.size); }
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
    auto keep = keep_alive(exchange);
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
        auto keep = keep_alive(exchange);
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
    auto keep = keep_alive(exchange);
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
